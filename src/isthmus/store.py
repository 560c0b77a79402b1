"""The store: the folder that holds finished stages, by key.

stages/KEY/     record.json (its presence is what "finished" means), stage.json, log.txt and the stage's output
work/KEY/       a stage under way, or interrupted: stage.json, log.txt, progress.json, process.json (who works at it),
                attempts.json (what became of those before), failure.json (why the last failed), checkpoints, output/
data/           rows as Arrow files named by their fingerprint, and index/ of the tasks they belong to
tokens/         rows as tokens: a cache (`isthmus.model.tokens`), every file of which is checked when it is read
translations/   sentences and their translations, which are never made twice (`isthmus.translate.cache`)
studies/NAME/   the study as it was run, and its report
locks/          one file a stage, held by the process that runs it; store.lock, which every run shares
damaged/        finished stages set aside because a file of theirs changed
incoming/       what a pull fetched and has not put in its place yet
slurm/          scripts, results and output of Slurm jobs, as submitit keeps them
calibration.json  how fast machines were measured to be
trash/          what is being deleted
"""

import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from isthmus.disk import lock, locked, sha256, sync_folder, sync_tree, write_atomic
from isthmus.errors import StoreError
from isthmus.stage import FileFact, Json, Record

_MARKER = "isthmus store 1\n"
_RECORD = "record.json"


_FOLDERS = ("stages", "work", "data", "studies", "locks", "damaged")


def _is_begun(root: Path) -> bool:
    """Is ``root`` an empty folder, or a store that another process is creating at this moment?"""
    return root.is_dir() and all(item.name in _FOLDERS or item.name.startswith(".STORE.") for item in root.iterdir())


@dataclass(frozen=True)
class Damage:
    """A file of a finished stage, or of the data, that is not what it was when it was written."""

    key: str
    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.key}: {self.file} {self.reason}"


def _damage_of_rows(path: Path) -> list[Damage]:
    from isthmus.data.catalog import read_rows
    from isthmus.data.schema import fingerprint

    try:
        intact = fingerprint(read_rows(path)) == path.stem
    except Exception:  # whatever a broken file makes the reader say, it is broken
        intact = False
    return [] if intact else [Damage("data", path.name, "has other rows than its name says")]


def names_in(folder: Path) -> list[str]:
    """The names of the folders in ``folder``, sorted; none where it is not there."""
    try:
        with os.scandir(folder) as found:
            return sorted(item.name for item in found if item.is_dir())
    except FileNotFoundError:
        return []


@contextmanager
def _at_once(path: Path) -> Iterator[bool]:
    """Hold ``path`` alone; False when another process has it, and not only looks whether it is free."""
    for _ in range(4):
        with lock(path, wait=False) as mine:
            if mine:
                yield True
                return
        time.sleep(0.01)
    yield False


