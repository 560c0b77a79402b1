"""Finding the files of data sets in a folder, wherever in it people have put them.

A layout names a file by a path such as ``xnli/test-de.tsv``. It is found directly under the folder, or under up to two
levels of its subfolders; a folder that is itself called ``xnli`` has it, too.
"""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath

from isthmus.errors import DataError

#: Levels of subfolders that may stand between the folder and what a layout names.
DEPTH = 2
#: Levels that are looked into at all: the longest layouts name a file in three folders.
_LEVELS = DEPTH + 4
#: So many files are no folder of data sets: looking stops.
_MOST = 200_000


@dataclass(frozen=True)
class Folder:
    """The files of a folder, by name."""

    root: Path
    #: base name -> paths relative to the root, the shallowest first
    names: Mapping[str, tuple[str, ...]] = field(repr=False)
    #: was looking stopped before all was seen?
    cut: bool = False

    def find(self, path: str) -> tuple[Path, ...]:
        """The files that ``path`` names, in the order of their names: one, or several where it has a ``*``; or none.

        Where files in two places fit, those in the shallower place are taken, or those in the first by name.
        """
        name = PurePosixPath(path).name
        if "*" not in path:
            places = self.names.get(name, ())
        else:
            places = tuple(place for known in self._matching(name) for place in self.names[known])
        own = self.root.resolve().name
        fitting: dict[tuple[int, str], list[str]] = {}
        for place in places:
            above = _above(place, path)
            if above is None and _above(f"{own}/{place}", path) == "":
                above = ""
            if above is not None and above.count("/") < DEPTH:
                fitting.setdefault((above.count("/") + bool(above), above), []).append(place)
        return tuple(self.root / place for place in sorted(fitting[min(fitting)])) if fitting else ()

    def _matching(self, pattern: str) -> list[str]:
        if "*" not in pattern:
            return [pattern] if pattern in self.names else []
        return [name for name in self.names if fnmatchcase(name, pattern)]


def _above(place: str, path: str) -> str | None:
    """What stands above ``path`` in ``place``, or None where they do not fit; the case of folders does not matter."""
    count = path.count("/") + 1
    parts = place.split("/")
    if len(parts) < count:
        return None
    *folders, name = path.split("/")
    if parts[-1] != name and not ("*" in name and fnmatchcase(parts[-1], name)):
        return None
    for part, pattern in zip(parts[-count:-1], folders, strict=True):
        if not fnmatchcase(part.lower(), pattern.lower()):
            return None
    return "/".join(parts[:-count])


def folder(root: Path, anew: bool = False) -> Folder:
    """The files under ``root``. Folders that cannot be read, and loops of links, are passed over.

    What was seen is believed for twenty times as long as looking took, unless it is to be looked ``anew``.
    """
    place = (root, root.absolute())  # a relative name is another folder once the working one changes
    known = _SEEN.get(place)
    if known is not None and not anew and time.monotonic() < known[0]:
        return known[1]
    started = time.monotonic()
    found = _look(root)
    now = time.monotonic()
    _SEEN[place] = (now + 20 * (now - started), found)
    return found


_SEEN: dict[tuple[Path, Path], tuple[float, Folder]] = {}


def _look(root: Path) -> Folder:
    names: dict[str, list[str]] = {}
    seen: set[tuple[int, int]] = set()
    count = 0
    for place in _walk(root, "", _LEVELS, seen):
        names.setdefault(place.rpartition("/")[2], []).append(place)
        count += 1
        if count == _MOST:
            break
    ordered = {name: tuple(sorted(found, key=lambda place: (place.count("/"), place))) for name, found in names.items()}
    return Folder(root, ordered, count == _MOST)


def _walk(root: Path, above: str, levels: int, seen: set[tuple[int, int]]) -> Iterator[str]:
    """The files below ``above``, relative to ``root``."""
    try:
        status = (root / above).stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(root / above) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        place = f"{above}/{entry.name}" if above else entry.name
        try:
            if entry.is_dir():
                if levels > 1 and not entry.name.startswith("."):
                    yield from _walk(root, place, levels - 1, seen)
            elif entry.is_file():
                yield place
        except OSError:
            continue


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, reckoned once as long as its size and time stay.

    Raises:
        DataError: it cannot be read.
    """
    try:
        status = path.stat()
        return _digest(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


@lru_cache(maxsize=4096)
def _digest(path: Path, _size: int, _written: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
