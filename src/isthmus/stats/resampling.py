"""Scores of many chains on test splits whose examples are drawn anew, all together."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError
from isthmus.results import Statistics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Reduce = Callable[[Floats], Floats]

RESAMPLES = 2000
#: Weights drawn at once: bounds the memory (32 MB) and not the result.
_WEIGHTS_AT_ONCE = 4_000_000


class Sample(NamedTuple):
    """Scores of m chains on one test split, as they are and on B redrawn ones.

    Attributes:
        observed: (m,). resampled: (B, m).
        group_sums: (g, m, k), the metric's statistics summed over each group.
        numbers: (g,), what the groups are called among the groups of all splits that were redrawn together.
        examples: how many there are. reduce: that of the metric.
    """

    observed: Floats
    resampled: Floats
    group_sums: Floats
    numbers: Ints
    examples: int
    reduce: Reduce


def resample(
    splits: Sequence[Sequence[Statistics]],
    reduces: Sequence[Reduce],
    names: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Sample]:
    """Redraw the groups of all ``splits`` together; a split is given by the statistics of every chain scored on it.

    Groups of the same name are one group. Where the name is the same by chance the draws are merely reused: the
    covariance of unrelated examples is zero in expectation.

    Raises:
        DataError: chains of one split differ in their examples, or one has none, or statistics that are not numbers.
    """
    import pyarrow as pa

    if not splits:
        return []
    for chains, name in zip(splits, names, strict=True):
        _check(chains, name)
    everything = pa.array(chain.from_iterable(chains[0].groups for chains in splits)).dictionary_encode()
    codes = everything.indices.to_numpy().astype(np.int64)
    ends = np.cumsum([len(chains[0].ids) for chains in splits])
    numbers, sums = [], []
    for chains, of_split in zip(splits, np.split(codes, ends[:-1]), strict=True):
        present, local = np.unique(of_split, return_inverse=True)
        values = np.stack([statistics.values for statistics in chains], axis=1)
        order = np.argsort(local, kind="stable")
        numbers.append(present)
        sums.append(np.add.reduceat(values[order], np.searchsorted(local[order], np.arange(len(present))), axis=0))
    redrawn = _redraw(numbers, sums, len(everything.dictionary), resamples, seed)
    samples = []
    for index, reduce in enumerate(reduces):
        observed = reduce(sums[index].sum(axis=0))
        if not np.isfinite(observed).all():
            raise DataError(f"A score{_in(names[index])} is not a number: there is nothing in its examples to measure.")
        examples = len(splits[index][0].ids)
        samples.append(Sample(observed, reduce(redrawn[index]), sums[index], numbers[index], examples, reduce))
    return samples


def _redraw(numbers: Sequence[Ints], sums: Sequence[Floats], groups: int, resamples: int, seed: int) -> list[Floats]:
    """(B, m, k) sums of every split, under weights that average one."""
    generator = np.random.default_rng(seed)
    redrawn = [np.empty((resamples, *of_split.shape[1:])) for of_split in sums]
    at_once = max(1, _WEIGHTS_AT_ONCE // max(groups, 1))
    for start in range(0, resamples, at_once):
        stop = min(start + at_once, resamples)
        weights = generator.standard_exponential((stop - start, groups))
        for present, of_split, out in zip(numbers, sums, redrawn, strict=True):
            mine = weights if len(present) == groups else weights[:, present]
            flat = mine @ of_split.reshape(len(present), -1)
            flat *= (len(present) / mine.sum(axis=1))[:, None]
            out[start:stop] = flat.reshape(-1, *of_split.shape[1:])
    return redrawn


def _check(chains: Sequence[Statistics], name: str) -> None:
    first = chains[0]
    for other in chains:
        if other.ids != first.ids or other.groups != first.groups:
            raise DataError(f"Two chains{_in(name)} were not scored on the same examples: {_difference(first, other)}.")
        if other.values.shape != first.values.shape or len(other.values) != len(first.ids):
            raise DataError(
                f"The statistics of two chains{_in(name)} have shapes {first.values.shape} and {other.values.shape} "
                f"for {len(first.ids)} examples: were they scored by different metrics?"
            )
        if not np.isfinite(other.values).all():
            row = int(np.argwhere(~np.isfinite(other.values))[0, 0])
            raise DataError(f"The statistics of the example {other.ids[row]!r}{_in(name)} are not numbers.")
    if not first.ids:
        raise DataError(f"There is no test example{_in(name)}: no gain can be measured.")


def _difference(one: Statistics, other: Statistics) -> str:
    for row, (left, right) in enumerate(zip(one.ids, other.ids, strict=False)):
        if left != right:
            return f"row {row + 1} is {left!r} in one and {right!r} in the other"
    if len(one.ids) != len(other.ids):
        return f"one has {len(one.ids)}, the other {len(other.ids)}"
    return "the ids are equal but their groups are not"


def _in(name: str) -> str:
    return f" in {name}" if name else ""
