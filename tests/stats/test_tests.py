import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import DataError
from isthmus.evaluate.metrics import metric
from isthmus.results import Statistics
from isthmus.stats import tests
from isthmus.stats.tests import exchange_p, holm
from tests.stats.conftest import means_of

PERCENT = metric("accuracy").reduce
TABLES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def published(shared: Path, name: str) -> dict:
    return json.loads((shared / "oracle/statistics.json").read_text())[name]


def test_holm_gives_the_published_figures(shared: Path) -> None:
    found = published(shared, "multiple_testing")
    np.testing.assert_allclose(holm(found["p"]), found["holm"], atol=1e-12)


@given(TABLES)
def test_holm_raises_every_p_and_keeps_their_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert (adjusted >= np.asarray(p)).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


@given(TABLES, st.randoms())
def test_holm_does_not_care_about_the_order_of_the_table(p: list[float], random) -> None:
    places = list(range(len(p)))
    random.shuffle(places)
    np.testing.assert_array_equal(holm([p[place] for place in places]), holm(p)[places])


def test_holm_of_one_p_is_that_p_and_of_none_is_none() -> None:
    assert holm([0.03]).tolist() == [0.03]
    assert holm([]).tolist() == []


@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan")])
def test_holm_refuses_what_is_no_probability(wrong: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        holm([0.5, wrong])


def test_the_exact_test_enumerates_every_exchange(shared: Path) -> None:
    found = published(shared, "paired_exact_permutation")
    p = exchange_p([means_of(found["a"])], [means_of(found["b"])], PERCENT)
    assert p == pytest.approx(found["p"]["two_sided"], abs=1e-9)


def test_the_sampled_test_comes_near_the_exact_one(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = published(shared, "paired_exact_permutation")
    monkeypatch.setattr(tests, "EXACT_GROUPS", 0)
    p = exchange_p([means_of(found["a"])], [means_of(found["b"])], PERCENT)
    assert p == pytest.approx(found["p"]["two_sided"], abs=0.015)


def test_right_and_wrong_answers_are_tested_as_by_mcnemar(shared: Path) -> None:
    scores = np.load(shared / "oracle/statistics/paired_scores.npy")
    p = exchange_p([means_of(scores[0])], [means_of(scores[1])], PERCENT)
    assert p == pytest.approx(published(shared, "paired_binary")["mcnemar_exact_p"], abs=0.004)


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


def test_sides_of_different_size_are_refused() -> None:
    with pytest.raises(DataError, match="as many chains"):
        exchange_p([means_of([1.0])], [], PERCENT)
