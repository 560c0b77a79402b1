"""The local engine: stages as processes on this machine, forked from one process that has the heavy imports done.

Importing torch and transformers takes seconds and a stage may take one, so `isthmus.engines.zygote` imports once and
forks for each stage. A stage still has a process of its own: its memory goes when it ends, and it can be killed alone.
When the process that runs the study dies, by whatever signal, its stages end with it.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isthmus.engines import Ended
from isthmus.engines.gpus import VISIBLE, Gpus
from isthmus.engines.process import variables
from isthmus.errors import StageFailed

_GONE = "the process that starts stages was ended"
_DEATHS = 3  # in a row before it was ready: then it is not chance


class LocalEngine:
    """Runs up to ``slots`` stages at once, of ``threads`` threads each; ``gpus`` are lent, ``each`` to a stage."""

    def __init__(self, slots: int, threads: int, gpus: Sequence[str] = (), each: int = 1) -> None:
        self.slots = slots
        self._threads, self._each = threads, each
        self._gpus = Gpus(gpus)
        self._process: subprocess.Popen[bytes] | None = None
        self._running: set[str] = set()
        self._buffer = b""
        self._ready = False
        self._deaths = 0
        self._order = threading.Lock()  # one line at a time

    def start(self, key: str, stage_file: Path, log: Path) -> None:
        """Begin a stage."""
        lent = self._gpus.lend(key, self._each)
        seen = {VISIBLE: ",".join(lent)} if lent else {}
        self._running.add(key)
        self._tell({"key": key, "file": str(stage_file), "log": str(log), "variables": seen})

    def ended(self, timeout: float) -> list[Ended]:
        """The stages that ended since the last call.

        Raises:
            StageFailed: the process that starts stages cannot begin, or is ended again and again.
        """
        if self._process is None or self._process.stdout is None:
            time.sleep(timeout)
            return []
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout):
                return []
        chunk = os.read(self._process.stdout.fileno(), 1 << 16)
        if not chunk:
            return self._lost()
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        return [ended for line in lines if (ended := self._heard(json.loads(line)))]

    def cancel(self, key: str) -> None:
        """End one stage now."""
        if key in self._running:
            self._tell({"end": key})

    def stop(self, patience: float) -> None:
        """Ask running stages to save and stop, and wait for them."""
        self.ended(0)
        if self._ready or self._process is None:
            self.ask_to_stop()
        else:
            self._process.kill()  # nothing has begun
        end = time.monotonic() + patience
        while self._running and time.monotonic() < end:
            self.ended(0.2)

    def ask_to_stop(self) -> None:
        """Ask running stages to save and stop: by the way that orders go, so that none that was given comes after."""
        if self._process is not None and self._running:
            self._tell({"stop": True})

    def close(self) -> None:
        """End the zygote; it takes what still runs with it."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and process.stdout is not None:
            with contextlib.suppress(BrokenPipeError):  # it was gone already
                process.stdin.close()
            process.wait()
            process.stdout.close()

    def _heard(self, message: dict[str, Any]) -> Ended | None:
        if "ready" in message:
            self._ready = True
            return None
        key = message["key"]
        self._running.discard(key)
        self._gpus.take_back(key)
        return Ended(key, message["code"])

    def _lost(self) -> list[Ended]:
        """The zygote is gone, and its stages with it."""
        assert self._process is not None
        code = self._process.wait()
        self.close()
        self._deaths = 0 if self._ready else self._deaths + 1
        if (not self._ready and code > 0) or self._deaths >= _DEATHS:
            raise StageFailed(f"The process that starts stages ended with status {code}: look at the last lines above.")
        self._ready, self._buffer = False, b""
        lost = [Ended(key, -signal.SIGKILL, _GONE) for key in sorted(self._running)]
        for key in self._running:
            self._gpus.take_back(key)
        self._running.clear()
        return lost

    def _tell(self, order: dict[str, Any]) -> None:
        process = self._zygote()
        assert process.stdin is not None
        with self._order, contextlib.suppress(BrokenPipeError):  # `ended` will find that it is gone
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()

    def _zygote(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "isthmus.engines.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **variables(self._threads)},
                start_new_session=True,  # Ctrl-C is for the one who started the study
            )
        return self._process
