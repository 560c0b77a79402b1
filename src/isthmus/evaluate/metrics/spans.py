"""Micro F1 over labelled spans in BIO tags, by the convention of seqeval 0.0.12 that XTREME's own constants follow.

An ``I-`` that continues nothing opens a span; a change of type inside a run of ``I-`` opens a new one; ``S-`` and
``E-`` are understood. A tag's type is what follows its last hyphen.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from isthmus.evaluate.metrics.core import Floats, Metric


class Span(NamedTuple):
    """A labelled stretch of tokens, from ``start`` to ``end`` (inclusive)."""

    type: str
    start: int
    end: int


def spans(tags: Sequence[str]) -> set[Span]:
    """The spans of one sentence's tags."""
    found: set[Span] = set()
    previous_prefix, previous_type, start = "O", "", 0
    for position, tag in enumerate([*tags, "O"]):
        prefix, kind = tag[0], tag.rsplit("-", 1)[-1]
        if _ends(previous_prefix, prefix, previous_type, kind):
            found.add(Span(previous_type, start, position - 1))
        if _starts(previous_prefix, prefix, previous_type, kind):
            start = position
        previous_prefix, previous_type = prefix, kind
    return found


def _ends(previous: str, current: str, previous_type: str, current_type: str) -> bool:
    if previous in "ES":
        return True
    if previous in "BI" and current in "BSO":
        return True
    return previous not in "O." and previous_type != current_type


def _starts(previous: str, current: str, previous_type: str, current_type: str) -> bool:
    if current in "BS":
        return True
    if previous in "ESO" and current in "EI":
        return True
    return current not in "O." and previous_type != current_type


def statistics(golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> Floats:
    """Shape (n, 3): right, predicted and gold spans of each sentence."""
    rows = np.zeros((len(golds), 3))
    for row, (gold, prediction) in enumerate(zip(golds, predictions, strict=True)):
        if len(gold) != len(prediction):
            raise ValueError(f"sentence {row + 1} has {len(gold)} gold tags but {len(prediction)} predicted ones")
        true, guessed = spans(gold), spans(prediction)
        rows[row] = len(true & guessed), len(guessed), len(true)
    return rows


def reduce(sums: Floats) -> Floats:
    """100 x 2 right / (predicted + gold); 0 where nothing is predicted or nothing is gold."""
    total = sums[..., 1] + sums[..., 2]
    return np.asarray(100 * 2 * sums[..., 0] / np.maximum(total, 1))


SPAN_F1 = Metric("span_f1", ("right", "predicted", "gold"), statistics, reduce)
