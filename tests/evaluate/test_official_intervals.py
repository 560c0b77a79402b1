"""Intervals of averages: as wide as the choice of test examples makes them."""

from typing import Any

import numpy as np
import pytest

from isthmus.evaluate.metrics import metric
from isthmus.evaluate.official.forms import Figure, Scored
from isthmus.evaluate.official.intervals import Interval, mean_of, task_intervals

ACCURACY = Figure(slice(2), metric("accuracy").reduce)


def language(right: Any) -> Scored:
    right = np.asarray(right, dtype=float)
    keys = tuple(map(str, range(len(right))))
    return Scored(keys, np.column_stack([right, np.ones(len(right))]))


def of(languages: dict[str, Scored], parallel: bool, seed: int = 0) -> Interval:
    return task_intervals(languages, {"metric": ACCURACY}, parallel, seed)["metric"]


def half(found: Interval) -> float:
    return (found.high - found.low) / 2


def test_one_language_has_the_width_of_a_proportion() -> None:
    found = of({"de": language([1] * 700 + [0] * 300)}, parallel=False)
    assert found.value == 70
    assert half(found) == pytest.approx(1.96 * 100 * (0.7 * 0.3 / 1000) ** 0.5, rel=0.1)


def test_languages_of_their_own_average_out_and_translations_do_not() -> None:
    right = np.random.default_rng(1).random(1000) < 0.6
    alike = {name: language(right) for name in "abcdefghi"}
    apart, together = of(alike, parallel=False), of(alike, parallel=True)
    assert apart.value == together.value
    assert half(together) == pytest.approx(3 * half(apart), rel=0.15)


def test_a_ninety_five_per_cent_interval_covers_the_truth_about_as_often() -> None:
    generator = np.random.default_rng(2)
    covered = 0
    for seed in range(200):
        found = of({name: language(generator.random(60) < 0.8) for name in "abc"}, parallel=False, seed=seed)
        covered += found.low <= 80 <= found.high
    assert 182 <= covered <= 199


def test_nothing_is_certain() -> None:
    assert half(of({"de": language([1] * 50)}, parallel=False)) > 1
    assert of({"de": language([1])}, parallel=False).low == 0


def test_a_mean_over_tasks_adds_variances() -> None:
    one = of({"de": language([1, 0] * 500)}, parallel=False)
    assert half(mean_of([one] * 4)) == pytest.approx(half(one) / 2, rel=0.01)
    assert mean_of([one, one]).value == one.value


def test_the_same_files_give_the_same_interval() -> None:
    languages = {"de": language([1, 0, 0, 1, 1]), "sw": language([1, 1, 0])}
    assert of(languages, parallel=True) == of(languages, parallel=True)
