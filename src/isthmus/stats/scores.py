"""How sure a score is, by itself: intervals over the choice of test examples.

The draws are those of gains (`isthmus.stats.intervals`): Rubin's Bayesian bootstrap of the groups that examples share,
one draw for all languages. The interval is the score plus and minus t standard errors, and it ends at 0 and 100. No
variance is believed to be smaller than that of one example more that differs.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from isthmus.results import Statistics
from isthmus.stats.intervals import LEVEL
from isthmus.stats.resampling import RESAMPLES, Floats, Reduce, Sample, resample
from isthmus.stats.student import critical


class Interval(NamedTuple):
    """A score (0 to 100) and its interval; None for both ends where there is no second group to tell the variance."""

    value: float
    low: float | None
    high: float | None


def score_intervals(
    languages: Mapping[str, Statistics], reduce: Reduce, *, resamples: int = RESAMPLES, level: float = LEVEL
) -> tuple[dict[str, Interval], Interval]:
    """The score in each language, and their unweighted mean; the same arguments give the same figures.

    Raises:
        DataError: there is no example in a language, or its statistics or its score are not numbers.
    """
    splits = [[statistics] for statistics in languages.values()]
    samples = resample(splits, [reduce] * len(splits), list(languages), resamples=resamples)
    found = {tag: _interval([sample], level) for tag, sample in zip(languages, samples, strict=True)}
    return found, _interval(samples, level)


def _interval(samples: Sequence[Sample], level: float) -> Interval:
    """Of the mean of scores that were redrawn together."""
    value = float(np.mean([sample.observed[0] for sample in samples]))
    groups = len(np.unique(np.concatenate([sample.numbers for sample in samples])))
    if groups < 2:
        return Interval(value, None, None)
    moved = np.mean([_moved(sample) for sample in samples], axis=0)
    unseen = sum((100 / sample.examples) ** 2 for sample in samples) / len(samples) ** 2
    half = critical(level, groups - 1) * sqrt(max(float(moved.var(ddof=1)), unseen))
    return Interval(value, max(0.0, value - half), min(100.0, value + half))


def _moved(sample: Sample) -> Floats:
    """Redrawn less observed: the weights of g groups have (g - 1) / (g + 1) of the variance of g independent ones."""
    groups = len(sample.numbers)
    widened = sqrt((groups + 1) / (groups - 1)) if groups > 1 else 1.0
    moved: Floats = (sample.resampled[:, 0] - sample.observed[0]) * widened
    return moved
