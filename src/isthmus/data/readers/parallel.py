"""Two texts that translate each other line by line."""

from dataclasses import dataclass
from pathlib import Path

from isthmus.data.readers.text import at, read_text, split_lines
from isthmus.errors import DataError


@dataclass(frozen=True)
class Aligned:
    """Line i of ``source`` translates line i of ``target``; there are no empty ones."""

    source: list[str]
    target: list[str]


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
