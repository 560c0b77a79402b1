"""How early in a ranked list the right ids stand: Mewsli-X's and LAReQA's "mAP@20", which are not the same.

Mewsli-X has one right entity a mention, so its figure is the mean reciprocal rank. LAReQA has many right answers a
question (Roy et al. 2020): average precision, divided by as many as can stand among the first 20.
"""

from collections.abc import Sequence

import numpy as np

from isthmus.evaluate.metrics.core import Floats, Metric, mean

TOP = 20


def reciprocal_rank(targets: Sequence[str], ranking: Sequence[str]) -> float:
    """1 / the rank of the first target, 0 where it is not among the first `TOP`; other targets do not count."""
    if not targets:
        return 0.0
    wanted = targets[0].strip()
    return next((1 / rank for rank, found in enumerate(ranking[:TOP], start=1) if found == wanted), 0.0)


def average_precision(targets: Sequence[str], ranking: Sequence[str]) -> float:
    """Sum of the precision at each target among the first `TOP` / min(number of targets, `TOP`), 0 to 1.

    An id that is ranked twice counts where it stands first. 0 where there is no target.
    """
    wanted = set(targets)
    possible, found, total = max(1, min(len(wanted), TOP)), 0, 0.0
    for rank, name in enumerate(ranking[:TOP], start=1):
        if name in wanted:
            wanted.remove(name)
            found += 1
            total += found / rank
    return total / possible


def mrr_statistics(golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]], _language: str = "") -> Floats:
    """Shape (n, 2): the reciprocal rank of each query, and one."""
    values = [reciprocal_rank(gold, ranking) for gold, ranking in zip(golds, predictions, strict=True)]
    return np.column_stack([np.asarray(values, dtype=np.float64), np.ones(len(values))])


def map_statistics(golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]], _language: str = "") -> Floats:
    """Shape (n, 2): the average precision of each query, and one."""
    values = [average_precision(gold, ranking) for gold, ranking in zip(golds, predictions, strict=True)]
    return np.column_stack([np.asarray(values, dtype=np.float64), np.ones(len(values))])


_COLUMNS = ("value", "queries")
RANKING_METRICS = (
    Metric(
        "mrr@20",
        "mean reciprocal rank of the one right id within 20 (what Mewsli-X calls map@20)",
        _COLUMNS,
        mrr_statistics,
        mean(0, 1),
        "ranking",
    ),
    Metric(
        "map@20",
        "mean average precision of all right ids within 20 (LAReQA)",
        _COLUMNS,
        map_statistics,
        mean(0, 1),
        "ranking",
    ),
)
