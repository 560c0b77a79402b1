"""Accuracy: the share of examples whose prediction equals the gold, exactly; and the same over tokens."""

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np

from isthmus.evaluate.metrics.core import Floats, Metric, mean


def statistics(golds: Sequence[Any], predictions: Sequence[Any], _language: str = "") -> Floats:
    """Shape (n, 2): is it right, and one."""
    right = [bool(gold == prediction) for gold, prediction in zip(golds, predictions, strict=True)]
    return np.column_stack([np.asarray(right, dtype=np.float64), np.ones(len(right))])


def token_statistics(
    golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]], _language: str = ""
) -> Floats:
    """Shape (n, 2): right tags and gold tags of each sentence.

    Where sentences differ in length, tag i of all gold sentences in a row is compared with tag i of all predicted ones.
    """
    lengths = [len(gold) for gold in golds]
    right = np.zeros(sum(lengths))
    pairs = zip(chain.from_iterable(golds), chain.from_iterable(predictions), strict=False)
    for position, (gold, prediction) in enumerate(pairs):
        right[position] = gold == prediction
    summed = np.concatenate([[0.0], np.cumsum(right)])
    ends = np.asarray([0, *accumulate(lengths)])
    return np.column_stack([np.diff(summed[ends]), np.asarray(lengths, dtype=np.float64)])


ACCURACY = Metric("accuracy", "examples predicted exactly", ("right", "examples"), statistics, mean(0, 1))
TOKEN_ACCURACY = Metric(
    "token_accuracy", "tokens with the right tag", ("right", "tokens"), token_statistics, mean(0, 1), "tags"
)
