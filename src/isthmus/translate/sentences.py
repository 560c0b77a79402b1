"""Texts as sentences, which a translator reads one by one, and put together again with every place known.

A sentence ends at a line's end; at ``.``, ``!``, ``?`` or ``…`` (closing quotation marks and brackets included) before
white space, unless a small letter follows, or the full stop belongs to an abbreviation, an initial or a number; and at
the full stops of other scripts (``。``, ``।``, ``؟``, ``።``, ...), with or without white space. Thai and Lao have none:
their paragraphs are cut only where they are too long for the translator. No characters but white space are outside
sentences.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from isthmus.languages import language

#: Languages written without spaces between words: their sentences are joined without one, too.
UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my", "bo", "dz"})
_CLOSERS = "\"'”’»›)\\]）」』】》"
_END = re.compile(rf"(?:[.!?…]+[{_CLOSERS}]*(?=\s)|[。！？｡．]+[{_CLOSERS}]*|[।॥؟۔።။៕។]+[{_CLOSERS}]*)\s*|\s*\n\s*")
_WORD_BEFORE = re.compile(r"[^\s(\[\"'“‘«]+\Z")
_ABBREVIATIONS = re.compile(
    "al|approx|art|bzw|ca|cf|ch|co|corp|dr|etc|fig|gen|gov|hon|inc|jr|lt|ltd|mr|mrs|ms|no|nos|nr|op|p|pp|prof|rep|rev|"
    "sen|sgt|sr|st|str|u|usw|vol|vs|z"
)
#: Where a sentence that is too long is cut, the best places first.
_BREAKS = (re.compile(r"(?<=[;:；：—])\s*"), re.compile(r"(?<=[,，、،])\s*"), re.compile(r"\s+"), re.compile(r"(?=.)"))


class Stretch(NamedTuple):
    """Code points [start, end) of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """What stands there."""
        return text[self.start : self.end]


def sentences(text: str) -> list[Stretch]:
    """The sentences of ``text`` in order, without white space at their ends; none of a text without characters."""
    found = []
    start = 0
    for end in _ends(text):
        found.append(trimmed(text, start, end))
        start = end
    return [stretch for stretch in found if stretch.end > stretch.start]


def _ends(text: str) -> Iterator[int]:
    """Where sentences end, white space after them included; the text's own end last."""
    for match in _END.finditer(text):
        if _is_end(text, match):
            yield match.end()
    yield len(text)


def _is_end(text: str, match: re.Match[str]) -> bool:
    mark, rest = match[0].strip(), text[match.end() : match.end() + 1]
    if "\n" in match[0] or not mark or mark[0] not in ".!?…":
        return True
    if rest.islower():
        return False
    if mark[0] != "." or len(mark) > 1:
        return True
    word = _WORD_BEFORE.search(text[max(0, match.start() - 20) : match.start()])
    return word is None or not _keeps_its_stop(word[0])


def _keeps_its_stop(word: str) -> bool:
    """Is the full stop after ``word`` part of it? A number's is where it is short, as in German dates."""
    letters = word.casefold()
    initial = len(word) == 1 and word.isalpha()
    inner = "." in word.strip(".")
    return initial or inner or _ABBREVIATIONS.fullmatch(letters) is not None or (word.isdigit() and len(word) <= 2)


def trimmed(text: str, start: int, end: int) -> Stretch:
    """The stretch without white space at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Stretch(start, end)


def segments(text: str, fits: Callable[[str], bool]) -> list[Stretch]:
    """The sentences of ``text``, those that do not fit cut in two near their middle for as long as that helps."""
    return [part for stretch in sentences(text) for part in _cut(text, stretch, fits)]


def _cut(text: str, stretch: Stretch, fits: Callable[[str], bool]) -> list[Stretch]:
    if stretch.end - stretch.start < 2 or fits(stretch.of(text)):
        return [stretch]
    middle, quarter = (stretch.start + stretch.end) / 2, (stretch.end - stretch.start) / 4
    for number, pattern in enumerate(_BREAKS):
        places = [match.end() for match in pattern.finditer(text, stretch.start + 1, stretch.end)]
        places = [place for place in places if stretch.start < place < stretch.end]
        best = min(places, key=lambda place: abs(place - middle), default=None)
        if best is not None and (abs(best - middle) <= quarter or number == len(_BREAKS) - 1):
            break
    assert best is not None
    parts = (trimmed(text, stretch.start, best), trimmed(text, best, stretch.end))
    return [part for half in parts if half.end > half.start for part in _cut(text, half, fits)]


class Segment(NamedTuple):
    """A stretch of a text and its counterpart in the translation."""

    source: Stretch
    target: Stretch


class Passage(NamedTuple):
    """A text, its translation, and which stretch translates which, in order."""

    source: str
    target: str
    segments: tuple[Segment, ...]


def put_together(source: str, parts: Sequence[tuple[Stretch, str]], target_language: str) -> Passage:
    """The passage whose stretches translate as ``parts`` say; what is between them in ``source`` stays between them.

    A single space is left out where the target language has none.
    """
    unspaced = is_unspaced(target_language)
    found: list[Segment] = []
    pieces: list[str] = []
    at = end = 0
    for stretch, words in parts:
        between = source[end : stretch.start]
        if pieces and not between:
            between = " "
        if unspaced and between == " ":
            between = ""
        pieces += [between, words]
        at += len(between)
        found.append(Segment(stretch, Stretch(at, at + len(words))))
        at, end = at + len(words), stretch.end
    return Passage(source, "".join([*pieces, source[end:]]), tuple(found))


def is_unspaced(code: str) -> bool:
    """Is the language written without spaces between words?"""
    return language(code).tag.split("-")[0] in UNSPACED
