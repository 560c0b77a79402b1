"""How sure a gain is: intervals paired over examples and over seeds.

The test examples are drawn anew by a bootstrap of their *groups* (the template, the paragraph that several examples
share), always the same draw for both sides of a gain, for every seed and for every language that has the group. The
draw is Rubin's Bayesian bootstrap (1981): every group gets an exponential weight, so that no draw empties a small
language, and parallel sentences move together in all of theirs whatever else a language has. Seeds are a second,
crossed level (Owen 2007, "The pigeonhole bootstrap"): the test set is one and the same for all of them, so drawing it
anew for each seed would make intervals too narrow. Bootstrapping a plain mean over seeds has a closed form, and that
is what is added, without what both levels have in common: that each seed errs on examples of its own is in the variance
over examples and in that over seeds, and would count twice.

The interval is the estimate plus and minus t standard errors, with degrees of freedom from both levels and one example
added that differs (Agresti and Min 2005, for matched pairs): identical predictions on a few examples are no proof of
equality. Percentiles of the draws are not used: with a handful of groups or seeds they are far too narrow, and where a
single example differs they may exclude zero. ``benchmarks/interval_coverage.py`` measures both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fabs, inf, nan, sqrt
from typing import NamedTuple

import numpy as np

from isthmus.errors import DataError
from isthmus.results import Statistics
from isthmus.stats.resampling import RESAMPLES, Floats, Ints, Reduce, Sample, resample
from isthmus.stats.student import critical, two_sided_p

LEVEL = 0.95
#: The level of the interval that is inside of a margin when two one-sided tests at 5% say so.
_TWO_ONE_SIDED = 0.90
#: The power of the share that a component has of the variance, where it has so few degrees of freedom.
_POWERS = {1: 0.4, 2: 0.8}


@dataclass(frozen=True)
class Gain:
    """A difference of scores (0 to 100, so in points) and how sure it is.

    Attributes:
        estimate: the score with, less the score without, averaged over seeds.
        low, high: the interval; NaN where there is no second group to tell the variance from.
        seeds: pairs of chains with equal seeds. With one, the interval covers the choice of test examples only.
        examples, groups: test examples, and the groups of them that are resampled, over all languages.
        p: two-sided, of no difference; below 0.05 exactly when a 95% interval leaves zero out.
        no_larger_than: the larger absolute end of the 90% interval; infinite where there is none.
    """

    estimate: float
    low: float
    high: float
    seeds: int
    examples: int
    groups: int
    p: float
    no_larger_than: float = inf

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


@dataclass(frozen=True)
class Draws:
    """One gain, or a mean of gains, seed by seed, and how it moves when the test examples are drawn anew.

    Attributes:
        seeds: the S seeds. observed: (S,), the gain of each.
        moved: (S, B), resampled gains less the observed ones, widened by what a bootstrap of few groups falls short of.
        numbers: the groups; differing: those d on which the two sides are not equal. examples: how many.
        changes: (S, d), the points that each of these adds to the gain; the other way, were its sides exchanged.
        unseen: the variance of one example more that differs.
    """

    seeds: tuple[int, ...]
    observed: Floats
    moved: Floats
    numbers: Ints
    differing: Ints
    changes: Floats
    examples: int
    unseen: float

    def at(self, seeds: Sequence[int]) -> "Draws":
        """The same for some of its seeds, in their order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return replace(
            self,
            seeds=tuple(seeds),
            observed=self.observed[rows],
            moved=self.moved[rows],
            changes=self.changes[rows],
        )

    def minus(self, other: "Draws") -> "Draws":
        """How far this gain is ahead of another one of the same examples and seeds (the shared baseline cancels)."""
        differing, changes = _together([self.differing, other.differing], [self.changes, -other.changes])
        return replace(
            self,
            observed=self.observed - other.observed,
            moved=self.moved - other.moved,
            differing=differing,
            changes=changes,
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


class Exchange(NamedTuple):
    """A gain as a sum over groups, and what seeds add to its uncertainty.

    Attributes:
        changes: (d,), what each group that differs adds. error: standard error of the seeds, known with ``df``; 0 with
            one.
    """

    changes: Floats
    error: float
    df: float


class Component(NamedTuple):
    """A part of a variance, and the degrees of freedom it is known with."""

    variance: float
    df: int


def mean_of(members: Sequence[Draws]) -> Draws:
    """The unweighted mean of gains with the same seeds, over languages or over targets."""
    differing, changes = _together([member.differing for member in members], [member.changes for member in members])
    return Draws(
        members[0].seeds,
        np.mean([member.observed for member in members], axis=0),
        np.mean([member.moved for member in members], axis=0),
        _union([member.numbers for member in members]),
        differing,
        changes / len(members),
        sum(member.examples for member in members),
        sum(member.unseen for member in members) / len(members) ** 2,
    )


def _together(differing: Sequence[Ints], changes: Sequence[Floats]) -> tuple[Ints, Floats]:
    """The union of the groups that differ, and the sums (S, groups) of what they add."""
    numbers = _union(differing)
    places = np.searchsorted(numbers, np.concatenate(differing))
    rows = np.concatenate(changes, axis=1)
    return numbers, np.stack([np.bincount(places, row, len(numbers)) for row in rows])


def _union(parts: Sequence[Ints]) -> Ints:
    """The numbers that are in any of them, in order."""
    there = np.zeros(max((int(part.max()) + 1 for part in parts if len(part)), default=0), dtype=bool)
    for part in parts:
        there[part] = True
    return np.flatnonzero(there)


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
                f"A gain{f' in {language}' if language else ''} needs one chain with and one without for every seed: "
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


def paired(sample: Sample, with_: Sequence[int], without: Sequence[int], seeds: Sequence[int]) -> Draws:
    """The gain of the chains ``with_`` over those ``without`` (positions in the sample), seed by seed."""
    above, below = list(with_), list(without)
    observed = sample.observed[above] - sample.observed[below]
    moved = (sample.resampled[:, above] - sample.resampled[:, below] - observed).T
    groups = len(sample.numbers)
    # The weights of g groups have (g - 1) / (g + 1) of the variance that g independent groups have.
    widened = moved * sqrt((groups + 1) / (groups - 1)) if groups > 1 else moved
    differs = (sample.group_sums[:, above] != sample.group_sums[:, below]).any(axis=(1, 2))
    differing = sample.numbers[differs]
    sides = sample.group_sums[:, above], sample.group_sums[:, below]
    slopes = _slopes(sample.reduce, (sides[0] + sides[1]).sum(axis=0) / 2)
    changes = np.einsum("gsk,sk->sg", sides[0][differs] - sides[1][differs], slopes)
    # One example weighs about 100 / examples points, whatever the metric; graded answers may never differ that much.
    unseen = min(100 / sample.examples, np.abs(changes).max(initial=0) or inf) ** 2
    return Draws(tuple(seeds), observed, widened, sample.numbers, differing, changes, sample.examples, unseen)


def _slopes(reduce: Reduce, sums: Floats) -> Floats:
    """How a score changes with each of the sums (S, k) it is made of, by central differences: (S, k).

    Taken at the mean of both sides, they stay the same when groups exchange theirs, and a gain becomes a sum over
    groups: for a mean exactly, for a micro F1 up to terms of the third order.
    """
    found = np.empty_like(sums)
    for column in range(sums.shape[1]):
        step = np.zeros_like(sums)
        step[:, column] = 1e-3 * np.maximum(np.abs(sums[:, column]), 1)
        found[:, column] = (reduce(sums + step) - reduce(sums - step)) / (2 * step[:, column])
    return np.nan_to_num(found)


def interval(draws: Draws, level: float = LEVEL, seeds: SeedVariance | None = None, languages: int = 1) -> Gain:
    """The estimate, its interval and its p.

    ``seeds`` is what is known of the variance between seeds from all languages of the comparison, where ``draws`` is
    the mean over ``languages`` of them; without it, it comes from the seeds of ``draws`` alone.
    """
    estimate, runs, groups = float(draws.observed.mean()), len(draws.seeds), len(draws.numbers)
    if groups < 2:
        return Gain(estimate, nan, nan, runs, draws.examples, groups, 1.0)
    of_examples = Component(float(draws.moved.mean(axis=0).var(ddof=1)) + draws.unseen, groups - 1)
    of_seeds = _of_seeds(draws, seeds, languages)
    error = sqrt(of_examples.variance + _once(of_seeds, draws))
    df = _degrees_of_freedom([of_examples, *of_seeds])
    half = critical(level, df) * error
    # No paired test can find a sign in d groups that differ at a p below 2 ** (1 - d): not even if all d agree.
    least = 1.0 if estimate == 0 else min(1.0, 2.0 ** (1 - len(draws.differing)))
    if least >= 1 - level:
        half = max(half, fabs(estimate))
    p = max(two_sided_p(estimate / error, df), least)
    no_larger = fabs(estimate) + critical(_TWO_ONE_SIDED, df) * error
    return Gain(estimate, estimate - half, estimate + half, runs, draws.examples, groups, p, no_larger)


def exchange(draws: Draws, seeds: SeedVariance | None = None, languages: int = 1) -> Exchange:
    """What a permutation test needs to know of a gain; the arguments are those of `interval`."""
    of_seeds = [part for part in _of_seeds(draws, seeds, languages) if part.variance > 0]
    changes = draws.changes.mean(axis=0)
    if not of_seeds:
        return Exchange(changes, 0.0, inf)
    return Exchange(changes, sqrt(sum(part.variance for part in of_seeds)), _degrees_of_freedom(of_seeds))


def _of_seeds(draws: Draws, seeds: SeedVariance | None, languages: int) -> list[Component]:
    runs = len(draws.seeds)
    return [*(seeds or SeedVariance.of([draws])).of_mean(languages, runs)] if runs > 1 else []


def _once(of_seeds: Sequence[Component], draws: Draws) -> float:
    """The variance that seeds add to that of the test examples: without the part that the examples have counted.

    That part is the interaction of the two: how what a group of examples adds to the gain varies between seeds, less
    how all of them vary together.
    """
    seeds, groups = len(draws.seeds), len(draws.numbers)
    if seeds == 1:
        return 0.0
    each = draws.changes.var(axis=0, ddof=1).sum() - draws.observed.var(ddof=1) / groups
    counted = float(each) * groups / (groups - 1) / seeds
    return max(0.0, sum(part.variance for part in of_seeds) - max(0.0, counted))


def _degrees_of_freedom(components: Sequence[Component]) -> float:
    """Of a sum of variances, each with its own: about their harmonic mean, weighted by the shares of the sum.

    Satterthwaite (1946) squares the shares, which is too sure of itself where two or three seeds happen to agree. So is
    their first power: intervals of two seeds that lie far apart held 88%, and 93% with the power that is used then.
    What examples and seeds have in common counts in both shares: it is known no better for being counted once.
    """
    total = sum(part.variance for part in components)
    shares = [(part.variance / total, part.df) for part in components if part.variance > 0]
    least = min(df for _, df in shares)
    return max(float(least), 1 / sum(float(share ** _POWERS.get(df, 1.0)) / df for share, df in shares))
