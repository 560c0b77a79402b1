"""From a store to a remote one: what is not there yet, blobs before the records that name them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from isthmus.disk import sha256
from isthmus.errors import IsthmusError, StoreError
from isthmus.planning.plan import Plan
from isthmus.remote.layout import Blob, Kept, Remote, blob_of
from isthmus.remote.transfer import Moved, Tally, crew, showing
from isthmus.stage import Record
from isthmus.store import Store, names_in

Submit = Callable[[Callable[[], object]], "Future[object]"]

#: What a study's folder has that means nothing on another machine.
_OF_THIS_MACHINE = ("folder.txt",)


@dataclass(frozen=True)
class Load:
    """What is to be there.

    Attributes:
        stages: keys of finished stages.
        rows: fingerprints.
        studies: names, with the plan of each where it is known.
    """

    stages: tuple[str, ...]
    rows: tuple[str, ...]
    studies: Mapping[str, Plan | None]


def everything(store: Store, plans: Mapping[str, Plan | None]) -> Load:
    """All that is finished in the store, and all rows; ``plans`` are those of the studies that it keeps."""
    rows = tuple(path.stem for path in sorted((store.root / "data").glob("*.arrow")))
    return Load(tuple(store.finished()), rows, plans)


def of_plan(store: Store, name: str, plan: Plan) -> Load:
    """What a study has that is finished, and the rows that it reads."""
    return Load(tuple(key for key in plan.stages if store.has(key)), rows_of(plan), {name: plan})


def rows_of(plan: Plan) -> tuple[str, ...]:
    """The fingerprints of the rows that the stages of a plan read."""
    return tuple(sorted({fact.fingerprint for facts in plan.reads.values() for fact in facts}))


@dataclass
class _Cargo:
    """What is to move: the file of every blob, and what names them."""

    files: dict[Blob, Path]
    records: dict[str, Record]
    rows: dict[str, Blob]
    studies: dict[str, Kept]


def push(store: Store, remote: Remote, load: Load, quiet: bool = True, dry: bool = False) -> Moved:
    """Bring what is not there; what cannot be brought is named in ``failed`` and holds up nothing else.

    A stage that is there already is left as it is, whoever brought it: equal keys are equal results.

    Raises:
        StoreError: the remote store cannot be reached.
    """
    moved = Moved()
    with store.in_use():
        cargo = _cargo(store, remote, load, moved)
        known = remote.blobs() if cargo.files else {}
        new = {blob: path for blob, path in cargo.files.items() if known.get(blob.sha256) != blob.size}
        moved.whole = sum(fact.size for record in cargo.records.values() for fact in record.files.values())
        if dry:
            moved.files, moved.bytes = len(new), sum(blob.size for blob in new)
            moved.stages, moved.rows, moved.studies = list(cargo.records), len(cargo.rows), list(cargo.studies)
            return moved
        _push_indexes(store, remote)
        with showing("pushing", sum(blob.size for blob in new), quiet) as tally, crew() as pool, crew() as writers:
            largest_last = sorted(new, key=lambda blob: blob.size)  # small stages are safe early
            under_way = {blob: pool.submit(_put, remote, blob, new[blob], tally) for blob in largest_last}
            written = _name_all(remote, cargo, under_way, writers.submit, moved)
            for what, future in written.items():
                _keep_failure(moved, what, future)
        moved.bytes = tally.bytes
        moved.files = sum(future.exception() is None for future in under_way.values())
    moved.stages = [key for key in cargo.records if key not in moved.failed]
    moved.rows = sum(f"rows {name}" not in moved.failed for name in cargo.rows)
    moved.studies = [name for name in cargo.studies if f"study {name}" not in moved.failed]
    return moved


def _cargo(store: Store, remote: Remote, load: Load, moved: Moved) -> _Cargo:
    cargo = _Cargo({}, {}, {}, {})
    there = remote.stages()
    moved.there = sum(key in there for key in load.stages)
    for key in load.stages:
        if key in there or (record := store.record(key)) is None:
            continue
        cargo.records[key] = record
        for name, fact in record.files.items():
            cargo.files.setdefault(blob_of(fact), store.stage_folder(key) / name)
    there = remote.rows() if load.rows else set()
    for fingerprint in load.rows:
        path = store.data_file(fingerprint)
        if fingerprint not in there and path.exists():
            cargo.rows[fingerprint] = _blob(path)
            cargo.files.setdefault(cargo.rows[fingerprint], path)
    for name, plan in load.studies.items():
        paths = {path.name: path for path in _files_of(store.study_folder(name))}
        files = {file: _blob(path) for file, path in paths.items()}
        kept = Kept(files, tuple(plan.stages) if plan else None, rows_of(plan) if plan else None)
        if not files or _has(remote, name, kept):
            continue
        cargo.studies[name] = kept
        for file, path in paths.items():
            cargo.files.setdefault(files[file], path)
    return cargo


def _files_of(folder: Path) -> Iterable[Path]:
    for path in sorted(folder.glob("*")):
        if path.is_file() and not path.name.startswith(".") and path.name not in _OF_THIS_MACHINE:
            yield path


def _has(remote: Remote, name: str, kept: Kept) -> bool:
    try:
        return remote.study(name) == kept
    except (FileNotFoundError, StoreError):
        return False


def _blob(path: Path) -> Blob:
    return Blob(sha256(path), path.stat().st_size)


def _put(remote: Remote, blob: Blob, path: Path, tally: Tally) -> None:
    """Bring one file, when it is what it was."""
    try:
        intact = path.stat().st_size == blob.size and sha256(path) == blob.sha256
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}).") from error
    if not intact:
        raise StoreError(
            f"{path} has other content than when it was written: run isthmus store verify, then the study."
        )
    remote.place.put(path, blob.name, tally)


def _name_all(
    remote: Remote, cargo: _Cargo, under_way: "Mapping[Blob, Future[None]]", submit: Submit, moved: Moved
) -> "dict[str, Future[object]]":
    """As the blobs of each thing arrive, the object that names them; returns what is being written."""
    written: dict[str, Future[object]] = {}

    def finish(what: str, blobs: Iterable[Blob], write: Callable[[], object]) -> None:
        try:
            for blob in set(blobs):
                if blob in under_way:
                    under_way[blob].result()
        except IsthmusError as error:
            moved.failed[what] = str(error)
        else:
            written[what] = submit(write)

    def size_of(record: Record) -> int:
        return max((fact.size for fact in record.files.values()), default=0)

    place = remote.place
    for fingerprint, blob in cargo.rows.items():
        content = json.dumps({"sha256": blob.sha256, "size": blob.size}).encode()
        finish(f"rows {fingerprint}", [blob], partial(place.create, f"rows/{fingerprint}.json", content))
    for key, record in sorted(cargo.records.items(), key=lambda item: size_of(item[1])):
        content = json.dumps(record.to_json(), ensure_ascii=False).encode()
        finish(key, map(blob_of, record.files.values()), partial(place.create, f"stages/{key}.json", content))
    for name, kept in cargo.studies.items():
        content = kept.to_json()
        finish(f"study {name}", kept.files.values(), partial(place.write, f"studies/{name}.json", content))
    return written


def _keep_failure(moved: Moved, what: str, future: "Future[object]") -> None:
    error = future.exception()
    if isinstance(error, IsthmusError):
        moved.failed[what] = str(error)
    elif error is not None:
        raise error


def _push_indexes(store: Store, remote: Remote) -> None:
    """What is known of the splits of tasks; each version has a name of its own, so that nothing is overwritten."""
    there = remote.indexes()
    for path in sorted((store.root / "data" / "index").glob("*.json")):
        content = path.read_bytes()
        version = f"{hashlib.sha256(content).hexdigest()[:16]}.json"
        if version not in there.get(path.stem, ()):
            remote.place.create(f"index/{path.stem}/{version}", content)


def kept_names(store: Store) -> list[str]:
    """The studies that have a folder in the store."""
    return [name for name in names_in(store.root / "studies") if (store.study_folder(name) / "study.yaml").exists()]
