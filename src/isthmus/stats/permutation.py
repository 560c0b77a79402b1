"""The paired permutation test of many gains at once: within each group, the two sides may change places.

If the intermediate task does nothing to the models at hand, either of the two sets of predictions for a group may have
come from either side, and a gain, as a sum over groups (`isthmus.stats.intervals.Draws.changes`), has any signs with
equal chances: Fisher's sign-flip test. For metrics that are no mean, it is the approximate randomization of Noreen
(1989), with the gain taken to first order about the mean of both sides, which an exchange leaves as it is: so the test
is as exact as for a mean. A group changes places in all seeds at once, since they answered the same examples.

That says nothing of training again: seeds are exchanged by themselves in 2 ** S ways only, which can show nothing with
less than six. With several seeds, what they add to the uncertainty is therefore added as in the interval: a t variable
beside the flipped signs. With one seed the test is about the two models alone, as the interval is.

There is no sampling. Up to `EXACT_GROUPS` groups, all exchanges are looked at. For more, the distribution of the sum is
had from its characteristic function, a product of cosines. That is exact where changes are whole multiples of one
change, as for answers that are right or wrong; else they are rounded to 1/160 of the standard deviation of their sum,
which moves p by less than a thousandth.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from isthmus.errors import DataError
from isthmus.results import Statistics
from isthmus.stats.intervals import Exchange, exchange, paired
from isthmus.stats.resampling import Floats, Reduce, resample

#: Up to this many groups every one of the 2 ** groups exchanges is looked at, where there is one seed.
EXACT_GROUPS = 14
#: The largest rounded change, and the number of places of their sum: 12 standard deviations to either side.
_LARGEST, _PLACES = 160, 4096
_AT_ONCE = 256
#: Means over seeds may be 2/3 and 1 of a change: the unit is looked for up to this part of the least change.
_PARTS = 6
#: No p below is believed: what a fast Fourier transform rounds away is of this size.
_SMALLEST = 1e-15


def exchange_p(with_: Sequence[Statistics], without: Sequence[Statistics], reduce: Reduce) -> float:
    """Two-sided p of the gain of the chains ``with_`` over those ``without``, one of each a seed.

    Raises:
        DataError: as `isthmus.stats.intervals.gain`.
    """
    seeds = len(with_)
    if seeds != len(without) or not seeds:
        raise DataError(f"A paired test needs as many chains with as without: {seeds} and {len(without)} were given.")
    (sample,) = resample([[*with_, *without]], [reduce], [""], resamples=1)
    draws = paired(sample, range(seeds), range(seeds, 2 * seeds), range(seeds))
    return float(permutation_p([exchange(draws)])[0])


def permutation_p(exchanges: Sequence[Exchange]) -> Floats:
    """Two-sided p of each of a table's gains; 1 where no group differs. Not adjusted for their number."""
    found = np.ones(len(exchanges))
    many = []
    for place, one in enumerate(exchanges):
        changes = one.changes[one.changes != 0]
        if len(changes) == 0:
            continue
        if len(changes) <= EXACT_GROUPS and not one.error:
            found[place] = _all_exchanges(changes)
        else:
            many.append((place, changes, one))
    for start in range(0, len(many), _AT_ONCE):
        places, changes, of = zip(*many[start : start + _AT_ONCE], strict=True)
        found[list(places)] = _by_cosines(changes, of)
    return found


def _all_exchanges(changes: Floats) -> float:
    """The share of all signs whose sum is as large as the observed one."""
    signs = 1.0 - 2.0 * (np.arange(2 ** (len(changes) - 1))[:, None] >> np.arange(len(changes)) & 1)
    sums = np.abs(signs @ changes)
    # Sums taken in another order differ in the last digits: what is equal in truth counts as large as the observed.
    return float(np.mean(sums >= sums[0] - 1e-9 * max(sums[0], np.abs(changes).max())))


def _by_cosines(many: Sequence[Floats], of: Sequence[Exchange]) -> Floats:
    units, exact = zip(*map(_unit, many), strict=True)
    whole = [np.rint(changes / unit).astype(np.int64) for changes, unit in zip(many, units, strict=True)]
    counts = np.stack([np.bincount(np.abs(each), minlength=_LARGEST + 1) for each in whole]).astype(np.float64)
    logarithms, signs = _cosines()
    negative = (counts @ signs) % 2
    chances = np.fft.irfft(np.exp(counts @ logarithms) * (1 - 2 * negative), _PLACES)
    chances = np.maximum(np.fft.fftshift(chances, axes=1), 0)
    sums = np.arange(_PLACES, dtype=np.float64) - _PLACES // 2
    found = np.empty(len(many))
    for row, (each, one) in enumerate(zip(whole, of, strict=True)):
        observed = abs(float(each.sum() if exact[row] else many[row].sum() / units[row]))
        if one.error:
            found[row] = _beyond(chances[row], sums, observed, one.error / units[row], one.df)
            continue
        # A rounded sum stands for those up to one place off: it is every second number.
        share = np.abs(sums) >= observed if exact[row] else np.clip((np.abs(sums) + 1 - observed) / 2, 0, 1)
        found[row] = max(float(chances[row] @ share), 2.0 ** (1 - len(each)), _SMALLEST)
    return np.minimum(found, 1)


@cache
def _cosines() -> tuple[Floats, Floats]:
    """The logarithms of the cosines of every change at every frequency, and which of them are negative."""
    cosines = np.cos(2 * np.pi * np.outer(np.arange(_LARGEST + 1), np.arange(_PLACES // 2 + 1)) / _PLACES)
    return np.log(np.maximum(np.abs(cosines), 1e-300)), (cosines < 0).astype(np.float64)


def _unit(changes: Floats) -> tuple[float, bool]:
    """What changes are whole multiples of, and True; where there is no such thing, what they are rounded to."""
    sizes = np.abs(changes)
    root, least = float(np.sqrt((sizes**2).sum())), float(sizes.min())
    for part in range(1, _PARTS + 1):
        multiples = sizes * part / least
        if root * part <= _LARGEST * least and np.abs(multiples - np.rint(multiples)).max() < 1e-6:
            return least / part, True
    return root / _LARGEST, False


def _beyond(chances: Floats, sums: Floats, observed: float, error: float, df: float) -> float:
    """P(|sum + error x t| >= observed): twice the upper side, since both are symmetric."""
    if error > 32:  # smooth over sixteen places
        blocks = chances.reshape(-1, 16).sum(axis=1)
        sums = (chances * sums).reshape(-1, 16).sum(axis=1) / np.where(blocks > 0, blocks, 1)
        chances = blocks
    kept = chances > _SMALLEST
    return max(float(2 * (chances[kept] * upper_tail((observed - sums[kept]) / error, df)).sum()), _SMALLEST)


def upper_tail(t: Floats, df: float) -> Floats:
    """P(T >= t) of Student's t for many t, to four digits: integrated over equal steps of arsinh t."""
    places = np.linspace(0, 14, 1401)
    at = np.sinh(places)
    shape = -(df + 1) / 2 * np.log1p(at**2 / df)
    density = np.exp(shape) * np.cosh(places)
    steps = (density[1:] + density[:-1])[::-1].cumsum()[::-1]
    tail = np.log(np.maximum(np.append(steps, 0), 1e-300)) - np.log(2 * steps[0])
    above: Floats = np.exp(np.interp(np.arcsinh(np.abs(t)), places, tail))
    return np.asarray(np.where(t >= 0, above, 1 - above), dtype=np.float64)
