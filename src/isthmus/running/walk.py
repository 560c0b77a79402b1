"""A run under way, or over: where its stages are, what it tells of them, and what is done when one fails."""

from dataclasses import dataclass, field
from enum import StrEnum

from isthmus.planning.plan import Plan
from isthmus.running.attempts import Attempt, failure_of
from isthmus.store import Damage, Store


class State(StrEnum):
    """Where a stage is."""

    WAITING = "waiting"
    RUNNING = "running"
    ELSEWHERE = "running elsewhere"  # another run on the same store has it
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # something it builds on failed


class Watcher:
    """What a run tells whoever watches it. This one is silent."""

    def begin(self, walk: "Walk") -> None:
        """The run is about to start."""

    def damaged(self, key: str, damage: list[Damage]) -> None:
        """A finished stage was found altered and set aside; it will be made anew."""

    def changed(self, walk: "Walk", key: str) -> None:
        """The stage is in another state."""

    def again(self, walk: "Walk", key: str) -> None:
        """An attempt at the stage, the last of ``walk.attempts[key]``, came to nothing, and there will be another."""

    def tick(self, walk: "Walk") -> None:
        """Some time has passed."""

    def stopping(self, walk: "Walk") -> None:
        """The run was asked to stop: running stages will now save what they have."""

    def end(self, walk: "Walk") -> None:
        """Nothing more will happen."""


@dataclass(frozen=True)
class Policy:
    """What to do when a stage fails, and how long it may take.

    Attributes:
        retries: how often a stage is tried again that did not fail by a fault of the user's.
        timeout: seconds that one attempt may take; None for as long as it likes. An attempt that is ended keeps its
            checkpoints, and the next one goes on from them.
    """

    retries: int = 1
    timeout: float | None = None


@dataclass
class Walk:
    """A run under way, or over."""

    plan: Plan
    store: Store
    states: dict[str, State]
    policy: Policy = Policy()
    errors: dict[str, str] = field(default_factory=dict)
    #: the exit status of each failed stage: 2 when it was something the user can mend
    codes: dict[str, int] = field(default_factory=dict)
    #: stages that this run has finished itself
    finished_here: list[str] = field(default_factory=list)
    #: the attempts of this run that came to nothing, by stage
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    interrupted: bool = False

    def count(self, *states: State) -> int:
        """How many stages are in one of ``states``."""
        return sum(state in states for state in self.states.values())

    def failures(self, key: str) -> int:
        """How many attempts of this run at a stage have failed; those that were lost do not count."""
        return sum(not attempt.lost for attempt in self.attempts.get(key, ()))

    @property
    def total(self) -> int:
        """How many stages there are."""
        return len(self.states)


def states_of(plan: Plan, store: Store) -> dict[str, State]:
    """Where the stages of the plan are. Cheap: no file is looked at but those of stages under way."""
    finished, begun = set(store.finished()), set(store.under_way())
    states: dict[str, State] = {}
    for key, stage in plan.stages.items():  # each after those it builds on
        if key in finished:
            states[key] = State.DONE
        elif key in begun and store.running(key):
            states[key] = State.RUNNING
        elif key in begun and failure_of(store.work_folder(key)):
            states[key] = State.FAILED
        else:
            before = {states[need] for need in stage.inputs.values()}
            states[key] = State.SKIPPED if before & {State.FAILED, State.SKIPPED} else State.WAITING
    return states
