"""Rows read from a file, before they are a table: each still knows its line, so that a fault can be pointed at."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

from isthmus.data.readers.column import Column
from isthmus.data.readers.options import LabelBase
from isthmus.data.readers.text import Spot, at
from isthmus.data.schema import Kind
from isthmus.errors import DataError, nearest

Texts = Sequence[str]
Sentences = Sequence[Sequence[str]]
#: By role, one value a row: a text, a list of texts or of numbers, or a number.
Values = dict[str, Sequence[Any]]

#: What stands for the labels in test files whose labels are withheld.
_WITHHELD = {"0", "-1", "-", "_", "?", "o", "unk", "unknown", "hidden", "none", "null", "n/a"}
#: The parts of speech of Universal Dependencies (universaldependencies.org/u/pos).
_UNIVERSAL = {"ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT"}
_UNIVERSAL |= {"SCONJ", "SYM", "VERB", "X"}
#: A single label over fewer rows may be chance.
_MANY = 20


class Note(NamedTuple):
    """Something seen, mended or left out while reading: how often, and what."""

    times: int
    what: str

    def __str__(self) -> str:
        return f"{self.what}: {self.times:,}"


@dataclass(frozen=True)
class Reading:
    """How a file was read: what the guesses came to.

    Attributes:
        form: the format, in words.
        columns: role -> where it was found, in words.
        rows: how many there are.
        notes: what was seen, mended or left out.
    """

    form: str
    columns: Mapping[str, str]
    rows: int
    notes: tuple[Note, ...] = ()

    def __str__(self) -> str:
        where = ", ".join(f"{role} = {place}" for role, place in self.columns.items())
        rows = f"{self.rows:,} row{'s' if self.rows != 1 else ''}"
        return "; ".join([self.form, *([where] if where else []), rows, *map(str, self.notes)])


@dataclass(frozen=True)
class Rows:
    """The rows of a file, by the columns of its kind.

    Attributes:
        path: the file (the first of two).
        values: by column of `isthmus.data.schema.SCHEMAS`; ``group`` is there only where rows have one.
        lines: the line that each row begins on, counted from 1, or where it is, in words.
        reading: how the file was read.
        label_base: what the answers of a choice were counted from.
    """

    path: Path
    kind: Kind
    values: Mapping[str, Sequence[Any]]
    lines: Sequence[Spot]
    reading: Reading
    label_base: LabelBase | None = None

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was seen, mended or left out."""
        return self.reading.notes


def check_labels(rows: Rows, labels: Collection[str]) -> None:
    """Refuse a label or tag outside ``labels``. Raises DataError naming the first line that has one."""
    allowed = set(labels)
    if _distinct(rows) <= allowed:
        return
    where, noun = ("in the sentence that begins here, ", "tag") if rows.kind is Kind.TAGGING else ("", "label")
    for line, row in zip(rows.lines, label_lists(rows), strict=False):
        for label in row:
            if label not in allowed:
                raise at(
                    rows.path, line, f"{where}the {noun} {label!r} is not one of the set: {nearest(label, allowed)}"
                )


def labels_of(rows: Rows) -> tuple[str, ...]:
    """The labels or tags that occur, sorted; with them all that belong to them: ``B-`` and ``I-`` of every type that
    occurs, or all universal parts of speech where only such occur."""
    found = _distinct(rows)
    if rows.kind is Kind.TAGGING and found and found <= _UNIVERSAL:
        return tuple(sorted(_UNIVERSAL))
    if rows.kind is Kind.TAGGING and all(tag == "O" or tag[:2] in ("B-", "I-") for tag in found):
        found |= {f"{prefix}-{tag[2:]}" for tag in found if tag != "O" for prefix in "BI"}
    return tuple(sorted(found))


def _distinct(rows: Rows) -> set[str]:
    """The labels or tags that occur."""
    if isinstance(labels := rows.values.get("label"), Column):
        return labels.distinct()
    return {label for row in label_lists(rows) for label in row}


def label_lists(rows: Rows) -> Sequence[Sequence[str]]:
    """The labels of each row: one, or one a token; nothing for kinds without."""
    if rows.kind is Kind.TAGGING:
        return cast(Sentences, rows.values.get("tags", []))
    return [(label,) for label in cast(Texts, rows.values.get("label", []))]


def check_withheld(rows: Rows) -> None:
    """Refuse labels that only stand in for those that are withheld. Raises DataError."""
    found = _distinct(rows)
    if len(rows.lines) >= _MANY and len(found) == 1 and (label := found.pop()).casefold() in _WITHHELD:
        raise withheld(rows.path, rows.lines[0], f"every label is {label!r}")


def withheld(path: Path, spot: Spot, sign: str) -> DataError:
    """The error that ``sign`` shows the labels to be withheld."""
    return at(
        path,
        spot,
        f"{sign}: they seem to be withheld, and nothing can be measured on them; predictions for a submission need "
        "none (labelled=False).",
    )
