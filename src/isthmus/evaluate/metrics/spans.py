"""Micro F1 over labelled spans in tags, as XTREME scores tagging, by either convention of the package seqeval.

A tag is a prefix (its first character, whatever that is) and a type. ``I-`` that continues nothing opens a span; so
does a change of type inside a run of ``I-``; ``S-`` and ``E-`` are understood. Any other prefix runs on as long as its
type does: of tags without prefixes, such as parts of speech, equal neighbours are one span.

The conventions, named after releases of seqeval, differ in what the type of a tag is:

- 0.0.12: what follows the last hyphen; the whole tag where there is none.
- 1.2.2: what follows the first hyphen after the prefix; all but the first character where there is none, and ``_``
  where that is nothing. So ``CCONJ`` and ``SCONJ`` are one type, and so are ``X`` and the ``O`` that ends a sentence:
  an ``X`` at the end of a sentence never ends and is not counted, and one at its start continues from before.

Sentences are therefore read in one row with an ``O`` after each. A span belongs to the sentence that it ends in.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError
from isthmus.evaluate.metrics.core import FOUND, Floats, Metric, Reduce, f1, precision, recall

Sentences = Sequence[Sequence[str]]
Ints = NDArray[np.int64]


class _Spans(NamedTuple):
    """The spans in a row of sentences: the position each ends at (inclusive), where it starts, its type, and the
    sentence it ends in; and the length of the row, an ``O`` after each sentence included."""

    ends: Ints
    starts: Ints
    types: Ints
    sentences: Ints
    length: int


def type_after_last_hyphen(tag: str) -> str:
    """The type of a tag by the convention of 0.0.12."""
    return tag.rsplit("-", 1)[-1]


def type_after_prefix(tag: str) -> str:
    """The type of a tag by the convention of 1.2.2."""
    rest = tag[1:]
    return (rest.split("-", 1)[1] if "-" in rest else rest) or "_"


#: How a tag's type is read, by the name of the convention.
CONVENTIONS: dict[str, Callable[[str], str]] = {"1.2.2": type_after_prefix, "0.0.12": type_after_last_hyphen}


def _spans(sentences: Sentences, codes: dict[str, int], prefixes: Sequence[str], types: Ints) -> _Spans:
    """The spans of sentences whose tags have those codes; prefix and type are by code, the last of which stands for
    what is before the first sentence."""
    lengths = [len(tags) + 1 for tags in sentences]
    row = chain.from_iterable((*tags, "O") for tags in sentences)
    current = np.fromiter(map(codes.__getitem__, row), np.int64, sum(lengths))
    last = np.concatenate([[len(codes)], current[:-1]]) if len(current) else current

    def among(of: Ints, letters: str) -> NDArray[np.bool_]:
        return np.asarray([prefix in letters for prefix in prefixes])[of]

    changed = types[last] != types[current]
    ended = among(last, "ES") | (among(last, "BI") & among(current, "BSO")) | (~among(last, "O.") & changed)
    started = among(current, "BS") | (among(last, "ESO") & among(current, "EI")) | (~among(current, "O.") & changed)
    position = np.arange(len(current))
    begins = np.maximum.accumulate(np.where(started, position, 0)) if len(current) else position
    ends = np.flatnonzero(ended) - 1
    sentence_of = np.repeat(np.arange(len(lengths)), lengths)
    return _Spans(ends, begins[ends], types[current[ends]], sentence_of[ends], len(current))


def statistics(golds: Sentences, predictions: Sentences, _language: str = "", convention: str = "0.0.12") -> Floats:
    """Shape (n, 3): right, predicted and gold spans that end in each sentence.

    Raises:
        DataError: a sentence has another number of predicted tags than of gold ones.
    """
    for row, (gold, prediction) in enumerate(zip(golds, predictions, strict=True), start=1):
        if len(gold) != len(prediction):
            raise DataError(f"Sentence {row} has {len(gold)} gold tags but {len(prediction)} predicted ones.")
    return joined_statistics(golds, predictions, convention)


def joined_statistics(golds: Sentences, predictions: Sentences, convention: str) -> Floats:
    """As `statistics`, for as many sentences on both sides, but of any length: a span is right where it stands at the
    same place in the row of all sentences."""
    type_of = CONVENTIONS[convention]
    tags = dict.fromkeys(chain(["O"], chain.from_iterable(golds), chain.from_iterable(predictions)))
    codes = {tag: code for code, tag in enumerate(tags)}
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys(["", *map(type_of, tags)]))}
    prefixes = [*(tag[0] for tag in tags), "O"]
    types = np.asarray([*(kinds[type_of(tag)] for tag in tags), kinds[""]])
    gold, guessed = (_spans(sentences, codes, prefixes, types) for sentences in (golds, predictions))
    starts, of_type = (np.full(max(gold.length, guessed.length), -1) for _ in range(2))
    starts[guessed.ends], of_type[guessed.ends] = guessed.starts, guessed.types
    right = (starts[gold.ends] == gold.starts) & (of_type[gold.ends] == gold.types)
    columns = (gold.sentences[right], guessed.sentences, gold.sentences)
    return np.column_stack([np.bincount(found, minlength=len(golds)) for found in columns]).astype(np.float64)


def _metrics(convention: str, suffix: str) -> tuple[Metric, ...]:
    measure = partial(statistics, convention=convention)

    def named(name: str, what: str, reduce: Reduce) -> Metric:
        described = f"{what} of labelled spans, by the convention of seqeval {convention}"
        return Metric(f"span_{name}{suffix}", described, FOUND, measure, reduce, "tags")

    return (
        named("f1", "micro F1", f1),
        named("precision", "precision", precision),
        named("recall", "recall", recall),
    )


SPAN_METRICS = _metrics("0.0.12", "") + _metrics("1.2.2", "_1.2.2")
