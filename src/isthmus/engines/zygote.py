"""The process that stages are forked from. Speaks JSON lines: orders come in, ended stages go out.

    {"key": ..., "file": ..., "log": ..., "variables": {...}}   begin a stage, with these variables in its environment
    {"end": KEY}                                                end a stage at once
    {"ready": true}                                             said once, when everything is imported
    {"key": ..., "code": ...}                                   said of each stage that ended

It runs nothing itself: a process that has used OpenMP threads cannot be forked safely, one that has only imported can.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from isthmus.engines.process import die_with_parent, redirect

HEAVY = (
    "torch",
    "accelerate",
    "pyarrow.dataset",  # and with it pandas: the first table that is read would import both
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
    gc.collect()
    gc.freeze()  # a stage that looks for garbage need not copy all that it shares with this process: 0.3 s
    _say(answers, {"ready": True})
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
                    _obey(json.loads(line), children, (reading, writing))
                _reap(children, answers)
    _signal_all(children, signal.SIGKILL)


def _obey(order: dict[str, Any], children: dict[int, str], inherited: tuple[int, int]) -> None:
    """Begin a stage, or end one."""
    if "end" not in order:
        children[_fork(order, inherited)] = order["key"]
        return
    _signal_all([process for process, key in children.items() if key == order["end"]], signal.SIGKILL)


def _fork(order: dict[str, Any], inherited: tuple[int, int]) -> int:
    """Begin a stage in a process of its own; returns its id (in the parent)."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        die_with_parent()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in inherited:
            os.close(descriptor)
        redirect(Path(order["log"]))
        os.environ.update(order["variables"])
        from isthmus.running.execute import run_stage_file

        code = run_stage_file(Path(order["file"]))
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _reap(children: dict[int, str], answers: TextIO) -> None:
    """Say which children ended."""
    while children:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        _say(answers, {"key": children.pop(process), "code": os.waitstatus_to_exitcode(status)})


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _signal_all(processes: Iterable[int], number: int) -> None:
    for process in list(processes):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


if __name__ == "__main__":
    main()
