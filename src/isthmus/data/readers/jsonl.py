"""JSON: one object a line, an array of objects, or the nested layout of SQuAD."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.data.readers.squad import is_nested, questions
from isthmus.data.readers.text import Spot, at, read_text, split_lines
from isthmus.errors import DataError, nearest

_ABSENT = object()
#: The first objects: what all of them lack or leave empty, the others hardly have.
_SAMPLE = 100


@dataclass(frozen=True)
class Objects:
    """The objects of a file, and where each is.

    Attributes:
        form: the format, in words.
        nested: are these the questions of a SQuAD file?
    """

    path: Path
    rows: Sequence[Mapping[str, Any]]
    lines: Sequence[Spot]
    form: str = "JSON Lines"
    nested: bool = False

    def names(self) -> list[str]:
        """The keys of the first object (of all questions of a SQuAD file), and paths inside them: ``answers.text``."""
        keys = list(dict.fromkeys(key for row in (self.rows if self.nested else self.rows[:1]) for key in row))
        inner = []
        for key in keys:
            values = (row.get(key) for row in self.rows[:_SAMPLE])
            within = next((found for value in values if (found := _inside(value))), {})
            inner += [f"{key}.{name}" for name in within]
        return [*keys, *(path for path in inner if path not in keys)]

    def lists(self) -> set[str]:
        """The names whose values are lists, or objects of lists that go side by side."""
        first = self.rows[0]
        found = {name for name in self.names() if isinstance(lookup(first, name), list)}
        return found | {key for key, value in first.items() if isinstance(value, dict) and f"{key}.text" in found}

    def values(self, name: str) -> list[Any]:
        """What each object has under a key or path. Raises DataError where one has not."""
        found = [lookup(row, name) for row in self.rows]
        for row, line, value in zip(self.rows, self.lines, found, strict=True):
            if value is _ABSENT:
                raise at(self.path, line, f"this object has no {name!r}: {nearest(name, row)}")
        return found

    def optional(self, name: str) -> list[Any]:
        """What each object has under a key or path; None where one has not."""
        return [None if (value := lookup(row, name)) is _ABSENT else value for row in self.rows]


def lookup(row: Mapping[str, Any], name: str) -> Any:
    """The value of the key ``name``, or at the path ``name``, whose parts are apart by dots; of lists, of each item."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if isinstance(value, list) and value and all(isinstance(item, Mapping) and part in item for item in value):
            value = [item[part] for item in value]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        elif value != []:
            return _ABSENT
    return value


def _inside(value: Any) -> Mapping[str, Any]:
    """The object that ``value`` is, or that it is a list of."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def read_jsonl(path: Path) -> Objects:
    """The objects of ``path``, one a line; or, where it is no such file after all, what `read_json` finds.

    Raises:
        DataError: the file is unreadable or empty, or a line is not a JSON object (with the line and column).
    """
    text = read_text(path)
    return _by_line(path, text) if text.lstrip().startswith("{") else _read(path, text)


def read_json(path: Path) -> Objects:
    """The objects of ``path``: a SQuAD file's questions, the items of one array, or one object a line.

    Raises:
        DataError: the file is unreadable or empty, is not JSON (with the line and column), or holds something else.
    """
    return _read(path, read_text(path))


def _read(path: Path, text: str) -> Objects:
    """The objects of one document, or of several, one a line."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data" and not _first_line_is_whole(text):
            raise at(path, error.lineno, f"this is not JSON: {error.msg} at column {error.colno}.") from None
    except (ValueError, RecursionError) as error:  # a number too long, brackets too deep
        if not _first_line_is_whole(text):
            raise DataError(f"{path}: this JSON cannot be read: {error}.") from None
    else:
        return _document(path, whole)
    return _by_line(path, text)


def _document(path: Path, whole: Any) -> Objects:
    """The objects of one JSON document."""
    items = whole.get("data") if isinstance(whole, dict) and isinstance(whole.get("data"), list) else whole
    if is_nested(items):
        found = questions(path, items)
        return Objects(path, [question for question, _ in found], [spot for _, spot in found], "SQuAD JSON", True)
    if isinstance(items, dict):
        return Objects(path, [items], [1], "JSON")
    if not isinstance(items, list):
        raise at(path, 1, f"there must be objects in braces, not {json_type(items)}.")
    if not items:
        raise DataError(f"{path} holds an empty list.")
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise at(path, f"item {number}", f"this must be an object in braces, not {json_type(item)}.")
    return Objects(path, items, [f"item {number}" for number in range(1, len(items) + 1)], "JSON")


def _by_line(path: Path, text: str) -> Objects:
    """The objects of JSON Lines; empty lines are passed over."""
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(split_lines(text), 1):
        if not line.strip(" \t\r"):
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise at(path, number, f"this is not JSON: {error.msg} at column {error.colno}.") from None
        except (ValueError, RecursionError) as error:
            raise at(path, number, f"this JSON cannot be read: {error}.") from None
        if not isinstance(row, dict):
            raise at(path, number, f"each line must be an object in braces, not {json_type(row)}.")
        rows.append(row)
        lines.append(number)
    if not rows:
        raise at(path, 1, "there are only empty lines.")
    return Objects(path, rows, lines)


def _first_line_is_whole(text: str) -> bool:
    """Is the first line with anything on it an object of its own, and not the last such line?"""
    first, _, rest = text.lstrip().partition("\n")
    try:
        return isinstance(json.loads(first), dict) and bool(rest.strip())
    except (ValueError, RecursionError):
        return False


def json_type(value: object) -> str:
    """What JSON calls the type of ``value``."""
    names = {bool: "true or false", int: "a number", float: "a number with a fraction", str: "a text", list: "a list"}
    return "null" if value is None else names.get(type(value), "an object")
