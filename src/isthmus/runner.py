"""Walking the graph: skip what is finished, hand what is ready to an engine, keep on when something fails."""

import json
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import FrameType

from isthmus.disk import plainly, write_atomic
from isthmus.engines import Ended, Engine
from isthmus.execute import Code
from isthmus.plan import Plan
from isthmus.stage import Record, Settings, Stage
from isthmus.store import Damage, Store

_POLL = 0.1  # seconds between looks at stages that other processes run


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

    def tick(self, walk: "Walk") -> None:
        """Some time has passed."""

    def end(self, walk: "Walk") -> None:
        """Nothing more will happen."""


@dataclass
class Walk:
    """A run under way, or over."""

    plan: Plan
    store: Store
    states: dict[str, State]
    errors: dict[str, str] = field(default_factory=dict)
    #: the exit status of each failed stage: 2 when it was something the user can mend
    codes: dict[str, int] = field(default_factory=dict)
    #: stages that this run has finished itself
    finished_here: list[str] = field(default_factory=list)
    interrupted: bool = False

    def count(self, *states: State) -> int:
        """How many stages are in one of ``states``."""
        return sum(state in states for state in self.states.values())

    @property
    def total(self) -> int:
        """How many stages there are."""
        return len(self.states)


def states_of(plan: Plan, store: Store) -> dict[str, State]:
    """Which stages of the plan are finished, running or waiting. Cheap: files are not looked at."""
    finished = set(store.finished())
    return {key: State.DONE if key in finished else _not_done(key, store) for key in plan.stages}


def _not_done(key: str, store: Store) -> State:
    if not store.work_folder(key).exists():
        return State.WAITING
    if store.running(key):
        return State.RUNNING
    return State.FAILED if (store.work_folder(key) / "failure.json").exists() else State.WAITING


def run_plan(plan: Plan, store: Store, engine: Engine, settings: Settings, watcher: Watcher) -> Walk:
    """Run every stage of ``plan`` that is not finished; returns how each ended.

    A failed stage takes only what builds on it with it. Ctrl-C or SIGTERM has running stages save and stop; the walk is
    then ``interrupted``, and the same call goes on where it stopped.
    """
    walk = Walk(plan, store, {})
    for key in plan.stages:
        walk.states[key] = State.DONE if _intact(key, store, watcher) else State.WAITING
    watcher.begin(walk)
    runner = _Runner(walk, engine, settings, watcher)
    with _interruptible() as asked:
        try:
            runner.loop(asked)
        finally:
            if asked.is_set():
                walk.interrupted = walk.count(State.DONE) < walk.total
                engine.stop(patience=30)
            engine.close()
            watcher.end(walk)
    return walk


def _intact(key: str, store: Store, watcher: Watcher) -> bool:
    """Is the stage finished, and its files as they were left? An altered one is set aside."""
    damage = store.damage(key)
    if damage:
        store.set_aside(key)
        watcher.damaged(key, damage)
        return False
    return store.record(key) is not None


class _Runner:
    def __init__(self, walk: Walk, engine: Engine, settings: Settings, watcher: Watcher) -> None:
        self.walk, self.engine, self.settings, self.watcher = walk, engine, settings, watcher
        self.stages: Mapping[str, Stage] = walk.plan.stages
        self.running: set[str] = set()

    def loop(self, asked: threading.Event) -> None:
        """Until nothing can be started and nothing runs, or until asked to stop."""
        while not asked.is_set():
            self._look_elsewhere()
            for key in self._ready()[: self.engine.slots - len(self.running)]:
                self._start(key)
            if not self.running and not self.walk.count(State.ELSEWHERE):
                return
            for ended in self.engine.ended(timeout=_POLL):
                self._end(ended)
            self.watcher.tick(self.walk)

    def _ready(self) -> list[str]:
        """Waiting stages whose inputs are finished, in the order of the plan."""
        states = self.walk.states
        return [
            key
            for key, state in states.items()
            if state is State.WAITING and all(states[need] is State.DONE for need in self.stages[key].inputs.values())
        ]

    def _start(self, key: str) -> None:
        store = self.walk.store
        if store.running(key):  # spare a process: another run has it
            self._set(key, State.ELSEWHERE)
            return
        with plainly(store.root):
            work = store.work_folder(key)
            work.mkdir(parents=True, exist_ok=True)
            content = json.dumps(self.stages[key].to_json(self.settings), indent=1, ensure_ascii=False)
            write_atomic(work / "stage.json", content.encode())
        self.engine.start(key, work / "stage.json", work / "log.txt")
        self.running.add(key)
        self._set(key, State.RUNNING)

    def _end(self, ended: Ended) -> None:
        self.running.discard(ended.key)
        if self.walk.store.record(ended.key) is not None:
            if ended.code == Code.DONE:  # otherwise another run did it
                self.walk.finished_here.append(ended.key)
            self._set(ended.key, State.DONE)
        elif ended.code == Code.BUSY:
            self._set(ended.key, State.ELSEWHERE)
        else:
            self.walk.codes[ended.key] = ended.code
            self._fail(ended.key, self._reason(ended))

    def _reason(self, ended: Ended) -> str:
        path = self.walk.store.work_folder(ended.key) / "failure.json"
        if ended.code > 0 and path.exists():
            return str(json.loads(path.read_bytes())["error"])
        if ended.code < 0:
            name = signal.Signals(-ended.code).name
            hint = " (the system may have run out of memory)" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{hint}"
        return f"its process ended with status {ended.code}; see {path.with_name('log.txt')}"

    def _fail(self, key: str, reason: str) -> None:
        self.walk.errors[key] = reason
        self._set(key, State.FAILED)
        lost = {key}
        for later, stage in self.stages.items():
            if lost & set(stage.inputs.values()) and self.walk.states[later] is not State.DONE:
                lost.add(later)
                self._set(later, State.SKIPPED)

    def _look_elsewhere(self) -> None:
        """Stages that another run had: finished by now, or given up?"""
        for key, state in self.walk.states.items():
            if state is State.ELSEWHERE:
                if self.walk.store.record(key) is not None:
                    self._set(key, State.DONE)
                elif not self.walk.store.running(key):
                    self._set(key, State.WAITING)

    def _set(self, key: str, state: State) -> None:
        if self.walk.states[key] is not state:
            self.walk.states[key] = state
            self.watcher.changed(self.walk, key)


class _interruptible:
    """While inside, Ctrl-C and SIGTERM set an event instead of raising; twice Ctrl-C raises."""

    def __enter__(self) -> threading.Event:
        self.event = threading.Event()
        self.previous: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.previous[number] = signal.signal(number, self._ask)
        return self.event

    def __exit__(self, *_: object) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.event.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.event.set()


def records_of(plan: Plan, store: Store) -> dict[str, Record]:
    """The records of the plan's finished stages."""
    found = {key: store.record(key) for key in plan.stages}
    return {key: record for key, record in found.items() if record is not None}
