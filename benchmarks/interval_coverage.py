"""How often a nominal 95% interval of a gain holds the true gain, in simulated studies whose truth is known.

    python benchmarks/interval_coverage.py [--studies 500]

Each row is one kind of study. `isthmus` is `isthmus.stats.intervals`; `percentile` is what is usually done: redraw the
examples (and the seeds) with replacement, and take the 2.5th and 97.5th percentiles.

Then, how often p is below 0.05 where both sides are alike: by the interval and by the permutation test. Last, how often
the intervals of the mixed model (`isthmus.stats.mixed`) hold the true coefficients.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isthmus.evaluate.metrics import metric
from isthmus.results import Statistics
from isthmus.stats.intervals import Gain, SeedVariance, exchange, interval, mean_gain, mean_of, paired
from isthmus.stats.mixed import fit
from isthmus.stats.permutation import permutation_p
from isthmus.stats.resampling import resample

Floats = NDArray[np.float64]
REDUCE = metric("accuracy").reduce


@dataclass(frozen=True)
class Setting:
    """A kind of study: how many of what there are, and how far apart its seeds, groups and languages are."""

    name: str
    seeds: int
    groups: int
    examples_per_group: int = 1
    languages: int = 1
    parallel: bool = False
    seed_spread: float = 0.0  # of the gain, on the logit scale
    accuracy: float = 0.6
    gain: float = 0.3  # logit
    one_of: bool = False  # the gain of one of the languages, with what the others tell of the seeds
    alike: bool = False  # no gain: both sides are drawn in the same way


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def draw(setting: Setting, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Right or wrong, with and without: (languages, seeds, groups, examples)."""
    shared = setting.parallel and setting.languages > 1
    difficulty = generator.normal(0, 1.0, (1 if shared else setting.languages, 1, setting.groups, 1))
    own = generator.normal(0, 0.5, (setting.languages, 1, setting.groups, setting.examples_per_group))
    effect = generator.normal(0, 0.6, (1 if shared else setting.languages, 1, setting.groups, 1))
    seed_effect = generator.normal(0, setting.seed_spread, (1, setting.seeds, 1, 1))
    seed_base = generator.normal(0, setting.seed_spread, (1, setting.seeds, 1, 1))
    base = np.log(setting.accuracy / (1 - setting.accuracy)) + difficulty + own + seed_base
    shape = (setting.languages, setting.seeds, setting.groups, setting.examples_per_group)
    noise = generator.random(shape)
    # Most examples fall the same way on both sides: what makes pairing worth while.
    other = np.where(generator.random(shape) < 0.8, noise, generator.random(shape))
    right_with = noise < sigmoid(base + setting.gain + effect + seed_effect)
    if setting.alike:
        effect = generator.normal(0, 0.6, effect.shape)
        base = base + effect + generator.normal(0, setting.seed_spread, seed_effect.shape)
    right_without = other < sigmoid(base)
    return right_with.astype(float), right_without.astype(float)


def ours(with_: Floats, without: Floats, setting: Setting, seed: int) -> tuple[float, float]:
    above, below = statistics(with_, setting), statistics(without, setting)
    found = (
        one_of(above, below, seed)
        if setting.one_of
        else mean_gain(above, below, REDUCE, resamples=1000, seed=seed).gain
    )
    return found.low, found.high


def one_of(with_: dict[str, list[Statistics]], without: dict[str, list[Statistics]], seed: int) -> Gain:
    """As the report does by language."""
    splits = [[*with_[language], *without[language]] for language in with_]
    samples = resample(splits, [REDUCE] * len(splits), list(with_), resamples=1000, seed=seed)
    seeds = len(with_["0"])
    members = [paired(sample, range(seeds), range(seeds, 2 * seeds), range(seeds)) for sample in samples]
    return interval(members[0], seeds=SeedVariance.of(members))


def statistics(right: Floats, setting: Setting) -> dict[str, list[Statistics]]:
    groups, each = setting.groups, setting.examples_per_group
    result = {}
    for language in range(setting.languages):
        prefix = "" if setting.parallel else f"{language}/"
        names = tuple(f"{prefix}{group}" for group in range(groups) for _ in range(each))
        ids = tuple(str(row) for row in range(groups * each))
        values = right[language].reshape(setting.seeds, -1)
        result[str(language)] = [Statistics(ids, names, np.stack([row, np.ones(len(row))], 1)) for row in values]
    return result


