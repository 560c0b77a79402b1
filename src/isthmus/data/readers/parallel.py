"""Texts one a line: plain text, and two texts that translate each other line by line."""

from dataclasses import dataclass
from pathlib import Path

from isthmus.data.readers.text import at, read_text, split_lines
from isthmus.errors import DataError


@dataclass(frozen=True)
class Aligned:
    """Line i of ``source`` translates line i of ``target``; there are no empty ones."""

    source: list[str]
    target: list[str]


@dataclass(frozen=True)
class Lines:
    """Texts one a line.

    Attributes:
        lines: the line of each text, counted from 1.
        documents: the document that each text is in, where empty lines set them apart; else empty.
    """

    texts: list[str]
    lines: list[int]
    documents: list[str]


def read_parallel(source: Path, target: Path) -> Aligned:
    """The lines of two files.

    Raises:
        DataError: a file is unreadable or empty, a line is empty, or the files differ in their number of lines.
    """
    pair = [split_lines(read_text(path)) for path in (source, target)]
    for path, lines in zip((source, target), pair, strict=True):
        for number, line in enumerate(lines, 1):
            if not line.strip():
                raise at(path, number, "this line is empty; delete it, and its translation, from both files.")
    if len(pair[0]) != len(pair[1]):
        raise DataError(
            f"{source} has {len(pair[0])} lines but {target} has {len(pair[1])}; line by line they must translate "
            "each other."
        )
    return Aligned(*pair)


def read_lines(path: Path) -> Lines:
    """The texts of ``path``, one a line; empty lines set documents apart. Raises DataError where it is unreadable."""
    texts: list[str] = []
    numbers: list[int] = []
    documents: list[str] = []
    document, between = 1, False
    for number, line in enumerate(split_lines(read_text(path)), 1):
        if not line.strip():
            between = bool(texts)
            continue
        document += between
        between = False
        texts.append(line)
        numbers.append(number)
        documents.append(f"document {document}")
    return Lines(texts, numbers, documents if document > 1 else [])
