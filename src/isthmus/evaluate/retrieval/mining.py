"""Mining: which sentences of two collections translate each other (BUCC 2018).

As the official evaluation has it: equal texts are one sentence while neighbours are looked for, and a sentence that
occurs more than once, white space around it apart, belongs to no pair. A pair counts from a threshold on, which is
chosen on pairs of a dev set.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from isthmus.evaluate.retrieval.margins import Pairs, Rows, Scoring, find_pairs


def mine(sources: Sequence[str], x: Tensor, targets: Sequence[str], y: Tensor, scoring: Scoring) -> Pairs:
    """The candidate pairs among two collections, as row numbers, by falling score or in the order of rows.

    Args:
        sources: n texts.
        x: their vectors, (n, width) float32.
        targets: m texts.
        y: their vectors, (m, width) float32.
        scoring: how pairs are found.
    """
    if not sources or not targets:
        empty = np.zeros(0, dtype=np.int64)
        return Pairs(empty, empty, np.zeros(0))
    source_rows, target_rows = unique_rows(sources), unique_rows(targets)
    pairs = find_pairs(_taken(x, source_rows), _taken(y, target_rows), scoring)
    found = Pairs(source_rows[pairs.sources], target_rows[pairs.targets], pairs.scores)
    kept = _single(sources)[found.sources] & _single(targets)[found.targets]
    return Pairs(found.sources[kept], found.targets[kept], found.scores[kept])


def unique_rows(texts: Sequence[str]) -> Rows:
    """The row of the last repeat of each distinct text, in the order of their first appearances."""
    last: dict[str, int] = {}
    for row, text in enumerate(texts):
        last[text] = row  # a key stays where it was first put
    return np.fromiter(last.values(), dtype=np.int64, count=len(last))


def best_threshold(scores: Sequence[float], correct: Sequence[bool], golds: int) -> float:
    """The score from which on candidate pairs count, for the best F1 on a dev set; 0 where no candidate is right.

    Midway between the score of the last candidate that counts and the next; where none is left, that score itself (the
    official code ends in an error there). Of equally good cuts the one with the fewest candidates. A cut may fall
    between equal scores, as it may officially; then all of them count.

    Args:
        scores: of the candidates, in any order.
        correct: which of them are gold pairs.
        golds: the number of gold pairs.
    """
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    values, right = values[order], np.cumsum(np.asarray(correct, dtype=np.int64)[order])
    if not len(values) or right[-1] == 0:
        return 0.0
    precision, recall = right / np.arange(1, len(values) + 1), right / golds
    # Written as officially: of cuts that are equally good, rounding decides there, and so it must here.
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    best = int(f1.argmax())
    return float((values[best] + values[min(best + 1, len(values) - 1)]) / 2)


def _single(texts: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which texts occur once only."""
    stripped = [text.strip() for text in texts]
    counts = Counter(stripped)
    return np.fromiter((counts[text] == 1 for text in stripped), dtype=np.bool_, count=len(stripped))


def _taken(vectors: Tensor, rows: Rows) -> Tensor:
    """Those rows; the vectors themselves where that is all of them."""
    return vectors if len(rows) == len(vectors) else vectors[torch.from_numpy(rows)]
