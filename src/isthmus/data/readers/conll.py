"""CoNLL: one token a line, columns apart by tabs or else by spaces, an empty line between sentences.

Comments are the lines before a sentence's first token that begin with ``#`` and a space. In a file apart by spaces
such a line may also be the token ``#``: it is when it has as many columns as the file and is no ``# name = ...``.
A token may be empty, where tabs say so: published files have such tokens, and a model reads them as unknown words.
Sentences of ``-DOCSTART-`` alone are passed over.

CoNLL-U has ten columns; ranges of multi-word tokens (``3-4``) and empty nodes (``8.1``) are not words and are left out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from isthmus.data.readers.text import at, read_text, split_lines

_TAG = re.compile(r"O|[BIESLU]-\S+")
_REMARK = re.compile(r"#+(?: |$)")
_NAMED = re.compile(r"# *[\w.:-]+ *=")
_COMMENT = re.compile(r"#\s*([\w.-]+)\s*[=:]\s*(.*)")
_NOT_A_WORD = re.compile(r"\d+[-.]\d+")
_CONLLU = (2, 4)


@dataclass(frozen=True)
class Sentences:
    """The sentences of a file.

    Attributes:
        tokens, tags: of each sentence, as many of the one as of the other.
        ids: from comments ``# sent_id = ...``, where every sentence has one; else empty.
        lines: the line of each sentence's first token, counted from 1.
        token_column, tag_column: which columns were read, counted from 1; tags are empty without a column.
        comments: of each sentence, by name: ``# intent = weather`` is {"intent": "weather"}.
    """

    tokens: list[list[str]]
    tags: list[list[str]]
    ids: list[str]
    lines: Sequence[int]
    token_column: int
    tag_column: int | None
    comments: list[dict[str, str]]


@dataclass
class _Sentence:
    """One sentence being read: cells and line of each token."""

    cells: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)


def read_conll(
    path: Path, token: int | None = None, tag: int | None = None, universal: bool = False, labelled: bool = True
) -> Sentences:
    """The sentences of ``path``, with the columns ``token`` and ``tag`` counted from 1, or guessed where None.

    The token is the first column, or the second where the first numbers the words of each sentence; the tag is the one
    other column that holds nothing but ``O`` and ``B-``, ``I-``, ... tags, or else the last of two. ``universal`` reads
    CoNLL-U (the form and the universal part of speech). With ``labelled`` off, tags are neither needed nor read.

    Raises:
        DataError: the file is unreadable or empty, lines differ in width, a tag is empty, or which column
            holds the tags cannot be told.
    """
    sentences = _sentences(path, split_lines(read_text(path)), universal)
    width = len(sentences[0].cells[0])
    if universal:
        token, tag = token or _CONLLU[0], tag or _CONLLU[1]
    token = token or _token_column(sentences)
    for name, column in (("tokens", token), ("tags", tag)):
        if column is not None and not 1 <= column <= width:
            raise at(path, sentences[0].lines[0], f"there is no column {column} for the {name}: there are {width}.")
    tag = (tag or _tag_column(path, sentences, token)) if labelled else None
    ids = [sentence.comments.get("sent_id", "") for sentence in sentences]
    return Sentences(
        [[row[token - 1] for row in sentence.cells] for sentence in sentences],
        [] if tag is None else _tags(path, sentences, tag),
        ids if all(ids) else [],
        [sentence.lines[0] for sentence in sentences],
        token,
        tag,
        [sentence.comments for sentence in sentences],
    )


def _sentences(path: Path, lines: list[str], universal: bool) -> list[_Sentence]:
    """The sentences, each with at least one token, all tokens of one width."""
    tokens = [line for line in lines if line.strip() and not line.startswith("#")] or lines
    tabs, width = universal or "\t" in tokens[0], 0
    found: list[_Sentence] = []
    sentence = _Sentence()
    for number, line in enumerate([*lines, ""], 1):
        if not line.strip(" \t"):
            if sentence.cells and sentence.cells[0][0] != "-DOCSTART-":
                found.append(sentence)
            if sentence.cells:
                sentence = _Sentence()
            continue
        cells = line.split("\t") if tabs else [cell for cell in line.split(" ") if cell]
        if not sentence.cells and _is_comment(line, cells, width, tabs):
            if match := _COMMENT.match(line):
                sentence.comments[match[1]] = match[2].strip()
            continue
        width = width or len(cells)
        if len(cells) != width or (universal and width != 10):
            what = "10, as CoNLL-U has" if universal else f"{width}, as the lines above have"
            apart = "tabs" if tabs else "spaces"
            columns = f"{len(cells)} column{'s' if len(cells) > 1 else ''} apart by {apart}"
            raise at(path, number, f"{columns}, not {what}; sentences need an empty line.")
        if not (universal and _NOT_A_WORD.fullmatch(cells[0])):
            sentence.cells.append(cells)
            sentence.lines.append(number)
    if not found:
        raise at(path, 1, "there is not one token.")
    return found


def _is_comment(line: str, cells: list[str], width: int, tabs: bool) -> bool:
    """Whether a line before a sentence's first token is a comment. ``width`` is 0 before the file's first token."""
    named = _NAMED.match(line) is not None
    if tabs:
        return _REMARK.match(line) is not None or (named and "\t" not in line)
    if len(cells) == width or (width == 0 and _TAG.fullmatch(cells[-1])):
        return named and line.startswith("# ")
    return named or _REMARK.match(line) is not None


def _token_column(sentences: list[_Sentence]) -> int:
    """The second of three or more columns where the first holds numbers that begin anew in every sentence."""
    counted = all(
        sentence.cells[0][0] in ("0", "1") and all(row[0].isdecimal() for row in sentence.cells)
        for sentence in sentences
    )
    return 2 if counted and len(sentences[0].cells[0]) > 2 else 1


def _tag_column(path: Path, sentences: list[_Sentence], token: int) -> int:
    """The column of the tags, when there is one candidate only."""
    width, line = len(sentences[0].cells[0]), sentences[0].lines[0]
    if width == 1:
        what = "there is one column only, so there are no tags; nothing can be measured on a file without them, and "
        raise at(path, line, what + "predictions for a submission need none (labelled=False).")
    if width == 2:
        return 3 - token
    fitting = [
        column
        for column in range(1, width + 1)
        if column != token and all(_TAG.fullmatch(row[column - 1]) for sentence in sentences for row in sentence.cells)
    ]
    values = [[row[column - 1] for sentence in sentences for row in sentence.cells] for column in fitting]
    if fitting and all(column == values[0] for column in values):
        return fitting[0]
    which = (
        f"columns {' and '.join(map(str, fitting))} may each" if fitting else f"none of the {width} columns seems to"
    )
    raise at(
        path,
        line,
        f"{which} hold the tags; say which: columns={{'tokens': {token}, 'tags': {fitting[0] if fitting else width}}}.",
    )


def _tags(path: Path, sentences: list[_Sentence], column: int) -> list[list[str]]:
    """The cells of the tags' column, none of them empty."""
    found = []
    for sentence in sentences:
        tags = [row[column - 1] for row in sentence.cells]
        for tag, line in zip(tags, sentence.lines, strict=True):
            if not tag.strip():
                raise at(path, line, f"the tag (column {column}) is empty.")
        found.append(tags)
    return found
