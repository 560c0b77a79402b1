"""Stages that cost nothing, in place of `isthmus.running.execute.run_stage_file`: what the file says is what is done.

gpus    print the GPUs that are seen
wait    wait until asked to stop, then leave a checkpoint and 130; done at once where there is a checkpoint
CODE    end with that status
"""

import os
import signal
import time
from pathlib import Path

import isthmus.running.execute


def run_stage_file(path: Path, root: Path | None = None) -> int:
    match path.read_text():
        case "gpus":
            print(os.environ.get("CUDA_VISIBLE_DEVICES", "unset"))
            return 0
        case "wait":
            return _wait(path.with_suffix(".checkpoint"))
        case code:
            return int(code)


def _wait(checkpoint: Path) -> int:
    if checkpoint.exists():
        return 0
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    print("waits", flush=True)
    for _ in range(1200):
        time.sleep(0.1)
        if asked:
            checkpoint.touch()
            return 130
    return 1


def instead() -> None:
    isthmus.running.execute.run_stage_file = run_stage_file
