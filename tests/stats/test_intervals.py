import json
from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import DataError
from isthmus.evaluate.metrics import metric
from isthmus.results import Statistics
from isthmus.stats import resampling
from isthmus.stats.intervals import Gain, SeedVariance, gain, interval, mean_gain, mean_of, paired
from isthmus.stats.resampling import resample
from tests.stats.conftest import means_of

PERCENT = metric("accuracy").reduce
ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=30)


def width(found: Gain) -> float:
    return found.high - found.low


def answers(share: float, n: int, seed: int, groups: Sequence[str] | None = None) -> Statistics:
    """Right answers in about ``share`` of n examples."""
    return means_of((np.random.default_rng(seed).random(n) < share).astype(float), groups)


def test_the_interval_is_that_of_the_published_bootstrap(shared: Path) -> None:
    published = json.loads((shared / "oracle/statistics.json").read_text())["paired_binary"]
    a, b = (means_of(row) for row in np.load(shared / "oracle/statistics/paired_scores.npy"))
    found, bootstrap = gain([a], [b], PERCENT), published["paired_bootstrap"]
    assert found.estimate == pytest.approx(100 * published["mean_difference"])
    assert [found.low, found.high] == pytest.approx([100 * end for end in bootstrap["percentile_ci95"]], abs=0.25)
    assert found.p == pytest.approx(bootstrap["centred_two_sided_p"], abs=0.006)


def test_the_estimate_is_the_difference_of_the_scores_for_a_metric_that_is_no_mean() -> None:
    f1 = metric("span_f1")
    gold = [["B-x", "O"], ["O", "B-y"], ["B-x", "B-y"]] * 20
    worse = [["B-x", "O"], ["B-y", "O"], ["O", "B-y"]] * 20
    ids = tuple(map(str, range(60)))
    with_, without = (Statistics(ids, ids, f1.statistics(gold, tags, "en")) for tags in (gold, worse))
    found = gain([with_], [without], f1.reduce)
    assert found.estimate == pytest.approx(f1.score(gold, gold) - f1.score(gold, worse))
    assert found.low < found.estimate < found.high


@given(ANSWERS)
@settings(deadline=None)
def test_turning_the_sides_round_turns_the_gain_round(rows: list[tuple[bool, bool]]) -> None:
    one, other = (means_of([row[side] for row in rows]) for side in (0, 1))
    there, back = gain([one], [other], PERCENT, resamples=50), gain([other], [one], PERCENT, resamples=50)
    assert (back.estimate, back.low, back.high, back.p) == pytest.approx(
        (-there.estimate, -there.high, -there.low, there.p)
    )


@given(ANSWERS, st.integers(1, 3))
@settings(deadline=None)
def test_p_is_below_five_percent_exactly_when_the_interval_leaves_zero_out(
    rows: list[tuple[bool, bool]], seeds: int
) -> None:
    sides = [[means_of(np.roll([row[side] for row in rows], seed * side)) for seed in range(seeds)] for side in (0, 1)]
    found = gain(*sides, PERCENT, resamples=100)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    assert found.low <= found.estimate <= found.high


def test_the_same_arguments_give_the_same_figures_whatever_is_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = answers(0.6, 50, 1), answers(0.5, 50, 2)
    first = gain([a], [b], PERCENT)
    assert gain([a], [b], PERCENT) == first
    assert gain([a], [b], PERCENT, seed=1) != first
    monkeypatch.setattr(resampling, "_WEIGHTS_AT_ONCE", 700)
    in_pieces = gain([a], [b], PERCENT)
    assert (in_pieces.low, in_pieces.high) == pytest.approx((first.low, first.high))


def test_pairing_makes_the_interval_narrow() -> None:
    base = np.random.default_rng(0).random(300) < 0.5
    alike = base.copy()
    alike[:20] = True
    unlike = np.random.default_rng(5).permutation(alike)
    narrow, wide = (gain([means_of(side)], [means_of(base)], PERCENT) for side in (alike, unlike))
    assert narrow.estimate == pytest.approx(wide.estimate)
    assert width(narrow) < width(wide) / 3


