"""Rows from the Hugging Face hub, by the library `datasets`: no script of a data set is ever run."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import compress, islice
from pathlib import Path
from typing import Any

from isthmus.data.readers.build import rows_of
from isthmus.data.readers.cells import Cells
from isthmus.data.readers.options import Options
from isthmus.data.readers.rows import Note, Rows
from isthmus.data.schema import GOLD
from isthmus.data.sources.layout import View
from isthmus.errors import DataError, MissingPackage

#: What most data sets on the hub call the splits.
SPLITS: Mapping[str, str] = {"train": "train", "dev": "validation", "test": "test"}
_COMMIT = re.compile(r"/([0-9a-f]{40})/")


@dataclass(frozen=True)
class Hub:
    """A data set on the hub, and where it has what.

    Attributes:
        id: such as ``facebook/xnli``.
        columns: role -> column, as in ``text=premise text_pair=hypothesis label=label``.
        config: its configuration for a language, with ``{code}`` and the like, as in a `Layout`.
        revision: a commit, or a branch where no commit is known.
        splits: what it calls the splits; those left out it does not have.
        options: how its rows are read, as for files; of ``only``, values need to begin so.
        after: ids of training rows are what stands behind the last of this character.
        without: codes of the languages that it does not have.
        rows: split -> the first row that is read, from 0, and the one behind the last, of what is too large to be read
            whole. Only these are downloaded.
    """

    id: str
    columns: str
    config: str = "{code}"
    revision: str = "main"
    splits: Mapping[str, str] = field(default_factory=lambda: SPLITS)
    options: Options = field(default_factory=Options)
    after: str = ""
    without: tuple[str, ...] = ()
    rows: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def read(self, view: View, labels: Sequence[str] = ()) -> tuple[Rows, str]:
        """The rows of a split, and the commit they are of ("" where it is not told).

        Labels that are numbers on the hub are named by the hub, never by their order in ``labels``, those of the task.

        Raises:
            MissingPackage: `datasets` is not installed.
            DataError: it cannot be loaded, its rows are not of this kind, or its labels are not those of the task.
        """
        config, split = view.fill(self.config), self.splits[view.split]
        loaded = self._load(config, split, self.rows.get(view.split))
        where = Path(f"{self.id}@{self.revision}") / config / split
        columns, gold = dict(pair.split("=") for pair in self.columns.split()), GOLD[view.kind]
        if not view.labelled:
            columns = {role: column for role, column in columns.items() if role not in gold}
        for role in columns.keys() & set(gold):
            check_names(loaded, role, columns[role], where, self.options.labels, labels)
        values = {role: _column(loaded, column, where, role != "answer") for role, column in columns.items()}
        for column, wanted in self.options.only.items():
            chosen = _column(loaded, str(column), where, True)
            keep = [str(value).startswith(view.fill(wanted)) for value in chosen]
            values = {role: list(compress(column, keep)) for role, column in values.items()}
        if self.after and view.split == "train":
            values["id"] = [str(value).rpartition(self.after)[2] for value in values["id"]]
        numbers = [str(row) for row in range(1, len(next(iter(values.values()))) + 1)]
        places = {role: repr(column) for role, column in columns.items()}
        cells = Cells(where, view.kind, values, [f"row {number}" for number in numbers], "the hub", places)
        labelled = [all(labels) for labels in zip(*(map(_is_there, values[role]) for role in values if role in gold))]  # noqa: B905
        if labelled and not any(labelled):
            raise DataError(f"{where}: its labels are withheld.")
        if labelled and not all(labelled):  # judges did not agree (SNLI)
            kept = cells.with_values({"id": numbers, **values}).where(labelled)
            note = Note(len(labelled) - sum(labelled), "rows left out that have no label")
            cells = kept.with_values(kept.values, note)
        if part := self.rows.get(view.split):
            first, behind = part
            what = f"of a larger split, from row {first + 1:,} to row {behind:,} at most: rows read"
            cells = cells.with_values(cells.values, Note(len(numbers), what))
        drop = self.options.drop if view.labelled else {}  # line n of a submission is about row n of the test set
        return rows_of(cells, replace(self.options, only={}, drop=drop, labelled=view.labelled)), _commit(loaded)

    def _load(self, config: str, split: str, part: tuple[int, int] | None) -> Any:
        if find_spec("datasets") is None:
            raise MissingPackage("datasets", f"Loading {self.id} from the hub", "hub")
        named = f"{self.id}@{self.revision}" + (f", configuration {config}" if config else "") + f", split {split}"
        try:
            from datasets import Dataset, load_dataset

            with _quiet():
                if part is None:
                    return load_dataset(self.id, config or None, split=split, revision=self.revision)
                stream = load_dataset(self.id, config or None, split=split, revision=self.revision, streaming=True)
                return Dataset.from_list(list(islice(stream, *part)), features=stream.features)
        except Exception as error:
            raise DataError(f"{named}, cannot be loaded from the hub: {_reason(error, config)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars of `datasets` and the hub's library, which would break through our own."""
    import datasets
    from huggingface_hub import utils as hub

    shown: list[Any] = [library for library in (datasets, hub) if not library.are_progress_bars_disabled()]
    for library in shown:
        library.disable_progress_bars()
    try:
        yield
    finally:
        for library in shown:
            library.enable_progress_bars()


