"""From a remote store to one here: every byte is hashed before it is believed, every stage appears in one step."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from isthmus.commands.tables import size
from isthmus.disk import link_or_copy, lock, plainly, replacing, sha256, sync_folder, sync_tree, write_atomic
from isthmus.errors import IsthmusError, ResourceError, StoreError
from isthmus.remote.layout import Blob, Kept, Remote, blob_of
from isthmus.remote.transfer import Moved, Tally, crew, showing
from isthmus.stage import FileFact, Record
from isthmus.store import Store

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Order:
    """What is wanted: keys of stages, fingerprints of rows, names of studies."""

    stages: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()


def everything(remote: Remote) -> Order:
    """All that is there."""
    return Order(tuple(sorted(remote.stages())), tuple(sorted(remote.rows())), tuple(sorted(remote.studies())))


def of_study(remote: Remote, name: str) -> Order:
    """What a study needs, of what is there.

    Raises:
        FileNotFoundError: there is no such study.
        StoreError: what it needs is not known there.
    """
    kept = remote.study(name)
    if kept.stages is None or kept.rows is None:
        raise StoreError(
            f"{remote.place} does not know what {name} needs, since the machine that pushed it could not plan it: "
            "pull without --study."
        )
    there, rows = remote.stages(), remote.rows()
    stages = tuple(key for key in kept.stages if key in there)
    return Order(stages, tuple(row for row in kept.rows if row in rows), (name,))


class _Altered(StoreError):
    """A blob that is not what its name says, or is not there."""

    def __init__(self, sentence: str, blob: Blob) -> None:
        super().__init__(sentence)
        self.blob = blob


@dataclass
class _Wanted:
    """What is to come, once it is known what is here."""

    records: dict[str, Record]
    rows: dict[str, Blob]
    studies: dict[str, Kept]

    def blobs(self) -> set[Blob]:
        """Every blob of it, once."""
        files = {blob_of(fact) for record in self.records.values() for fact in record.files.values()}
        return (
            files | set(self.rows.values()) | {blob for kept in self.studies.values() for blob in kept.files.values()}
        )


def pull(store: Store, remote: Remote, order: Order, quiet: bool = True, dry: bool = False) -> Moved:
    """Fetch what is not here; what cannot be had is named in ``failed`` and holds up nothing else.

    Files that the store has under any name are not fetched again. An interrupted pull leaves what it fetched in
    ``incoming/``, and the next one goes on from there. What was altered there is set aside there.

    Raises:
        StoreError: the remote store cannot be reached, or the disk is full.
        ResourceError: the disk has too little room.
    """
    moved, incoming = Moved(), store.root / "incoming"
    with plainly(store.root), store.in_use(), lock(store.root / "locks" / "pull.lock"):
        wanted = _wanted(store, remote, order, moved)
        here = _files_here(store) if wanted.records else {}
        come = _come_before(incoming)
        new = [blob for blob in wanted.blobs() if blob not in here and blob.sha256 not in come]
        total = sum(blob.size for blob in new)
        moved.whole = sum(fact.size for record in wanted.records.values() for fact in record.files.values())
        if dry:
            moved.files, moved.bytes = len(new), total
            moved.stages, moved.rows, moved.studies = list(wanted.records), len(wanted.rows), list(wanted.studies)
            return moved
        free = shutil.disk_usage(store.root).free
        if total > free:
            raise ResourceError(
                f"{size(total)} are to come, but the disk that holds {store.root} has {size(free)} free."
            )
        incoming.mkdir(exist_ok=True)
        with showing("pulling", total, quiet) as tally, crew() as pool:
            fetched = _fetch_all(remote, incoming, new, pool, tally)
            _Arrivals(store, remote, moved, fetched, lambda blob: here.get(blob) or incoming / blob.sha256).take(wanted)
        moved.bytes = tally.bytes
        moved.files = sum(future.exception() is None for future in fetched.values())
        _merge_indexes(store, remote, order, moved)
        if not moved.failed:
            shutil.rmtree(incoming, ignore_errors=True)
    return moved


def _wanted(store: Store, remote: Remote, order: Order, moved: Moved) -> _Wanted:
    """What of the order is not here."""
    keys = [key for key in order.stages if not store.has(key)]
    moved.there = len(order.stages) - len(keys)
    rows = [name for name in order.rows if not store.data_file(name).exists()]
    with crew() as pool:
        records = _read_all(pool, remote.record, keys, moved)
        found = _read_all(pool, remote.row_file, rows, moved, "rows ")
        studies = _read_all(pool, remote.study, order.studies, moved, "study ")
    for key in set(keys) & set(moved.failed):
        _set_aside(remote, f"stages/{key}.json")
    changed = {name: _new_files(store, name, kept, moved) for name, kept in studies.items()}
    return _Wanted(records, found, {name: kept for name, kept in changed.items() if kept.files})


def _read_all(
    pool: Executor, read: Callable[[str], Thing], names: Iterable[str], moved: Moved, what: str = ""
) -> dict[str, Thing]:
    found: dict[str, Thing] = {}
    for name, future in [(name, pool.submit(read, name)) for name in names]:
        try:
            found[name] = future.result()
        except FileNotFoundError:
            moved.failed[what + name] = "it is not there any more"
        except IsthmusError as error:
            moved.failed[what + name] = str(error)
    return found


def _new_files(store: Store, name: str, kept: Kept, moved: Moved) -> Kept:
    """The files of a study that differ here; none where another study of that name was run here."""
    folder = store.study_folder(name)
    mine = {file: _blob_here(folder / file) for file in kept.files}
    if mine.get("study.yaml") not in (None, kept.files.get("study.yaml")):
        moved.notes.append(f"The study {name} was run here with other fields: its files here are left as they are.")
        return replace(kept, files={})
    return replace(kept, files={file: blob for file, blob in kept.files.items() if mine[file] != blob})


def _blob_here(path: Path) -> Blob | None:
    return Blob(sha256(path), path.stat().st_size) if path.is_file() else None


def _files_here(store: Store) -> dict[Blob, Path]:
    """The files of finished stages that are as they were left, by size and time."""
    found: dict[Blob, Path] = {}
    for key in store.finished():
        record = store.record(key)
        for name, fact in (record.files if record else {}).items():
            path = store.stage_folder(key) / name
            with suppress(OSError):
                status = path.stat()
                if (status.st_size, status.st_mtime_ns) == (fact.size, fact.mtime_ns):
                    found.setdefault(blob_of(fact), path)
    return found


def _come_before(incoming: Path) -> set[str]:
    """What an interrupted pull fetched; what is there in part only, or was lost when the power went, is deleted."""
    found = set()
    for path in sorted(incoming.glob("*")):
        if path.suffix or sha256(path) != path.name:
            path.unlink()
        else:
            found.add(path.name)
    return found


def _fetch_all(
    remote: Remote, incoming: Path, blobs: Iterable[Blob], pool: Executor, tally: Tally
) -> "dict[Blob, Future[None]]":
    ordered = sorted(blobs, key=lambda blob: blob.size)
    return {blob: pool.submit(_fetch, remote, blob, incoming / blob.sha256, tally) for blob in ordered}


def _fetch(remote: Remote, blob: Blob, target: Path, tally: Tally) -> None:
    """Fetch one blob; it has its name only once its bytes are known to be right."""
    part = target.with_suffix(".part")
    try:
        for _ in range(2):  # it may have been altered on the way
            try:
                remote.place.get(blob.name, part, tally)
            except FileNotFoundError:
                raise _Altered(f"{remote.place}: {blob.name} is missing.", blob) from None
            if part.stat().st_size == blob.size and sha256(part) == blob.sha256:
                part.replace(target)
                return
        raise _Altered(f"{remote.place}: {blob.name} has other content than its name says.", blob)
    finally:
        part.unlink(missing_ok=True)


def _set_aside(remote: Remote, name: str) -> None:
    with suppress(IsthmusError):  # who may only read cannot
        remote.place.set_aside(name)


class _Arrivals:
    """Gives what has come its place, one thing after the other."""

    def __init__(
        self,
        store: Store,
        remote: Remote,
        moved: Moved,
        fetched: "Mapping[Blob, Future[None]]",
        path_of: Callable[[Blob], Path],
    ) -> None:
        self.store, self.remote, self.moved, self.fetched, self.path_of = store, remote, moved, fetched, path_of

    def take(self, wanted: _Wanted) -> None:
        """Rows first, then stages as they come, then studies."""
        for fingerprint, blob in wanted.rows.items():
            if self._here(f"rows {fingerprint}", f"rows/{fingerprint}.json", [blob]):
                self._rows(fingerprint, blob)
        sizes = {key: max((f.size for f in record.files.values()), default=0) for key, record in wanted.records.items()}
        for key in sorted(sizes, key=lambda each: sizes[each]):
            blobs = [blob_of(fact) for fact in wanted.records[key].files.values()]
            if self._here(key, f"stages/{key}.json", blobs):
                self._stage(wanted.records[key])
        for name, kept in wanted.studies.items():
            if self._here(f"study {name}", f"studies/{name}.json", kept.files.values()):
                for file, blob in kept.files.items():
                    self._copy(blob, self.store.study_folder(name) / file)
                self.moved.studies.append(name)

    def _here(self, what: str, name: str, blobs: Iterable[Blob]) -> bool:
        """Wait for the blobs; a thing whose blobs are not what they should be is set aside there."""
        for blob in blobs:
            try:
                if blob in self.fetched:
                    self.fetched[blob].result()
            except _Altered as error:
                self.moved.failed[what] = f"{error} It was set aside there: push it again from where it is whole."
                _set_aside(self.remote, error.blob.name)
                _set_aside(self.remote, name)
                return False
            except IsthmusError as error:
                self.moved.failed[what] = str(error)
                return False
        return True

    def _copy(self, blob: Blob, target: Path) -> None:
        with replacing(target) as temporary:
            shutil.copyfile(self.path_of(blob), temporary)

    def _rows(self, fingerprint: str, blob: Blob) -> None:
        from isthmus.data import schema
        from isthmus.data.catalog import read_rows

        try:
            same = schema.fingerprint(read_rows(self.path_of(blob))) == fingerprint
        except Exception:  # whatever a broken file makes the reader say, it is broken
            same = False
        if not same:
            self.moved.failed[f"rows {fingerprint}"] = f"{self.remote.place}: it has other rows than its name says."
            _set_aside(self.remote, f"rows/{fingerprint}.json")
            return
        self._copy(blob, self.store.data_file(fingerprint))
        self.moved.rows += 1

    def _stage(self, record: Record) -> None:
        """Make a stage of its files and publish it in one step, unless somebody here has it."""
        store, key = self.store, record.key
        with store.claim(key) as mine:
            if store.has(key):
                return
            if not mine:
                self.moved.notes.append(f"{record.title}: a run here is doing it, and was left to it.")
                return
            folder = store.work_folder(key) / "pulled"
            shutil.rmtree(folder, ignore_errors=True)
            files = {}
            for name, fact in record.files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(self.path_of(blob_of(fact)), path)
                files[name] = FileFact(fact.size, fact.sha256, path.stat().st_mtime_ns)
            folder.mkdir(parents=True, exist_ok=True)
            sync_tree(folder)
            content = json.dumps(replace(record, files=files).to_json(), indent=1, ensure_ascii=False)
            write_atomic(folder / "record.json", content.encode())
            if store.stage_folder(key).exists():  # without a record: nothing that is believed
                store.set_aside(key)
            folder.rename(store.stage_folder(key))
            sync_folder(store.root / "stages")
            shutil.rmtree(store.work_folder(key), ignore_errors=True)
        self.moved.stages.append(key)


def _merge_indexes(store: Store, remote: Remote, order: Order, moved: Moved) -> None:
    """Add what other machines know of the splits of tasks, as far as their rows were wanted."""
    rows = set(order.rows)
    for name, versions in remote.indexes().items() if rows else ():
        path = store.root / "data" / "index" / f"{name}.json"
        for version in versions:
            try:
                told = json.loads(remote.place.read(f"index/{name}/{version}"))
                told = {split: fact for split, fact in told.items() if fact["fingerprint"] in rows}
            except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
                moved.notes.append(f"{remote.place}: index/{name}/{version} cannot be read, and was passed over.")
                continue
            with lock(path.with_suffix(".lock")):
                mine = json.loads(path.read_bytes()) if path.exists() else {}
                if set(told) - set(mine):
                    write_atomic(path, json.dumps({**told, **mine}).encode())
