"""What lies where in a remote store, and what is believed of it."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from isthmus.errors import StoreError
from isthmus.remote.place import Place
from isthmus.stage import VERSIONS, FileFact, Json, Record, Stage

_MARKER = b"isthmus remote store 1\n"
_KEY = re.compile(r"[a-z]+-[0-9a-f]{20}")
_SHA = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"(?!\.)[^/\\\x00]{1,200}")  # of a file or folder inside of the store, and never .. or hidden


@dataclass(frozen=True)
class Blob:
    """The bytes of a file, wherever it lies."""

    sha256: str
    size: int

    @property
    def name(self) -> str:
        """Its name in the remote store."""
        return f"blobs/{self.sha256[:2]}/{self.sha256}"


def blob_of(fact: FileFact) -> Blob:
    """The blob of a file of a stage."""
    return Blob(fact.sha256, fact.size)


@dataclass(frozen=True)
class Kept:
    """A study in a remote store.

    Attributes:
        files: its blobs, by their names.
        stages, rows: what it needs, by key and fingerprint; None where that was not known.
    """

    files: Mapping[str, Blob]
    stages: tuple[str, ...] | None = None
    rows: tuple[str, ...] | None = None

    def to_json(self) -> bytes:
        """As written."""
        files = {name: {"sha256": blob.sha256, "size": blob.size} for name, blob in self.files.items()}
        return json.dumps({"files": files, "stages": self.stages, "rows": self.rows}, sort_keys=True).encode()


class Remote:
    """A place with the layout of `isthmus.remote`."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @classmethod
    def open(cls, url: str, create: bool = False, dry: bool = False) -> "Remote":
        """Open the remote store at ``url``; ``create`` makes one where nothing is, or with ``dry`` would.

        Raises:
            StoreError: it is not there, cannot be reached, holds something else, or is of another version.
        """
        place = Place(url)
        marker = _read_marker(place)
        if marker is None and place.empty():
            if not create:
                raise StoreError(f"There is no remote store at {place}: mend the address, or push to it first.")
            if not dry:
                place.create("ISTHMUS", _MARKER)
            return cls(place)
        marker = marker or _read_marker(place)  # another machine may have created it in the meantime
        if marker is None:
            raise StoreError(f"{place} holds something that is no Isthmus store: choose another address.")
        if marker != _MARKER:
            raise StoreError(f"{place} was made by another version of Isthmus: choose another address.")
        return cls(place)

    # -- what is there

    def stages(self) -> set[str]:
        """The keys of the stages that are there, by their names alone."""
        return self._names("stages", _KEY)

    def has(self, key: str) -> bool:
        """Is the stage there, by its name alone?"""
        return self.place.exists(f"stages/{key}.json")

    def studies(self) -> set[str]:
        """The names of the studies that are there."""
        return self._names("studies", _NAME)

    def rows(self) -> set[str]:
        """The fingerprints of the rows that are there."""
        return self._names("rows", _SHA)

    def indexes(self) -> dict[str, list[str]]:
        """The names of the indexes that are there, each with its versions."""
        found: dict[str, list[str]] = {}
        for path in self.place.sizes("index"):
            name, _, version = path.partition("/")
            if _NAME.fullmatch(name) and _NAME.fullmatch(version):
                found.setdefault(name, []).append(version)
        return found

    def blobs(self) -> dict[str, int]:
        """The SHA-256 of every blob that is there, with its size."""
        return {path.rpartition("/")[2]: size for path, size in self.place.sizes("blobs").items()}

    def _names(self, folder: str, form: re.Pattern[str]) -> set[str]:
        names = {path.removesuffix(".json") for path in self.place.sizes(folder) if path.endswith(".json")}
        return {name for name in names if form.fullmatch(name)}

    # -- what is believed of it

    def record(self, key: str) -> Record:
        """The record of a stage.

        Raises:
            FileNotFoundError: there is none.
            StoreError: it is not the record of that stage, or names files that it cannot have.
        """
        content = self.place.read(f"stages/{key}.json")
        try:
            record = Record.from_json(json.loads(content))
            intact = record.key == key and _names_itself(record)
            for name, fact in record.files.items():
                intact = intact and _inside(name) and bool(_SHA.fullmatch(fact.sha256)) and fact.size >= 0
        except (ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            raise StoreError(f"{self.place}: the record of {key} is not what a stage of that key leaves behind.")
        return record

    def study(self, name: str) -> Kept:
        """A study. Raises FileNotFoundError, or StoreError where it cannot be read."""
        if not _NAME.fullmatch(name):
            raise FileNotFoundError(name)
        data = self._json(f"studies/{name}.json")
        try:
            files = {file: Blob(str(blob["sha256"]), int(blob["size"])) for file, blob in data["files"].items()}
            good = all(map(_NAME.fullmatch, files))
            good = good and all(_SHA.fullmatch(blob.sha256) for blob in files.values())
            stages, rows = (None if data[part] is None else tuple(map(str, data[part])) for part in ("stages", "rows"))
        except (KeyError, TypeError, AttributeError, ValueError):
            good = False
        if not good:
            raise StoreError(f"{self.place}: studies/{name}.json cannot be read.")
        return Kept(files, stages, rows)

    def row_file(self, fingerprint: str) -> Blob:
        """The blob of the Arrow file of rows. Raises FileNotFoundError, or StoreError where it cannot be read."""
        data = self._json(f"rows/{fingerprint}.json")
        if not (
            isinstance(data, dict) and _SHA.fullmatch(str(data.get("sha256"))) and isinstance(data.get("size"), int)
        ):
            raise StoreError(f"{self.place}: rows/{fingerprint}.json cannot be read.")
        return Blob(data["sha256"], data["size"])

    def _json(self, name: str) -> Json:
        content = self.place.read(name)
        try:
            return json.loads(content)
        except ValueError:
            raise StoreError(f"{self.place}: {name} cannot be read.") from None


def _read_marker(place: Place) -> bytes | None:
    with suppress(FileNotFoundError):
        return place.read("ISTHMUS")
    return None


def _names_itself(record: Record) -> bool:
    """Do the fields of a record give its key? Only for the versions that are known."""
    if VERSIONS.get(record.function) != record.version:
        return bool(_KEY.fullmatch(record.key))
    return Stage(record.function, record.identity, record.inputs).key == record.key


def _inside(name: str) -> bool:
    """Is that the name of a file inside a folder?"""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and not {".", ".."} & set(path.parts) and name != "record.json"
