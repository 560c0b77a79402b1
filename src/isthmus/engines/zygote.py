"""The process that the local engine forks stages from. Speaks JSON lines: orders come in, ended stages go out.

It runs nothing itself: a process that has used OpenMP threads cannot be forked safely, one that has only imported can.
"""

import contextlib
import ctypes
import importlib
import json
import os
import selectors
import signal
import sys
from pathlib import Path
from typing import TextIO

HEAVY = (
    "torch",
    "accelerate",
    "pyarrow.parquet",
    "safetensors.torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.xlm_roberta.modeling_xlm_roberta",
    "isthmus.train.stage",
    "isthmus.translate.stage",
    "isthmus.evaluate.predict",
    "isthmus.evaluate.score",
    "isthmus.model.stage",
)
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until standard input ends, then end every stage."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever an import prints must not be taken for an answer
    children: dict[int, str] = {}
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: _signal_all(children, signal.SIGTERM))
    for name in HEAVY:
        importlib.import_module(name)
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        selector.register(reading, selectors.EVENT_READ)
        buffer = b""
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if reading in ready:
                os.read(reading, 4096)
                _reap(children, answers)
            if sys.stdin.fileno() in ready:
                chunk = os.read(sys.stdin.fileno(), 1 << 16)
                if not chunk:
                    break
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    order = json.loads(line)
                    children[_fork(order, (reading, writing))] = order["key"]
                _reap(children, answers)
    _signal_all(children, signal.SIGKILL)


def _fork(order: dict[str, str], inherited: tuple[int, int]) -> int:
    """Begin a stage in a process of its own; returns its id (in the parent)."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        _die_with_parent()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in inherited:
            os.close(descriptor)
        _redirect(Path(order["log"]))
        from isthmus.execute import run_stage_file

        code = run_stage_file(Path(order["file"]))
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(log: Path) -> None:
    """Nothing to read from, and everything printed to the end of the log."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:  # a full disk must not keep the stage from saying so
        output = os.open(os.devnull, os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _die_with_parent() -> None:
    """Have the kernel end this process when the zygote dies (Linux; elsewhere the zygote does it when it can)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _reap(children: dict[int, str], answers: TextIO) -> None:
    """Say which children ended."""
    while children:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        message = {"key": children.pop(process), "code": os.waitstatus_to_exitcode(status)}
        answers.write(json.dumps(message) + "\n")
        answers.flush()


def _signal_all(children: dict[int, str], number: int) -> None:
    for process in list(children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


if __name__ == "__main__":
    main()
