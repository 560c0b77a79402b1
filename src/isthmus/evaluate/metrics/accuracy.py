"""Accuracy: the share of examples whose prediction equals the gold, exactly."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from isthmus.evaluate.metrics.core import Floats, Metric


def statistics(golds: Sequence[Any], predictions: Sequence[Any]) -> Floats:
    """Shape (n, 2): is it right, and one."""
    right = [gold == prediction for gold, prediction in zip(golds, predictions, strict=True)]
    return np.column_stack([np.asarray(right, dtype=np.float64), np.ones(len(right))])


def reduce(sums: Floats) -> Floats:
    """100 x right / examples."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(100 * sums[..., 0] / sums[..., 1])


ACCURACY = Metric("accuracy", ("right", "examples"), statistics, reduce)
