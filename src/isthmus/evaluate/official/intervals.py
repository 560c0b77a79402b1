"""How sure the averages of a suite are: intervals over the choice of test examples.

Rubin's Bayesian bootstrap (1981), as for gains (`isthmus.stats.intervals`): every example gets an exponential weight,
and the figures are reduced from weighted sums. Examples with equal statistics share one gamma-distributed weight, the
sum of theirs, so that a language costs as much as it has different statistics. The languages of a task whose test sets
are translations of one another are drawn together, since an easy sentence is easy in most of them; others by
themselves, and so are tasks.
"""

from collections.abc import Mapping, Sequence
from math import isnan, nan, sqrt
from typing import NamedTuple

import numpy as np

from isthmus.evaluate.metrics.core import Floats
from isthmus.evaluate.official.forms import Figure, Scored
from isthmus.stats.intervals import LEVEL, Component
from isthmus.stats.student import critical

#: Only a variance is taken from the draws: its standard error is then 4.5 per cent.
RESAMPLES = 1000
_WEIGHTS_AT_ONCE = 4_000_000


class Interval(NamedTuple):
    """A figure, its interval, and the variance behind it: NaN and empty where the figure itself is not a number."""

    value: float
    low: float
    high: float
    parts: tuple[Component, ...]


class _Block(NamedTuple):
    """Languages that are drawn together: statistics (g, languages, k), zero where a language lacks the example."""

    statistics: Floats
    examples: int


def interval(value: float, parts: Sequence[Component], level: float = LEVEL) -> Interval:
    """``value`` plus and minus t standard errors; the ``parts`` of its variance are independent of one another."""
    total = sum(part.variance for part in parts)
    if isnan(total) or isnan(value):
        return Interval(value, nan, nan, tuple(parts))
    df = total**2 / sum(part.variance**2 / part.df for part in parts)  # Satterthwaite (1946)
    half = critical(level, df) * sqrt(total)
    return Interval(value, max(0.0, value - half), min(100.0, value + half), tuple(parts))


def mean_of(intervals: Sequence[Interval]) -> Interval:
    """The interval of the unweighted mean of independent figures."""
    count = len(intervals)
    parts = [Component(part.variance / count**2, part.df) for each in intervals for part in each.parts]
    return interval(sum(each.value for each in intervals) / count, parts)


def task_intervals(
    languages: Mapping[str, Scored], figures: Mapping[str, Figure], parallel: bool, seed: int = 0
) -> dict[str, Interval]:
    """The interval of the mean over ``languages`` of each figure."""
    generator = np.random.default_rng(seed)
    count = len(languages)
    values = {
        name: sum(float(figure(scored.statistics.sum(axis=0))) for scored in languages.values()) / count
        for name, figure in figures.items()
    }
    parts: dict[str, list[Component]] = {name: [] for name in figures}
    for block in _blocks(list(languages.values()), parallel):
        groups, together, _ = block.statistics.shape
        # One example more might differ: no variance is believed to be smaller, and of a single example none is known.
        least = (100 * together / (count * max(1, block.examples))) ** 2
        drawn = _drawn(block.statistics, generator) if groups > 1 else None
        for name, figure in figures.items():
            variance = least
            if drawn is not None:  # weights of g groups have (g - 1) / (g + 1) of the variance of g independent ones
                moved = figure(drawn).sum(axis=1) / count
                variance = max(least, float(moved.var(ddof=1)) * (groups + 1) / (groups - 1))
            parts[name].append(Component(variance, max(1, groups - 1)))
    return {name: interval(value, parts[name]) for name, value in values.items()}


def _blocks(languages: Sequence[Scored], parallel: bool) -> list[_Block]:
    rows = {key: row for row, key in enumerate(dict.fromkeys(key for scored in languages for key in scored.keys))}
    most = max(len(scored.keys) for scored in languages)
    if not parallel or len(rows) == sum(len(scored.keys) for scored in languages):  # no key is in two languages
        return [_Block(scored.statistics[:, None, :], len(scored.keys)) for scored in languages]
    together = np.zeros((len(rows), len(languages), languages[0].statistics.shape[1]))
    for number, scored in enumerate(languages):
        together[[rows[key] for key in scored.keys], number] = scored.statistics
    return [_Block(together, most)]


def _drawn(statistics: Floats, generator: np.random.Generator) -> Floats:
    """(g, languages, k) -> weighted sums (`RESAMPLES`, languages, k)."""
    flat = statistics.reshape(len(statistics), -1)
    different, counts = np.unique(flat, axis=0, return_counts=True)
    at_once = max(1, _WEIGHTS_AT_ONCE // len(different))
    sums = np.empty((RESAMPLES, flat.shape[1]))
    for start in range(0, RESAMPLES, at_once):
        stop = min(start + at_once, RESAMPLES)
        sums[start:stop] = generator.standard_gamma(counts, (stop - start, len(different))) @ different
    return sums.reshape(RESAMPLES, *statistics.shape[1:])
