"""Tests of a difference without assumptions about its shape, and what to do about having made many of them."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError
from isthmus.results import Statistics
from isthmus.stats.intervals import Reduce, resample

Floats = NDArray[np.float64]

#: Up to this many groups every one of the 2 ** groups exchanges is looked at, and p is exact.
EXACT_GROUPS = 14
_DRAWN_AT_ONCE = 2_000_000


def holm(p: Sequence[float]) -> Floats:
    """The p-values of one table, adjusted for their number so that the chance of any false find stays below alpha.

    Holm (1979), "A simple sequentially rejective multiple test procedure". Any shape is flattened.

    Raises:
        DataError: a p is not between 0 and 1.
    """
    values = np.asarray(p, dtype=np.float64).ravel()
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError("A p-value lies between 0 and 1; one of those to adjust does not.")
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def exchange_p(
    with_: Sequence[Statistics],
    without: Sequence[Statistics],
    reduce: Reduce,
    *,
    exchanges: int = 10_000,
    seed: int = 0,
) -> float:
    """Two-sided p of the gain by a paired permutation test: within each group, the two sides may change places.

    For a metric that is a mean this is the sign-flip test; it holds for any other as well (Noreen 1989, "approximate
    randomization"). Groups change places for all seeds at once, so the seeds are taken as they are. Exact for up to
    `EXACT_GROUPS` groups that differ, else ``(1 + as large) / (1 + exchanges)``.

    Raises:
        DataError: as `isthmus.stats.intervals.gain`.
    """
    seeds = len(with_)
    if seeds != len(without) or not seeds:
        raise DataError(f"A paired test needs as many chains with as without: {seeds} and {len(without)} were given.")
    (sample,) = resample([[*with_, *without]], [reduce], [""], resamples=1)
    above, below = sample.group_sums[:, :seeds], sample.group_sums[:, seeds:]
    differs = (above != below).any(axis=(1, 2))
    total = sample.group_sums.sum(axis=0)
    # (groups that differ, S, k): what the sums gain where the group is exchanged.
    change = (below - above)[differs]
    exact = len(change) <= EXACT_GROUPS
    # Sums taken in another order differ in the last digits: what is equal in truth counts as large as the observed.
    observed = abs(float((sample.observed[:seeds] - sample.observed[seeds:]).mean()))
    threshold = observed - 1e-9 * max(observed, 1)
    as_large = 0
    for exchanged in _every(len(change)) if exact else _random(len(change), exchanges, seed):
        moved = np.tensordot(exchanged, change, axes=1)
        differences = (reduce(total[:seeds] + moved) - reduce(total[seeds:] - moved)).mean(axis=1)
        as_large += int((np.abs(differences) >= threshold).sum())
    return as_large / 2 ** len(change) if exact else (1 + as_large) / (1 + exchanges)


def _every(groups: int) -> Iterator[Floats]:
    """(2 ** groups, groups) of zeros and ones, in one piece."""
    yield (np.arange(2**groups)[:, None] >> np.arange(groups) & 1).astype(np.float64)


def _random(groups: int, exchanges: int, seed: int) -> Iterator[Floats]:
    """(exchanges, groups) of zeros and ones, in pieces of bounded size."""
    generator = np.random.default_rng(seed)
    at_once = max(1, _DRAWN_AT_ONCE // groups)
    for start in range(0, exchanges, at_once):
        rows = min(at_once, exchanges - start)
        yield generator.integers(0, 2, (rows, groups)).astype(np.float64)