def test_groups_are_resampled_and_not_the_copies_inside_them() -> None:
    """Thirty expansions of a template that are all answered alike are one piece of evidence."""
    a, b = np.random.default_rng(3).random((2, 40)) < [[0.8], [0.4]]
    templates = [str(row // 30) for row in range(1200)]
    copied = gain([means_of(np.repeat(a, 30), templates)], [means_of(np.repeat(b, 30), templates)], PERCENT)
    single = gain([means_of(a)], [means_of(b)], PERCENT)
    assert (copied.examples, copied.groups, single.groups) == (1200, 40, 40)
    assert width(copied) == pytest.approx(width(single), rel=0.1)


@pytest.mark.parametrize("differing", range(7))
def test_fewer_than_six_groups_that_differ_show_nothing(differing: int) -> None:
    """An exact sign test of five agreeing pairs has p = 0.06: no bootstrap may know better."""
    base = np.zeros(300)
    better = base.copy()
    better[:differing] = 1
    found = gain([means_of(better)], [means_of(base)], PERCENT)
    assert found.estimate == pytest.approx(differing / 3)
    assert found.p >= min(1.0, 2.0 ** (1 - differing))
    assert (found.low > 0) == (differing == 6)


def test_identical_predictions_are_no_proof_of_equality() -> None:
    same = answers(0.5, 100, 1)
    found = gain([same], [same], PERCENT)
    assert (found.estimate, found.p) == (0, 1)
    assert -3 < found.low < -1 < 1 < found.high < 3


def test_graded_answers_are_held_to_the_differences_they_show(shared: Path) -> None:
    """Twelve scores that differ by 7 points at most: nobody need reckon with one that differs by 100."""
    found = json.loads((shared / "oracle/statistics.json").read_text())["paired_exact_permutation"]
    above, below = (np.array(found[side]) / 100 for side in "ab")
    differences = 100 * (above - below)
    half = 2.201 * differences.std(ddof=1) / 12**0.5  # of a paired t test, with 11 degrees of freedom
    ours = gain([means_of(above)], [means_of(below)], PERCENT)
    assert ours.estimate == pytest.approx(found["mean_difference"])
    assert 2 * half < width(ours) < 2.6 * half


def test_what_seeds_and_examples_have_in_common_counts_once() -> None:
    """Seeds that answer examples of their own rightly, each as many: the examples alone say how sure that is."""
    generator = np.random.default_rng(0)
    base = means_of([0.0] * 400)
    each = [means_of(generator.permutation([1.0] * 100 + [0.0] * 300)) for _ in range(3)]
    moved = [means_of(generator.permutation([1.0] * count + [0.0] * (400 - count))) for count in (92, 100, 108)]
    alike, apart = gain(each, [base] * 3, PERCENT), gain(moved, [base] * 3, PERCENT)
    assert alike.estimate == pytest.approx(apart.estimate)
    # By chance alone, the numbers right of three seeds are 8.7 apart: no more than that is no news.
    assert width(apart) < 1.5 * width(alike)


def test_one_group_has_no_interval() -> None:
    groups = ["the only template"] * 5
    found = gain([means_of([1.0] * 5, groups)], [means_of([0.0] * 5, groups)], PERCENT)
    assert found.estimate == 100 and isnan(found.low) and isnan(found.high) and found.p == 1


def test_one_seed_is_said_to_cover_the_examples_only() -> None:
    a, b = answers(0.6, 50, 1), answers(0.5, 50, 2)
    assert "not how much results vary between seeds" in gain([a], [b], PERCENT).covers
    assert "seeds (2)" in gain([a, a], [b, b], PERCENT).covers


def test_seeds_that_disagree_widen_the_interval() -> None:
    base = answers(0.5, 300, 1)
    alike = [answers(0.6, 300, 2), answers(0.6, 300, 3), answers(0.6, 300, 4)]
    apart = [answers(0.4, 300, 2), answers(0.6, 300, 3), answers(0.8, 300, 4)]
    assert width(gain(apart, [base] * 3, PERCENT)) > 2.5 * width(gain(alike, [base] * 3, PERCENT))


def test_more_seeds_do_not_make_up_for_few_examples() -> None:
    """All seeds answer the same test examples: copies of one seed are no new examples."""
    a, b = answers(0.7, 40, 1), answers(0.5, 40, 2)
    one, ten = gain([a], [b], PERCENT), gain([a] * 10, [b] * 10, PERCENT)
    assert width(ten) == pytest.approx(width(one), rel=0.01)


def test_parallel_sentences_are_redrawn_together() -> None:
    """Four languages that succeed and fail on the same sentences are hardly more evidence than one."""
    with_ = {language: [answers(0.7, 80, 1)] for language in ("de", "fi", "sw", "th")}
    without = {language: [answers(0.5, 80, 2)] for language in with_}
    parallel = mean_gain(with_, without, PERCENT).gain
    one = gain(with_["de"], without["de"], PERCENT)
    separate = [
        {
            language: [
                replace(side[language][0], groups=tuple(f"{language}/{group}" for group in side[language][0].groups))
            ]
            for language in side
        }
        for side in (with_, without)
    ]
    apart = mean_gain(*separate, PERCENT).gain
    assert (parallel.groups, apart.groups) == (80, 320)
    assert width(parallel) == pytest.approx(width(one), rel=0.02)
    assert width(apart) == pytest.approx(width(one) / 2, rel=0.08)


def test_a_mean_covers_the_languages_of_both_sides_and_names_the_others() -> None:
    a, b = answers(0.7, 80, 1), answers(0.5, 80, 2)
    found = mean_gain({"de": [a], "th": [a], "sw": [a]}, {"sw": [b], "fi": [b], "de": [b]}, PERCENT)
    assert (found.languages, found.only_with, found.only_without) == (("de", "sw"), ("th",), ("fi",))
    assert found.gain.estimate == pytest.approx(gain([a], [b], PERCENT).estimate)


@pytest.mark.parametrize("n", [15, 60])
def test_a_nominal_95_percent_interval_covers_about_that_much(n: int) -> None:
    generator = np.random.default_rng(n)
    held = 0
    for study in range(300):
        easy = generator.normal(0, 1, n)
        noise = generator.random(n)
        with_, without = noise < 1 / (1 + np.exp(-easy - 0.5)), noise < 1 / (1 + np.exp(-easy))
        found = gain([means_of(with_)], [means_of(without)], PERCENT, resamples=300, seed=study)
        held += found.low <= 10.3 <= found.high  # the mean of the two sigmoids' difference
    assert 0.92 <= held / 300 <= 1


def test_the_variance_between_seeds_is_pooled_over_languages() -> None:
    generator = np.random.default_rng(0)
    chains = [
        [answers(0.5 + 0.1 * generator.random(), 200, int(generator.integers(1e9))) for _ in range(4)] for _ in range(9)
    ]
    samples = resample(chains, [PERCENT] * 9, [""] * 9, resamples=200)
    members = [paired(sample, [0, 1], [2, 3], [1, 2]) for sample in samples]
    pooled = SeedVariance.of(members)
    # The mean of all languages is what it is without pooling; one language has what the others have.
    assert interval(mean_of(members), seeds=pooled, languages=9) == interval(mean_of(members))
    variances = [sum(part.variance for part in pooled.of_mean(languages, 2)) for languages in (1, 3, 9)]
    assert variances == sorted(variances, reverse=True)
    plain = np.mean([member.observed.var(ddof=1) / 2 for member in members])
    assert variances[0] == pytest.approx(plain)
    widths = {round(width(interval(member, seeds=pooled)), 1) for member in members}
    assert max(widths) < 2 * min(widths)


def test_refusals_say_what_is_wrong() -> None:
    a, b = answers(0.6, 5, 1), answers(0.5, 5, 2)
    with pytest.raises(DataError, match="row 3 is 'x' in one and '2' in the other"):
        gain([replace(a, ids=("0", "1", "x", "3", "4"))], [b], PERCENT)
    with pytest.raises(DataError, match="one has 4, the other 5"):
        gain([Statistics(a.ids[:4], a.groups[:4], a.values[:4])], [b], PERCENT)
    with pytest.raises(DataError, match="ids are equal but their groups are not"):
        gain([replace(a, groups=("t",) * 5)], [b], PERCENT)
    with pytest.raises(DataError, match=r"example '2' .*not numbers"):
        gain([replace(a, values=np.where(np.arange(5)[:, None] == 2, np.nan, a.values))], [b], PERCENT)
    with pytest.raises(DataError, match="different metrics"):
        gain([replace(a, values=np.ones((5, 3)))], [b], PERCENT)
    with pytest.raises(DataError, match="no test example"):
        gain([Statistics((), (), np.ones((0, 2)))], [Statistics((), (), np.ones((0, 2)))], PERCENT)
    with pytest.raises(DataError, match="2 and 1 were given"):
        gain([a, a], [b], PERCENT)
    with pytest.raises(DataError, match=r"score.* not a number"):
        nothing = replace(a, values=np.zeros((5, 2)))
        gain([nothing], [nothing], PERCENT)
    with pytest.raises(DataError, match="both with and without"):
        mean_gain({"de": [a]}, {"fi": [b]}, PERCENT)
    with pytest.raises(DataError, match="in th"):
        mean_gain({"th": [a]}, {"th": [replace(b, ids=("9", "1", "2", "3", "4"))]}, PERCENT)