def check_names(
    loaded: Any, role: str, column: str, where: Path, spelled: Mapping[str, str], labels: Sequence[str]
) -> None:
    """Refuse labels that are numbers of which nothing says what they mean, or that are named otherwise than the task's.

    ``spelled`` is the task's spelling of them. The choices of an answer, where they are named, must be named in order.
    """
    if column not in loaded.features:
        return
    names = _names(loaded, column)
    if names and role == "answer" and list(names) != sorted(names):
        raise DataError(f"{where}: the choices that {column!r} counts are named {', '.join(names)}: not in order.")
    if role not in ("label", "tags") or not labels:
        return
    if names and (lacking := sorted(set(labels) - {spelled.get(name, name) for name in names})):
        raise DataError(f"{where}: none of the labels of {column!r}, {', '.join(names)}, is the task's {lacking[0]!r}.")
    kind = loaded.data.schema.field(column).type
    inner = getattr(kind, "value_type", kind)
    if names or not str(inner).startswith(("int", "uint")):
        return
    values = loaded.data.column(column).combine_chunks()
    numbers = sorted((values if inner is kind else values.flatten()).drop_null().unique().to_pylist())
    for number in (one for one in numbers if one >= 0):
        if str(number) not in spelled and str(number) not in labels:
            wanted = ", ".join(labels[:3]) + (", ..." if len(labels) > 3 else "")
            raise DataError(f"{where}: nothing says which of {wanted} the label {number} of {column!r} stands for.")


def _names(loaded: Any, column: str) -> Sequence[str]:
    """The names that a column of numbers has for them, in their order; none for a column of another kind."""
    feature = loaded.features[column]
    return getattr(getattr(feature, "feature", feature), "names", None) or ()


def _column(loaded: Any, name: str, where: Path, named: bool) -> list[Any]:
    """A column (``a.b``: the field b of column a), where ``named`` with the names of labels in place of their numbers.

    A label of -1, which stands for none, is None.
    """
    first, _, inner = name.partition(".")
    if first not in loaded.features:
        raise DataError(f"{where}: there is no column {first!r}; there are {', '.join(loaded.features)}.")
    values: Sequence[Any] = loaded.data.column(first).to_pylist()
    if inner:
        return [value[inner] for value in values]
    names = _names(loaded, first)
    if not names or not named:
        return list(values)
    return [_name(names, value, where, row) for row, value in enumerate(values, 1)]


def _is_there(value: Any) -> bool:
    return value is not None


def _name(names: Sequence[str], number: int | list[int] | None, where: Path, row: int) -> Any:
    """The name of a label; the names of tags."""
    if number is None or number == -1:
        return None
    for one in number if isinstance(number, list) else (number,):
        if one is None or not 0 <= one < len(names):
            raise DataError(f"{where}, row {row}: the label {one} is none of the {len(names)} that are named.")
    return [names[one] for one in number] if isinstance(number, list) else names[number]


def _commit(loaded: Any) -> str:
    """The commit that the files were of: the library files what it has prepared under it."""
    for file in loaded.cache_files:
        if match := _COMMIT.search(Path(file["filename"]).as_posix()):
            return match[1]
    return ""


def _reason(error: Exception, config: str) -> str:
    """Why it failed, in a clause, and what to do."""
    chain: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in chain:
        chain.append(step)
        step = step.__cause__ or step.__context__
    names = {type(step).__name__ for step in chain}
    text = " ".join(map(str, chain))
    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0") or "OfflineModeIsEnabled" in names
    codes = {getattr(getattr(step, "response", None), "status_code", 0) or 0 for step in chain}
    reasons = (
        ("GatedRepoError" in names or "gated dataset" in text, _GATED),
        ("RevisionNotFoundError" in names or "Revision" in text, "it has no such revision."),
        ("BuilderConfig" in text, f"it has no configuration {config!r}."),
        ("Unknown split" in text, "it has no such split."),
        ("Dataset scripts are no longer supported" in text, "it is a script, and such scripts are not run."),
        (offline, "HF_HUB_OFFLINE forbids the network, and it is not in the cache; load it once with the network."),
        (any(code >= 500 for code in codes), "the hub has a fault of its own; try again later."),
        (
            bool(names & _DAMAGE) and "parquet" in text.lower(),
            "a file is damaged; delete it from the cache and try again.",
        ),
        (
            bool(names & _UNREACHED),
            "the hub cannot be reached; check the network, or name a folder that has the files.",
        ),
        (bool(names & _NOTHING), "the hub has no data set of this name, or it is private."),
    )
    first = " ".join(str(error).split())
    return next((reason for fits, reason in reasons if fits), f"{type(error).__name__}: {first[:200].rstrip('.')}.")


_GATED = "it is gated: ask for access on its page, then log in (hf auth login)."
_DAMAGE = {"ArrowInvalid", "DatasetGenerationError", "OSError"}
_UNREACHED = {"ConnectError", "ConnectionError", "ConnectTimeout", "ReadTimeout", "LocalEntryNotFoundError"}
_NOTHING = {"DatasetNotFoundError", "RepositoryNotFoundError"}
