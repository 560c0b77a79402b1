"""What a file has for each role, as it stands there, and how it becomes the texts and lists that a row is made of."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import Any

from isthmus.data.readers.column import Column, numbers
from isthmus.data.readers.jsonl import json_type
from isthmus.data.readers.rows import Note, Texts
from isthmus.data.readers.text import Spot, at
from isthmus.data.schema import Kind

#: Texts that are looked at in one go.
_CHUNK = 1000


@dataclass(frozen=True)
class Cells:
    """The cells of a file by role, one a row.

    Attributes:
        values: by role, whatever the format can hold.
        lines: where each row is.
        form: the format, in words.
        places: role -> where it was found, in words.
        own_ids: was it said which column holds the ids? Then they must be unique.
        notes: what was seen so far.
    """

    path: Path
    kind: Kind
    values: Mapping[str, Sequence[Any]]
    lines: Sequence[Spot]
    form: str
    places: Mapping[str, str]
    own_ids: bool = False
    notes: tuple[Note, ...] = field(default=())

    def where(self, keep: Sequence[bool]) -> "Cells":
        """The rows that ``keep`` is true for."""
        values = {role: list(compress(column, keep)) for role, column in self.values.items()}
        return replace(self, values=values, lines=list(compress(self.lines, keep)))

    def with_values(self, values: Mapping[str, Sequence[Any]], *notes: Note) -> "Cells":
        """The same with other values, and with those of ``notes`` that count anything."""
        return replace(self, values=values, notes=(*self.notes, *(note for note in notes if note.times)))

    def texts(self, role: str) -> Texts:
        """The values of ``role`` as texts: whole numbers, and true and false, become texts.

        Raises:
            DataError: a value is of another type.
        """
        column = self.values[role]
        if isinstance(column, Column) or set(map(type, column)) <= {str}:
            return column
        return [text_of(value) if _plain(value) else self._refuse(value, row, role) for row, value in enumerate(column)]

    def lists(self, role: str) -> list[Texts]:
        """The values of ``role`` as lists of texts. Raises DataError as `texts` does."""
        column = self.values[role]
        for row, value in enumerate(column):
            if not isinstance(value, list):
                raise at(
                    self.path, self.lines[row], f"{self.places[role]} must be a list of texts, not {json_type(value)}."
                )
        return [
            [item if isinstance(item, str) else text_of(item) if _plain(item) else self._refuse(item, row, role)
             for item in items]
            for row, items in enumerate(column)
        ]  # fmt: skip

    def _refuse(self, value: Any, row: int, role: str) -> str:
        what = f"{self.places[role]} must be a text or a whole number, not {json_type(value)}."
        raise at(self.path, self.lines[row], what)


def _plain(value: Any) -> bool:
    return isinstance(value, str | int)


def text_of(value: str | int) -> str:
    """A text, a whole number, or true or false, as a text."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else _digits(value)


def _digits(value: int) -> str:
    """A whole number in decimal, or in hexadecimal where Python thinks decimal too long."""
    return str(value) if value.bit_length() < 10_000 else hex(value)


def with_ids(cells: Cells) -> Cells:
    """The rows with an id each: their own where these are unique (which ``own_ids`` insists on), else their number.

    The questions of a span task keep their own ids, since scores are filed under them: one that repeats gets its
    number behind it, ``12#2``, and is noted.
    """
    values, rows = dict(cells.values), len(cells.lines)
    ids = values.pop("id", None)
    if isinstance(ids, Column) and ids.is_unique() and not ids.has_empty():
        return cells.with_values({**values, "id": ids})
    if ids is not None and all(_plain(one) for one in ids):
        texts = [text_of(one) for one in ids]
        if len(set(texts)) == rows and "" not in texts:
            return cells.with_values({**values, "id": texts})
        if cells.kind is Kind.SPAN and "" not in texts:
            unique = distinct(texts)
            repeated = sum(new != old for new, old in zip(unique, texts, strict=True))
            return cells.with_values({**values, "id": unique}, Note(repeated, "ids that repeat, numbered"))
        if cells.own_ids:
            _refuse_ids(cells, texts)
    elif cells.own_ids and ids is not None:
        cells.texts("id")
    places = {**{role: place for role, place in cells.places.items() if role != "id"}, "id": "row number"}
    return replace(cells, values={**values, "id": numbers(rows)}, places=places)


def distinct(ids: Sequence[str]) -> Texts:
    """The ids, with ``#2``, ``#3``, ... behind those that were there before."""
    taken, counts, found = set(ids), dict[str, int](), []
    for one in ids:
        counts[one] = counts.get(one, 0) + 1
        unique = one
        if counts[one] > 1:
            while (unique := f"{one}#{counts[one]}") in taken:
                counts[one] += 1
            taken.add(unique)
        found.append(unique)
    return found


def _refuse_ids(cells: Cells, ids: Texts) -> None:
    seen: dict[str, Spot] = {}
    for one, line in zip(ids, cells.lines, strict=True):
        if one in seen:
            was = f"line {seen[one]}" if isinstance(seen[one], int) else str(seen[one])
            raise at(cells.path, line, f"the id {one!r} is that of {was} already.")
        if not one:
            raise at(cells.path, line, "the id is empty; fill it in.")
        seen[one] = line


def without(cells: Cells, drop: Mapping[str, str]) -> Cells:
    """The rows without those that have one of the values to drop, and a note of how many these are."""
    there = {role: value for role, value in drop.items() if role in cells.values}
    if not there:
        return cells
    keep = [True] * len(cells.lines)
    for role, value in there.items():
        keep = [
            kept and not (_plain(one) and text_of(one) == value)
            for kept, one in zip(keep, cells.values[role], strict=True)
        ]
    if all(keep):
        return cells
    said = " or ".join(f"{role} is {value!r}" for role, value in there.items())
    kept = cells.where(keep)
    return kept.with_values(kept.values, Note(keep.count(False), f"rows left out whose {said}"))


def check_text(cells: Cells, role: str, texts: Sequence[str], empty: bool = False) -> None:
    """Refuse a text that is empty (unless ``empty``) or is no Unicode, naming its line."""
    if isinstance(texts, Column) and (empty or not texts.has_blank()):  # and UTF-8 has no half surrogate pairs
        return
    if not empty and ("" in texts or any(map(str.isspace, texts))):
        bad = next(line for text, line in zip(texts, cells.lines, strict=True) if not text or text.isspace())
        raise at(cells.path, bad, f"the {role} is empty; fill it in, or remove the row.")
    try:
        for start in range(0, len(texts), _CHUNK):
            "".join(texts[start : start + _CHUNK]).encode()
    except UnicodeEncodeError:  # JSON can spell half a surrogate pair
        for text, line in zip(texts, cells.lines, strict=True):
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise at(cells.path, line, f"the {role} holds half a surrogate pair, which is no character.") from None


def not_composed(columns: Iterable[Sequence[str]]) -> Note:
    """How many rows have a text that is not in Unicode's normalisation form C. They are left as they are."""
    rows: set[int] = set()
    for texts in columns:
        for start in range(0, len(texts), _CHUNK):
            chunk = texts[start : start + _CHUNK]
            # A line feed composes with nothing. Without one texts may, and are looked at one by one for nothing.
            together = chunk.joined() if isinstance(chunk, Column) else "\n".join(chunk)
            if not unicodedata.is_normalized("NFC", together):
                rows.update(row for row, text in enumerate(chunk, start) if not unicodedata.is_normalized("NFC", text))
    return Note(len(rows), "rows with text that is not in Unicode's form NFC, left as it is")
