"""Comma- and tab-separated text as a grid of cells.

CSV follows RFC 4180: a cell that begins with a quotation mark ends at the next single one, may hold commas and line
feeds, and has its own quotation marks doubled. A quotation mark elsewhere in a cell stands for itself.

TSV has no such rule, and data sets disagree. Left to itself (``quoting="auto"``), a TSV is read literally, unless every
cell that holds a quotation mark is wrapped in quotation marks, with those inside it doubled, and at least one cell has
some inside: that is what CSV writers leave, and what people do not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from isthmus.data.readers.column import read_columns
from isthmus.data.readers.options import Quoting
from isthmus.data.readers.text import BOM, at, decode, read_data, split_lines
from isthmus.errors import DataError

#: Possessive, so that a quotation mark that is never closed costs one pass and not one for every cell.
_QUOTED = re.compile(r'"([^"]*+(?:""[^"]*+)*+)"')
_QUOTED_BYTES = re.compile(_QUOTED.pattern.encode())
_PLAIN = {delimiter: re.compile(rf"[^{delimiter}\n]*") for delimiter in ",\t"}
_NAMES = {",": "comma", "\t": "tab"}


@dataclass(frozen=True)
class Grid:
    """The cells of a file.

    Attributes:
        columns: one value a row each.
        lines: the line that each row begins on, counted from 1.
        quoted: were quotation marks read as CSV's?
        short: lines left out that had fewer columns than the first.
    """

    columns: Sequence[Sequence[str]]
    lines: Sequence[int]
    quoted: bool
    short: int = 0

    def row(self, number: int) -> list[str]:
        """The cells of a row, counted from 0."""
        return [column[number] for column in self.columns]


def read_delimited(
    path: Path, delimiter: Literal[",", "\t"], quoting: Quoting = "auto", narrow: bool = False, drop: bool = False
) -> Grid:
    """The cells of ``path``; empty lines are passed over. One column only is a mistake, unless it may be ``narrow``.

    With ``drop``, rows that have fewer columns than the first are left out.

    Raises:
        DataError: the file is unreadable or empty, a quotation mark is not closed, or rows differ in width.
    """
    data = read_data(path)
    marks = b'"' in data
    quoted = quoting == "csv" or (quoting == "auto" and (delimiter == "," or (marks and _written_as_csv(data))))
    if not (quoted and marks) and (columns := read_columns(data, delimiter)) is not None:
        return Grid(columns, range(1, len(columns[0]) + 1), quoted)
    text = decode(path, data)
    rows, lines = _quoted(path, text, delimiter) if quoted and marks else _literal(text, delimiter)
    count = len(rows)
    if drop and rows:
        kept = [(row, line) for row, line in zip(rows, lines, strict=True) if len(row) >= len(rows[0])]
        rows, lines = [row for row, _ in kept], [line for _, line in kept]
    _check_width(path, rows, lines, delimiter, narrow)
    return Grid([list(column) for column in zip(*rows, strict=True)], lines, quoted, count - len(rows))


def _literal(text: str, delimiter: str) -> tuple[list[list[str]], Sequence[int]]:
    """Cells as they stand."""
    lines = split_lines(text)
    rows = [line.split(delimiter) for line in lines if line]
    if len(rows) == len(lines):
        return rows, range(1, len(lines) + 1)
    return rows, [number for number, line in enumerate(lines, 1) if line]


def _written_as_csv(data: bytes) -> bool:
    """Whether the quotation marks of a TSV are a CSV writer's (see above)."""
    doubled = False
    for line in BytesIO(data.removeprefix(BOM)):
        if b'"' in line:
            for cell in line.removesuffix(b"\n").removesuffix(b"\r").split(b"\t"):
                if b'"' in cell:
                    if _QUOTED_BYTES.fullmatch(cell) is None:
                        return False
                    doubled = doubled or b'""' in cell[1:-1]
    return doubled


def _quoted(path: Path, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Cells by the rules of CSV."""
    rows: list[list[str]] = []
    lines: list[int] = []
    position, line = 0, 1
    while position < len(text):
        feed = text.find("\n", position)
        end = len(text) if feed < 0 else feed
        plain = text[position:end].removesuffix("\r")
        row = plain.split(delimiter)
        started = line
        if '"' in plain:
            row, end = _quoted_row(path, text, position, line, delimiter)
            line += text.count("\n", position, end)
        if row != [""]:
            rows.append(row)
            lines.append(started)
        position = end + 1
        line += 1
    return rows, lines


def _quoted_row(path: Path, text: str, start: int, line: int, delimiter: str) -> tuple[list[str], int]:
    """The row that begins at ``start``, and where it ends: at its line feed, or at the end of the text."""
    plain = _PLAIN[delimiter]
    row: list[str] = []
    position = start
    while True:
        opened = position
        if text.startswith('"', position):
            match = _QUOTED.match(text, position)
            if match is None:
                what = "the quotation mark that opens column {} is not closed; close it"
                raise _misquoted(path, line + text.count("\n", start, opened), what.format(len(row) + 1))
            row.append(match[1].replace('""', '"'))
            position = match.end()
            if text.startswith("\r", position) and text[position + 1 : position + 2] in ("", "\n"):
                position += 1
        else:
            match = plain.match(text, position)
            assert match is not None
            position = match.end()
            row.append(match[0] if text.startswith(delimiter, position) else match[0].removesuffix("\r"))
        if position == len(text) or text[position] == "\n":
            return row, position
        if text[position] != delimiter:
            what = "column {} goes on after its closing quotation mark; double the quotation marks inside it"
            raise _misquoted(path, line + text.count("\n", start, opened), what.format(len(row)))
        position += 1


def _misquoted(path: Path, line: int, what: str) -> DataError:
    return at(path, line, f"{what}, or give quoting='none' if quotation marks stand for themselves.")


def _check_width(path: Path, rows: list[list[str]], lines: Sequence[int], delimiter: str, narrow: bool) -> None:
    """Refuse a file of one column, and a row of another width than the first."""
    if not rows:
        raise at(path, 1, "there are only empty lines.")
    width, name = len(rows[0]), _NAMES[delimiter]
    if width == 1 and not narrow:
        other, form = ("\t", "tsv") if delimiter == "," else (",", "csv")
        if found := rows[0][0].count(other):
            hint = f"but {found} {_NAMES[other]}{'s' if found > 1 else ''}: give format='{form}'"
        else:
            hint = f"so there is one column only; columns must be apart by {name}s"
        raise at(path, lines[0], f"there is no {name} on this line, {hint}.")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != width:
            raise at(
                path,
                line,
                f"{len(row)} column{'s' if len(row) > 1 else ''} where line {lines[0]} has {width}; mend the line, or "
                f"quote the text that holds a {name} and give quoting='csv'.",
            )
