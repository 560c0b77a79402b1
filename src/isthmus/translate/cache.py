"""Translations that were made, by sentence: a file that grows, so that nothing is translated twice.

A line is one batch: a checksum (CRC-32, 8 hexadecimal digits), a space, and the JSON list of its sentences and their
translations. A batch is written whole, flushed to disk, by the process that holds the lock; what a crash left
half-written fails its checksum and is passed over. Batches, not sentences, because which sentences are translated
together may decide the last bits of a score: a stage that goes on has whole batches before it, done or not done.
"""

import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from isthmus.disk import lock

_POLL = 0.1  # seconds between looks at a lock that another process holds


class Cache:
    """The translations in the file ``path``, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, str] = {}
        self._read = 0  # bytes
        self.refresh()

    def refresh(self) -> None:
        """Take in what was written since the last look, by whomever."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                added = file.read()
        except FileNotFoundError:
            return
        whole = added.rfind(b"\n") + 1
        for line in added[:whole].split(b"\n"):
            for source, target in _pairs(line):
                self.known.setdefault(source, target)
        self._read += whole

    def add(self, batch: Mapping[str, str]) -> None:
        """Write a batch, durably. Only for the one who holds the lock."""
        data = json.dumps(list(batch.items()), ensure_ascii=False).encode()
        line = b"%08x %s\n" % (zlib.crc32(data), data)
        with self.path.open("ab") as file:
            if file.tell() and not _ends_a_line(self.path):  # what a crash left must not swallow this line
                line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self.refresh()

    @contextmanager
    def held(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock, with all that others wrote taken in; ``waiting`` is called while another process has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with lock(self.path.with_suffix(".lock"), wait=False) as mine:
                if mine:
                    self.refresh()
                    yield
                    return
            waiting()
            time.sleep(_POLL)


def _pairs(line: bytes) -> list[tuple[str, str]]:
    """The sentences and translations of a line; none of one that is damaged."""
    try:
        checksum, data = line[:8], line[9:]
        if int(checksum, 16) != zlib.crc32(data):
            return []
        return [(source, target) for source, target in json.loads(data)]
    except (ValueError, TypeError):
        return []


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
