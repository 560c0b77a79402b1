"""F1 of the pairs of sentences that were mined from two texts, as BUCC scores them: over the set of pairs."""

from collections.abc import Sequence

import numpy as np

from isthmus.evaluate.metrics.core import FOUND, Floats, Metric, f1, precision, recall


def statistics(golds: Sequence[Sequence[str]], predictions: Sequence[str | None], _language: str = "") -> Floats:
    """Shape (n, 3): right, predicted and gold pairs of each source sentence.

    Args:
        golds: the ids of the right targets of each source sentence; mostly none.
        predictions: the id of the one target that was found, None or "" for none.
    """
    rows = np.zeros((len(golds), 3))
    for row, (gold, prediction) in enumerate(zip(golds, predictions, strict=True)):
        rows[row] = bool(prediction) and prediction in gold, bool(prediction), len(set(gold))
    return rows


MINING_METRICS = (
    Metric("mining_f1", "F1 of mined sentence pairs", FOUND, statistics, f1),
    Metric("mining_precision", "precision of mined sentence pairs", FOUND, statistics, precision),
    Metric("mining_recall", "recall of mined sentence pairs", FOUND, statistics, recall),
)
