"""Choices: each is read whole beside its question, their order and their number do not matter."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fit import fit
from torch.nn import functional

from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError
from isthmus.kinds.choice import CHOICE
from isthmus.kinds.core import Batcher, Limits, Search
from isthmus.model.folder import load_model, load_tokenizer, save_model
from isthmus.model.vocabulary import trim
from isthmus.study.spec import Recipe, Retrieval

MC = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "data/mc"
real = pytest.mark.skipif(not MC.is_dir(), reason="no shared data here")

Row = tuple[str, str, list[str], int]


def table(rows: list[Row], labelled: bool = True) -> pa.Table:
    columns = {name: [row[number] for row in rows] for number, name in enumerate(("text", "question", "choices"))}
    columns["id"] = [str(number) for number in range(len(rows))]
    if labelled:
        columns["answer"] = [row[3] for row in rows]
    return to_table(Kind.CHOICE, columns, "test", labelled=labelled)


def social() -> list[Row]:
    rows = [json.loads(line) for line in (MC / "socialiqa/dev.jsonl").open(encoding="utf-8")]
    labels = (MC / "socialiqa/dev-labels.lst").read_text().split()
    return [
        (row["context"], row["question"], [row[f"answer{letter}"] for letter in "ABC"], int(label) - 1)
        for row, label in zip(rows, labels, strict=True)
    ]


def copa(name: str) -> list[Row]:
    rows = [json.loads(line) for line in (MC / name).open(encoding="utf-8")]
    return [(row["premise"], row["question"], [row["choice1"], row["choice2"]], row["label"]) for row in rows]


def cosmos() -> list[Row]:
    with (MC / "cosmosqa/valid.csv").open(encoding="utf-8", newline="") as file:
        return [
            (row["context"], row["question"], [row[f"answer{number}"] for number in range(4)], int(row["label"]))
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Any:
    return load_tokenizer(tiny_model)


@pytest.fixture(scope="module")
def chooser(tiny_model: Path) -> Any:
    return load_model(tiny_model, CHOICE.auto_class, [], fresh_head=True, seed=3).eval()


def ask(model: Any, rows: pa.Table, tokenizer: Any, budget: int = 200, max_length: int = 24) -> Any:
    limits = Limits(max_length)
    with torch.inference_mode():
        features = CHOICE.encode(rows, tokenizer, None, limits)
        search = Search("en", Retrieval(), tokenizer, limits)
        return CHOICE.predict(model, features, rows, (), Batcher(1, budget, {}), search)


# Encoding


@real
@pytest.mark.parametrize("max_length", [384, 64])
def test_an_input_is_the_pair_that_the_tokenizer_would_make_with_only_the_text_cut(
    embedded_model: Path, max_length: int
) -> None:
    tokenizer = load_tokenizer(embedded_model)
    rows = [
        *social()[:60],
        *copa("xcopa/ta/test.ta.jsonl")[:40],
        *copa("xcopa/zh/test.zh.jsonl")[:40],
        *cosmos()[:60],
    ]
    cut = 0
    for feature, (text, question, choices, answer) in zip(
        CHOICE.encode(table(rows), tokenizer, [], Limits(max_length)), rows, strict=True
    ):
        assert feature.target == answer
        whole = tokenizer([f"{text} {question}"] * len(choices), choices)["input_ids"]
        asked = tokenizer(question, add_special_tokens=False)["input_ids"]
        for ours, theirs in zip(feature.texts, whole, strict=True):
            if len(theirs) <= max_length:
                assert ours == theirs
                continue
            cut += 1
            end = len(theirs) - theirs.index(tokenizer.sep_token_id) + len(asked)
            assert len(ours) == max_length
            assert ours == theirs[: max_length - end] + theirs[-end:], "question and choice are whole"
    assert (cut > 0) == (max_length == 64)


def test_a_choice_is_cut_only_where_it_does_not_fit_alone(tiny: Any) -> None:
    long = "the lamp in the kitchen is green " * 9
    rows = table([(long, "what", ["a boat", long], 0)])
    (feature,) = CHOICE.encode(rows, tiny, [], Limits(30))
    boat, lamp = (tiny(choice, add_special_tokens=False)["input_ids"] for choice in ("a boat", long))
    assert feature.texts[0][-len(boat) - 1 : -1] == boat
    assert feature.texts[1] == [0, 2, 2, *lamp[:26], 2]
    assert [len(text) for text in feature.texts] == [30, 30]


def test_a_row_without_choices_is_refused(tiny: Any) -> None:
    with pytest.raises(DataError, match=r"row 2 has no choices to choose from\."):
        CHOICE.encode(table([("a", "", ["b"], 0), ("a", "", [], 0)], labelled=False), tiny, None, Limits(24))


# Predictions

texts = st.lists(
    st.sampled_from(
        ["the lamp", "grün", "boat", "\u200b", "\u00a0", "مرحبا\u200f", "🙂", "a\u0301", "x" * 40, "\n", ""]
    ),
    max_size=8,
).map(" ".join)
rows_of = st.lists(st.tuples(texts, texts, st.lists(texts, min_size=1, max_size=5), st.just(0)), min_size=1, max_size=5)


@settings(deadline=None, max_examples=40)
@given(rows_of, st.randoms(use_true_random=False))
def test_the_order_of_choices_and_of_rows_and_the_batches_change_nothing(
    tiny: Any, chooser: Any, rows: list[Row], shuffled: Any
) -> None:
    found = ask(chooser, table(rows), tiny)
    order = list(range(len(rows)))
    shuffled.shuffle(order)
    places = [shuffled.sample(range(len(row[2])), len(row[2])) for row in rows]
    mixed = [(rows[n][0], rows[n][1], [rows[n][2][place] for place in places[n]], 0) for n in order]
    for budget in (1, 60, 10_000):
        for n, again in zip(order, ask(chooser, table(mixed), tiny, budget), strict=True):
            assert again.confidence == pytest.approx(found[n].confidence, abs=1e-4)
            if places[n][again.value] != found[n].value:  # two choices are as good, up to rounding
                same = ask(chooser, table([mixed[order.index(n)]]), tiny)[0]
                assert same.confidence <= 0.5 + 1e-4


@settings(deadline=None, max_examples=10)
@given(st.integers(2, 5))
def test_of_equal_choices_the_first_is_taken(tiny: Any, chooser: Any, number: int) -> None:
    (found,) = ask(chooser, table([("the lamp", "", ["green"] * number, 0)]), tiny)
    assert found.value == 0
    assert found.confidence == pytest.approx(1 / number)


def test_the_loss_is_over_the_choices_that_a_row_has(tiny: Any, chooser: Any) -> None:
    rows = [("the lamp", "", ["green", "a boat"], 1), ("the hall", "what", ["a", "the rain", "a slow song"], 2)]
    features = CHOICE.encode(table(rows), tiny, [], Limits(24))
    alone = []
    for feature in features:
        logits = torch.cat([chooser(input_ids=torch.tensor([[text]])).logits for text in feature.texts]).T
        alone.append(functional.cross_entropy(logits, torch.tensor([feature.target])))
    torch.testing.assert_close(CHOICE.loss(chooser, features, 1, 1.0), torch.stack(alone).mean())
    assert CHOICE.weight(features) == 2


def test_the_gold_is_the_position(tiny: Any) -> None:
    assert CHOICE.golds(table([("a", "", ["b", "c"], 1)])) == [1]


# Learning


@real
def test_what_was_learned_on_a_trimmed_vocabulary_is_in_the_saved_folder(
    tiny: Any, tiny_model: Path, tmp_path: Path
) -> None:
    rows = table(social()[:8])
    model: Any = load_model(tiny_model, CHOICE.auto_class, [], fresh_head=True, seed=1)
    features = CHOICE.encode(rows, tiny, [], Limits(64))
    trimmed = trim(model, [features], tiny.pad_token_id)
    assert trimmed is not None
    fit(CHOICE, model, trimmed.features[0], Recipe(epochs=40, batch_size=4, learning_rate=3e-3), tiny.pad_token_id)
    save_model(model, tmp_path, tiny_model, model.get_input_embeddings().weight, trimmed.kept)
    saved = load_model(tmp_path, CHOICE.auto_class, [], fresh_head=False).eval()
    found = ask(saved, rows, tiny, max_length=64)
    assert [one.value for one in found] == CHOICE.golds(rows)
    kept = CHOICE.predict(
        model, trimmed.features[0], rows, (), Batcher(1, 200, {}), Search("en", Retrieval(), tiny, Limits(64))
    )
    assert [one.confidence for one in found] == pytest.approx([one.confidence for one in kept], abs=1e-5)


def test_what_was_learned_on_labels_is_no_hindrance(tiny_model: Path, tmp_path: Path) -> None:
    """A head for a span has two outputs and one for choices has one, whatever the task before had."""
    model = load_model(tiny_model, "AutoModelForSequenceClassification", ["a", "b", "c"], fresh_head=True)
    save_model(model, tmp_path, tiny_model, None, None)
    chooser: Any = load_model(tmp_path, CHOICE.auto_class, [], fresh_head=True)
    reader: Any = load_model(tmp_path, "AutoModelForQuestionAnswering", [], fresh_head=True)
    assert chooser.classifier.out_features == 1
    assert reader.qa_outputs.out_features == 2
