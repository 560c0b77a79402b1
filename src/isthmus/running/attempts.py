"""What became of the attempts at a stage: who works at it now, and how those before ended.

All of it lies in the stage's folder under ``work``. Runs write it, and so do the stages themselves; commands that watch
read it. None of it decides a result.
"""

import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from isthmus.disk import write_atomic

#: The lines of a log that tell one attempt from the next.
_MARK = re.compile(r"^--- \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: ")
#: What changes as long as a stage is alive.
_SIGNS = ("progress.json", "process.json", "log.txt")


class Attempt(NamedTuple):
    """An attempt at a stage that ended without a result.

    Attributes:
        ended: when, ISO 8601, UTC.
        seconds: how long it took.
        reason: what ended it, in words.
        lost: was that not the stage's doing? Then it does not count among its retries.
    """

    ended: str
    seconds: float
    reason: str
    lost: bool = False


class Process(NamedTuple):
    """The process that works at a stage, or was the last to do so."""

    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Failure(NamedTuple):
    """Why the last attempt failed, as it said itself."""

    error: str
    #: did memory run out? That may be another way the next time.
    memory: bool = False


def now() -> str:
    """The time, as it is kept."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def attempts_of(folder: Path) -> list[Attempt]:
    """The attempts kept in the folder of a stage, under way or finished, in their order."""
    try:
        return [Attempt(**fields) for fields in json.loads((folder / "attempts.json").read_bytes())]
    except (OSError, ValueError, TypeError):
        return []


def keep_attempt(work: Path, attempt: Attempt) -> None:
    """Add an attempt to those kept, and a line to the log. A full disk may keep it from us."""
    kept = [each._asdict() for each in (*attempts_of(work), attempt)]
    with suppress(OSError):
        write_atomic(work / "attempts.json", json.dumps(kept, indent=1).encode())
        with (work / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{mark(f'ended: {attempt.reason}')}\n")


def failure_of(work: Path) -> Failure | None:
    """Why the last attempt failed; None where it has not said so."""
    try:
        told = json.loads((work / "failure.json").read_bytes())
        return Failure(str(told["error"]), bool(told.get("memory", False)))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_failure(work: Path, sentence: str) -> None:
    """Leave the reason where the run that started the stage will look; a full disk may keep it from us."""
    failure = Failure(sentence, sentence.startswith("Memory ran out"))
    with suppress(OSError):
        work.mkdir(parents=True, exist_ok=True)
        write_atomic(work / "failure.json", json.dumps(failure._asdict()).encode())


def begin(work: Path) -> None:
    """Say who works at a stage from now on: in ``process.json``, and to standard output, which is the log."""
    process = Process(platform.node() or "this machine", os.getpid())
    write_atomic(work / "process.json", json.dumps(process._asdict()).encode(), durable=False)
    print(mark(f"begun by {process}"), file=sys.stderr, flush=True)


def process_of(work: Path) -> Process | None:
    """The process that works at a stage, or did; None where none has begun."""
    try:
        return Process(**json.loads((work / "process.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def sign_of_life(work: Path) -> float | None:
    """Seconds since a stage under way was last heard of, by the clock of the file system; None if it never was."""
    times = []
    for name in _SIGNS:
        with suppress(OSError):
            times.append((work / name).stat().st_mtime)
    return max(0.0, time.time() - max(times)) if times else None


def mark(text: str) -> str:
    """A line of the log that is about an attempt."""
    return f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: {text}"


def is_mark(line: str) -> bool:
    """Is a line of a log one of those?"""
    return bool(_MARK.match(line))


def parts_of(log: str) -> Iterator[list[str]]:
    """The lines of a log, those of each attempt by themselves."""
    part: list[str] = []
    for line in log.splitlines():
        if is_mark(line) and "UTC: begun by " in line and part:
            yield part
            part = []
        part.append(line)
    if part:
        yield part