def percentile(with_: Floats, without: Floats, setting: Setting, seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    difference = 100 * (with_ - without).mean(axis=3)  # languages, seeds, groups
    draws = np.zeros(1000)
    even = np.full(setting.groups, 1 / setting.groups)
    seeds = generator.multinomial(setting.seeds, np.full(setting.seeds, 1 / setting.seeds), 1000) / setting.seeds
    weights = None
    for language in difference[:1] if setting.one_of else difference:
        if weights is None or not setting.parallel:
            weights = generator.multinomial(setting.groups, even, 1000) / setting.groups
        draws += np.einsum("bs,sg,bg->b", seeds, language, weights) / (1 if setting.one_of else setting.languages)
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


SETTINGS = [
    Setting("300 examples, 1 seed", 1, 300),
    Setting("300 examples, 1 seed, no gain", 1, 300, gain=0.0),
    Setting("40 examples, 1 seed", 1, 40),
    Setting("10 templates x 30, 1 seed", 1, 10, 30),
    Setting("accuracy near 98, 200 examples", 1, 200, accuracy=0.99, gain=0.5),
    Setting("30 languages x 100, 1 seed", 1, 100, languages=30),
    Setting("13 languages x 100 parallel", 1, 100, languages=13, parallel=True),
    Setting("2 seeds, apart", 2, 300, seed_spread=0.1),
    Setting("2 seeds, far apart", 2, 300, seed_spread=0.3),
    Setting("3 seeds, far apart", 3, 300, seed_spread=0.3),
    Setting("5 seeds, far apart", 5, 300, seed_spread=0.3),
    Setting("3 seeds, alike", 3, 300),
    Setting("2 seeds, one of 20 languages", 2, 60, languages=20, seed_spread=0.1, one_of=True),
    Setting("3 seeds, one of 20 languages", 3, 60, languages=20, seed_spread=0.1, one_of=True),
    Setting("3 seeds, 20 languages x 60", 3, 60, languages=20, seed_spread=0.1),
]


@cache
def truth(seed_spread: float, accuracy: float, gain: float) -> float:
    """The gain over endless examples and seeds, by simulation (40,000 groups, 4,000 seeds: within 0.2 points)."""
    generator = np.random.default_rng(12345)
    big = Setting("", 200, 2000, seed_spread=seed_spread, accuracy=accuracy, gain=gain)
    means = []
    for _ in range(20):
        with_, without = draw(big, generator)
        means.append((with_ - without).mean())
    return 100 * float(np.mean(means))


def measure(
    method: Callable[[Floats, Floats, Setting, int], tuple[float, float]], setting: Setting, studies: int, true: float
) -> tuple[float, float]:
    """The share of studies whose interval holds the truth, and the median width."""
    generator = np.random.default_rng(1)
    held, widths = 0, []
    for study in range(studies):
        low, high = method(*draw(setting, generator), setting, study)
        held += low <= true <= high
        widths.append(high - low)
    return held / studies, float(np.median(widths))


ALIKE = [
    Setting("300 examples, 1 seed", 1, 300, gain=0.0, alike=True),
    Setting("12 examples, 1 seed", 1, 12, gain=0.0, alike=True),
    Setting("10 templates x 30, 1 seed", 1, 10, 30, gain=0.0, alike=True),
    Setting("13 languages x 100 parallel", 1, 100, languages=13, parallel=True, gain=0.0, alike=True),
    Setting("2 seeds, apart", 2, 300, seed_spread=0.1, gain=0.0, alike=True),
    Setting("3 seeds, far apart", 3, 300, seed_spread=0.3, gain=0.0, alike=True),
    Setting("5 seeds, alike", 5, 300, gain=0.0, alike=True),
]


def false_finds(setting: Setting, studies: int) -> tuple[float, float]:
    """The share of studies with p below 0.05, by the interval and by the permutation test."""
    generator = np.random.default_rng(2)
    found = np.zeros(2)
    for study in range(studies):
        above, below = (statistics(side, setting) for side in draw(setting, generator))
        splits = [[*above[language], *below[language]] for language in above]
        samples = resample(splits, [REDUCE] * len(splits), list(above), resamples=500, seed=study)
        seeds = range(setting.seeds)
        sides = seeds, range(setting.seeds, 2 * setting.seeds)
        mean = mean_of([paired(sample, *sides, seeds) for sample in samples])
        found += interval(mean).p < 0.05, permutation_p([exchange(mean)])[0] < 0.05
    return float(found[0] / studies), float(found[1] / studies)


#: Targets, languages, intermediate tasks and seeds of what the mixed model is tried on.
STUDIES = [(6, 12, 4, 2), (3, 30, 2, 3), (8, 20, 3, 1)]


def mixed_coverage(shape: tuple[int, int, int, int], studies: int) -> tuple[float, float]:
    """The share of studies whose intervals hold the advantage of a class of languages, and the mean of a task."""
    generator = np.random.default_rng(3)
    target, language, task, seed = (codes.ravel() for codes in np.indices(shape))
    low = (np.arange(shape[1]) % 3 == 0).astype(float)
    x = np.column_stack([np.eye(shape[2])[task], (low - low.mean())[language]])
    factors = {
        "target": target,
        "family": language // 3,
        "language": language,
        "task on target": target * shape[2] + task,
        "language on target": target * shape[1] + language,
        "run": (target * shape[2] + task) * shape[3] + seed,
    }
    factors = {name: levels for name, levels in factors.items() if levels.max() + 1 < len(target)}
    if shape[3] == 1:
        del factors["run"]
    spreads = {
        "target": 0.5,
        "family": 0.4,
        "language": 0.6,
        "task on target": 0.8,
        "language on target": 0.7,
        "run": 0.5,
    }
    held = np.zeros(2)
    for _ in range(studies):
        sampling = generator.uniform(0.2, 3, len(target))
        y = 1 + 0.8 * x[:, -1] + generator.normal(0, np.sqrt(sampling + 0.25))
        for name, levels in factors.items():
            y += generator.normal(0, spreads[name], levels.max() + 1)[levels]
        fitted = fit(y, x, factors, sampling)
        every = np.eye(x.shape[1])
        of = [(every[-1], 0.8, shape[1] - 2), (every[0], 1.0, shape[2] * (shape[0] - 1))]
        for place, (contrast, true, most) in enumerate(of):
            found = fitted.estimate(contrast, most)
            held[place] += found.low <= true <= found.high
    return float(held[0] / studies), float(held[1] / studies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200, help="simulated studies a row (default 200)")
    studies = parser.parse_args().studies
    error = 100 * 1.96 * (0.95 * 0.05 / studies) ** 0.5
    print(f"coverage of nominal 95% intervals, {studies} studies a row (+-{error:.1f}); median width in points")
    print(f"{'study':32} {'true gain':>9}   {'isthmus':>15}   {'percentile':>15}")
    for setting in SETTINGS:
        true = truth(setting.seed_spread, setting.accuracy, setting.gain)
        cells = [measure(method, setting, studies, true) for method in (ours, percentile)]
        shown = "   ".join(f"{100 * covered:7.1f}% {width:6.2f}" for covered, width in cells)
        print(f"{setting.name:32} {true:+9.2f}   {shown}", flush=True)
    print(f"\np below 0.05 where there is no gain{'interval':>21} {'permutation':>13}")
    for setting in ALIKE:
        by_interval, by_exchange = false_finds(setting, studies)
        print(f"{setting.name:44} {100 * by_interval:9.1f}% {100 * by_exchange:12.1f}%", flush=True)
    print(f"\ncoverage of the mixed model{'class':>29} {'task':>13}")
    for shape in STUDIES:
        name = "{} targets x {} languages x {} tasks x {} seeds".format(*shape)
        of_class, of_task = mixed_coverage(shape, studies)
        print(f"{name:44} {100 * of_class:9.1f}% {100 * of_task:12.1f}%", flush=True)


if __name__ == "__main__":
    main()
