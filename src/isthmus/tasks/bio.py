"""Words of a text in any script, and BIO tags on them from spans of characters.

Words are cut without looking at the spans, which would tell a model where they are. A word that a span covers only in
part (Korean ``거실의``, Finnish ``lampun``) is tagged whole; of several spans it goes to the one that covers most.
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from isthmus.tasks.grammar import Span

#: Languages written without spaces: their letters are tokens, as in PAN-X (a Thai letter keeps its marks).
UNSPACED = frozenset({"th", "yue", "zh-CN", "zh-TW"})
_APOSTROPHES = "'’"


class Word(NamedTuple):
    """A token and where it lies: ``text[start:end]``."""

    text: str
    start: int
    end: int


def words(text: str, unspaced: bool = False) -> list[Word]:
    """The words, numbers and punctuation marks of ``text``; every character but white space is in one of them.

    An apostrophe ends a word (``l'`` ``aria``, ``what'`` ``s``) and a hyphen is one. Where the language is ``unspaced``
    each letter outside Latin script is a word.
    """
    found: list[Word] = []
    start = 0
    for position, character in enumerate(text):
        if position and not _continues(text[position - 1], character, unspaced):
            found.append(Word(text[start:position], start, position))
            start = position
    found.append(Word(text[start:], start, len(text)))
    return [word for word in found if word.text.strip()]


def _continues(before: str, character: str, unspaced: bool) -> bool:
    """Does ``character`` belong to the word that ``before`` is in?"""
    kind = _kind(character)
    if kind == "mark":
        return _kind(before) in ("letter", "mark", "digit")
    if character in _APOSTROPHES:
        return _kind(before) in ("letter", "mark")
    if kind == "letter" and _kind(before) in ("letter", "mark"):
        return not unspaced or (character.isascii() and before.isascii())
    return kind == _kind(before) == "digit"


@lru_cache(maxsize=8192)
def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "M" or character in "\u200c\u200d":
        return "mark"
    return {"L": "letter", "N": "digit"}.get(category[0], "other")


def bio_tags(found: Sequence[Word], spans: Sequence[Span], slots: frozenset[str]) -> list[str]:
    """One tag a word: ``B-slot`` on the first word of a span, ``I-slot`` on its others, ``O`` elsewhere.

    Spans of a slot that is not among ``slots`` are ``O``.
    """
    tags: list[str] = []
    last: Span | None = None
    for word in found:
        covering = [(min(word.end, span.end) - max(word.start, span.start), span) for span in spans]
        cover, span = max(covering, key=lambda pair: pair[0], default=(0, None))
        if span is None or cover <= 0 or span.slot not in slots:
            tags.append("O")
            last = None
        else:
            tags.append(f"{'I' if span is last else 'B'}-{span.slot}")
            last = span
    return tags
