"""How far a study is, as a viewer shows it: counts, what runs, what failed, the time left."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from isthmus.planning.plan import Plan
from isthmus.running.attempts import attempts_of, failure_of
from isthmus.running.runner import State
from isthmus.stage import Json
from isthmus.store import Store

#: Bytes and lines of a log that are shown: its end.
_LOG_BYTES, _LOG_LINES = 64 * 1024, 200
#: The states in the order they are counted in.
_COUNTED = (State.DONE, State.RUNNING, State.ELSEWHERE, State.FAILED, State.SKIPPED, State.WAITING)


@dataclass(frozen=True)
class Running:
    """A stage under way; ``left`` are seconds, None where it has said nothing of its progress yet."""

    key: str
    title: str
    done: int
    total: int
    seconds: float
    left: float | None


@dataclass(frozen=True)
class Failed:
    """A stage that failed when it was last tried."""

    key: str
    title: str
    reason: str


@dataclass(frozen=True)
class Status:
    """What the page of a study is told every other second.

    Attributes:
        message: what keeps the study or its report from being shown, or what is being done; a sentence.
        left: seconds until it is finished, as expected; None where nothing runs.
        report: names the report that is there; another name means that there is another one. Empty: none yet.
    """

    study: str
    message: str = ""
    total: int = 0
    counts: tuple[tuple[str, int], ...] = ()
    running: tuple[Running, ...] = ()
    failed: tuple[Failed, ...] = ()
    left: float | None = None
    report: str = ""

    @property
    def done(self) -> int:
        """How many stages are finished."""
        return dict(self.counts).get(str(State.DONE), 0)

    def to_json(self) -> dict[str, Json]:
        """As the page asks for it."""
        return {**asdict(self), "counts": dict(self.counts), "done": self.done}


def status_of(
    name: str,
    plan: Plan,
    store: Store,
    states: Mapping[str, State],
    expected: tuple[Mapping[str, float], int],
    report: str,
) -> Status:
    """The status of a planned study; ``expected`` are the seconds of each stage, and how many run at once."""
    found = list(states.values())
    counts = tuple((str(state), found.count(state)) for state in _COUNTED if state in found)
    running = tuple(_running(plan, store, key) for key, state in states.items() if state is State.RUNNING)
    failed = tuple(
        Failed(key, plan.stages[key].title, _reason(store, key))
        for key, state in states.items()
        if state is State.FAILED
    )
    left = _left(states, running, *expected) if running else None
    return Status(name, "", len(found), counts, running, failed, left, report)


def _running(plan: Plan, store: Store, key: str) -> Running:
    said = store.progress(key)
    done, total, seconds = int(said.get("done", 0)), int(said.get("total", 0)), float(said.get("seconds", 0))
    left = seconds * (total - done) / done if done else None
    return Running(key, plan.stages[key].title, done, total, seconds, left)


def _left(
    states: Mapping[str, State], running: tuple[Running, ...], expected: Mapping[str, float], workers: int
) -> float:
    """The seconds that are expected of the rest."""
    under_way = sum(each.left if each.left is not None else expected.get(each.key, 0) for each in running)
    waiting = sum(expected.get(key, 0) for key, state in states.items() if state is State.WAITING)
    return (under_way + waiting) / max(workers, len(running))


def _reason(store: Store, key: str) -> str:
    failure = failure_of(store.work_folder(key))
    return failure.error if failure else "the reason was not kept"


@dataclass(frozen=True)
class StageView:
    """Everything about one stage: pairs of what it is and its value, and texts that are shown as they are."""

    key: str
    title: str
    state: State
    facts: tuple[tuple[str, str], ...]
    builds_on: tuple[tuple[str, str], ...]  # key, title
    used_by: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    attempts: tuple[str, ...]
    identity: str
    log: str


def stage_view(plan: Plan, store: Store, key: str, state: State) -> StageView:
    """What the store knows of a stage of the plan."""
    from isthmus.report.words import duration, memory, size

    stage, record = plan.stages[key], store.record(key)
    folder = store.stage_folder(key) if record else store.work_folder(key)
    said = store.progress(key)
    facts = {"state": str(state), "function": stage.function, "key": key}
    if record:
        facts |= {"begun": record.started, "time": duration(record.seconds), "peak memory": memory(record.peak_memory)}
        facts["disk"] = size(sum(fact.size for fact in record.files.values()))
        facts |= {"machine": record.machine, "versions": ", ".join(f"{n} {v}" for n, v in record.versions.items())}
    elif said:
        facts["progress"] = f"{said.get('done', 0):,} of {said.get('total', 0):,} after {duration(said['seconds'])}"
    if state is State.FAILED:
        facts["reason"] = _reason(store, key)
    attempts = (f"{each.ended}, after {each.seconds:.0f} s: {each.reason}" for each in attempts_of(folder))
    return StageView(
        key,
        stage.title,
        state,
        tuple((name, value) for name, value in facts.items() if value),
        tuple((need, plan.stages[need].title) for need in plan.needs(key)),
        tuple((other, each.title) for other, each in plan.stages.items() if key in each.inputs.values()),
        record.warnings if record else (),
        tuple(attempts),
        json.dumps(stage.identity, indent=1, ensure_ascii=False, default=str),
        log_tail(folder / "log.txt"),
    )


def log_tail(path: Path) -> str:
    """The last lines of a log; control characters but line ends and tabs are left out. Empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            begin = max(0, file.tell() - _LOG_BYTES)
            file.seek(begin)
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = text.replace("\r", "\n").split("\n")[1 if begin else 0 :]
    kept = "\n".join(lines[-_LOG_LINES:])
    return "".join(letter for letter in kept if letter in "\n\t" or letter >= " ")
