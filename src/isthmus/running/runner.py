"""Walking the graph: skip what is finished, hand what is ready to an engine, keep on when something fails."""

import heapq
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping

from isthmus.disk import plainly, write_atomic
from isthmus.engines import Ended, Engine
from isthmus.errors import IsthmusError, StageFailed, StoreError
from isthmus.planning.plan import Plan
from isthmus.running.attempts import Attempt, failure_of, keep_attempt, keep_failure, now, process_of
from isthmus.running.execute import Code, Interrupted
from isthmus.running.interrupting import interruptible
from isthmus.running.walk import Policy, State, Walk, Watcher, states_of
from isthmus.stage import Settings, Stage
from isthmus.store import Store

__all__ = ["Policy", "State", "Walk", "Watcher", "run_plan", "states_of"]

_POLL = 0.1  # seconds between looks at stages that other processes run
_PATIENCE = 30.0  # seconds that running stages have to save, once the run is asked to stop
_LONGEST_PAUSE = (
    60.0  # seconds before a stage is tried again; the first pause is of one second, each next one twice that
)
#: How often a stage is begun again whose process was lost by no doing of its own, before that counts as a failure.
MOST_LOST = 20


def run_plan(
    plan: Plan, store: Store, engine: Engine, settings: Settings, watcher: Watcher, policy: Policy | None = None
) -> Walk:
    """Run every stage of ``plan`` that is not finished; returns how each ended.

    A stage that fails is tried again as ``policy`` says. Once it is given up it takes only what builds on it with it.
    Ctrl-C or SIGTERM has running stages save and stop; the walk is then ``interrupted``, and the same call goes on
    where it stopped.

    Raises:
        StoreError: rows that the plan was made from were deleted in the meantime.
        KeyboardInterrupt: Ctrl-C was pressed a second time; running stages are ended at once.
    """
    walk = Walk(plan, store, {}, policy or Policy())
    with store.in_use():
        for key in plan.stages:
            walk.states[key] = State.DONE if _intact(key, store, watcher) else State.WAITING
        _check_rows(walk)
        watcher.begin(walk)
        runner = _Runner(walk, engine, settings, watcher)
        with interruptible() as asked:
            try:
                runner.loop(asked)
                if asked.is_set():
                    runner.stop()
            finally:
                engine.close()
                watcher.end(walk)
    return walk


def _intact(key: str, store: Store, watcher: Watcher) -> bool:
    """Is the stage finished, and its files as they were left? An altered one is set aside."""
    if not store.stage_folder(key).exists():
        return False
    if not store.damage(key):
        return True
    with store.claim(key) as mine:  # another run may be about to set it aside, or to make it anew
        if mine and (damage := store.damage(key)):
            store.set_aside(key)
            watcher.damaged(key, damage)
    return False


def _check_rows(walk: Walk) -> None:
    """Raises StoreError where the rows of a stage that will run are not there."""
    waiting = [key for key, state in walk.states.items() if state is State.WAITING]
    for name in {fact.fingerprint for key in waiting for fact in walk.plan.reads.get(key, ())}:
        if not walk.store.data_file(name).exists():
            raise StoreError("Rows were deleted from the store while this was planned: run the same command again.")