class Store:
    """A folder of finished stages. Any number of processes may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    @classmethod
    def open(cls, root: Path) -> "Store":
        """Open or create the store at ``root``.

        Raises:
            StoreError: ``root`` holds something else, or cannot be written.
        """
        store = cls(root)
        marker = store.root / "STORE"
        try:
            if not marker.exists():
                if store.root.exists() and not _is_begun(store.root):
                    raise StoreError(
                        f"{root} is not an Isthmus store and not empty: choose another folder with --store."
                    )
                store.root.mkdir(parents=True, exist_ok=True)
                for name in _FOLDERS:
                    (store.root / name).mkdir(exist_ok=True)
                write_atomic(marker, _MARKER.encode())
            elif marker.read_bytes() != _MARKER.encode():
                raise StoreError(f"{root} was made by another version of Isthmus: choose another folder with --store.")
            for name in _FOLDERS:  # what was deleted by hand can be made again
                if not (store.root / name).is_dir():
                    (store.root / name).mkdir(exist_ok=True)
        except OSError as error:
            raise StoreError(f"{root} cannot be used as a store: {error.strerror or error}.") from error
        return store

    # -- where things are

    def stage_folder(self, key: str) -> Path:
        """The folder of a finished stage."""
        return self.root / "stages" / key

    def work_folder(self, key: str) -> Path:
        """The folder of a stage under way."""
        return self.root / "work" / key

    def study_folder(self, name: str) -> Path:
        """The folder of a study."""
        return self.root / "studies" / name

    def data_file(self, fingerprint: str) -> Path:
        """The Arrow file of the rows with that fingerprint."""
        return self.root / "data" / f"{fingerprint}.arrow"

    # -- finished stages

    def finished(self) -> list[str]:
        """The keys of all finished stages."""
        return [key for key in names_in(self.root / "stages") if self.has(key)]

    def has(self, key: str) -> bool:
        """Is the stage finished? Cheap: the record is not read."""
        return (self.stage_folder(key) / _RECORD).exists()

    def under_way(self) -> list[str]:
        """The keys of all stages that were begun and are not finished, whether a process works at them or not."""
        return [key for key in names_in(self.root / "work") if not self.has(key)]

    def record(self, key: str) -> Record | None:
        """The record of a finished stage, or None. What it says of the files is not checked: see `damage`."""
        try:
            data = json.loads((self.stage_folder(key) / _RECORD).read_bytes())
            return Record.from_json(data)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError):
            return None

    def damage(self, key: str, thorough: bool = False) -> list[Damage]:
        """What is wrong with a finished stage: empty when it is as it was left.

        Sizes and times are compared; a file whose time changed is read and hashed, or every file if ``thorough``.
        """
        folder = self.stage_folder(key)
        if not folder.exists():
            return []
        record = self.record(key)
        if record is None:
            return [Damage(key, _RECORD, "is missing or cannot be read")]
        found = []
        for name, fact in record.files.items():
            try:
                status = (folder / name).stat()
            except OSError:
                found.append(Damage(key, name, "is missing"))
                continue
            if status.st_size != fact.size:
                found.append(Damage(key, name, f"has {status.st_size} bytes instead of {fact.size}"))
            elif (thorough or status.st_mtime_ns != fact.mtime_ns) and sha256(folder / name) != fact.sha256:
                found.append(Damage(key, name, "has other content than when it was written"))
        return found

    def set_aside(self, key: str) -> None:
        """Take a damaged stage out of the way, so that it is made anew. Nothing is deleted."""
        for number in range(1000):
            target = self.root / "damaged" / (f"{key}.{number}")
            if not target.exists():
                break
        try:
            self.stage_folder(key).rename(target)
        except FileNotFoundError:  # another run was first
            return
        sync_folder(self.root / "stages")

    def verify(self, names: Collection[str] | None = None) -> Iterator[tuple[str, list[Damage]]]:
        """Read every file of every finished stage and of the data; yields each name with what is wrong with it.

        Names are keys and ``data/FINGERPRINT.arrow``; those of ``names`` alone are read where these are given.
        """
        for key in names_in(self.root / "stages"):
            if names is None or key in names:
                yield key, self.damage(key, thorough=True)
        for path in sorted((self.root / "data").glob("*.arrow")):
            name = f"data/{path.name}"
            if names is None or name in names:
                yield name, _damage_of_rows(path)

    # -- stages under way

    def in_use(self) -> AbstractContextManager[bool]:
        """What every run holds from beginning to end, together with the others: nothing that it needs is deleted."""
        return lock(self._lock, shared=True)

    def alone(self) -> AbstractContextManager[bool]:
        """Hold the store against all runs; gives False when one is under way."""
        return _at_once(self._lock)

    def is_in_use(self) -> bool:
        """Is a run under way?"""
        return locked(self._lock, alone=False)

    @property
    def _lock(self) -> Path:
        return self.root / "locks" / "store.lock"

    def claim(self, key: str) -> AbstractContextManager[bool]:
        """Hold the stage, so that no other process runs it; gives False when another one does."""
        return _at_once(self.root / "locks" / f"{key}.lock")

    def running(self, key: str) -> bool:
        """Is a process holding the stage now?"""
        return locked(self.root / "locks" / f"{key}.lock")

    def publish(self, record: Record, inherited: Mapping[tuple[int, int], FileFact]) -> Record:
        """Turn the output of a stage under way into a finished stage, in one step.

        ``inherited`` knows the files of the stages it builds on by device and inode: a hard link need not be hashed.
        """
        output = self.work_folder(record.key) / "output"
        files = {}
        for path in sorted(path for path in output.rglob("*") if path.is_file()):
            status = path.stat()
            known = inherited.get((status.st_dev, status.st_ino))
            files[str(path.relative_to(output))] = known or FileFact(status.st_size, sha256(path), status.st_mtime_ns)
        complete = Record(**{**record.__dict__, "files": files})
        (output / _RECORD).write_text(json.dumps(complete.to_json(), indent=1, ensure_ascii=False), encoding="utf-8")
        sync_tree(output)  # all of it is on the disk before its name says that it is finished
        self.stage_folder(record.key).parent.mkdir(exist_ok=True)
        output.rename(self.stage_folder(record.key))
        sync_folder(self.root / "stages")
        shutil.rmtree(self.work_folder(record.key), ignore_errors=True)
        return complete

    def known_files(self, keys: Iterator[str]) -> dict[tuple[int, int], FileFact]:
        """The files of finished stages by device and inode, as `publish` wants them."""
        known = {}
        for key in keys:
            record = self.record(key)
            for name, fact in (record.files if record else {}).items():
                status = os.stat(self.stage_folder(key) / name)  # noqa: PTH116
                known[(status.st_dev, status.st_ino)] = fact
        return known

    def progress(self, key: str) -> dict[str, Json]:
        """What a stage under way last said: done, total, seconds. Empty when it has said nothing."""
        try:
            data = json.loads((self.work_folder(key) / "progress.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}
