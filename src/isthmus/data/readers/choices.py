"""Choices and the right one among them: by number from 0 or from 1, by letter, or by its own words."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from isthmus.data.readers.cells import Cells, text_of
from isthmus.data.readers.jsonl import json_type
from isthmus.data.readers.options import LabelBase
from isthmus.data.readers.rows import Texts, withheld
from isthmus.data.readers.text import at

#: The role of one choice that has a column of its own.
CHOICE = re.compile(r"choice\d+")
_WORDS: Mapping[LabelBase, str] = {
    0: "as numbers from 0",
    1: "as numbers from 1",
    "A": "as letters",
    "text": "as the words of the choice",
}


class Choices(NamedTuple):
    """The choices of each row, and the names they go by where the file gives them any."""

    texts: list[Texts]
    names: list[Texts] | None


class Answers(NamedTuple):
    """The position of the right choice of each row, from 0, and what the file counts from: None where it may be
    understood in several ways that agree on all of its rows, but need not on those of another file."""

    positions: list[int]
    base: LabelBase | None


def find_choices(cells: Cells) -> Choices:
    """The choices of each row: a list of texts or of ``{"label": ..., "text": ...}``, or one column for each.

    Raises:
        DataError: a row has fewer than two choices, or something else in their place.
    """
    columns = sorted((role for role in cells.values if CHOICE.fullmatch(role)), key=lambda role: int(role[6:]))
    if columns:
        return Choices([list(row) for row in zip(*map(cells.texts, columns), strict=True)], None)
    values = cells.values["choices"]
    names: list[Texts] | None = None
    if values and all(isinstance(value, dict) for value in values):  # {"label": [...], "text": [...]}
        names = cells.with_values({"choices": [value.get("label") for value in values]}).lists("choices")
        values = [value.get("text") for value in values]
    elif any(isinstance(value, list) and any(isinstance(item, dict) for item in value) for value in values):
        parts = [[(i.get("label"), i.get("text")) if isinstance(i, dict) else (None, i) for i in v] for v in values]
        if all(name is not None for row in parts for name, _ in row):
            names = cells.with_values({"choices": [[name for name, _ in row] for row in parts]}).lists("choices")
        values = [[text for _, text in row] for row in parts]
    texts = cells.with_values({"choices": values}).lists("choices")
    for line, row in zip(cells.lines, texts, strict=True):
        if len(row) < 2:
            raise at(cells.path, line, f"there must be two choices or more, not {len(row)}.")
    return Choices(texts, names)


def find_answers(cells: Cells, choices: Choices, base: LabelBase | None) -> Answers:
    """The right choice of each row. What answers are counted from is told by all of them together.

    An answer 0 counts from 0. An answer equal to the number of choices counts from 1. Answers that are neither anywhere
    could be either, and are refused until ``base`` says what they are.

    Raises:
        DataError: the answers contradict each other or ``base``, could be understood in two ways, or are withheld.
    """
    for row, value in enumerate(cells.values["answer"]):
        if not isinstance(value, str | int):
            what = f"{cells.places['answer']} must be a whole number, a letter or a text, not {json_type(value)}."
            raise at(cells.path, cells.lines[row], what)
    raw = [text_of(value).strip() for value in cells.values["answer"]]
    if set(raw) <= {"-1", "", "?"}:
        raise withheld(cells.path, cells.lines[0], f"every answer is {raw[0]!r}")
    if choices.names is not None and base in (None, "A") and all(map(_unique, raw, choices.names)):
        return Answers([names.index(one) for one, names in zip(raw, choices.names, strict=True)], "A")
    if base is None:
        fitting = _fitting(cells, raw, choices.texts)
        if len(fitting) > 1:
            return Answers(fitting[0].positions, None)
        base = fitting[0].base if fitting else _likeliest(cells, raw, choices.texts)
    assert base is not None
    reader = _READERS[base]
    positions = []
    for row, (one, texts) in enumerate(zip(raw, choices.texts, strict=True)):
        position = reader(one, texts)
        if position is None or not 0 <= position < len(texts):
            what = f"the answer {one[:40]!r} is none of the {len(texts)} choices; they are read {_WORDS[base]}."
            raise at(cells.path, cells.lines[row], what)
        positions.append(position)
    return Answers(positions, base)


def _fitting(cells: Cells, raw: Texts, choices: Sequence[Texts]) -> list[Answers]:
    """The readings that make sense of all answers. Raises DataError where these do not agree on the right choices."""
    found = []
    for base, reader in _READERS.items():
        positions = [reader(one, row) for one, row in zip(raw, choices, strict=True)]
        right = [one for one, row in zip(positions, choices, strict=True) if one is not None and 0 <= one < len(row)]
        if len(right) == len(raw):
            found.append(Answers(right, base))
    if any(answers.positions != found[0].positions for answers in found):
        seen = ", ".join(sorted(set(raw))[:6])
        meant = " or ".join(_WORDS[answers.base] for answers in found if answers.base is not None)
        what = f"the answers ({seen}) may be meant {meant}; say it among the columns: label_base=0, 1, A or text."
        raise at(cells.path, cells.lines[0], what)
    return found


def _likeliest(cells: Cells, raw: Texts, choices: Sequence[Texts]) -> LabelBase:
    """What most answers are read as, where no reading makes sense of all. Raises DataError where two contradict."""
    zero = next((row for row, one in enumerate(raw) if _is_number(one) and int(one) == 0), None)
    full = next((row for row, one in enumerate(raw) if _is_number(one) and int(one) == len(choices[row])), None)
    if zero is not None and full is not None:
        was = cells.lines[zero]
        what = f"the answer {raw[full]} counts {len(choices[full])} choices from 1, but the answer 0 "
        what += f"({f'line {was}' if isinstance(was, int) else was}) counts from 0."
        raise at(cells.path, cells.lines[full], what)
    if zero is not None or full is not None:
        return 0 if zero is not None else 1
    letters = sum(_letter(one, ()) is not None for one in raw)
    return "A" if letters * 2 > len(raw) else 0 if sum(map(_is_number, raw)) * 2 > len(raw) else "text"


def _is_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 10


def _unique(one: str, names: Sequence[str]) -> bool:
    return names.count(one) == 1


def _letter(one: str, _: Sequence[str]) -> int | None:
    """The position that a letter names, whatever its case."""
    return ord(one.upper()) - ord("A") if len(one) == 1 and one.isascii() and one.isalpha() else None


def _number(first: int) -> Callable[[str, Sequence[str]], int | None]:
    return lambda one, _: int(one) - first if _is_number(one) else None


def _repeated(one: str, choices: Sequence[str]) -> int | None:
    found = [i for i, choice in enumerate(choices) if choice.strip() == one]
    return found[0] if len(found) == 1 else None


_READERS: Mapping[LabelBase, Callable[[str, Sequence[str]], int | None]] = {
    0: _number(0),
    1: _number(1),
    "A": _letter,
    "text": _repeated,
}
