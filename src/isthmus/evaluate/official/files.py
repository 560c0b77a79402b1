"""Reading the files of the official layout, as they are: nothing is repaired, and what cannot be scored is refused.

Every function raises DataError with one sentence that names the file and the line or the entry. ``notes`` collects what
is read otherwise than the official evaluator would.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.errors import DataError

#: Rows from which one and the same label everywhere means that the labels were taken out: no test set is smaller.
_ENOUGH = 100
_MARK = "\ufeff"


class Sentences(NamedTuple):
    """Tags by sentence, and the line that each sentence begins on."""

    tags: list[list[str]]
    lines: list[int]


class Question(NamedTuple):
    """A question's id, the texts of its gold answers, and where it stands in the file."""

    id: str
    answers: list[str]
    where: str


def read_text(path: Path, notes: list[str]) -> str:
    """The whole file, with line ends of any system as ``\\n``."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}).") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: this is not UTF-8; save the file as UTF-8.") from error
    if text.startswith(_MARK):
        text = text[1:]
        notes.append(f"{path} begins with a byte order mark, which is left out; the official evaluator would keep it.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path, notes: list[str]) -> list[str]:
    """The lines, without white space at their ends; empty ones count."""
    lines = read_text(path, notes).split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.strip() for line in lines]


def read_tags(path: Path, notes: list[str]) -> Sentences:
    """Sentences of tags: each empty line ends one, an empty one included; the last needs none."""
    found, current, begins = Sentences([], []), list[str](), 1
    for number, tag in enumerate(read_lines(path, notes), start=1):
        if tag:
            current.append(tag)
            continue
        found.tags.append(current)
        found.lines.append(begins)
        current, begins = [], number + 1
    if current:
        found.tags.append(current)
        found.lines.append(begins)
    return found


def read_choices(path: Path, notes: list[str]) -> list[Any]:
    """The ``label`` of each line of JSON, whatever its type."""
    labels = []
    for number, line in enumerate(read_lines(path, notes), start=1):
        row = _parsed(line, path, number) if line else None
        if not isinstance(row, dict) or "label" not in row:
            reason = "is empty" if not line else "is no JSON object with a label"
            raise DataError(f'{path}, line {number} {reason}: each must be one, such as {{"idx": 0, "label": 1}}.')
        labels.append(row["label"])
    return labels


def read_predictions(path: Path, notes: list[str]) -> Mapping[str, Any]:
    """Predictions by id; not yet checked, since those for ids that are not asked for do not matter."""
    found = _unwrapped(path, notes)
    if not isinstance(found, dict):
        raise DataError(f"{path} holds {_named(found)}, where an object {{id: prediction}} is needed.")
    return found


def read_questions(path: Path, notes: list[str]) -> list[Question]:
    """The questions of a file in SQuAD's form, repeated ids included."""
    questions = [
        question for place, article in articles(path, notes) for question in questions_of(path, place, article)
    ]
    if not questions:
        raise DataError(f"{path} holds no question.")
    if len(questions) >= _ENOUGH and not any(text for question in questions for text in question.answers):
        raise stripped(path, "no question has an answer")
    return questions


def articles(path: Path, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The articles of a file in SQuAD's form, with their places in words."""
    return _entries(path, "", _unwrapped(path, notes), "article")


def questions_of(path: Path, place: str, article: dict[str, Any]) -> Iterator[Question]:
    """The questions of an article, of all its paragraphs."""
    for inner, paragraph in _entries(path, f"{place}, ", article.get("paragraphs"), "paragraph"):
        for where, entry in _entries(path, f"{inner}, ", paragraph.get("qas"), "question"):
            name, answers = entry.get("id"), entry.get("answers", [])
            if not isinstance(name, str):
                raise DataError(f"{path}: {where} has no id that is a text.")
            texts = [answer.get("text") for _, answer in _entries(path, f"{where}, ", answers, "answer")]
            wanted = [text for text in texts if isinstance(text, str)]
            if len(wanted) < len(texts):
                raise DataError(f"{path}: {where} ({name}) has an answer without a text.")
            yield Question(name, wanted, f"{where} ({name})")


def read_targets(path: Path, notes: list[str]) -> dict[str, list[str]]:
    """The right ids of each query, at least one."""
    found = {name: ids_of(path, name, ids) for name, ids in read_predictions(path, notes).items()}
    empty = next((name for name, ids in found.items() if not ids), None)
    if empty is not None:
        raise DataError(f"{path}: the entry {empty!r} is an empty list: every query needs a right id.")
    if not found:
        raise DataError(f"{path} holds no query: there is nothing to score.")
    return found


def ids_of(path: Path, name: str, ids: Any) -> list[str]:
    """An entry that must be a list of ids."""
    if not isinstance(ids, list):
        raise DataError(f"{path}: the entry {name!r} is {_named(ids)}: it must be a list of ids.")
    wrong = next((found for found in ids if not isinstance(found, str)), "")
    if wrong != "":
        raise DataError(f"{path}: the entry {name!r} holds {_named(wrong)}, where an id, which is a text, is needed.")
    return ids


def refuse_stripped(path: Path, labels: Sequence[Any], examples: int) -> None:
    """Refuse labels that are all one and the same, of so many examples. Raises DataError."""
    if labels and examples >= _ENOUGH and all(label == labels[0] for label in labels):
        raise stripped(path, f"all {len(labels)} labels are {labels[0]!r}")


def stripped(path: Path, what: str) -> DataError:
    """The error for a file whose labels were taken out."""
    return DataError(
        f"{path}: {what}, so the labels were taken out of this file: name the folder that has them with --labels."
    )


def _parsed(text: str, path: Path, line: int | None = None) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {line or error.lineno}, column {error.colno}"
        raise DataError(f"{path}, {place}: this is not JSON ({error.msg}).") from None
    except (RecursionError, ValueError):
        place = f", line {line}" if line else ""
        raise DataError(f"{path}{place}: this JSON is nested too deeply, or holds a number that is too long.") from None


def _unwrapped(path: Path, notes: list[str]) -> Any:
    """A JSON document, or what it has under ``data``."""
    document = _parsed(read_text(path, notes), path)
    return document["data"] if isinstance(document, dict) and "data" in document else document


def _named(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _entries(path: Path, where: str, found: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list, with their places in words."""
    if not isinstance(found, list):
        raise DataError(f"{path}: {where or 'the file, '}no list of {name}s is there, as SQuAD's form has it.")
    for number, entry in enumerate(found, start=1):
        if not isinstance(entry, dict):
            raise DataError(f"{path}: {where}{name} {number} is {_named(entry)}, where an object is needed.")
        yield f"{where}{name} {number}", entry
