"""The interval of a score by itself: as wide as theory has it, the same every time, and never outside 0 to 100."""

import numpy as np
import pytest

from isthmus.evaluate.metrics import metric
from isthmus.results import Statistics
from isthmus.stats.scores import score_intervals

ACCURACY = metric("accuracy").reduce


def answers(right: np.ndarray, per_group: int = 1, name: str = "") -> Statistics:
    ids = tuple(f"{name}{row}" for row in range(len(right)))
    groups = tuple(f"{name}{row // per_group}" for row in range(len(right)))
    return Statistics(ids, groups, np.stack([right.astype(float), np.ones(len(right))], axis=1))


def test_the_interval_is_that_of_a_proportion() -> None:
    _, found = score_intervals({"de": answers(np.arange(500) % 10 < 7)}, ACCURACY)
    half = 1.965 * 100 * np.sqrt(0.7 * 0.3 / 500)
    assert found.value == pytest.approx(70)
    assert (found.low, found.high) == pytest.approx((70 - half, 70 + half), abs=0.06 * half)


def test_examples_that_share_a_group_count_as_one() -> None:
    right = np.repeat(np.arange(100) % 10 < 7, 5)
    _, alone = score_intervals({"de": answers(right)}, ACCURACY)
    _, grouped = score_intervals({"de": answers(right, per_group=5)}, ACCURACY)
    assert grouped.high - grouped.low == pytest.approx(np.sqrt(5) * (alone.high - alone.low), rel=0.06)


def test_the_mean_over_parallel_languages_is_no_surer_than_one_and_over_others_it_is() -> None:
    right = np.arange(400) % 10 < 7
    each, parallel = score_intervals({tag: answers(right) for tag in ("de", "sw")}, ACCURACY)
    assert parallel == each["de"] == each["sw"]
    _, apart = score_intervals({tag: answers(right, name=tag) for tag in ("de", "sw")}, ACCURACY)
    assert apart.high - apart.low == pytest.approx((parallel.high - parallel.low) / np.sqrt(2), rel=0.06)


def test_nothing_is_certain_and_nothing_leaves_the_scale() -> None:
    _, perfect = score_intervals({"de": answers(np.ones(50, bool))}, ACCURACY)
    assert perfect.value == perfect.high == 100 and 95 < perfect.low < 98
    _, single = score_intervals({"de": answers(np.ones(5, bool), per_group=5)}, ACCURACY)
    assert single == (100, None, None)


def test_the_same_examples_give_the_same_interval_bit_for_bit() -> None:
    of = {"de": answers(np.arange(77) % 3 > 0)}
    assert score_intervals(of, ACCURACY) == score_intervals(of, ACCURACY)
