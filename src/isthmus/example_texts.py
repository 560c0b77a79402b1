"""A test row and its predictions as short texts: what a person needs to see of an example of each kind."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from isthmus.data.schema import Kind

#: Code points shown of a text, and of a prediction.
TEXT, VALUE = 220, 90
_NOTHING = "(nothing)"
Row = Mapping[str, Any]
Parts = tuple[tuple[str, str], ...]


class Lookup(Protocol):
    """Says what ids stand for."""

    def of(self, name: str) -> str:
        """The text of the row of that id."""


class Shown(NamedTuple):
    """Texts with what each is; the right value, and the two predictions."""

    texts: Parts
    gold: str
    without: str
    after: str


def shown(row: Row, before: Row, after: Row, lookup: Lookup) -> Shown:
    """The row of a kind (`isthmus.data.schema`), and what was predicted without and after the intermediate task."""
    values = (before["gold"], before["prediction"], after["prediction"])
    kind = Kind(row["kind"])
    if kind is Kind.TAGGING:
        return _tagging(row["tokens"], *values)
    texts, value = _KINDS[kind](row, lookup)
    return Shown(tuple((name, clean(text)) for name, text in texts if text), *(clean(value(v), VALUE) for v in values))


def clean(text: str, most: int = TEXT) -> str:
    """At most ``most`` code points on one line, without control characters; no letter is cut from its accents."""
    text = " ".join("".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text[: 4 * most]).split())
    if len(text) <= most:
        return text
    end = most - 1
    while end > most // 2 and (unicodedata.combining(text[end]) or unicodedata.category(text[end]) in ("Mn", "Mc")):
        end -= 1
    return f"{text[:end].rstrip()}…"


_Value = Callable[[Any], str]


def _plain(value: Any) -> str:
    """A label or a text; of several right ones the first."""
    first = value[0] if isinstance(value, list) and value else value
    return str(first) if first not in (None, "", []) else _NOTHING


def _sequence(row: Row, _: Lookup) -> tuple[Parts, _Value]:
    return (("text", row["text"]),), _plain


def _pair(row: Row, _: Lookup) -> tuple[Parts, _Value]:
    return (("first", clean(row["text"], TEXT * 3 // 4)), ("second", clean(row["text_pair"], TEXT * 3 // 4))), _plain


def _span(row: Row, _: Lookup) -> tuple[Parts, _Value]:
    starts = row["answer_starts"] or [0]
    begin = max(0, starts[0] - TEXT // 3)
    context = f"{'… ' if begin else ''}{row['context'][begin : begin + 2 * TEXT]}"
    return (("question", clean(row["question"], TEXT // 2)), ("context", context)), _plain


def _choice(row: Row, _: Lookup) -> tuple[Parts, _Value]:
    choices: Sequence[str] = row["choices"]

    def value(place: Any) -> str:
        return choices[int(place)] if 0 <= int(place) < len(choices) else str(place)

    options = " / ".join(clean(choice, VALUE) for choice in choices)
    return (("text", row["text"]), ("question", row["question"]), ("choices", options)), value


def _searched(row: Row, lookup: Lookup) -> tuple[Parts, _Value]:
    def value(found: Any) -> str:
        first = found[0] if isinstance(found, list) and found else found
        return clean(lookup.of(str(first)), VALUE) if first not in (None, "", []) else _NOTHING

    return (("text", row.get("source", row.get("text", ""))),), value


_KINDS: Mapping[Kind, Callable[[Row, Lookup], tuple[Parts, _Value]]] = {
    Kind.SEQUENCE: _sequence,
    Kind.PAIR: _pair,
    Kind.SPAN: _span,
    Kind.CHOICE: _choice,
    Kind.BITEXT: _searched,
    Kind.MINING: _searched,
    Kind.RANKING: _searched,
    Kind.TEXT: _sequence,
}


def _tagging(tokens: Sequence[str], gold: Sequence[str], before: Sequence[str], after: Sequence[str]) -> Shown:
    """The words around the first one whose tag differs; the tags of those that differ alone."""
    differing = [place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    begin = max(0, (differing or [0])[0] - 8)
    sentence = f"{'… ' if begin else ''}{' '.join(tokens[begin:])}"

    def tags(of: Sequence[str]) -> str:
        there = [f"{tokens[place]}/{of[place]}" for place in differing if place < min(len(of), len(tokens))]
        return clean(" ".join(there), VALUE) or _NOTHING

    return Shown((("words", clean(sentence)),), tags(gold), tags(before), tags(after))
