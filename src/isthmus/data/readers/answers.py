"""Answers to questions about a context: where each stands, as the file says or as the context shows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from isthmus.data.readers.cells import Cells
from isthmus.data.readers.jsonl import json_type
from isthmus.data.readers.rows import Note, withheld
from isthmus.data.readers.text import at
from isthmus.errors import DataError


class Answer(NamedTuple):
    """An answer, and the code point that the file says it starts at: None where it says none."""

    text: str
    start: int | None


class Found(NamedTuple):
    """The answers of each row by their texts and starts; None for a row whose answers cannot be found."""

    rows: list[tuple[list[str], list[int]] | None]
    notes: tuple[Note, ...]


def find_answers(cells: Cells, contexts: Sequence[str], drop: bool) -> Found:
    """Every answer with the place where it stands in its context.

    An answer that does not stand where the file says is moved to where it does, if that is one place only: the text
    occurs once, and not inside a longer word. A negative start says that the context does not have the answer, and is
    believed. A question that has no answer left is an error, or left out.

    Raises:
        DataError: an answer is of another type, cannot be found (unless ``drop``), or all are withheld.
    """
    given = [_answers(cells, row) for row in range(len(contexts))]
    _check_withheld(cells, given)
    rows: list[tuple[list[str], list[int]] | None] = []
    moved = located = lost = 0
    for row, (context, answers) in enumerate(zip(contexts, given, strict=True)):
        texts, starts = [], []
        for answer in answers:
            start = _place(context, answer)
            if start is None:
                lost += 1
                if not drop:
                    raise _lost(cells, row, context, answer)
                continue
            moved += answer.start is not None and start != answer.start
            located += answer.start is None
            texts.append(answer.text)
            starts.append(start)
        rows.append((texts, starts) if texts or not answers else None)
    return Found(
        rows,
        (
            Note(moved, "answers moved to the one place where they stand"),
            Note(located, "answers without a place, found at the one where they stand"),
            Note(lost, "answers left out that do not stand in their context, or at several places"),
            Note(rows.count(None), "questions left out for that"),
        ),
    )


def _place(context: str, answer: Answer) -> int | None:
    """Where ``answer`` stands: at its start, or at the one place where it can; else None."""
    text, start = answer
    if not text or (start is not None and start < 0):
        return None
    if start is not None and context.startswith(text, min(start, len(context))):
        return start
    first = context.find(text)
    if first < 0 or context.find(text, first + 1) >= 0 or _inside_a_word(context, first, first + len(text)):
        return None
    return first


def _inside_a_word(context: str, start: int, end: int) -> bool:
    """Does a letter or digit go on across an edge? Only in scripts with upper and lower case, which have spaces."""
    edges = [(context[i - 1], context[i]) for i in (start, end) if 0 < i < len(context)]
    return any(_cased(one) and _cased(other) for one, other in edges)


def _cased(character: str) -> bool:
    return character.lower() != character.upper() or character.isdecimal()


def _answers(cells: Cells, row: int) -> list[Answer]:
    """The answers of a row, in any of the layouts in use: a list of objects, an object of lists, or two columns."""
    value: Any = cells.values["answers"][row]
    impossible = cells.values["impossible"][row] if "impossible" in cells.values else None
    if impossible is not None and not isinstance(impossible, bool):
        raise at(cells.path, cells.lines[row], "'is_impossible' must be true or false.")
    starts: Any = cells.values["answer_starts"][row] if "answer_starts" in cells.values else None
    if isinstance(value, dict):
        value, starts = value.get("text"), value.get("answer_start")
    if value is None and impossible:
        return []
    if value == "" and starts in (None, "", -1, "-1"):
        value = []
    texts = value if isinstance(value, list) else [value]
    if texts and all(isinstance(item, dict) for item in texts):
        starts = [item.get("answer_start") for item in texts]
        texts = [item.get("text") for item in texts]
    numbers = [None] * len(texts) if starts is None else starts if isinstance(starts, list) else [starts]
    if len(numbers) != len(texts) and texts:
        what = f"there are {len(texts)} answers but {len(numbers)} places where they start."
        raise at(cells.path, cells.lines[row], what)
    pairs = zip(texts, numbers, strict=False)  # an answer that is null may have places left over
    found = [Answer(_text(cells, row, text), _start(cells, row, start)) for text, start in pairs]
    if impossible and found:
        raise at(cells.path, cells.lines[row], "'is_impossible' is true, but there are answers.")
    if impossible is False and not found:
        raise at(cells.path, cells.lines[row], "'is_impossible' is false, but there is no answer.")
    return found


def _text(cells: Cells, row: int, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise at(cells.path, cells.lines[row], f"an answer must be a text, not {json_type(value)}.")


def _start(cells: Cells, row: int, value: Any) -> int | None:
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal() and len(value) < 10:
        return int(value)
    if value is None or value == "" or (isinstance(value, int) and not isinstance(value, bool)):
        return None if value == "" else value
    shown = repr(value[:20]) if isinstance(value, str) else json_type(value)
    raise at(cells.path, cells.lines[row], f"the start of an answer must be a whole number, not {shown}.")


def _check_withheld(cells: Cells, given: Sequence[Sequence[Answer]]) -> None:
    answers = [answer for row in given for answer in row]
    if answers and not any(answer.text for answer in answers):
        raise withheld(cells.path, cells.lines[0], "every answer is empty")
    if not answers and not any(value is True for value in cells.values.get("impossible", ())):
        raise withheld(cells.path, cells.lines[0], "no question has an answer")


def _lost(cells: Cells, row: int, context: str, answer: Answer) -> DataError:
    """The error that an answer cannot be found. ``cells.lines`` may name the question already."""
    name = f"question {cells.values['id'][row]!r}: " if "question" not in str(cells.lines[row]) else ""
    shown = repr(answer.text[:40])
    if not answer.text:
        what = "an answer is empty"
    elif answer.start is not None and answer.start < 0:
        what = f"the answer {shown} starts at {answer.start}, which is no place"
    elif (count := context.count(answer.text)) > 1:
        where = f"at {answer.start}" if answer.start is not None else "at a place that is named"
        what = f"the answer {shown} does not stand {where}, but at {count} other places of the context"
    else:
        what = f"the answer {shown} does not stand in the context"
    mend = "count its start in code points, or leave such questions out with lost_answers='drop'"
    return at(cells.path, cells.lines[row], f"{name}{what}; {mend}.")
