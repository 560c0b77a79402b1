"""XWinograd (arXiv 2106.12066): seven columns apart by tabs, with JSON in the last three, and no header.

Language, source, a column of its own use, the sentence, its tokens, the pronoun ``[text, [first, last token], tokens]``
and the candidates ``[text, [first, last token], tokens, is it meant?]``. A row becomes a choice of what ``_``, which
takes the pronoun's place in the sentence, stands for.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isthmus.data.readers.delimited import read_delimited
from isthmus.data.readers.jsonl import Objects
from isthmus.data.readers.text import at

COLUMNS = 7


def read_xwinograd(path: Path) -> Objects:
    """The sentences of ``path`` as choices, with their language and source beside. Raises DataError with the line."""
    grid = read_delimited(path, "\t", "none")
    rows = []
    if len(grid.columns) != COLUMNS:
        raise at(path, grid.lines[0], f"{len(grid.columns)} columns, not the {COLUMNS} of XWinograd.")
    for number, line in enumerate(grid.lines):
        cells = grid.row(number)
        try:
            rows.append(_row(cells))
        except (ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError):
            what = "the tokens, the pronoun or the candidates are not what XWinograd has in columns 5 to 7."
            raise at(path, line, what) from None
    return Objects(path, rows, grid.lines, "XWinograd, the pronoun as _")


def _row(cells: list[str]) -> Mapping[str, Any]:
    """One sentence; raises one of many errors where a cell is not as it should be."""
    sentence, tokens, pronoun, candidates = cells[3], *(json.loads(cell) for cell in cells[4:])
    texts = [text for text, _, _, _ in candidates]
    right = [number for number, (_, _, _, meant) in enumerate(candidates) if meant is True]
    if len(right) != 1 or not all(isinstance(text, str) for text in texts):
        raise ValueError("one of the candidates must be meant")
    words, (first, last) = pronoun[0], pronoun[1]
    start = _place(sentence, tokens, first)
    if not sentence.startswith(words, start) or tokens[first:last] != pronoun[2]:
        raise ValueError("the pronoun is elsewhere")
    text = sentence[:start] + "_" + sentence[start + len(words) :]
    return {"language": cells[0], "source": cells[1], "text": text, "choices": texts, "answer": right[0]}


def _place(sentence: str, tokens: list[str], number: int) -> int:
    """Where token ``number`` begins in the sentence. Tokens that are not in it as they are (quotes) are passed over."""
    position = 0
    for token in tokens[:number]:
        found = sentence.find(token, position)
        if 0 <= found <= position + 4:
            position = found + len(token)
    return sentence.index(tokens[number], position)
