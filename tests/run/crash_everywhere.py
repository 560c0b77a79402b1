"""Ends a stage with SIGKILL at each of its disk operations in turn, resumes it, and says what came out.

    python -m tests.run.crash_everywhere STORE KEY...

For every stage: an unbroken run counts the operations and gives the result to compare with; then, for operation after
operation (a flush to disk, a rename, a deletion, the middle of a checkpoint or weight file), a run is killed just
before it and another one finishes the work. Of the many checkpoints only some are taken; of the beginning and of the
publishing, every operation. Prints a JSON line a kill: the operation, and whether the files are identical.
"""

import importlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from isthmus.disk import sha256
from isthmus.engines.zygote import HEAVY
from isthmus.running.execute import execute
from isthmus.stage import Settings, read_stage
from isthmus.store import Store


class Countdown:
    """Counts the disk operations of a process, and ends it before the one numbered ``kill_at``."""

    def __init__(self, kill_at: int | None, log: Path) -> None:
        self.kill_at, self.log, self.count = kill_at, log, 0

    def before(self, name: str) -> None:
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kill_at is None:
            with self.log.open("a") as file:
                file.write(name + "\n")

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            by_the_clock = isinstance(args[0], Path) and args[0].name.startswith(".progress.json.")
            if not by_the_clock:  # not repeatable
                self.before(name)
            return function(*args, **kwargs)

        return wrapped

    def half_written(self, save: Callable[..., Any]) -> Callable[..., Any]:
        """A file that was half written when the power went."""

        def wrapped(tensors: Any, path: Any, **kwargs: Any) -> None:
            if self.count + 1 == self.kill_at:
                save(tensors, path, **kwargs)
                os.truncate(path, Path(path).stat().st_size // 2)
            self.before("half of a safetensors file")
            save(tensors, path, **kwargs)

        return wrapped


def attempt(store: Store, stage_file: Path, kill_at: int | None, log: Path) -> int:
    """Run the stage in a process of its own; returns its wait status."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        countdown = Countdown(kill_at, log)
        os.fsync = countdown.wrap("fsync", os.fsync)
        shutil.rmtree = countdown.wrap("rmtree", shutil.rmtree)  # type: ignore[assignment]
        for name in ("rename", "replace", "unlink"):
            setattr(Path, name, countdown.wrap(name, getattr(Path, name)))
        safetensors.torch.save_file = countdown.half_written(safetensors.torch.save_file)
        stage, _ = read_stage(stage_file)
        execute(store, stage, Settings(1, "cpu", checkpoint_seconds=0))
        os._exit(0)
    return os.waitpid(child, 0)[1]


def chosen(operations: list[str]) -> list[tuple[int, str]]:
    """The first four operations, the last eleven, and of each sort one more between, numbered from 1."""
    numbered = list(enumerate(operations, 1))
    middle = numbered[4:-11]
    of_each = {name: [item for item in middle if item[1] == name] for name in operations}
    between = [items[len(items) // 2] for items in of_each.values() if items]
    return numbered[:4] + sorted(between) + numbered[4:][-11:]


def content(store: Store, key: str) -> dict[str, str]:
    """The files of a finished stage that its result is, by hash."""
    folder = store.stage_folder(key)
    names = ("record.json", "stage.json", "log.txt")
    return {
        str(path.relative_to(folder)): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in names
    }


def main(root: str, *keys: str) -> None:
    store = Store.open(Path(root))
    for module in HEAVY:  # once, not in every process
        importlib.import_module(module)
    for key in keys:
        stage_file = store.root / f"{key}.json"
        shutil.copyfile(store.stage_folder(key) / "stage.json", stage_file)
        expected = content(store, key)
        log = store.root / f"{key}.operations"
        shutil.rmtree(store.stage_folder(key))
        assert attempt(store, stage_file, None, log) == 0
        assert content(store, key) == expected
        operations = log.read_text().split("\n")[:-1]
        for number, name in chosen(operations):
            shutil.rmtree(store.stage_folder(key), ignore_errors=True)
            killed = attempt(store, stage_file, number, log)
            resumed = attempt(store, stage_file, 10**9, log)
            line = {"key": key, "operation": name, "number": number, "killed": os.WTERMSIG(killed) == signal.SIGKILL}
            line |= {"resumed": resumed == 0, "identical": content(store, key) == expected}
            line |= {"damage": [str(damage) for damage in store.damage(key, thorough=True)]}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
