"""The process that stages are forked from. Speaks JSON lines: orders come in, ended stages go out.

    {"key": ..., "file": ..., "log": ..., "variables": {...}}   begin a stage, with these variables in its environment
    {"end": KEY}                                                end a stage at once
    {"stop": true}                                              ask every stage to save and stop
    {"ready": true}                                             said once, when everything is imported
    {"key": ..., "code": ...}                                   said of each stage that ended

It runs nothing itself: a process that has used OpenMP threads cannot be forked safely, one that has only imported can.
To fork it, and to end what was forked, takes longer than a small stage. So one process is always forked ahead and waits
for its order, and a stage says that it has ended before its process has let go of its memory.
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
from typing import Any, NamedTuple, NoReturn, TextIO

from isthmus.engines.process import die_with_parent, redirect
from isthmus.running import execute

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
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM)


class _Spare(NamedTuple):
    """A process that waits for its order."""

    process: int
    orders: int  # where to write it


class _Children:
    """The processes that were forked: those that run a stage, and the one that waits."""

    def __init__(self, answers: TextIO) -> None:
        self.keys: dict[int, str] = {}  # of the stages that run, by process
        self._given: dict[int, dict[str, Any]] = {}  # orders of which nobody has said that they were taken up
        self.signals, self._wakeup = os.pipe()
        self.words, self._saying = os.pipe()  # from the children: process, and "begun" or the status of its stage
        for descriptor in (self._wakeup, self.words, self.signals):
            os.set_blocking(descriptor, False)
        self._answers = answers
        self._spare: _Spare | None = None
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: _signal_all(self.keys, signal.SIGTERM))

    def obey(self, order: dict[str, Any]) -> None:
        """Begin a stage, end one, or ask them all to stop."""
        if "stop" in order:
            _signal_all(self.keys, signal.SIGTERM)
            return
        if "end" in order:
            ending = [process for process, key in self.keys.items() if key == order["end"]]
            for process in ending:
                self._given.pop(process, None)
            _signal_all(ending, signal.SIGKILL)
            return
        line = json.dumps(order).encode() + b"\n"
        while True:  # a spare may have been killed
            process, orders = self._spare or self._fork()
            self._spare = None
            self.keys[process], self._given[process] = order["key"], order
            try:
                _write_all(orders, line)
                return
            except BrokenPipeError:
                del self.keys[process], self._given[process]
            finally:
                os.close(orders)

    def fork_ahead(self) -> None:
        """See to it that a process waits."""
        self._spare = self._spare or self._fork()

    def hear(self) -> None:
        """Pass on which stages ended, as they say themselves, or as the system says of those that could not."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.signals, 4096)
        while (ended := _reaped()) is not None:
            process, status = ended
            self._listen()  # what it said, it said before it ended
            if self._spare is not None and process == self._spare.process:
                os.close(self._spare.orders)
                self._spare = None
            self._end(process, os.waitstatus_to_exitcode(status))
        self._listen()

    def kill(self) -> None:
        """End them all."""
        _signal_all([*self.keys, *([self._spare.process] if self._spare else [])], signal.SIGKILL)

    def _listen(self) -> None:
        words = b""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.words, 4096):  # whole lines: each is written at once, and short
                words += chunk
        for line in words.splitlines():
            process, word = line.split()
            if word == b"begun":
                self._given.pop(int(process), None)
            else:
                self._end(int(process), int(word))

    def _end(self, process: int, code: int) -> None:
        key, order = self.keys.pop(process, None), self._given.pop(process, None)
        if order is not None and code == -signal.SIGKILL:  # it was killed while it waited
            self.obey(order)
        elif key is not None:
            _say(self._answers, {"key": key, "code": code})

    def _fork(self) -> _Spare:
        orders, giving = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # none that comes now may find the handlers of this process
        process = os.fork()
        if process:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(orders)
            return _Spare(process, giving)
        try:
            die_with_parent()
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            for descriptor in (giving, self.signals, self._wakeup, self.words):
                os.close(descriptor)
            _wait_for_order(orders, self._saying)
        finally:
            os._exit(1)


def _wait_for_order(orders: int, saying: int) -> NoReturn:
    """The life of a forked process: one stage, if there is one."""
    code = 0
    try:
        with os.fdopen(orders, "rb") as file:
            line = file.readline()
        if line:
            code = 1
            os.write(saying, b"%d begun\n" % os.getpid())
            order = json.loads(line)
            redirect(Path(order["log"]))
            os.environ.update(order["variables"])
            code = execute.run_stage_file(Path(order["file"]))
            sys.stdout.flush()
            sys.stderr.flush()
            if not order["variables"]:  # who waits for a GPU needs its memory
                os.write(saying, b"%d %d\n" % (os.getpid(), code))
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve until standard input ends, then end every stage."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever an import prints must not be taken for an answer
    for name in HEAVY:
        importlib.import_module(name)
    execute.versions()  # they are looked up once
    gc.collect()
    gc.freeze()  # a stage that looks for garbage need not copy all that it shares with this process: 0.3 s
    children = _Children(answers)
    children.fork_ahead()
    _say(answers, {"ready": True})
    with selectors.DefaultSelector() as selector:
        for descriptor in (sys.stdin.fileno(), children.signals, children.words):
            selector.register(descriptor, selectors.EVENT_READ)
        buffer = b""
        while True:
            ready = {key.fd for key, _ in selector.select()}
            children.hear()
            if sys.stdin.fileno() in ready:
                chunk = os.read(sys.stdin.fileno(), 1 << 16)
                if not chunk:
                    break
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    children.obey(json.loads(line))
            children.fork_ahead()
    children.kill()


def _reaped() -> tuple[int, int] | None:
    """A child that is gone, and its wait status."""
    try:
        process, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (process, status) if process else None


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _signal_all(processes: Iterable[int], number: int) -> None:
    for process in list(processes):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


if __name__ == "__main__":
    main()
