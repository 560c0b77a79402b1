"""How sure a gain is: intervals paired over examples and over seeds.

The test examples are drawn anew by a bootstrap of their *groups* (the template, the paragraph that several examples
share), always the same draw for both sides of a gain, for every seed and for every language that has the group. The
draw is Rubin's Bayesian bootstrap (1981): every group gets an exponential weight, so that no draw empties a small
language, and parallel sentences move together in all of theirs whatever else a language has. Seeds are a second,
crossed level (Owen 2007, "The pigeonhole bootstrap"): the test set is one and the same for all of them, so drawing it
anew for each seed would make intervals too narrow. Bootstrapping a plain mean over seeds has a closed form, and that
is what is added.

The interval is the estimate plus and minus t standard errors, with degrees of freedom from both levels and one example
added that differs (Agresti and Min 2005, for matched pairs): identical predictions on a few examples are no proof of
equality. Percentiles of the draws are not used: with a handful of groups or seeds they are far too narrow, and where a
single example differs they may exclude zero. ``benchmarks/interval_coverage.py`` measures both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import fabs, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError
from isthmus.results import Statistics
from isthmus.stats.student import critical, two_sided_p

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Reduce = Callable[[Floats], Floats]

RESAMPLES = 2000
LEVEL = 0.95
#: Weights drawn at once: bounds the memory (32 MB) and not the result.
_WEIGHTS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Gain:
    """A difference of scores (0 to 100, so in points) and how sure it is.

    Attributes:
        estimate: the score with, less the score without, averaged over seeds.
        low, high: the interval; NaN where there is no second group to tell the variance from.
        seeds: pairs of chains with equal seeds. With one, the interval covers the choice of test examples only.
        examples, groups: test examples, and the groups of them that are resampled, over all languages.
        p: two-sided, of no difference; below 0.05 exactly when a 95% interval leaves zero out.
    """

    estimate: float
    low: float
    high: float
    seeds: int
    examples: int
    groups: int
    p: float

    @property
    def covers(self) -> str:
        """What the interval takes into account, in words."""
        if self.seeds == 1:
            return "one seed: covers the choice of test examples only, not how much results vary between seeds"
        return f"covers the choice of test examples and of seeds ({self.seeds})"


@dataclass(frozen=True)
class MeanGain:
    """The unweighted mean of the gains in ``languages``, and those left out because only one side has them."""

    gain: Gain
    languages: tuple[str, ...]
    only_with: tuple[str, ...] = ()
    only_without: tuple[str, ...] = ()


class Sample(NamedTuple):
    """Scores of m chains on one test split, as they are and on B redrawn ones.

    Attributes:
        observed: (m,). resampled: (B, m).
        group_sums: (g, m, k), the metric's statistics summed over each group.
        numbers: (g,), what the groups are called among the groups of all splits that were redrawn together.
        examples: how many there are.
    """

    observed: Floats
    resampled: Floats
    group_sums: Floats
    numbers: Ints
    examples: int


@dataclass(frozen=True)
class Draws:
    """One gain, or a mean of gains, seed by seed, and how it moves when the test examples are drawn anew.

    Attributes:
        seeds: the S seeds. observed: (S,), the gain of each.
        moved: (S, B), resampled gains less the observed ones, widened by what a bootstrap of few groups falls short of.
        numbers: the groups; differing: those on which the two sides are not equal. examples: how many.
        unseen: the variance of one example more that differs.
    """

    seeds: tuple[int, ...]
    observed: Floats
    moved: Floats
    numbers: Ints
    differing: Ints
    examples: int
    unseen: float

    def at(self, seeds: Sequence[int]) -> "Draws":
        """The same for some of its seeds, in their order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return replace(self, seeds=tuple(seeds), observed=self.observed[rows], moved=self.moved[rows])

    def minus(self, other: "Draws") -> "Draws":
        """How far this gain is ahead of another one of the same examples and seeds (the shared baseline cancels)."""
        return replace(
            self,
            observed=self.observed - other.observed,
            moved=self.moved - other.moved,
            differing=np.union1d(self.differing, other.differing),
        )


@dataclass(frozen=True)
class SeedVariance:
    """How gains in L languages vary between seeds: together, and each by itself.

    Two or three seeds say little about one language alone (the t of one degree of freedom is 12.7), but all languages
    of a comparison ran with the same seeds. Gain = language + seed + rest, the rest being as large in every language.

    Attributes:
        together: variance over seeds of the mean over languages, with S - 1 degrees of freedom.
        alone: variance of the rest, with (S - 1)(L - 1).
    """

    together: float
    alone: float
    languages: int

    @classmethod
    def of(cls, members: Sequence[Draws]) -> "SeedVariance":
        """Of one comparison, a gain for each language; zero with one seed."""
        gains = np.stack([member.observed for member in members])
        seeds, languages = gains.shape[1], len(gains)
        if seeds == 1:
            return cls(0.0, 0.0, languages)
        by_seed = gains.mean(axis=0)
        rest = gains - gains.mean(axis=1, keepdims=True) - by_seed + by_seed.mean()
        freedom = (seeds - 1) * (languages - 1)
        alone = float((rest**2).sum()) / freedom if freedom else 0.0
        return cls(float(by_seed.var(ddof=1)), alone, languages)

    def of_mean(self, languages: int, seeds: int) -> tuple["Component", ...]:
        """Of the mean over seeds and over some of the languages."""
        rest = self.alone * (1 / languages - 1 / self.languages)
        freedom = (seeds - 1) * (self.languages - 1)
        return Component(self.together / seeds, seeds - 1), Component(rest / seeds, freedom)


