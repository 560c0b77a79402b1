"""Plain files as tasks: name a file for training and one for each language, and what they hold is found out.

task = file_task("reviews.tsv", test={"de": "reviews-de.tsv", "sw": "reviews-sw.tsv"})
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pyarrow as pa

from isthmus.data.readers.delimited import Quoting
from isthmus.data.readers.layout import Columns
from isthmus.data.readers.read import Format, Place, read_rows
from isthmus.data.readers.rows import Rows, check_labels, labels_of
from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError, SpecError, nearest
from isthmus.languages import language
from isthmus.tasks.core import Split, Task

#: A file, or two that translate each other line by line: the foreign one, then the English one.
Named = str | Path | tuple[str | Path, str | Path]

#: Changes when the same file gives other rows.
VERSION = 1

_METRICS = {Kind.TAGGING: "span_f1"}


@dataclass(frozen=True)
class FileSource:
    """Rows in plain files, one file (or two aligned ones) for each split and language.

    Attributes:
        kind: what all the files hold.
        paths: by ``split/language``, as in ``{"train/en": Path("train.tsv"), "test/de": Path("de.tsv")}``.
        columns: where a guess goes wrong: role -> name in the header, or number from 1 where there is no header.
        form: the format of all files, where their names do not show it.
        quoting: how quotation marks are read in CSV and TSV (`isthmus.data.readers.delimited`).
        labels: where given, a row with any other label is an error that names its line.
    """

    kind: Kind
    paths: Mapping[str, Place]
    columns: Columns = field(default_factory=dict)
    form: Format | None = None
    quoting: Quoting = "auto"
    labels: tuple[str, ...] = ()

    def identity(self) -> Mapping[str, str]:
        """The SHA-256 of every file's content, and how it is read. Where the files lie is no part of it.

        Raises:
            DataError: a file cannot be read.
        """
        reading = {"columns": dict(self.columns), "form": self.form, "quoting": self.quoting, "version": VERSION}
        return {
            "reading": json.dumps(reading, sort_keys=True),
            **{name: f"{_suffix(place)}:{_digest(place)}" for name, place in sorted(self.paths.items())},
        }

    def load(self, split: Split, language: str) -> pa.Table:
        """The rows of one file in the column schema of the kind.

        Raises:
            DataError: there is no such split, or its file is unreadable, malformed, or holds another label.
        """
        rows = self.read(split, language)
        if self.labels:
            check_labels(rows, self.labels)
        return to_table(self.kind, rows.values, str(rows.path))

    def read(self, split: Split, language: str) -> Rows:
        """The rows of one file with their lines. Raises DataError as `load` does."""
        name = f"{split}/{language}"
        if name not in self.paths:
            raise DataError(f"There is no file for {name}: {nearest(name, self.paths)}")
        return read_rows(self.paths[name], self.kind, self.columns, self.form, self.quoting)

    def describe(self) -> str:
        """How each file is read, one a line: what the guesses came to. Raises DataError as `load` does."""
        lines = []
        for name, place in self.paths.items():
            split, language = name.split("/")
            lines.append(f"{name}: {_shown(place)}: {self.kind}, {self.read(cast(Split, split), language).reading}")
        return "\n".join(lines)


def file_task(  # noqa: PLR0913 - each is one thing that a person may have to say of their files
    path: Named | None,
    *,
    test: Mapping[str, Named],
    dev: Named | None = None,
    kind: Kind | str | None = None,
    columns: Columns | None = None,
    form: Format | None = None,
    quoting: Quoting = "auto",
    name: str | None = None,
    train_language: str = "en",
) -> Task:
    """A task from plain files: CSV, TSV, JSON Lines, CoNLL, CoNLL-U, or two texts aligned by line.

    The training file is read here, to find out its kind and its labels (sorted; ``B-`` and ``I-`` of every type, where
    tags have these prefixes). ``task.source.describe()`` shows what was guessed; `dataclasses.replace` adds a licence
    or a description.

    Args:
        path: the training rows; None for a task that is only ever measured, whose labels are those of all its files.
        test: language -> file to measure on.
        dev: the development rows, in the language of the training rows.
        kind: guessed from the columns where None.
        columns: role (``text``, ``text_pair``, ``label``, ``tokens``, ``tags``, ``source``, ``target``, ``id``,
            ``group``) -> name in the header, or number from 1 where there is no header.
        form: the format, where the file names do not show it.
        quoting: how quotation marks are read in CSV and TSV.
        name: the file's name without its suffix where None.

    Raises:
        SpecError: a language, a column or the kind is unknown, or there is nothing to measure on.
        DataError: the training file is unreadable or malformed, or what it holds cannot be told.
    """
    if not test:
        raise SpecError("A task of files needs a file to measure on: test={language: path, ...}.")
    trained = language(train_language).tag
    paths: dict[str, Place] = {}
    for split, code, named in [
        ("train", trained, path),
        ("dev", trained, dev),
        *(("test", language(code).tag, named) for code, named in test.items()),
    ]:
        if f"{split}/{code}" in paths:
            raise SpecError(f"Two files are named for {split}/{code}: one language may be spelt in two ways.")
        if named is not None:
            paths[f"{split}/{code}"] = _place(named)
    first, *others = paths.values()
    rows = read_rows(first, _kind(kind), columns, form, quoting)
    labels = labels_of(rows)
    if path is None and labels:
        more = (read_rows(other, rows.kind, columns, form, quoting) for other in others)
        labels = tuple(sorted({*labels, *(label for each in more for label in labels_of(each))}))
    return Task(
        name=name or (first[0] if isinstance(first, tuple) else first).stem,
        kind=rows.kind,
        description=f"Rows of {_shown(first)}.",
        languages=tuple(key.removeprefix("test/") for key in paths if key.startswith("test/")),
        metric=_METRICS.get(rows.kind, "accuracy"),
        source=FileSource(rows.kind, paths, columns or {}, form, quoting, labels),
        licence="not stated",
        labels_are="annotated",
        train_language=None if path is None else trained,
        labels=labels,
    )


def _kind(kind: Kind | str | None) -> Kind | None:
    if kind is not None and kind not in list(Kind):
        raise SpecError(f"There is no kind of task called {kind!r}: {nearest(kind, Kind)}")
    return None if kind is None else Kind(kind)


def _place(named: Named) -> Place:
    return (Path(named[0]), Path(named[1])) if isinstance(named, tuple) else Path(named)


def _files(place: Place) -> tuple[Path, ...]:
    return place if isinstance(place, tuple) else (place,)


def _shown(place: Place) -> str:
    return " and ".join(path.name for path in _files(place))


def _suffix(place: Place) -> str:
    """The suffix decides how a file is read, so it is part of what the rows depend on."""
    return "+".join(path.suffix.lower() for path in _files(place))


def _digest(place: Place) -> str:
    """The SHA-256 of a file's bytes (of two files, joined by ``+``)."""
    digests = []
    for path in _files(place):
        try:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    return "+".join(digests)
