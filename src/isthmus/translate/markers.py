"""A stretch of a text sent through a translator between brackets, and found again (arXiv 2211.15613).

The marks are square brackets: every translator's vocabulary has them, most copy them, and few texts have any. Some
translators write the brackets of the target script instead, so these are taken, too.
"""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

from isthmus.translate.sentences import Stretch, trimmed
from isthmus.translate.words import words_of

_OPEN, _CLOSE = "[［【〔", "]］】〕"
_BRACKET = re.compile("|".join(map(re.escape, _OPEN + _CLOSE)))
_STICKS = re.compile(r"[.,;:!?%)\]}”’»…、。，；：！？）」』।؟،]")


class Marked(NamedTuple):
    """A text without its marks, and what was between them."""

    text: str
    span: Stretch


def mark(text: str, span: Stretch) -> str | None:
    """``text`` with ``span`` in brackets; None where it has brackets of its own, which would be mistaken for them."""
    if _BRACKET.search(text) or span.end <= span.start:
        return None
    return f"{text[: span.start]}[{span.of(text)}]{text[span.end :]}"


def unmark(text: str) -> Marked | None:
    """What the brackets in a translation hold; None where there is not one pair, or nothing in it."""
    found = list(_BRACKET.finditer(text))
    if len(found) != 2 or found[0][0] not in _OPEN or found[1][0] not in _CLOSE:
        return None
    (left, start), (end, right) = found[0].span(), found[1].span()
    before, inside, after = text[:left], trimmed(text, start, end).of(text), text[right:]
    if not inside:
        return None
    gap = " " if before[-1:].isspace() or (before and text[start].isspace()) else ""
    before = before.rstrip() + gap if before.strip() else ""
    rest = after.lstrip()
    close = " " if rest and (after[0].isspace() or text[end - 1].isspace()) and not _STICKS.match(rest) else ""
    return Marked(before + inside + close + rest, Stretch(len(before), len(before) + len(inside)))


class Located(NamedTuple):
    """Where a marked stretch stands in the translation that was made without marks, and how alike the two are."""

    span: Stretch | None
    likeness: float


def locate(marked: Marked, plain: str, code: str) -> Located:
    """Where in ``plain`` the text between the marks stands: of several places, the one most like its own.

    The likeness is the share of words that the translations have in common, in order (0 to 1): marks that changed the
    sentence are not to be trusted.
    """
    if marked.text == plain:
        return Located(marked.span, 1.0)
    one, other = ([word.text for word in words_of(text, code)] for text in (marked.text, plain))
    likeness = SequenceMatcher(None, one, other, autojunk=False).ratio()
    inside = marked.span.of(marked.text)
    starts = [match.start() for match in re.finditer(rf"(?<!\w){re.escape(inside)}(?!\w)", plain)]
    starts = starts or [match.start() for match in re.finditer(re.escape(inside), plain)]
    if not starts:
        return Located(None, likeness)
    scale = len(plain) / max(1, len(marked.text))
    start = min(starts, key=lambda place: abs(place - marked.span.start * scale))
    return Located(Stretch(start, start + len(inside)), likeness)
