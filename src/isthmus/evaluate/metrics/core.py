"""What a metric is: sums over examples, and a score made from the sums.

Keeping the two apart is what makes every interval cheap and exact: a bootstrap resamples the per-example statistics and
reduces their sums, for accuracy as for a micro F1, without a model and without the texts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistics = Callable[[Sequence[Any], Sequence[Any], str], Floats]
Reduce = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Metric:
    """A metric over a corpus of examples.

    Attributes:
        name: as in a task's metadata and in every table.
        description: what it measures, in a line.
        columns: the names of the k statistics of one example.
        statistics: golds and predictions of n examples, and their language as a BCP 47 tag -> float64 of shape (n, k).
        reduce: sums of statistics of shape (..., k) -> scores of shape (...), 0 to 100.
        compares: what one prediction is: a label (or an id, or a text), a list of tags, or a list of ids, best first.
    """

    name: str
    description: str
    columns: tuple[str, ...]
    statistics: Statistics
    reduce: Reduce
    compares: Literal["label", "tags", "ranking"] = "label"

    def score(self, golds: Sequence[Any], predictions: Sequence[Any], language: str = "en") -> float:
        """The score of n predictions against n golds. NaN over no examples, where the metric is a mean."""
        return float(self.reduce(self.statistics(golds, predictions, language).sum(axis=0)))


def mean(column: int, count: int) -> Reduce:
    """A reduction to 100 x the sum of ``column`` / the sum of ``count``: NaN where that is 0."""

    def reduce(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(100 * sums[..., column] / sums[..., count])

    return reduce


#: The statistics of what is found in a corpus: how much of it is right, predicted and gold.
FOUND = ("right", "predicted", "gold")


def precision(sums: Floats) -> Floats:
    """100 x right / predicted of `FOUND`; 0 where nothing is predicted."""
    return _share(sums[..., 0], sums[..., 1])


def recall(sums: Floats) -> Floats:
    """100 x right / gold of `FOUND`; 0 where nothing is gold."""
    return _share(sums[..., 0], sums[..., 2])


def f1(sums: Floats) -> Floats:
    """100 x 2 right / (predicted + gold) of `FOUND`; 0 where there is neither."""
    return _share(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def _share(part: Floats, whole: Floats) -> Floats:
    # What a bootstrap weighs may be any positive number: only an exact 0 is nothing.
    return np.asarray(100 * part / np.where(whole == 0, 1, whole))
