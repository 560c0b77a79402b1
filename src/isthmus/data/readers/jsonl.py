"""JSON Lines: one object a line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.data.readers.text import at, read_text, split_lines
from isthmus.errors import nearest


@dataclass(frozen=True)
class Objects:
    """The objects of a file, and the line of each, counted from 1."""

    path: Path
    rows: list[dict[str, Any]]
    lines: Sequence[int]

    def texts(self, key: str) -> list[str]:
        """The values of ``key``, which are texts; numbers that are whole, and true and false, become texts.

        Raises:
            DataError: an object lacks the key, or its value is of another type.
        """
        return [self._text(row, line, key, row.get(key)) for row, line in zip(self.rows, self.lines, strict=True)]

    def lists(self, key: str) -> list[list[str]]:
        """The values of ``key``, which are lists of texts (or of whole numbers). Raises DataError as `texts` does."""
        values = []
        for row, line in zip(self.rows, self.lines, strict=True):
            value = row.get(key)
            if key in row and not isinstance(value, list):
                raise at(self.path, line, f"{key!r} must be a list of texts, not {_type(value)}.")
            if key not in row:
                raise self._missing(row, line, key)
            values.append([self._text(row, line, key, item) for item in value or ()])
        return values

    def _text(self, row: dict[str, Any], line: int, key: str, value: object) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int):
            return str(value)
        if key not in row:
            raise self._missing(row, line, key)
        raise at(self.path, line, f"{key!r} must be a text or a whole number, not {_type(value)}.")

    def _missing(self, row: dict[str, Any], line: int, key: str) -> Exception:
        return at(self.path, line, f"this object has no {key!r}: {nearest(key, row)}")


def read_jsonl(path: Path) -> Objects:
    """The objects of ``path``; empty lines are passed over.

    Raises:
        DataError: the file is unreadable or empty, or a line is not a JSON object (with the line and column).
    """
    text = read_text(path)
    if text.lstrip().startswith("["):
        raise at(path, 1, "this is one JSON array: write its objects one a line (JSON Lines).")
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(split_lines(text), 1):
        if not line.strip(" \t\r"):
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise at(path, number, f"this is not JSON: {error.msg} at column {error.colno}.") from None
        except (ValueError, RecursionError) as error:  # a number too long, brackets too deep
            raise at(path, number, f"this JSON cannot be read: {error}.") from None
        if not isinstance(row, dict):
            raise at(path, number, f"each line must be an object in braces, not {_type(row)}.")
        rows.append(row)
        lines.append(number)
    if not rows:
        raise at(path, 1, "there are only empty lines.")
    return Objects(path, rows, lines)


def _type(value: object) -> str:
    """What JSON calls the type of ``value``."""
    names = {bool: "true or false", int: "a number", float: "a number with a fraction", str: "a text", list: "a list"}
    return "null" if value is None else names.get(type(value), "an object")
