"""The local engine: stages as processes on this machine, forked from one process that has the heavy imports done.

Importing torch and transformers takes seconds and a stage may take one, so `isthmus.engines.zygote` imports once and
forks for each stage. A stage still has a process of its own: its memory goes when it ends, and it can be killed alone.
When the process that runs the study dies, by whatever signal, its stages end with it.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

from isthmus.engines import Ended
from isthmus.errors import StageFailed


class LocalEngine:
    """Runs up to ``slots`` stages at once."""

    def __init__(self, slots: int, threads: int) -> None:
        self.slots = slots
        self._threads = threads
        self._process: subprocess.Popen[bytes] | None = None
        self._running: set[str] = set()
        self._buffer = b""

    def start(self, key: str, stage_file: Path, log: Path) -> None:
        """Begin a stage."""
        process = self._zygote()
        order = json.dumps({"key": key, "file": str(stage_file), "log": str(log)}) + "\n"
        assert process.stdin is not None
        try:
            process.stdin.write(order.encode())
            process.stdin.flush()
        except BrokenPipeError:
            raise StageFailed("The process that starts stages has ended: look at the last lines above.") from None
        self._running.add(key)

    def ended(self, timeout: float) -> list[Ended]:
        """The stages that ended since the last call."""
        if self._process is None or self._process.stdout is None:
            time.sleep(timeout)
            return []
        found: list[Ended] = []
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(timeout):
                return []
        chunk = os.read(self._process.stdout.fileno(), 1 << 16)
        if not chunk:  # the zygote is gone, and its stages with it
            found = [Ended(key, -signal.SIGKILL) for key in sorted(self._running)]
            self._process = None
            self._running.clear()
            return found
        self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            message = json.loads(line)
            found.append(Ended(message["key"], message["code"]))
            self._running.discard(message["key"])
        return found

    def stop(self, patience: float) -> None:
        """Ask running stages to save and stop, and wait for them."""
        if self._process is None or not self._running:
            return
        self._process.send_signal(signal.SIGTERM)
        end = time.monotonic() + patience
        while self._running and time.monotonic() < end:
            self.ended(0.2)

    def close(self) -> None:
        """End the zygote; it takes what still runs with it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _zygote(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            environment = {**os.environ, "OMP_NUM_THREADS": str(self._threads), "TOKENIZERS_PARALLELISM": "false"}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "isthmus.engines.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the one who started the study
            )
        return self._process
