"""Ends train stages with SIGKILL at random steps, resumes them, and says what came out.

    python -m tests.train.killed STORE STAGE.JSON...

Each stage is run unbroken, and then several times broken: killed up to three times, with checkpoints after some of the
steps alone, so that what it goes on from is older than what it had done. Prints a JSON line for each of these.
"""

import importlib
import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch

from isthmus.disk import sha256
from isthmus.engines.zygote import HEAVY
from isthmus.running.execute import execute
from isthmus.stage import Record, Settings, Stage, read_stage
from isthmus.store import Store
from isthmus.train import checkpoint

TIMES = 3


class Outcome(NamedTuple):
    """What must be the same: the files of the model, and what the record says of the training."""

    files: dict[str, str]
    result: dict[str, Any]
    warnings: tuple[str, ...]


def attempt(store: Store, stage: Stage, kill_at: int | None, saved_after: set[int]) -> int:
    """Run the stage in a process of its own; returns its wait status."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        torch.manual_seed(random.randrange(1 << 30))  # whatever state the generator is in
        save = checkpoint.save

        def sometimes(folder: Path, progress: checkpoint.Progress, *state: Any) -> None:
            if progress.step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if progress.step in saved_after:
                save(folder, progress, *state)

        checkpoint.save = sometimes  # type: ignore[assignment]
        execute(store, stage, Settings(1, "cpu", checkpoint_seconds=0))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def outcome(store: Store, stage: Stage) -> Outcome:
    record = store.record(stage.key)
    assert isinstance(record, Record)
    folder = store.stage_folder(stage.key) / "model"
    files = {path.name: sha256(path) for path in sorted(folder.iterdir())}
    return Outcome(files, dict(record.result), record.warnings)


def broken(store: Store, stage: Stage, steps: int, moment: random.Random) -> dict[str, Any]:
    """Kill the stage at rising steps, finish it, and say where."""
    shutil.rmtree(store.stage_folder(stage.key), ignore_errors=True)
    kills = sorted(moment.sample(range(2, steps + 1), TIMES))
    saved = {step for step in range(1, steps + 1) if moment.random() < 0.5}
    statuses = [attempt(store, stage, step, saved) for step in kills]
    begun = max([step for step in saved if step < kills[-1]], default=0)
    last = attempt(store, stage, None, saved)
    return {
        "killed_at": kills,
        "went_on_from": begun,
        "killed": all(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL for status in statuses),
        "finished": last == 0,
    }


def main(root: str, *files: str) -> None:
    store = Store.open(Path(root))
    for module in HEAVY:  # once, not in every process
        importlib.import_module(module)
    for number, file in enumerate(files):
        stage, _ = read_stage(Path(file))
        assert attempt(store, stage, None, set()) == 0
        expected = outcome(store, stage)
        moment = random.Random(number)
        for _ in range(TIMES):
            told = broken(store, stage, expected.result["steps"], moment)
            found = outcome(store, stage)
            same = {name: getattr(found, name) == getattr(expected, name) for name in Outcome._fields}
            print(json.dumps({"stage": stage.title, "result": expected.result, **told, "same": same}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
