"""How often a nominal 95% interval of a gain holds the true gain, in simulated studies whose truth is known.

    python benchmarks/interval_coverage.py [--studies 500]

Each row is one kind of study. `isthmus` is `isthmus.stats.intervals`; `percentile` is what is usually done: redraw the
examples (and the seeds) with replacement, and take the 2.5th and 97.5th percentiles.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isthmus.evaluate.metrics import metric
from isthmus.results import Statistics
from isthmus.stats.intervals import Gain, SeedVariance, interval, mean_gain, paired, resample

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
    """The gain over endless examples and seeds, by simulation (100,000 groups, 10,000 seeds: within 0.1 points)."""
    generator = np.random.default_rng(12345)
    big = Setting("", 200, 2000, seed_spread=seed_spread, accuracy=accuracy, gain=gain)
    means = []
    for _ in range(50):
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


if __name__ == "__main__":
    main()