class Component(NamedTuple):
    """A part of a variance, and the degrees of freedom it is known with."""

    variance: float
    df: int


def mean_of(members: Sequence[Draws]) -> Draws:
    """The unweighted mean of gains with the same seeds, over languages or over targets."""
    return Draws(
        members[0].seeds,
        np.mean([member.observed for member in members], axis=0),
        np.mean([member.moved for member in members], axis=0),
        np.unique(np.concatenate([member.numbers for member in members])),
        np.unique(np.concatenate([member.differing for member in members])),
        sum(member.examples for member in members),
        sum(member.unseen for member in members) / len(members) ** 2,
    )


def gain(
    with_: Sequence[Statistics],
    without: Sequence[Statistics],
    reduce: Reduce,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Gain:
    """The gain of the chains ``with_`` over those ``without``: one of each a seed, in the same order of seeds.

    ``reduce`` is that of the metric: sums of statistics (..., k) to scores (...). The result depends on nothing but
    the arguments: ``seed`` is that of the bootstrap.

    Raises:
        DataError: the sides differ in number or in their examples, are empty, or have statistics that are not numbers.
    """
    return mean_gain({"": with_}, {"": without}, reduce, resamples=resamples, seed=seed, level=level).gain


def mean_gain(
    with_: Mapping[str, Sequence[Statistics]],
    without: Mapping[str, Sequence[Statistics]],
    reduce: Reduce,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> MeanGain:
    """The mean over the languages that both sides have; each maps a language to one `Statistics` a seed.

    The languages are taken as they are, not as a sample of all languages.

    Raises:
        DataError: as `gain`; or no language is on both sides.
    """
    languages = tuple(language for language in with_ if language in without)
    if not languages:
        raise DataError("No language was scored both with and without the intermediate task: there is no gain to show.")
    for language in languages:
        if len(with_[language]) != len(without[language]) or not with_[language]:
            raise DataError(
                f"A gain{_in(language)} needs one chain with and one without for every seed: "
                f"{len(with_[language])} and {len(without[language])} were given."
            )
    chains = [[*with_[language], *without[language]] for language in languages]
    samples = resample(chains, [reduce] * len(chains), languages, resamples=resamples, seed=seed)
    members = []
    for sample in samples:
        half = sample.observed.shape[0] // 2
        members.append(paired(sample, range(half), range(half, 2 * half), range(half)))
    return MeanGain(
        interval(mean_of(members), level),
        languages,
        tuple(language for language in with_ if language not in without),
        tuple(language for language in without if language not in with_),
    )


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
        samples.append(Sample(observed, reduce(redrawn[index]), sums[index], numbers[index], examples))
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


def paired(sample: Sample, with_: Sequence[int], without: Sequence[int], seeds: Sequence[int]) -> Draws:
    """The gain of the chains ``with_`` over those ``without`` (positions in the sample), seed by seed."""
    above, below = list(with_), list(without)
    observed = sample.observed[above] - sample.observed[below]
    moved = (sample.resampled[:, above] - sample.resampled[:, below] - observed).T
    groups = len(sample.numbers)
    # The weights of g groups have (g - 1) / (g + 1) of the variance that g independent groups have.
    widened = moved * sqrt((groups + 1) / (groups - 1)) if groups > 1 else moved
    differs = (sample.group_sums[:, above] != sample.group_sums[:, below]).any(axis=(1, 2))
    # One example weighs about 100 / examples points, whatever the metric.
    unseen = (100 / sample.examples) ** 2
    differing = sample.numbers[differs]
    return Draws(tuple(seeds), observed, widened, sample.numbers, differing, sample.examples, unseen)


def interval(draws: Draws, level: float = LEVEL, seeds: SeedVariance | None = None, languages: int = 1) -> Gain:
    """The estimate, its interval and its p.

    ``seeds`` is what is known of the variance between seeds from all languages of the comparison, where ``draws`` is
    the mean over ``languages`` of them; without it, it comes from the seeds of ``draws`` alone.
    """
    estimate, runs, groups = float(draws.observed.mean()), len(draws.seeds), len(draws.numbers)
    if groups < 2:
        return Gain(estimate, nan, nan, runs, draws.examples, groups, 1.0)
    components = [Component(float(draws.moved.mean(axis=0).var(ddof=1)) + draws.unseen, groups - 1)]
    if runs > 1:
        components += (seeds or SeedVariance.of([draws])).of_mean(languages, runs)
    error = sqrt(sum(part.variance for part in components))
    df = _degrees_of_freedom(components)
    half = critical(level, df) * error
    # No paired test can find a sign in d groups that differ at a p below 2 ** (1 - d): not even if all d agree.
    least = 1.0 if estimate == 0 else min(1.0, 2.0 ** (1 - len(draws.differing)))
    if least >= 1 - level:
        half = max(half, fabs(estimate))
    p = max(two_sided_p(estimate / error, df), least)
    return Gain(estimate, estimate - half, estimate + half, runs, draws.examples, groups, p)


def _degrees_of_freedom(components: Sequence[Component]) -> float:
    """Of a sum of variances, each with its own: their harmonic mean, weighted by the shares of the sum.

    Satterthwaite (1946) squares the shares, which is too sure of itself where two or three seeds happen to agree.
    """
    total = sum(part.variance for part in components)
    return total / sum(part.variance / part.df for part in components if part.variance)


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
