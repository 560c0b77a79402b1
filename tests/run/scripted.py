"""Runs whose stages do as a script says: an engine that starts nothing, and plans of stages that compute nothing.

The store, the records and the walk are real; what a stage would have computed is a file with a word in it.
"""

import json
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from isthmus.data.catalog import SplitFacts
from isthmus.engines import Ended
from isthmus.planning.plan import Plan
from isthmus.running.attempts import begin, keep_failure
from isthmus.running.execute import Code
from isthmus.running.runner import Walk, Watcher
from isthmus.stage import VERSIONS, Record, Stage, read_stage
from isthmus.store import Store
from isthmus.study.spec import Study

#: What an attempt does: returns how its process ends, or None if it never does.
Act = Callable[[Store, Stage, Path], Ended | None]


def plan_of(*edges: tuple[str, str], reads: Mapping[str, Sequence[SplitFacts]] | None = None) -> Plan:
    """A plan of stages that train, by name: each of ``edges`` is a stage and the one it builds on (or nothing)."""
    stages: dict[str, Stage] = {}
    named: dict[str, str] = {}
    for name, before in edges:
        inputs = {"model": named[before]} if before else {}
        stage = Stage("train", {"name": name}, inputs, name)
        stages[stage.key], named[name] = stage, stage.key
    read = {named[name]: tuple(facts) for name, facts in (reads or {}).items()}
    return Plan(Study(targets=["intents"]), stages, (), {}, read)


def key_of(plan: Plan, name: str) -> str:
    return next(key for key, stage in plan.stages.items() if stage.title == name)


def publish(store: Store, stage: Stage, file: Path) -> Ended:
    """The stage is done."""
    with store.claim(stage.key) as mine:
        if not mine:
            return Ended(stage.key, Code.BUSY)
        if store.has(stage.key):
            return Ended(stage.key, Code.ALREADY)
        output = store.work_folder(stage.key) / "output"
        output.mkdir(parents=True, exist_ok=True)
        (output / "stage.json").write_bytes(file.read_bytes())
        (output / "word.txt").write_text(stage.title)
        version = VERSIONS[stage.function]
        started, seconds, memory = "2026-01-01T00:00:00+00:00", 1.0, 1000
        record = Record(stage.key, stage.title, stage.function, version, stage.identity, stage.inputs, {}, started,
                        seconds, memory, {}, "here", (), {}, {})  # fmt: skip
        store.publish(record, {})
    return Ended(stage.key, Code.DONE)


def fails(code: int, sentence: str = "It went wrong.") -> Act:
    """The stage ends with a status and says why."""

    def act(store: Store, stage: Stage, _: Path) -> Ended:
        keep_failure(store.work_folder(stage.key), sentence)
        return Ended(stage.key, code)

    return act


def killed(_store: Store, stage: Stage, _file: Path) -> Ended:
    """The stage is killed and says nothing."""
    return Ended(stage.key, -signal.SIGKILL)


def lost(_store: Store, stage: Stage, _file: Path) -> Ended:
    """The machine that the stage was on is gone."""
    return Ended(stage.key, -signal.SIGKILL, "its node went away")


def hangs(_store: Store, _stage: Stage, _file: Path) -> None:
    """The stage goes on for ever."""


class ScriptedEngine:
    """An engine whose stages do what the script says, attempt after attempt; where it says nothing, they get done."""

    def __init__(self, store: Store, script: Mapping[str, Sequence[Act]], slots: int = 2) -> None:
        self.store, self.slots = store, slots
        self.script = {name: list(acts) for name, acts in script.items()}
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.stopped = self.closed = False
        self._ended: list[Ended] = []

    def start(self, key: str, stage_file: Path, log: Path) -> None:
        stage, _ = read_stage(stage_file)
        self.started.append(stage.title)
        with log.open("a") as file:
            file.write(f"attempt {self.started.count(stage.title)}\n")
        begin(log.parent)
        acts = self.script.get(stage.title, [])
        ended = (acts.pop(0) if acts else publish)(self.store, stage, stage_file)
        if ended is not None:
            self._ended.append(ended)

    def ended(self, timeout: float) -> list[Ended]:
        if not self._ended:
            time.sleep(timeout / 10)
        ended, self._ended = self._ended, []
        return ended

    def cancel(self, key: str) -> None:
        self.cancelled.append(key)
        self._ended.append(Ended(key, -signal.SIGKILL))

    def stop(self, patience: float) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


class Notes(Watcher):
    """A watcher that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def again(self, walk: Walk, key: str) -> None:
        last = walk.attempts[key][-1]
        self.told.append(f"{walk.plan.stages[key].title}: {'lost' if last.lost else 'failed'}, {last.reason}")

    def stopping(self, walk: Walk) -> None:
        self.told.append("stopping")


def kept(work: Path) -> list[str]:
    """The reasons of the attempts that are kept in a folder."""
    return [each["reason"] for each in json.loads((work / "attempts.json").read_bytes())]
