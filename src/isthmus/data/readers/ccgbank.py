"""Words and their categories of combinatory categorial grammar, in the forms that CCGbank goes by.

Its derivations (``.auto``): a line ``ID=wsj_0001.1 ...``, then one with a tree whose leaves are
``(<L CATEGORY POS POS word CATEGORY>)``. And what the C&C tools make of it (``.stagged``): a sentence a line, its words
apart by blanks, each ``word|POS|CATEGORY``, below lines of comment that begin with ``#``.
"""

import re
from pathlib import Path

from isthmus.data.readers.conll import Sentences
from isthmus.data.readers.text import at, read_text, split_lines

_ID = re.compile(r"ID=(\S+)")
_LEAF = re.compile(r"\(<L (\S+) \S+ \S+ (\S+) \S+>\)")
_PIPED = re.compile(r"(\S+)\|[^\s|]+\|([^\s|]+)")


def read_ccgbank(path: Path) -> Sentences:
    """The sentences of ``path``: which form it has shows in its first line that is no comment.

    Raises:
        DataError: the file is unreadable or empty, or a line is in neither form, with its number.
    """
    lines = list(enumerate(split_lines(read_text(path)), 1))
    told = [(number, line.strip()) for number, line in lines if line.strip()]
    body = [(number, line) for number, line in told if not (line.startswith("#") and not _PIPED.match(line))]
    if not body:
        raise at(path, 1, "there are only comments.")
    trees = body[0][1].startswith(("ID=", "("))
    names: list[str] = []
    places: list[int] = []
    sentences: list[list[tuple[str, str]]] = []
    name = ""
    for number, line in body:
        if trees and (match := _ID.match(line)):
            name = match[1]
            continue
        sentences.append(_leaves(path, number, line) if trees else _piped(path, number, line))
        places.append(number)
        names.append(name)
        name = ""
    if not sentences:
        raise at(path, body[0][0], "there is not one derivation.")
    tokens = [[word for word, _ in sentence] for sentence in sentences]
    tags = [[category for _, category in sentence] for sentence in sentences]
    return Sentences(tokens, tags, names if all(names) else [], places, 1, 2, [{} for _ in sentences])


def _leaves(path: Path, number: int, line: str) -> list[tuple[str, str]]:
    """The words of a derivation, each with its category."""
    leaves = _LEAF.findall(line)
    if not leaves or len(leaves) != line.count("(<L "):
        raise at(path, number, "a derivation must have leaves (<L CATEGORY POS POS word CATEGORY>).")
    return [(word, category) for category, word in leaves]


def _piped(path: Path, number: int, line: str) -> list[tuple[str, str]]:
    """The words of a line of ``word|POS|CATEGORY``."""
    pairs = []
    for token in line.split():
        match = _PIPED.fullmatch(token)
        if match is None:
            raise at(path, number, f"{token[:40]!r} must be word|POS|CATEGORY.")
        pairs.append((match[1], match[2]))
    return pairs