class _Runner:
    """Keeps the engine busy. A stage is in one of: ready, paused, running, elsewhere; or its inputs are awaited."""

    def __init__(self, walk: Walk, engine: Engine, settings: Settings, watcher: Watcher) -> None:
        self.walk, self.engine, self.settings, self.watcher = walk, engine, settings, watcher
        self.stages: Mapping[str, Stage] = walk.plan.stages
        self.keys = list(self.stages)
        self.places = {key: place for place, key in enumerate(self.keys)}
        self.later: dict[str, list[str]] = {key: [] for key in self.keys}
        self.missing: dict[str, int] = {}
        self.ready: list[int] = []  # a heap of places: what comes first in the plan is run first
        self.paused: dict[str, float] = {}  # until when
        self.running: dict[str, float] = {}  # since when
        self.begun: dict[str, float] = {}  # since when a process works at it, where that is watched
        self.elsewhere: set[str] = set()
        self.overdue: set[str] = set()
        self.lost: Counter[str] = Counter()
        for key, stage in self.stages.items():
            needs = set(stage.inputs.values())
            for need in needs:
                self.later[need].append(key)
            self.missing[key] = sum(walk.states[need] is not State.DONE for need in needs)
            if walk.states[key] is State.WAITING and not self.missing[key]:
                self.ready.append(self.places[key])

    def loop(self, asked: threading.Event) -> None:
        """Until nothing can be started and nothing runs, or until asked to stop."""
        while not asked.is_set():
            self._look_elsewhere()
            self._wake()
            while self.ready and len(self.running) < self.engine.slots:
                self._start(self.keys[heapq.heappop(self.ready)])
            if not (self.running or self.elsewhere or self.paused):
                return
            if not self.running:
                asked.wait(_POLL)
            for ended in self.engine.ended(timeout=_POLL) if self.running else ():
                self._end(ended)
            self._end_overdue()
            self.watcher.tick(self.walk)

    def stop(self) -> None:
        """Have what runs save and stop; what ends well nevertheless is done."""
        self.watcher.stopping(self.walk)
        self.engine.stop(_PATIENCE)
        for key in list(self.running):
            del self.running[key]
            if self.walk.store.has(key):
                self.walk.finished_here.append(key)
            self._set(key, State.DONE if self.walk.store.has(key) else State.WAITING)
        self.walk.interrupted = self.walk.count(State.DONE) < self.walk.total

    def _start(self, key: str) -> None:
        store = self.walk.store
        if store.running(key):  # spare a process: another run has it
            self._leave_to_others(key)
            return
        work = store.work_folder(key)
        with plainly(store.root):
            work.mkdir(parents=True, exist_ok=True)
            for name in ("failure.json", "process.json"):  # of an attempt before
                (work / name).unlink(missing_ok=True)
            content = json.dumps(self.stages[key].to_json(self.settings), indent=1, ensure_ascii=False)
            write_atomic(work / "stage.json", content.encode(), durable=False)
        self.running[key] = time.monotonic()
        self._set(key, State.RUNNING)
        try:
            self.engine.start(key, work / "stage.json", work / "log.txt")
        except StageFailed as error:
            self._end(Ended(key, error.exit_code, str(error)))

    def _end(self, ended: Ended) -> None:
        key, store = ended.key, self.walk.store
        seconds = time.monotonic() - self.running.pop(key, time.monotonic())
        self.begun.pop(key, None)
        overdue = key in self.overdue
        self.overdue.discard(key)
        if store.has(key):
            if ended.code == Code.DONE:  # otherwise another run did it
                self.walk.finished_here.append(key)
            self._done(key)
        elif ended.code == Code.BUSY:
            self._leave_to_others(key)
        elif not overdue and (ended.lost or ended.code == Interrupted.exit_code):
            self._begin_again(key, seconds, ended.lost or "it was asked to stop, though the run was not")
        elif overdue:
            told = f"it took longer than the {self.walk.policy.timeout:,.10g} seconds that an attempt may take"
            self._try_again(key, seconds, told, -signal.SIGKILL)
        else:
            self._try_again(key, seconds, self._reason(ended), ended.code)

    def _reason(self, ended: Ended) -> str:
        work = self.walk.store.work_folder(ended.key)
        if ended.code > 0 and (failure := failure_of(work)):
            return failure.error
        if ended.code >= 0:
            return f"its process ended with status {ended.code}; see {work / 'log.txt'}"
        name = signal.Signals(-ended.code).name
        if -ended.code != signal.SIGKILL:
            return f"its process was ended by {name}"
        told = "the system may have run out of memory: fewer --workers or a smaller --micro-batch take less"
        return f"its process was ended by {name} ({told})"

    def _begin_again(self, key: str, seconds: float, reason: str) -> None:
        """The process of a stage is gone by no doing of its own."""
        self.lost[key] += 1
        if self.lost[key] > MOST_LOST:
            self._give_up(key, seconds, f"{reason}; that was so {self.lost[key]} times", 1)
            return
        self._pause(key, Attempt(now(), round(seconds, 1), reason, lost=True), self.lost[key])

    def _try_again(self, key: str, seconds: float, reason: str, code: int) -> None:
        """An attempt has failed: is there another?"""
        failure = failure_of(self.walk.store.work_folder(key))
        mendable = code == IsthmusError.exit_code and not (failure and failure.memory)
        failures = self.walk.failures(key)
        if mendable or failures >= self.walk.policy.retries:
            self._give_up(key, seconds, reason, code)
        else:
            self._pause(key, Attempt(now(), round(seconds, 1), reason), failures + 1)

    def _pause(self, key: str, attempt: Attempt, number: int) -> None:
        self._keep(key, attempt)
        self.paused[key] = time.monotonic() + min(_LONGEST_PAUSE, 2.0 ** (number - 1))
        self._set(key, State.WAITING)
        self.watcher.again(self.walk, key)

    def _keep(self, key: str, attempt: Attempt) -> None:
        self.walk.attempts.setdefault(key, []).append(attempt)
        if not self.walk.store.running(key):  # otherwise another run has begun it
            keep_attempt(self.walk.store.work_folder(key), attempt)

    def _give_up(self, key: str, seconds: float, reason: str, code: int) -> None:
        """The stage has failed, and all that builds on it is skipped."""
        work = self.walk.store.work_folder(key)
        self._keep(key, Attempt(now(), round(seconds, 1), reason))
        if failure_of(work) is None:  # it was killed, and could not say so
            keep_failure(work, reason)
        failures = self.walk.failures(key)
        self.walk.codes[key] = code
        self.walk.errors[key] = f"{reason} (tried {failures} times)" if failures > 1 else reason
        self._set(key, State.FAILED)
        lost = [*self.later[key]]
        while lost:
            later = lost.pop()
            if self.walk.states[later] is State.WAITING:
                self._set(later, State.SKIPPED)
                lost += self.later[later]

    def _done(self, key: str) -> None:
        self._set(key, State.DONE)
        for later in self.later[key]:
            self.missing[later] -= 1
            if not self.missing[later] and self.walk.states[later] is State.WAITING:
                heapq.heappush(self.ready, self.places[later])

    def _leave_to_others(self, key: str) -> None:
        self.elsewhere.add(key)
        self._set(key, State.ELSEWHERE)

    def _look_elsewhere(self) -> None:
        """Stages that another run had: finished by now, or given up?"""
        for key in list(self.elsewhere):
            running = self.walk.store.running(key)
            if self.walk.store.has(key):
                self.elsewhere.discard(key)
                self._done(key)
            elif not running:
                self.elsewhere.discard(key)
                self._set(key, State.WAITING)
                heapq.heappush(self.ready, self.places[key])

    def _wake(self) -> None:
        """Stages whose pause is over are ready."""
        for key in [key for key, until in self.paused.items() if until <= time.monotonic()]:
            del self.paused[key]
            heapq.heappush(self.ready, self.places[key])

    def _end_overdue(self) -> None:
        """Cancel attempts that take too long. A stage in a queue has not begun."""
        limit = self.walk.policy.timeout
        if limit is None:
            return
        for key in self.running:
            if key not in self.begun:
                if process_of(self.walk.store.work_folder(key)):
                    self.begun[key] = time.monotonic()
            elif key not in self.overdue and time.monotonic() - self.begun[key] > limit:
                self.overdue.add(key)
                self.engine.cancel(key)

    def _set(self, key: str, state: State) -> None:
        if self.walk.states[key] is not state:
            self.walk.states[key] = state
            self.watcher.changed(self.walk, key)
