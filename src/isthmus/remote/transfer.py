"""Moving many files at once, and showing it: bars with bytes and ETA on a terminal, lines in a log."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from isthmus.commands.progress import shows_bars
from isthmus.commands.tables import duration
from isthmus.commands.tables import size as human

#: Files that move at the same time.
THREADS = 6
_PAUSE = 10.0  # seconds between lines of a log


@dataclass
class Moved:
    """What was moved, or would be.

    Attributes:
        stages: keys that arrived; ``there``: how many had arrived before.
        files, bytes: of blobs that crossed the network; ``whole``: the bytes of all files of these stages, by names.
        failed: what did not arrive, and why.
    """

    stages: list[str] = field(default_factory=list)
    there: int = 0
    files: int = 0
    bytes: int = 0
    whole: int = 0
    rows: int = 0
    studies: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Tally:
    """Counts bytes from several threads."""

    def __init__(self, show: Callable[[int], None]) -> None:
        self._lock, self._show, self.bytes = threading.Lock(), show, 0

    def __call__(self, count: int) -> None:
        """``count`` more bytes were moved; or fewer, where an attempt failed."""
        with self._lock:
            self.bytes += count
            self._show(self.bytes)


@contextmanager
def showing(word: str, total: int, quiet: bool) -> Iterator[Tally]:
    """Counts up to ``total`` bytes and shows it on standard error; ``word`` says what happens to them."""
    if quiet or total == 0:
        yield Tally(lambda _: None)
    elif shows_bars():
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task(word, total=total)
            yield Tally(lambda done: progress.update(bar, completed=done))
    else:
        begun = said = time.monotonic()

        def line(done: int) -> None:
            nonlocal said
            now = time.monotonic()
            if now - said >= _PAUSE and done:
                said = now
                seconds = (now - begun) * (total - done) / done
                left = f", about {duration(seconds)} left" if done > total / 50 else ""
                print(f"{word}: {human(done)} of {human(total)}{left}", file=sys.stderr, flush=True)

        yield Tally(line)


@contextmanager
def crew() -> Iterator[ThreadPoolExecutor]:
    """Threads that move files; what was not begun is left when something raises, Ctrl-C too."""
    pool = ThreadPoolExecutor(THREADS, "transfer")
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
