"""The process of a stage: what it must see to before the stage begins."""

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel end this process when the one that started it ends, however it does.

    Linux; elsewhere the parent does it when it can.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def redirect(log: Path) -> None:
    """Nothing to read from, and everything printed to the end of the log."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:  # a full disk must not keep the stage from saying so
        output = os.open(os.devnull, os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)


def variables(threads: int) -> dict[str, str]:
    """What the environment of a stage must say besides."""
    return {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
