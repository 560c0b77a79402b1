"""What the metrics count, example by example: the sums of their statistics are the figures of the corpus."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score

from isthmus.errors import DataError, SpecError
from isthmus.evaluate.metrics import METRICS, metric
from isthmus.evaluate.metrics.answers import mlqa_normalise, squad_normalise
from isthmus.evaluate.score import collapse

TAGS = (
    "O",
    "X",
    "B-PER",
    "I-PER",
    "E-PER",
    "S-LOC",
    "I-LOC",
    "SCONJ",
    "CCONJ",
    "NOUN",
    "B",
    "B-a-b",
    "I-c-b",
    "_",
    "Z-O",
)
pairs_of_tags = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), max_size=5), min_size=1, max_size=5
)


def sides(sentences: Sequence[Sequence[tuple[str, str]]]) -> tuple[list[list[str]], list[list[str]]]:
    gold, predicted = ([[pair[side] for pair in sentence] for sentence in sentences] for side in (0, 1))
    return gold, [
        [tag if number % 3 else gold[row][number] for number, tag in enumerate(tags)]
        for row, tags in enumerate(predicted)
    ]


@settings(max_examples=300, deadline=None)
@given(pairs_of_tags)
def test_span_scores_are_those_of_seqeval_1_2_2(sentences: Any) -> None:
    gold, predicted = sides(sentences)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, reference in (("f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
            found = metric(f"span_{name}_1.2.2").score(gold, predicted)
            assert found == pytest.approx(100 * reference(gold, predicted), abs=1e-9)
        if any(gold):
            assert metric("token_accuracy").score(gold, predicted) == pytest.approx(
                100 * accuracy_score(gold, predicted)
            )


def spans_of_joined_tags(sentences: Sequence[Sequence[str]]) -> set[tuple[str, int, int]]:
    """The rules of seqeval 0.0.12 as its documentation has them, one position at a time: slow, and written anew."""
    row = [tag for tags in sentences for tag in (*tags, "O")]
    kinds = [tag.split("-")[-1] for tag in row]
    found, begin = set(), 0
    for here in range(len(row)):
        before, kind_before = ("O", "") if here == 0 else (row[here - 1][0], kinds[here - 1])
        now, changed = row[here][0], kind_before != kinds[here]
        forced = before in ("E", "S") or (before in ("B", "I") and now in ("B", "S", "O"))
        if forced or (before not in ("O", ".") and changed):
            found.add((kind_before, begin, here - 1))
        opened = now in ("B", "S") or (before in ("E", "S", "O") and now in ("E", "I"))
        if opened or (now not in ("O", ".") and changed):
            begin = here
    return found


@settings(max_examples=300, deadline=None)
@given(pairs_of_tags)
def test_span_scores_by_the_older_convention_are_those_of_the_joined_tags(sentences: Any) -> None:
    gold, predicted = sides(sentences)
    true, guessed = spans_of_joined_tags(gold), spans_of_joined_tags(predicted)
    sums = metric("span_f1").statistics(gold, predicted, "en").sum(axis=0)
    assert sums.tolist() == [len(true & guessed), len(guessed), len(true)]


def test_an_x_at_the_end_of_a_sentence_is_lost_by_the_newer_convention_alone() -> None:
    tags = [["NOUN", "X"], ["ADJ"]]
    assert metric("span_f1_1.2.2").statistics(tags, tags, "en").tolist() == [[1, 1, 1], [1, 1, 1]]
    assert metric("span_f1").statistics(tags, tags, "en").tolist() == [[2, 2, 2], [1, 1, 1]]


@pytest.mark.parametrize("name", ["span_f1", "span_f1_1.2.2"])
def test_sentences_of_unlike_length_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="Sentence 2 has 1 gold tags but 2 predicted"):
        metric(name).score([["O"], ["O"]], [["O"], ["O", "O"]])


texts = st.text(alphabet=st.sampled_from("aAneth \t\u00a0.,-¿。«€²लाの中文ال\u200b"), max_size=12)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(texts, min_size=1, max_size=3),
    texts,
    st.sampled_from(["en", "es", "de", "vi", "ar", "hi", "zh", "zh-Hant"]),
)
def test_answers_score_alike_in_any_order_and_case(golds: list[str], prediction: str, language: str) -> None:
    for rules in ("squad", "mlqa"):
        exact, f1 = (metric(f"{rules}_{what}").score([golds], [prediction], language) for what in ("em", "f1"))
        assert metric(rules).score([golds], [prediction], language) == pytest.approx((exact + f1) / 2)
        assert metric(f"{rules}_f1").score([golds[::-1]], [prediction.swapcase()], language) == pytest.approx(f1)
        assert 0 <= f1 <= 100 and exact in (0, 100)
        if prediction in golds:
            assert exact == 100


def test_the_normalisers() -> None:
    assert squad_normalise("The-Cat, an\u00a0IDEA\u3000of «A» 50€!") == "thecat idea of « » 50€"
    assert mlqa_normalise("El «gato» de la 50€", "es") == "gato de 50€"
    assert mlqa_normalise("المالك", "ar") == "م ك"  # the two letters go everywhere
    assert mlqa_normalise("在2010年，GDP 龥龦", "zh") == "在 2010 年 gdp 龥 龦"


def test_a_question_without_an_answer_wants_none() -> None:
    scores = metric("squad").statistics([[], [], ["the"], ["a"], ["Paris"]], ["", "Paris", "", None, None], "en")
    assert scores[:, :2].tolist() == [[1, 1], [0, 0], [1, 0], [0, 0], [0, 0]]


def test_mlqa_refuses_a_language_without_rules_where_there_is_something_to_compare() -> None:
    assert metric("mlqa").score([["un"]], [None], "fr") == 0
    with pytest.raises(DataError, match="no rules to compare answers in 'fr'"):
        metric("mlqa").score([["un"]], ["un"], "fr")


def test_rankings() -> None:
    golds, rankings = [["b", "c"], [" b "], ["z"]], [["a", "c", "b", "b"], ["b"], [*"abcdefghijklmnopqrst", "z"]]
    assert metric("mrr@20").statistics(golds, rankings, "en")[:, 0].tolist() == pytest.approx([1 / 3, 1, 0])
    golds[1] = ["b", "q"]
    assert metric("map@20").statistics(golds, rankings, "en")[:, 0].tolist() == pytest.approx(
        [(1 / 2 + 2 / 3) / 2, 1 / 2, 0]
    )
    many = [str(number) for number in range(30)]
    assert metric("map@20").score([many], [many]) == pytest.approx(100)  # no more than 20 can be among the first 20


@given(st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.sampled_from(["a", "b", "c", "", None])), max_size=8))
def test_mined_pairs_are_counted_as_sets(rows: list[tuple[set[str], str | None]]) -> None:
    gold = {(number, target) for number, (targets, _) in enumerate(rows) for target in targets}
    found = {(number, target) for number, (_, target) in enumerate(rows) if target}
    expected = 200 * len(gold & found) / (len(gold) + len(found)) if gold or found else 0
    score = metric("mining_f1").score([sorted(targets) for targets, _ in rows], [target for _, target in rows])
    assert score == pytest.approx(expected)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_scores_all_sums_at_once(name: str) -> None:
    one = metric(name)
    sums = np.array([[[2.0, 3.0, 4.0]], [[1.0, 1.0, 5.0]]])[..., -len(one.columns) :]
    scores = one.reduce(sums)
    assert scores.shape == (2, 1) and one.description
    assert scores[1, 0] == pytest.approx(float(one.reduce(sums[1, 0])))


def test_an_unknown_metric_names_its_neighbours() -> None:
    with pytest.raises(SpecError, match="span_f1"):
        metric("span_f")


def test_a_collapse_is_one_answer_to_everything() -> None:
    golds = [["Paris"], ["Rome"]] * 10
    assert collapse(metric("squad"), golds, [""] * 20) == "''"
    assert collapse(metric("squad"), [[]] * 20, [""] * 20) is None
    assert collapse(metric("squad"), golds, [*[""] * 19, "Rome"]) is None
    assert collapse(metric("span_f1"), [["O", "B-PER"]] * 20, [["O", "O"]] * 20) == "'O'"
    assert collapse(metric("map@20"), golds, [["a", "b"]] * 20) == "the ranking that begins with 'a'"
    assert collapse(metric("map@20"), golds, [["a", "b"], ["b", "a"]] * 10) is None
    assert collapse(metric("accuracy"), [0, 1] * 10, [1] * 20) == "1"
    assert collapse(metric("mining_f1"), [[], ["x"], ["y"], []] * 5, [None] * 20) == "None"
