"""The rows of tasks, loaded once into the store and known from then on by their fingerprint."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa

from isthmus.data.provenance import provenance
from isthmus.data.schema import check_table, fingerprint
from isthmus.disk import lock, plainly, replacing, write_atomic
from isthmus.errors import DataError
from isthmus.stage import Json, canonical
from isthmus.store import Store
from isthmus.tasks.core import Split, Task


@dataclass(frozen=True)
class SplitFacts:
    """What planning needs to know of one split in one language."""

    fingerprint: str
    rows: int
    characters: int
    #: what was seen, mended or left out when the rows were read, in words
    notes: tuple[str, ...] = ()
    #: are they fewer than published, or those of the dev split in place of the test split?
    in_part: bool = False


def read_rows(path: Path) -> pa.Table:
    """The table in an Arrow file, memory-mapped. Raises DataError when it was cut off or altered."""
    try:
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_file(source).read_all()
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise DataError(f"{path} cannot be read ({error}): isthmus store verify takes it out of the way.") from error


class Catalog:
    """The splits of tasks. Loading is done at most once for each version of a task's source."""

    def __init__(self, store: Store, notify: Callable[[str], None] = lambda _: None) -> None:
        self._store = store
        self._notify = notify
        self._indexes: dict[str, tuple[Path, dict[str, SplitFacts]]] = {}

    def facts(self, task: Task, split: Split, language: str) -> SplitFacts:
        """The facts of one split, loading its rows into the store if they are not there yet.

        Raises:
            DataError: the rows are missing, empty, malformed, or not as many as the task's metadata says.
            MissingPackage: the package that holds them is not installed.
        """
        name = f"{split}/{language}"
        path, index = self._index(task)
        known = index.get(name)
        if known is None or not self._store.data_file(known.fingerprint).exists():
            known = self._load(task, split, language, path)
            index[name] = known
        return known

    def _index_path(self, task: Task) -> Path:
        source: dict[str, Json] = {"task": task.name, "kind": task.kind, "labels": task.labels}
        source |= task.source.identity()
        if not task.labelled:
            source["labelled"] = "no"
        return self._store.root / "data" / "index" / f"{hashlib.sha256(canonical(source)).hexdigest()[:20]}.json"

    def _index(self, task: Task) -> tuple[Path, dict[str, SplitFacts]]:
        """What is known of a task's splits, and the file that has it: its name is reckoned once, from all sources."""
        if task.name not in self._indexes:
            path = self._index_path(task)
            self._indexes[task.name] = path, _read_index(path)
        return self._indexes[task.name]

    def _load(self, task: Task, split: Split, language: str, index_path: Path) -> SplitFacts:
        where = f"task {task.name}, {split} split, language {language}"
        self._notify(f"loading {task.name} {split}/{language}")
        table = task.source.load(split, language)
        notes = (*provenance(table).notes, *check_rows(task, split, language, table))
        check_table(task.kind, table, where, task.labelled)
        part = in_part(task, split, language, table)
        facts = SplitFacts(fingerprint(table), len(table), _characters(table), notes, part)
        for note in notes:
            self._notify(f"{task.name} {split}/{language}: {note}")
        path = self._store.data_file(facts.fingerprint)
        with plainly(self._store.root), lock(index_path.with_suffix(".lock")):
            if not path.exists():
                with replacing(path) as temporary, pa.ipc.new_file(str(temporary), table.schema) as writer:
                    writer.write_table(table)
            index = {**_read_index(index_path), f"{split}/{language}": facts}
            write_atomic(index_path, json.dumps({name: asdict(fact) for name, fact in index.items()}).encode())
        return facts


def check_rows(task: Task, split: Split, language: str, table: pa.Table) -> tuple[str, ...]:
    """Refuse a split that is empty, or has another number of rows or other labels than the task's metadata says.

    Rows that were read and left out for a reason count. Where the task is measured in part, fewer rows will do; that
    there are fewer is returned, in words.
    """
    where = f"Task {task.name}, {split} split, language {language}"
    if len(table) == 0:
        raise DataError(f"{where}: there are no rows.")
    told = provenance(table)
    expected = expected_rows(task, told.split or split, language)
    fewer = task.partial and expected is not None and told.rows < expected
    if expected is not None and told.rows != expected and not fewer:
        raise DataError(
            f"{where}: {told.rows} rows, but {expected} are expected. The source is incomplete or of another version; "
            "measuring on it would be a different experiment."
        )
    notes = [f"{told.rows:,} of {expected:,} rows"] if fewer else []
    unknown = _unknown_labels(task, table)
    if unknown and task.open_labels and split != "train":
        notes.append(f"labels that no training row has, and no model can predict: {len(unknown)}")
    elif unknown:
        labels = ", ".join(task.labels[:8]) + (", ..." if len(task.labels) > 8 else "")
        raise DataError(f"{where}: the label {unknown[0]!r} is not one of the task's: {labels}.")
    return tuple(notes)


def in_part(task: Task, split: Split, language: str, table: pa.Table) -> bool:
    """Are the rows fewer than published, or those of another split than the one asked for?"""
    told = provenance(table)
    of = told.split or split
    return of != split or told.rows < (expected_rows(task, of, language) or 0)


def expected_rows(task: Task, split: str, language: str) -> int | None:
    """How many rows the task's metadata says there are; None where it does not say."""
    return task.expected_rows.get(f"{split}/{language}", task.expected_rows.get(split))


def _unknown_labels(task: Task, table: pa.Table) -> list[str]:
    """The labels or tags of the table that are not the task's, sorted."""
    column = {"label", "tags"} & set(table.schema.names)
    if not (task.labels and task.labelled and column):
        return []
    name = column.pop()
    values = table.column(name).combine_chunks()
    found = (values.flatten() if name == "tags" else values).unique().to_pylist()
    return sorted(set(found) - set(task.labels))


def _characters(table: pa.Table) -> int:
    """Code points in all texts of ``table``: what estimates of time are made from."""
    import pyarrow.compute as pc

    total = 0
    for field in table.schema:
        if field.name not in ("id", "group", "label", "tags", "answer", "answers", "answer_starts", "targets"):
            column = table.column(field.name)
            values = pc.list_flatten(column) if pa.types.is_list(field.type) else column
            total += pc.sum(pc.utf8_length(values)).as_py() or 0
    return total


def _read_index(path: Path) -> dict[str, SplitFacts]:
    try:
        data: Mapping[str, Mapping[str, object]] = json.loads(path.read_bytes())
        facts = {name: SplitFacts(**fact) for name, fact in data.items()}  # type: ignore[arg-type]
        return {name: replace(fact, notes=tuple(fact.notes)) for name, fact in facts.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
