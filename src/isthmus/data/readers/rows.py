"""Rows read from a file, before they are a table: each still knows its line, so that a fault can be pointed at."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from isthmus.data.readers.text import at
from isthmus.data.schema import Kind
from isthmus.errors import nearest

Texts = list[str]
Sentences = list[list[str]]
Values = dict[str, Texts | Sentences]

#: What stands for the labels in test files whose labels are withheld.
_WITHHELD = {"0", "-1", "-", "_", "?", "o", "unk", "unknown", "hidden", "none", "null", "n/a"}
#: A single label over fewer rows may be chance.
_MANY = 20


@dataclass(frozen=True)
class Reading:
    """How a file was read: what the guesses came to.

    Attributes:
        form: the format, in words.
        columns: role -> where it was found, in words.
        rows: how many there are.
    """

    form: str
    columns: Mapping[str, str]
    rows: int

    def __str__(self) -> str:
        where = ", ".join(f"{role} = {place}" for role, place in self.columns.items())
        return f"{self.form}; {where}; {self.rows:,} row{'s' if self.rows != 1 else ''}"


@dataclass(frozen=True)
class Rows:
    """The rows of a file, by the columns of its kind.

    Attributes:
        path: the file (the first of two).
        values: by column of `isthmus.data.schema.SCHEMAS`; ``group`` is there only where it was asked for.
        lines: the line that each row begins on, counted from 1.
        reading: how the file was read.
    """

    path: Path
    kind: Kind
    values: Values
    lines: Sequence[int]
    reading: Reading


def checked_rows(
    path: Path, kind: Kind, values: Values, lines: Sequence[int], form: str, places: Mapping[str, str], own_ids: bool
) -> Rows:
    """The rows with an id each: their own where these are unique (which ``own_ids`` insists on), else their number.

    Raises:
        DataError: a text, a label, a tag or a whole sentence is empty, a text is no Unicode, tokens and tags differ in
            number, or all labels seem to be withheld.
    """
    ids = cast(Texts, values.get("id", []))
    if own_ids:
        _check_ids(path, ids, lines)
    elif len(set(ids)) < len(lines) or "" in ids:
        values = {**values, "id": [str(row) for row in range(1, len(lines) + 1)]}
        places = {**places, "id": "row number"}
    rows = Rows(path, kind, values, lines, Reading(form, places, len(lines)))
    if kind is Kind.TAGGING:
        _check_sentences(rows)
    for role, column in values.items():
        texts = ["".join(items) for items in column] if role in ("tokens", "tags") else cast(Texts, column)
        _check_texts(rows, role, texts)
    _check_withheld(rows)
    return rows


def check_labels(rows: Rows, labels: Collection[str]) -> None:
    """Refuse a label or tag outside ``labels``. Raises DataError naming the first line that has one."""
    allowed = set(labels)
    where, noun = ("in the sentence that begins here, ", "tag") if rows.kind is Kind.TAGGING else ("", "label")
    for line, row in zip(rows.lines, _labels(rows), strict=False):
        for label in row:
            if label not in allowed:
                raise at(
                    rows.path, line, f"{where}the {noun} {label!r} is not one of the set: {nearest(label, allowed)}"
                )


def labels_of(rows: Rows) -> tuple[str, ...]:
    """The labels or tags that occur, sorted; for tags with prefixes, ``B-`` and ``I-`` of every type that occurs."""
    found = {label for row in _labels(rows) for label in row}
    if rows.kind is Kind.TAGGING and all(tag == "O" or tag[:2] in ("B-", "I-") for tag in found):
        found |= {f"{prefix}-{tag[2:]}" for tag in found if tag != "O" for prefix in "BI"}
    return tuple(sorted(found))


def _labels(rows: Rows) -> Sequence[Sequence[str]]:
    """The labels of each row: one, or one a token, or none for a bitext."""
    if rows.kind is Kind.TAGGING:
        return cast(Sentences, rows.values["tags"])
    return [(label,) for label in cast(Texts, rows.values.get("label", []))]


def _check_ids(path: Path, ids: Texts, lines: Sequence[int]) -> None:
    seen: dict[str, int] = {}
    for one, line in zip(ids, lines, strict=True):
        if one in seen:
            raise at(path, line, f"the id {one!r} is that of line {seen[one]} already.")
        seen[one] = line


def _check_texts(rows: Rows, role: str, texts: Texts) -> None:
    for text, line in zip(texts, rows.lines, strict=True):
        if not text or text.isspace():
            raise at(rows.path, line, f"the {role} is empty; fill it in, or remove the row.")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:  # JSON can spell half a surrogate pair
        for text, line in zip(texts, rows.lines, strict=True):
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise at(rows.path, line, f"the {role} holds half a surrogate pair, which is no character.") from None


def _check_sentences(rows: Rows) -> None:
    tokens, tags = (cast(Sentences, rows.values[role]) for role in ("tokens", "tags"))
    for words, marks, line in zip(tokens, tags, rows.lines, strict=True):
        if len(words) != len(marks):
            raise at(rows.path, line, f"there are {len(words)} tokens but {len(marks)} tags.")
        if not all(mark.strip() for mark in marks):
            raise at(rows.path, line, "a tag is empty.")


def _check_withheld(rows: Rows) -> None:
    labels = _labels(rows)
    found = {label for row in labels for label in row}
    if len(labels) >= _MANY and len(found) == 1 and (label := found.pop()).casefold() in _WITHHELD:
        raise at(
            rows.path,
            rows.lines[0],
            f"every label is {label!r}: they seem to be withheld, and nothing can be measured on them.",
        )
