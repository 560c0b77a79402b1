"""Plain files as tasks: name a file for training and one for each language, and what they hold is found out.

task = file_task("reviews.tsv", test={"de": "reviews-de.tsv", "sw": "reviews-sw.tsv"})
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from isthmus.data.readers.options import Columns, Format, Options, Place, Quoting
from isthmus.data.readers.read import read_candidates, read_rows
from isthmus.data.readers.rows import Rows, check_labels, labels_of
from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError, SpecError, nearest
from isthmus.languages import language
from isthmus.tasks.core import Split, Task

#: A file, or two that belong together (`isthmus.data.readers.options.Place`).
Named = str | Path | tuple[str | Path, str | Path]

#: Changes when the same file gives other rows.
VERSION = 2

#: The metric of each kind that is not measured in accuracy; of tags with prefixes, spans.
_METRICS = {
    Kind.SPAN: "squad",
    Kind.TAGGING: "token_accuracy",
    Kind.TEXT: "token_accuracy",
    Kind.MINING: "mining_f1",
    Kind.RANKING: "map@20",
}
#: What the field trains and reads long contexts with.
_RECIPES: Mapping[Kind, Mapping[str, Any]] = {Kind.SPAN: {"max_length": 384}}


@dataclass(frozen=True)
class FileSource:
    """Rows in plain files, one file (or two that belong together) for each split and language.

    Attributes:
        kind: what all the files hold.
        paths: by ``split/language``, as in ``{"train/en": Path("train.tsv"), "test/de": Path("de.tsv")}``.
        options: how all files are read.
        labels: where given, a row with any other label is an error that names its line.
    """

    kind: Kind
    paths: Mapping[str, Place]
    options: Options = field(default_factory=Options)
    labels: tuple[str, ...] = ()

    def identity(self) -> Mapping[str, str]:
        """The SHA-256 of every file's content, and how it is read. Where the files lie is no part of it.

        Raises:
            DataError: a file cannot be read.
        """
        return {
            "reading": json.dumps({**self.options.identity(), "version": VERSION}, sort_keys=True),
            **{name: f"{_suffix(place)}:{_digest(place)}" for name, place in sorted(self.paths.items())},
        }

    def load(self, split: Split, language: str) -> pa.Table:
        """The rows of one file in the column schema of the kind; of ``candidates``, those beside the queries.

        Raises:
            DataError: there is no such split, or its file is unreadable, malformed, or holds another label.
        """
        if split.endswith("candidates"):
            place = self._place("dev" if split.startswith("dev") else "test", language)
            rows = read_candidates(place, self.kind, self.options)
        else:
            rows = self.read(split, language)
            if self.labels:
                check_labels(rows, self.labels)
        return to_table(self.kind, rows.values, str(rows.path), split, self.options.labelled)

    def read(self, split: Split, language: str) -> Rows:
        """The rows of one file with their lines. Raises DataError as `load` does."""
        return read_rows(self._place(split, language), self.kind, self.options)

    def _place(self, split: str, language: str) -> Place:
        name = f"{split}/{language}"
        if name not in self.paths:
            raise DataError(f"There is no file for {name}: {nearest(name, self.paths)}")
        return self.paths[name]

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
    options: Options | None = None,
    name: str | None = None,
    train_language: str = "en",
) -> Task:
    """A task from plain files: tables, JSON, CoNLL, SQuAD files, texts, or two files that belong together.

    The training file is read here, to find out its kind and its labels (sorted; ``B-`` and ``I-`` of every type, where
    tags have these prefixes). ``task.source.describe()`` shows what was guessed; `dataclasses.replace` adds a licence
    or a description.

    Args:
        path: the training rows; None for a task that is only ever measured, whose labels are those of all its files.
        test: language -> file to measure on.
        dev: the development rows, in the language of the training rows.
        kind: guessed from the columns where None.
        columns: role (`isthmus.data.readers.layout.ROLES`, ``id``, ``group``) -> name in the header, or number from 1
            where there is no header.
        form: the format, where the file names do not show it.
        quoting: how quotation marks are read in CSV and TSV.
        options: what else there is to say of how the files are read; ``columns``, ``form`` and ``quoting`` go before.
        name: the file's name without its suffix where None.

    Raises:
        SpecError: a language, a column or the kind is unknown, or there is nothing to measure on.
        DataError: the training file is unreadable or malformed, or what it holds cannot be told.
    """
    if not test:
        raise SpecError("A task of files needs a file to measure on: test={language: path, ...}.")
    options = options or Options()
    options = replace(
        options,
        columns=columns or options.columns,
        form=form or options.form,
        quoting=quoting if quoting != "auto" else options.quoting,
    ).settled()
    trained = language(train_language).tag
    paths = _paths(trained, path, dev, test)
    first, *others = paths.values()
    rows = read_rows(first, _kind(kind), options)
    labels = labels_of(rows)
    if path is None and labels:
        more = (read_rows(other, rows.kind, options) for other in others)
        labels = tuple(sorted({*labels, *(label for each in more for label in labels_of(each))}))
    if rows.label_base is not None:
        options = replace(options, label_base=rows.label_base)
    return Task(
        name=name or (first[0] if isinstance(first, tuple) else first).stem,
        kind=rows.kind,
        description=f"Rows of {_shown(first)}.",
        languages=tuple(key.removeprefix("test/") for key in paths if key.startswith("test/")),
        metric="span_f1" if _are_spans(rows.kind, labels) else _METRICS.get(rows.kind, "accuracy"),
        source=FileSource(rows.kind, paths, options, labels),
        licence="not stated",
        labels_are="annotated",
        train_language=None if path is None else trained,
        labels=labels,
        labelled=options.labelled,
        recipe=_recipe(rows),
    )


def _recipe(rows: Rows) -> Mapping[str, Any]:
    """What is usual for a kind; questions may have no answer where those trained on have none."""
    usual = _RECIPES.get(rows.kind, {})
    unanswerable = rows.kind is Kind.SPAN and not all(rows.values["answers"])
    return {**usual, "no_answer": True} if unanswerable else usual


def _paths(trained: str, path: Named | None, dev: Named | None, test: Mapping[str, Named]) -> dict[str, Place]:
    """The files by ``split/language``. Raises SpecError where two are named for one."""
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
    return paths


def _are_spans(kind: Kind, labels: tuple[str, ...]) -> bool:
    """Are these tags with prefixes, which mark spans?"""
    return kind is Kind.TAGGING and all(tag == "O" or tag[1:2] == "-" for tag in labels)


def _kind(kind: Kind | str | None) -> Kind | None:
    if kind is not None and kind not in list(Kind):
        raise SpecError(f"There is no kind of task called {kind!r}: {nearest(kind, Kind)}")
    return None if kind is None else Kind(kind)


def _place(named: Named) -> Place:
    """The file or the two files; ``a+b`` is two, unless a file has that name."""
    if isinstance(named, str) and named.count("+") == 1 and not Path(named).exists():
        named = (named.partition("+")[0], named.partition("+")[2])
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
