"""What the report says, and that it says no more than the scores show."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from isthmus.errors import DataError
from isthmus.report.compare import facts
from isthmus.report.findings import Collapse, Comparison, Effect, Summary
from isthmus.report.summary import render_scores, render_terminal, summarise, to_json
from isthmus.results import Results, StageSummary, Statistics
from tests.report.made_up_study import half_finished_study, made_up_study, small_study

OTHERS = ["de", "fi", "sw", "th", "hi"]


def flat(english: float, others: float, **languages: float) -> dict[str, float]:
    """A gain in English, one in the other languages, and exceptions."""
    return {"en": english} | dict.fromkeys(OTHERS, others) | languages


def headline(gains: dict[str, dict[str, dict[str, float]]]) -> str:
    return summarise(small_study(gains)).headline


def cell(summary: Summary, intermediate: str, target: str = "intents") -> Comparison:
    return next(one for one in summary.comparisons if (one.intermediate, one.target) == (intermediate, target))


def test_the_best_task_is_recommended_with_its_gain_and_the_languages_it_hurts() -> None:
    said = headline({"slots": {"intents": flat(8, 9, th=-15)}, "pairs": {"intents": flat(3, 2)}})
    assert said.startswith("Train on slots first: +4.2 [") and said.endswith("] over 5 languages; it hurts Thai.")


def test_a_gain_in_english_alone_is_no_reason_to_recommend() -> None:
    said = headline({"slots": {"intents": flat(15, -10)}, "pairs": {"intents": flat(14, -6)}})
    assert said == (
        "Train on the target alone: every intermediate task lowers the zero-shot scores, by 6.0 to 10.0 points, "
        "though English gains from slots and pairs."
    )


def test_a_difference_that_is_not_shown_is_not_called_one() -> None:
    said = headline({"slots": {"intents": flat(1, 0.5)}, "pairs": {"intents": flat(1, -0.5)}})
    assert said.startswith("No intermediate task is shown to help: the best, slots, gives +0.5 [−")
    said = headline({"a": {"t": flat(0, -9), "u": flat(0, 0)}, "b": {"t": flat(0, 0), "u": flat(0, 0)}})
    assert said.endswith(" on average over 2 targets and 5 languages; a lowers some of the scores.")
    assert headline({"slots": {"intents": flat(1, 0.5)}}).startswith(
        "Training on slots first is not shown to help: +0.5 ["
    )
    assert headline({"slots": {"intents": flat(1, -9)}}).startswith("Do not train on slots first: −9.0 [")


def test_every_target_gets_its_own_advice() -> None:
    said = headline(
        {
            "slots": {"intents": flat(8, 9), "bitext": flat(0, -9), "topics": flat(0, 0)},
            "pairs": {"intents": flat(0, 3), "bitext": flat(9, 9), "topics": flat(0, 0)},
        }
    )
    assert said.startswith("Train on slots first for intents (+9.0 [")
    assert " over 5 languages) and on pairs first for bitext (+9.0 [" in said
    assert said.endswith(" over 6 languages); nothing is shown to help topics.")


def test_one_winner_everywhere_is_given_with_its_average() -> None:
    said = headline(
        {"slots": {"intents": flat(8, 9), "topics": flat(8, 7)}, "pairs": {"intents": flat(0, 0), "topics": flat(0, 0)}}
    )
    assert said.startswith("Train on slots first: +8.0 [") and said.endswith(
        "on average over 2 targets and 5 languages."
    )


def test_two_models_are_answered_one_after_the_other() -> None:
    one, other = (
        small_study({"slots": {"intents": flat(8, gain)}}, model) for model, gain in (("small", 9), ("big", -9))
    )
    both = replace(one, chains=one.chains + other.chains, scores=one.scores + other.scores)
    said = summarise(both).headline
    assert said.startswith("With small: Train on slots first: +9.0 [")
    assert " With big: Do not train on slots first: −9.0 [" in said


def test_without_a_baseline_or_without_scores_there_is_no_answer() -> None:
    whole = small_study({"slots": {"intents": flat(8, 9)}})
    alone = replace(
        whole,
        chains=tuple(chain for chain in whole.chains if chain.intermediate != "none"),
        scores=tuple(score for score in whole.scores if score.chain.intermediate != "none"),
    )
    summary = summarise(alone)
    assert summary.headline.startswith("No answer: a gain needs scores with an intermediate task and")
    assert any("add `none`" in problem.text for problem in summary.problems)
    assert (
        summarise(replace(whole, scores=())).headline == "No answer yet: none of the study's 2 chains has been scored."
    )
    nothing = summarise(Results("empty", "", (), (), (), ()))
    assert nothing.comparisons == () and nothing.headline.startswith("No answer")


def test_the_zero_shot_mean_leaves_out_the_language_of_training_and_retrieval_leaves_out_none() -> None:
    summary = summarise(small_study({"slots": {"intents": flat(20, 5), "bitext": flat(20, 5)}}))
    trained, retrieved = cell(summary, "slots"), cell(summary, "slots", "bitext")
    assert trained.zero_shot and trained.training and retrieved.zero_shot
    assert trained.zero_shot.effect.gain.estimate == pytest.approx(5)
    assert trained.training.effect.gain.estimate == pytest.approx(20)
    assert "English" not in trained.zero_shot.languages and "English" in retrieved.zero_shot.languages
    assert retrieved.training is None
    assert retrieved.zero_shot.effect.gain.estimate == pytest.approx((20 + 5 * 5) / 6)


def test_english_that_rises_while_others_fall_is_said_in_so_many_words() -> None:
    details = summarise(small_study({"slots": {"intents": flat(15, -10)}, "pairs": {"intents": flat(0, 0)}})).details
    assert any("intents after slots: English and the other languages part, +15.0 [" in sentence for sentence in details)


def test_the_lead_over_the_next_best_is_given_whether_it_is_shown_or_not() -> None:
    ahead = cell(summarise(small_study({"a": {"intents": flat(0, 15)}, "b": {"intents": flat(0, 2)}})), "a").lead
    assert ahead and ahead.over == "b" and ahead.effect.direction == "up"
    assert ahead.effect.gain.estimate == pytest.approx(13)
    summary = summarise(small_study({"a": {"intents": flat(0, 9)}, "b": {"intents": flat(0, 8.5)}}))
    level = cell(summary, "a").lead
    assert level and level.effect.direction == "unclear" and cell(summary, "b").lead is None
    assert any("not shown to be better than b (ahead by +0.5 [" in sentence for sentence in summary.details)


def test_averages_are_given_with_and_without_retrieval() -> None:
    gains = {"intents": flat(0, 2), "topics": flat(0, 4), "bitext": flat(30, 30)}
    averages = {one.name: one for one in summarise(small_study({"slots": gains})).averages}
    assert averages["all targets"].effect.gain.estimate == pytest.approx(12)
    assert averages["without retrieval"].effect.gain.estimate == pytest.approx(3)
    assert averages["without retrieval"].targets == ("intents", "topics")


def test_an_average_says_which_part_of_the_study_it_covers() -> None:
    whole = small_study(
        {name: {target: flat(0, 5) for target in ("intents", "topics", "names")} for name in ("slots", "pairs")}
    )
    lost = tuple(
        score for score in whole.scores if (score.chain.intermediate, score.chain.target) != ("pairs", "names")
    )
    for one in summarise(replace(whole, scores=lost)).averages:
        assert (one.targets, one.covered, one.of) == (("intents", "topics"), 2, 3)
        assert (one.languages, one.languages_of) == (5, 5)


def test_mining_is_retrieval_too() -> None:
    whole = small_study({"slots": {"intents": flat(0, 2), "topics": flat(0, 4), "bitext": flat(30, 30)}})
    mined = replace(whole, tasks=tuple(replace(t, kind="mining") if t.name == "bitext" else t for t in whole.tasks))
    averages = {one.name: one for one in summarise(mined).averages}
    assert (averages["all targets"].of, averages["without retrieval"].of) == (3, 2)
    assert averages["without retrieval"].targets == ("intents", "topics")


def test_what_is_shown_to_lose_is_listed_the_largest_loss_first() -> None:
    gains = {"a": {"t": flat(5, -9), "u": flat(0, 9)}, "b": {"t": flat(5, -14), "u": flat(0, -0.5)}}
    summary = summarise(small_study(gains))
    assert [(one.intermediate, one.target) for one in summary.negative_transfer] == [("b", "t"), ("a", "t")]
    assert [one.negative for one in summary.comparisons] == [True, True, False, False]
    assert to_json(summary)["comparisons"][0]["negative"] is True


def test_a_collapse_stands_beside_the_cells_that_rest_on_it() -> None:
    whole = small_study({"slots": {"intents": flat(0, 5)}, "pairs": {"intents": flat(0, 5)}}, seeds=2)
    paths = tuple((f"train {chain}", f"score {chain}") for chain in whole.chains)
    said = {
        ("none", 2): ("", ("th: collapsed, every prediction is 'O'",)),
        ("slots", 1): ("", ("de: collapsed, every prediction is ''", "something else")),
        ("pairs", 2): ("The loss became nan at step 7: lower the learning rate (1).", ()),
    }
    stages = []
    for chain, (train, score) in zip(whole.chains, paths, strict=True):
        error, warnings = said.get((chain.intermediate, chain.seed), ("", ()))
        stages.append(StageSummary(train, "train", "train", "failed" if error else "done", error=error))
        stages.append(StageSummary(score, "score", "score", "done", warnings=warnings))
    summary = summarise(replace(whole, stages=tuple(stages), paths=paths))
    baseline = Collapse("th", 2, "baseline", "'O'")
    assert cell(summary, "slots").collapsed == (Collapse("de", 1, "with", "''"), baseline)
    assert cell(summary, "slots").collapsed_runs == 2
    assert cell(summary, "pairs").collapsed == (Collapse("", 2, "with", "NaN loss"), baseline)


def test_both_tests_are_adjusted_over_the_same_table_and_agree_where_the_answer_is_clear() -> None:
    found = cell(summarise(small_study({"slots": {"intents": flat(8, 9, th=-15, hi=0)}})), "slots")
    for row in found.languages:
        clear = row.tag not in ("hi",)
        assert (row.effect.p < 0.05) == (row.effect.permutation_p < 0.05) == clear
        assert row.effect.permutation_p >= 2e-9
    hindi = next(row for row in found.languages if row.tag == "hi")
    assert hindi.effect.permutation_p == 1


def test_no_difference_larger_than_a_margin_is_shown_by_the_interval_of_90_percent() -> None:
    found = cell(summarise(small_study({"slots": {"intents": flat(0, 0.5)}})), "slots").zero_shot
    assert found
    effect = found.effect
    half = (effect.gain.high - effect.gain.low) / 2
    assert effect.no_larger_than == pytest.approx(0.5 + half * 1.6449 / 1.96, rel=0.01)
    assert effect.equivalent(effect.no_larger_than) and not effect.equivalent(effect.no_larger_than - 0.01)
    assert not Effect(replace(effect.gain, no_larger_than=float("inf")), 1.0).equivalent(100)


def test_sizes_of_a_task_make_a_curve_with_all_rows_last() -> None:
    on = {"t": 1.0, "u": 2.0}
    gains = {
        name: {target: flat(0, gain * more) for target, more in on.items()}
        for name, gain in (("a", 6), ("a@1000", 3), ("a@50", 1), ("b>c@10", 2), ("b@10>c@10", 1), ("b@20>c@20", 2))
    }
    summary = summarise(small_study(gains))
    curves = {(one.intermediate, one.target): one for one in summary.sizes}
    assert set(curves) == {(name, target) for name in ("a", "b>c") for target in ("t", "u", "all targets")}
    assert [point.rows for point in curves["a", "t"].points] == [50, 1000, None]
    assert [point.effect.gain.estimate for point in curves["a", "u"].points] == pytest.approx([2, 6, 12])
    assert [point.effect.gain.estimate for point in curves["a", "all targets"].points] == pytest.approx([1.5, 4.5, 9])
    assert curves["a", "all targets"].average and not curves["a", "t"].average
    assert curves["a", "t"].points[0].effect == cell(summary, "a@50", "t").zero_shot.effect


def test_recipes_are_settings_of_their_own() -> None:
    """A gain is that over the baseline of the same recipe."""
    fast, slow = (small_study({"slots": {"intents": flat(0, gain), "topics": flat(0, gain)}}) for gain in (9.0, -9.0))

    def with_recipe(study: Results, recipe: str) -> Results:
        chains = tuple(replace(chain, recipe=recipe) for chain in study.chains)
        scores = tuple(replace(score, chain=replace(score.chain, recipe=recipe)) for score in study.scores)
        return replace(study, chains=chains, scores=scores)

    one, other = with_recipe(fast, "fast"), with_recipe(slow, "slow")
    summary = summarise(replace(one, chains=one.chains + other.chains, scores=one.scores + other.scores))
    found = {(each.model, each.target): each.zero_shot.effect.gain.estimate for each in summary.comparisons}
    assert found == pytest.approx(
        {("embedded, fast", "intents"): 9, ("embedded, fast", "topics"): 9}
        | {("embedded, slow", "intents"): -9, ("embedded, slow", "topics"): -9}
    )
    assert [(one.model, one.effect.direction) for one in summary.averages] == [
        ("embedded, fast", "up"),
        ("embedded, slow", "down"),
    ]
    assert [one.model for one in summary.mixed] == ["embedded, fast", "embedded, slow"]
    assert {one.model for one in summary.negative_transfer} == {"embedded, slow"}
    assert not any("add `none`" in problem.text for problem in summary.problems)


def test_a_mixed_model_tells_low_resource_languages_from_others() -> None:
    languages = ["de", "fr", "es", "fi", "hu", "tr", "sw", "yo", "am", "my", "km", "lo"]
    of = {tag: 2 + 6 * (facts(tag).resource == "low") + place % 3 for place, tag in enumerate(languages)}
    gains = {
        name: {target: {"en": 0, **{tag: gain + more for tag, gain in of.items()}} for target in ("t", "u")}
        for name, more in (("slots", 0.0), ("pairs", 3.0))
    }
    summary = summarise(small_study(gains))
    (found,) = summary.mixed
    assert (found.targets, found.gains, found.reason) == (("t", "u"), 48, "")
    low = next(term for term in found.terms if (term.kind, term.name) == ("resource", "low"))
    assert low.estimate == pytest.approx(6, abs=1.5) and low.low < 6 < low.high and low.p < 0.05
    slots, pairs = (term.estimate for term in found.terms if term.kind == "intermediate")
    assert pairs - slots == pytest.approx(3, abs=0.1)
    assert any("low-resource languages gain" in said and "more than high-resource ones" in said
               for said in found.sentences)  # fmt: skip
    assert json.dumps(to_json(summary), allow_nan=False)


def test_where_no_mixed_model_can_be_fitted_it_says_why() -> None:
    (few,) = summarise(small_study({"slots": {"intents": {"en": 0, "th": 5, "fi": 3}}})).mixed
    assert few.terms == () and few.reason == (
        "No mixed model: 2 zero-shot languages cannot tell one class of languages from another."
    )
    (same,) = summarise(small_study({"slots": {"intents": flat(0, 5), "bitext": flat(5, 5)}})).mixed
    assert same.targets == ("intents",), "retrieval is left out where there is something else"
    assert same.reason == "No mixed model: all gains are the same."


def test_groups_are_means_over_their_languages() -> None:
    found = cell(summarise(small_study({"slots": {"intents": flat(0, 2, de=6, hi=10)}})), "slots")
    families = {group.name: group for group in found.families}
    assert set(families["Indo-European"].languages) == {"German", "Hindi"}
    assert families["Indo-European"].effect.gain.estimate == pytest.approx(8)
    assert [group.name for group in found.resources] == ["high", "medium", "low"]
    scripts = {group.name: group for group in found.scripts}
    assert list(scripts) == ["Latn", "Deva", "Thai"] and scripts["Latn"].languages == ("German", "Finnish", "Swahili")
    assert scripts["Deva"].effect.gain.estimate == pytest.approx(10)


def test_chains_are_compared_on_what_both_have_and_the_rest_is_named() -> None:
    whole = small_study({"slots": {"intents": flat(0, 5)}, "pairs": {"intents": flat(0, 5)}})
    kept = tuple(s for s in whole.scores if not (s.chain.intermediate == "slots" and s.language in ("th", "sw")))
    summary = summarise(replace(whole, scores=kept))
    found, table = cell(summary, "slots"), summary.scores[0]
    assert found.zero_shot and found.zero_shot.languages == ("German", "Finnish", "Hindi")
    assert found.left_out == ("Swahili", "Thai")
    assert table.covered == ("Finnish", "German", "Hindi")
    assert next(row for row in table.rows if row.tag == "th").values == (50.0, None, 55.0)
    assert any(problem.text.startswith("not compared in Swahili and Thai") for problem in summary.problems)


def test_a_score_that_is_not_a_number_is_shown_and_left_out_of_every_mean() -> None:
    whole = small_study({"slots": {"intents": flat(0, 5)}})
    broken = tuple(
        replace(score, value=float("nan")) if score.chain.intermediate == "slots" and score.language == "th" else score
        for score in whole.scores
    )
    summary = summarise(replace(whole, scores=broken))
    assert [p.kind for p in summary.problems if "Thai" in p.where and "not a number" in p.text] == ["warning"]
    found = cell(summary, "slots")
    assert found.zero_shot and "Thai" not in found.zero_shot.languages
    assert found.zero_shot.effect.gain.estimate == pytest.approx(5)


def test_p_is_adjusted_for_the_size_of_its_table() -> None:
    summary = summarise(made_up_study(seeds=1))
    for found in summary.comparisons:
        effects = [row.effect for row in found.languages]
        assert all(effect.p >= effect.gain.p for effect in effects)
    # Thirty-one languages and three tasks: what is just below 5% alone is shown by none of them.
    rows = [row.effect for found in summary.comparisons if found.target == "intents" for row in found.languages]
    weakest = [effect for effect in rows if 0.005 < effect.gain.p < 0.05]
    assert weakest and all(effect.direction == "unclear" for effect in weakest)


def test_seeds_are_paired_and_counted() -> None:
    summary = summarise(small_study({"slots": {"intents": flat(0, 5)}}, seeds=3))
    assert cell(summary, "slots").seeds == (1, 2, 3)
    assert not any("seed" in sentence for sentence in summary.caveats)
    assert any(sentence.startswith("One seed:") for sentence in summarise(made_up_study(1)).caveats)
    assert any(sentence.startswith("Two seeds") for sentence in summarise(made_up_study(2)).caveats)


def test_a_half_finished_study_says_what_it_lacks() -> None:
    summary = summarise(half_finished_study())
    assert summary.headline.startswith("So far (7 of 8 chains): ")
    kinds = {(problem.kind, problem.where) for problem in summary.problems}
    assert ("failed", "train embedded > paraphrase > intents, seed 1") in kinds
    assert ("missing", "paraphrase, then intents (embedded, seed 1)") in kinds
    assert ("warning", "train embedded > paraphrase, seed 1") in kinds  # the collapsed run
    assert not any((one.intermediate, one.target) == ("paraphrase", "intents") for one in summary.comparisons)


def test_what_is_said_of_many_languages_is_one_problem() -> None:
    whole = small_study({"slots": {"intents": flat(0, 0)}})
    said = ("de: collapsed", "the vocabulary was cut", "th: collapsed", "hi: 3 rows left out", "zh-TW: collapsed")
    summary = summarise(replace(whole, stages=(StageSummary("k", "score", "score", "done", warnings=said),)))
    texts = [problem.text for problem in summary.problems]
    assert texts == ["de, th and zh-TW: collapsed", "the vocabulary was cut", "hi: 3 rows left out"]


def test_a_warning_that_comes_with_every_seed_is_said_once_and_mentioned_beside_the_answer() -> None:
    whole = small_study({"slots": {"intents": flat(0, 5)}})
    stage = StageSummary("k", "score slots on intents", "score", "done", warnings=("de: collapsed",))
    summary = summarise(
        replace(whole, stages=(stage, replace(stage, key="l"), StageSummary("m", "x", "predict", "running")))
    )
    assert [problem.text for problem in summary.problems] == ["de: collapsed (2 times)", "without a result: running"]
    assert summary.caveats[0].startswith("1 warning,")


def test_a_language_that_nobody_knows_stands_for_itself() -> None:
    summary = summarise(small_study({"slots": {"intents": {"en": 0, "qqq": 3, "th": 3}}}))
    row = next(row for row in cell(summary, "slots").languages if row.tag == "qqq")
    assert (row.name, row.family, row.resource) == ("qqq", "unknown", "unknown")


def test_chains_scored_on_different_examples_are_refused() -> None:
    whole = small_study({"slots": {"intents": flat(0, 5)}})
    other = Statistics(tuple("x" * 200), tuple("x" * 200), np.ones((200, 2)))
    with pytest.raises(DataError, match="intents, en were not scored on the same examples"):
        summarise(replace(whole, scores=(replace(whole.scores[0], statistics=other), *whole.scores[1:])))


def test_the_same_results_give_the_same_summary() -> None:
    assert summarise(made_up_study()) == summarise(made_up_study())


def test_json_has_every_figure_and_is_strict_json() -> None:
    summary = summarise(half_finished_study())
    read = json.loads(json.dumps(to_json(summary), allow_nan=False))
    assert read["layout"] == 1 and read["headline"] == summary.headline
    first, found = summary.comparisons[0], read["comparisons"][0]
    assert found["languages"][0]["effect"]["gain"]["estimate"] == first.languages[0].effect.gain.estimate
    assert found["zero_shot"]["effect"]["direction"] == "up"
    assert read["versions"]["isthmus"] == "0.1.0"


def test_a_missing_interval_is_null_in_json() -> None:
    whole = small_study({"slots": {"intents": {"en": 0, "th": 5}}})
    one_group = tuple(
        replace(score, statistics=replace(score.statistics, groups=("t",) * 200)) for score in whole.scores
    )
    effect = to_json(summarise(replace(whole, scores=one_group)))["comparisons"][0]["zero_shot"]["effect"]
    assert effect["gain"]["low"] is None and effect["gain"]["estimate"] == 5 and effect["p"] == 1


def printed(renderable: object) -> str:
    console = Console(width=80, force_terminal=True, no_color=True, color_system=None)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


@pytest.mark.parametrize("study", [made_up_study(2), half_finished_study(), Results("empty", "", (), (), (), ())])
def test_the_terminal_shows_the_answer_in_80_columns(study: Results) -> None:
    summary = summarise(study)
    text = printed(render_terminal(summary))
    assert max(map(len, text.splitlines())) <= 80
    assert " ".join(summary.headline.split()) in " ".join(text.split())
    assert "…" not in text, "a figure was cut"
    for problem in summary.problems:
        assert " ".join(problem.text.split()) in " ".join(text.split())


def test_the_terminal_has_every_language_and_marks_what_is_shown_without_colour() -> None:
    text = printed(render_terminal(summarise(small_study({"slots": {"intents": flat(8, 9, th=-15)}}))))
    lines = [line.split() for line in text.splitlines()]
    assert ["Thai", "−15.0", "▼"] in lines and ["Finnish", "+9.0", "▲"] in lines
    assert ["English", "(trained)", "+8.0", "▲"] in lines
    assert "\x1b[3" not in text


def test_markup_in_names_is_text() -> None:
    text = printed(render_terminal(summarise(small_study({"[red]a[/red]": {"intents": flat(1, 9)}}))))
    assert "Train on [red]a[/red] first" in " ".join(text.split())


def test_scores_can_be_shown_without_a_comparison() -> None:
    whole = small_study({"slots": {"intents": flat(0, 5)}})
    text = printed(
        render_scores(replace(whole, scores=tuple(s for s in whole.scores if s.chain.intermediate == "none")))
    )
    assert "intents with embedded, accuracy" in text
    assert ["Thai", "50.0"] in [line.split() for line in text.splitlines()]
    assert "mean, zero-shot (5 languages)" in text


def test_a_score_that_is_no_longer_zero_shot_is_marked_with_every_mean_that_has_it() -> None:
    whole = small_study({"slots": {"intents": flat(8, 9, th=-15), "names": flat(2, 9)}})
    scores = tuple(
        replace(
            score, tuned=(score.chain.intermediate, score.chain.target, score.language) == ("slots", "intents", "th")
        )
        for score in whole.scores
    )
    summary = summarise(replace(whole, scores=scores))
    assert summary.tuned == ("th",) and summary.footnote.startswith("† Not zero-shot: dev rows in Thai decided")
    marked, plain = (cell(summary, "slots", target) for target in ("intents", "names"))
    assert [row.tag for row in marked.languages if row.tuned] == ["th"] and marked.zero_shot.tuned
    assert {group.name for group in marked.families if group.tuned} == {
        group.name for group in marked.families if "Thai" in group.languages
    }
    assert not plain.zero_shot.tuned and not any(row.tuned for row in plain.languages)
    assert all(average.tuned for average in summary.averages if "intents" in average.targets)
    table = next(table for table in summary.scores if table.target == "intents")
    assert table.tuned == (False, True)
    assert "5 languages†" in summary.headline + " ".join(summary.details)
    text = printed(render_terminal(summary))
    assert ["Thai", "−15.0†▼"] in [line.split() for line in text.splitlines()]
    shown = printed(render_scores(replace(whole, scores=scores)))
    assert re.search(r"Thai +50\.0 +35\.0†", shown) and summary.footnote in " ".join(shown.split())


def test_the_language_of_training_is_never_marked() -> None:
    whole = small_study({"slots": {"intents": flat(8, 9)}})
    english = tuple(replace(score, tuned=score.language == "en") for score in whole.scores)
    assert summarise(replace(whole, scores=english)) == summarise(whole)


def test_effects_have_a_direction_only_when_it_is_shown() -> None:
    gain = cell(summarise(small_study({"slots": {"intents": flat(0, 5)}})), "slots").languages[0].effect.gain
    assert [Effect(replace(gain, estimate=e), p).direction for e, p in ((1, 0.04), (-1, 0.04), (1, 0.06))] == [
        "up",
        "down",
        "unclear",
    ]
