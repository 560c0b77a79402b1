import json
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.stats.student import critical, two_sided_p

#: From any printed table of the t distribution: degrees of freedom, and the t that 5% lie beyond.
TABLE = {1: 12.7062, 2: 4.3027, 3: 3.1824, 5: 2.5706, 10: 2.2281, 30: 2.0423, 120: 1.9799, inf: 1.9600}


@pytest.mark.parametrize(("df", "t"), TABLE.items())
def test_critical_values_are_those_of_the_tables(df: float, t: float) -> None:
    assert critical(0.95, df) == pytest.approx(t, abs=6e-5)


@given(st.floats(0.5, 0.999), st.one_of(st.floats(1, 500), st.just(inf)))
def test_what_lies_beyond_the_critical_value_has_the_right_probability(level: float, df: float) -> None:
    assert two_sided_p(critical(level, df), df) == pytest.approx(1 - level, rel=1e-7)


def test_nothing_lies_beyond_infinity_and_everything_beyond_zero() -> None:
    assert two_sided_p(inf, 3) == 0
    assert two_sided_p(0, 3) == two_sided_p(0, inf) == 1


def test_a_published_t_test(shared: Path) -> None:
    found = json.loads((shared / "oracle/statistics.json").read_text())["paired_other"]["ttest_rel"]
    assert two_sided_p(found["t"], 11) == pytest.approx(found["p_two_sided"], abs=1e-9)
