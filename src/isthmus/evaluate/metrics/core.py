"""What a metric is: sums over examples, and a score made from the sums.

Keeping the two apart is what makes every interval cheap and exact: a bootstrap resamples the per-example statistics and
reduces their sums, for accuracy as for a micro F1, without a model and without the texts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric over a corpus of examples.

    Attributes:
        name: as in a task's metadata and in every table.
        columns: the names of the k statistics of one example.
        statistics: golds and predictions of n examples -> float64 of shape (n, k).
        reduce: sums of statistics of shape (..., k) -> scores of shape (...), 0 to 100.
    """

    name: str
    columns: tuple[str, ...]
    statistics: Callable[[Sequence[Any], Sequence[Any]], Floats]
    reduce: Callable[[Floats], Floats]

    def score(self, golds: Sequence[Any], predictions: Sequence[Any]) -> float:
        """The score of n predictions against n golds. NaN over no examples."""
        return float(self.reduce(self.statistics(golds, predictions).sum(axis=0)))
