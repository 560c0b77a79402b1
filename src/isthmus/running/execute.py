"""Running one stage: claim it, do it in a folder of its own, publish the result in one step."""

import importlib
import json
import platform
import resource
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib import metadata
from pathlib import Path
from types import FrameType

from isthmus.disk import plainly, write_atomic
from isthmus.errors import IsthmusError, StageFailed, StoreError
from isthmus.running.attempts import attempts_of, begin, keep_failure
from isthmus.stage import VERSIONS, Json, Record, Settings, Stage, read_stage
from isthmus.store import Store

#: Where each stage function lives: a module with ``run(context) -> result``.
_MODULES = {
    "model": "isthmus.model.stage",
    "translate": "isthmus.translate.stage",
    "train": "isthmus.train.stage",
    "predict": "isthmus.evaluate.predict",
    "score": "isthmus.evaluate.score",
}
_PACKAGES = ("isthmus", "torch", "transformers", "tokenizers", "safetensors", "accelerate", "pyarrow", "numpy")


class Outcome(StrEnum):
    """How an attempt at a stage ended."""

    DONE = "done"
    ALREADY = "already done"
    BUSY = "another process is doing it"


class Interrupted(IsthmusError):
    """The stage was asked to stop, and saved what it had."""

    exit_code = 130


@dataclass
class Context:
    """What a stage function is given."""

    store: Store
    stage: Stage
    settings: Settings
    #: Its own folder; what it needs to go on after an interruption belongs here.
    work: Path
    #: What it leaves behind.
    output: Path
    warnings: list[str] = field(default_factory=list)
    earlier_seconds: float = 0.0
    _begun: float = field(default_factory=time.monotonic)
    _said: float = 0.0
    _stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def seconds(self) -> float:
        """Seconds of work so far, interrupted attempts included."""
        return self.earlier_seconds + time.monotonic() - self._begun

    def input_folder(self, role: str) -> Path:
        """The folder of the finished stage that plays ``role``. Raises StageFailed when it is not finished."""
        key = self.stage.inputs[role]
        if self.store.record(key) is None:
            raise StageFailed(f"{self.stage.key} builds on {key}, which is not finished.")
        return self.store.stage_folder(key)

    def report(self, done: int, total: int) -> None:
        """Say how far the stage is; cheap, call it often."""
        now = time.monotonic()
        if now - self._said > 0.5 or done == total:
            self._said = now
            state = json.dumps({"done": done, "total": total, "seconds": round(self.seconds, 3)})
            write_atomic(self.work / "progress.json", state.encode(), durable=False)

    def stopping(self) -> bool:
        """Was the stage asked to stop?"""
        return self._stopping.is_set()

    def stop(self, *_: object) -> None:
        """Ask the stage to stop at the next good moment."""
        self._stopping.set()


def execute(store: Store, stage: Stage, settings: Settings) -> Outcome:
    """Run ``stage`` unless it is finished or being run.

    Raises:
        IsthmusError: in one sentence, what kept the stage from finishing.
    """
    with plainly(store.root), store.claim(stage.key) as mine:
        if not mine:
            return Outcome.BUSY
        if store.record(stage.key) is not None:
            shutil.rmtree(store.work_folder(stage.key), ignore_errors=True)
            return Outcome.ALREADY
        context = _prepare(store, stage, settings)
        previous = _on_terminate(context.stop)
        try:
            started = datetime.now(UTC).isoformat(timespec="seconds")
            result = _function(stage.function)(context)
        finally:
            if previous is not None:
                signal.signal(signal.SIGTERM, previous)
        record = _record(context, started, result)
        store.publish(record, store.known_files(iter(stage.inputs.values())))
    return Outcome.DONE


def _function(name: str) -> Callable[[Context], Mapping[str, Json]]:
    run: Callable[[Context], Mapping[str, Json]] = importlib.import_module(_MODULES[name]).run
    return run


def _prepare(store: Store, stage: Stage, settings: Settings) -> Context:
    """The working folder, with an empty output: a half-written one is not believed."""
    work = store.work_folder(stage.key)
    earlier = float(store.progress(stage.key).get("seconds", 0.0))
    shutil.rmtree(work / "output", ignore_errors=True)
    (work / "output").mkdir(parents=True)
    (work / "failure.json").unlink(missing_ok=True)
    begin(work)
    content = json.dumps(stage.to_json(settings), indent=1, ensure_ascii=False).encode()
    write_atomic(work / "stage.json", content, durable=False)
    (work / "output" / "stage.json").write_bytes(content)
    return Context(store, stage, settings, work, work / "output", earlier_seconds=earlier)


def _record(context: Context, started: str, result: Mapping[str, Json]) -> Record:
    stage = context.stage
    for name in ("log.txt", "attempts.json"):
        if (context.work / name).exists():
            shutil.copyfile(context.work / name, context.output / name)
    failed = [attempt.reason for attempt in attempts_of(context.work) if not attempt.lost]
    if failed:
        times = "once" if len(failed) == 1 else f"{len(failed)} times"
        context.warnings.append(f"It failed {times} before it finished; the last time, {failed[-1]}")
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)  # several processes may train together
    usage = max(resource.getrusage(each).ru_maxrss for each in who)
    return Record(
        key=stage.key,
        title=stage.title,
        function=stage.function,
        version=VERSIONS[stage.function],
        identity=stage.identity,
        inputs=stage.inputs,
        settings=asdict(context.settings),
        started=started,
        seconds=round(context.seconds, 3),
        peak_memory=usage if sys.platform == "darwin" else usage * 1024,
        versions=versions(),
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        warnings=tuple(context.warnings),
        result=result,
        files={},
    )


@cache
def versions() -> dict[str, str]:
    """The versions of what makes results."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _on_terminate(stop: Callable[[int, FrameType | None], object]) -> "signal._HANDLER | None":
    """Let SIGTERM ask the stage to stop; only the main thread may."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, stop)


class Code:
    """What ``isthmus stage run`` exits with, beyond the codes of errors."""

    DONE = 0
    BUSY = 75
    ALREADY = 76


def run_stage_file(path: Path, root: Path | None = None) -> int:
    """Run the stage in the file ``path``; what went wrong is printed and kept in the stage's ``failure.json``.

    Args:
        path: a `stage.json`, normally inside its store.
        root: the store, where the file is not inside it.

    Returns:
        A status: 0 done, 76 it was done already, 75 another process has it, 130 stopped when asked to, 2 or 1 failed.
    """
    store = None
    try:
        stage, settings = read_stage(path)
        store = Store.open(root or store_of(path))
        outcome = execute(store, stage, settings)
    except Interrupted as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except Exception as error:
        sentence = str(error) if isinstance(error, IsthmusError) else f"{type(error).__name__}: {error}"
        if not isinstance(error, IsthmusError):
            traceback.print_exc()
        print(sentence, file=sys.stderr)
        if store is not None:
            keep_failure(store.work_folder(stage.key), sentence)
        return error.exit_code if isinstance(error, IsthmusError) else 1
    print(f"{stage.title}: {outcome}")
    return {Outcome.DONE: Code.DONE, Outcome.BUSY: Code.BUSY, Outcome.ALREADY: Code.ALREADY}[outcome]


def store_of(path: Path) -> Path:
    """The store that holds the file ``path``. Raises StoreError when none does."""
    for folder in path.absolute().parents:
        if (folder / "STORE").is_file():
            return folder
    raise StoreError(f"{path} is not inside a store: say which one with --store.")
