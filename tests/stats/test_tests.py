import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import DataError
from isthmus.stats.tests import holm

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
