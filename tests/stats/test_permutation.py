"""The permutation test: figures that are published, and what it must know of groups and of seeds."""

import json
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import DataError
from isthmus.evaluate.metrics import metric
from isthmus.results import Statistics
from isthmus.stats import permutation
from isthmus.stats.intervals import Exchange
from isthmus.stats.permutation import exchange_p, permutation_p, upper_tail
from isthmus.stats.student import two_sided_p
from tests.stats.conftest import means_of

PERCENT = metric("accuracy").reduce


def published(shared: Path, name: str) -> dict:
    return json.loads((shared / "oracle/statistics.json").read_text())[name]


def test_the_exact_test_enumerates_every_exchange(shared: Path) -> None:
    found = published(shared, "paired_exact_permutation")
    p = exchange_p([means_of(found["a"])], [means_of(found["b"])], PERCENT)
    assert p == pytest.approx(found["p"]["two_sided"], abs=1e-9)


def test_the_test_by_cosines_comes_near_the_enumeration(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = published(shared, "paired_exact_permutation")
    monkeypatch.setattr(permutation, "EXACT_GROUPS", 0)
    p = exchange_p([means_of(found["a"])], [means_of(found["b"])], PERCENT)
    assert p == pytest.approx(found["p"]["two_sided"], abs=0.001)


def test_right_and_wrong_answers_are_tested_as_by_mcnemar(shared: Path) -> None:
    scores = np.load(shared / "oracle/statistics/paired_scores.npy")
    p = exchange_p([means_of(scores[0])], [means_of(scores[1])], PERCENT)
    assert p == pytest.approx(published(shared, "paired_binary")["mcnemar_exact_p"], abs=1e-9)


def test_groups_change_places_as_a_whole() -> None:
    with_, without = [1.0] * 40, [0.0] * 40
    four_templates = [str(row // 10) for row in range(40)]
    assert exchange_p([means_of(with_)], [means_of(without)], PERCENT) < 0.001
    # All four agree in sign: two of the sixteen exchanges are as extreme.
    p = exchange_p([means_of(with_, four_templates)], [means_of(without, four_templates)], PERCENT)
    assert p == 2 / 16


def test_a_metric_that_is_no_mean_can_be_tested() -> None:
    f1 = metric("span_f1")
    gold = [["B-x", "O"], ["O", "B-y"], ["B-x", "B-y"], ["O", "O"]] * 3
    worse = [["B-x", "O"], ["O", "O"], ["O", "B-y"], ["B-x", "O"]] * 3
    ids = tuple(map(str, range(12)))
    with_, without = (Statistics(ids, ids, f1.statistics(gold, tags, "en")) for tags in (gold, worse))
    assert exchange_p([with_], [without], f1.reduce) == 2 / 2**9  # nine sentences differ, and all in one direction
    assert exchange_p([with_], [with_], f1.reduce) == 1


def test_seeds_change_places_together() -> None:
    better, worse = means_of([1.0] * 3), means_of([0.0] * 3)
    assert exchange_p([better, better], [worse, worse], PERCENT) == 2 / 2**3
    assert exchange_p([better, worse], [worse, better], PERCENT) == 1


def test_seeds_that_disagree_show_less_than_their_mean_alone() -> None:
    """Of three seeds, with gains of 10, 10 and 40 points or of 20 each: the same mean, on as many examples."""
    base = means_of([0.0] * 100)
    apart = [means_of([1.0] * gain + [0.0] * (100 - gain)) for gain in (10, 10, 40)]
    alike = [means_of([1.0] * 20 + [0.0] * 80)] * 3
    assert exchange_p(alike, [base] * 3, PERCENT) == pytest.approx(2 / 2**20)
    assert 0.15 < exchange_p(apart, [base] * 3, PERCENT) < 0.3  # a t of 2 with two degrees of freedom has p = 0.18


@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]), min_size=1, max_size=13))
@settings(deadline=None, max_examples=50)
def test_whole_changes_have_the_same_p_by_cosines_as_by_enumeration(changes: list[float]) -> None:
    each = Exchange(np.array(changes), 0.0, inf)
    exact = permutation_p([each])[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(permutation, "EXACT_GROUPS", 0)
        assert permutation_p([each])[0] == pytest.approx(exact, abs=1e-9)


def test_a_table_is_tested_as_its_gains_one_by_one() -> None:
    generator = np.random.default_rng(0)
    table = [Exchange(generator.normal(0.2, 1, groups), error, 2.5) for groups in (5, 40, 300) for error in (0.0, 3.0)]
    together = permutation_p(table)
    np.testing.assert_allclose(together, [permutation_p([one])[0] for one in table])
    signs = generator.integers(0, 2, (40_000, 300), dtype=np.int8) * 2 - 1
    for one, p in zip(table, together, strict=True):
        sums = signs[:, : len(one.changes)] @ one.changes + one.error * generator.standard_t(one.df, len(signs))
        assert p == pytest.approx((np.abs(sums) >= abs(one.changes.sum()) - 1e-9).mean(), abs=0.008)


@pytest.mark.parametrize("df", [1, 1.5, 4, 60])
def test_the_tail_of_many_t_is_that_of_one(df: float) -> None:
    t = np.array([-2.0, 0.0, 0.3, 2.0, 7.0])
    wanted = [1 - two_sided_p(2, df) / 2, *(two_sided_p(one, df) / 2 for one in t[1:])]
    np.testing.assert_allclose(upper_tail(t, df), wanted, rtol=0.01)


def test_sides_of_different_size_are_refused() -> None:
    with pytest.raises(DataError, match="as many chains"):
        exchange_p([means_of([1.0])], [], PERCENT)
