"""Each kind encodes every example, learns from all of it, and predicts every one exactly once."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing

from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError
from isthmus.kinds import method
from isthmus.kinds.bitext import embed, embed_all
from isthmus.kinds.core import Batcher, Limits, Search, inputs_of
from isthmus.kinds.tagging import _breaks
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.study.spec import Retrieval

TAGS = ["O", "B-PLACE", "I-PLACE"]
COLOURS = ["green", "red", "blue"]


def search(tokenizer: Any) -> Search:
    return Search("en", Retrieval(), tokenizer, Limits(32))


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return load_tokenizer(tiny_model)


def model_for(kind: Kind, folder: Path, labels: list[str]) -> Any:
    return load_model(folder, method(kind).auto_class, labels, fresh_head=True, seed=3).eval()


def sequences() -> Any:
    texts = ["the lamp is green", "close the window", "a", "play a slow song in the bedroom before the rain comes"]
    return to_table(
        Kind.SEQUENCE, {"id": list("abcd"), "text": texts, "label": ["green", "red", "blue", "red"]}, "test"
    )


def test_a_batch_has_the_same_gradient_however_it_is_split(tiny_model: Path, tokenizer: Any) -> None:
    how, table = method(Kind.SEQUENCE), sequences()
    features = how.encode(table, tokenizer, COLOURS, Limits(32))
    gradients = []
    for size in (4, 1, 3):
        model = model_for(Kind.SEQUENCE, tiny_model, COLOURS)
        for start in range(0, 4, size):
            part = features[start : start + size]
            (how.loss(model, part, 1, 1.0) * how.weight(part) / how.weight(features)).backward()
        gradients.append(model.classifier.weight.grad.clone())
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(gradients[0], gradients[2])


@pytest.mark.parametrize("budget", [1, 20, 1000])
def test_predictions_come_in_the_order_of_the_rows_whatever_the_batches(
    tiny_model: Path, tokenizer: Any, budget: int
) -> None:
    how, table = method(Kind.SEQUENCE), sequences()
    model = model_for(Kind.SEQUENCE, tiny_model, COLOURS)
    features = how.encode(table, tokenizer, None, Limits(32))
    with torch.inference_mode():
        found = how.predict(model, features, table, COLOURS, Batcher(1, budget, {}), search(tokenizer))
        rows = [table.slice(row, 1) for row in range(4)]
        alone = [
            how.predict(
                model, how.encode(row, tokenizer, None, Limits(32)), row, COLOURS, Batcher(1, 99, {}), search(tokenizer)
            )
            for row in rows
        ]
    assert [prediction.value for prediction in found] == [one[0].value for one in alone]
    assert [p.confidence for p in found] == pytest.approx([one[0].confidence for one in alone], abs=1e-5)


def test_a_pair_is_one_input_and_a_label_outside_the_set_is_named(tokenizer: Any) -> None:
    columns = {"id": ["a"], "text": ["the lamp"], "text_pair": ["the hall"], "label": ["maybe"]}
    table = to_table(Kind.PAIR, columns, "test")
    feature = method(Kind.PAIR).encode(table, tokenizer, None, Limits(32))[0]
    assert feature.texts[0].count(2) == 3, "<s> A </s> </s> B </s>"
    with pytest.raises(DataError, match="row 1: the label 'maybe' is not one of yes, no"):
        method(Kind.PAIR).encode(table, tokenizer, ["yes", "no"], Limits(32))


def test_the_second_text_of_a_pair_is_numbered_where_the_tokenizer_numbers_texts(tiny_model: Path) -> None:
    numbering = load_tokenizer(tiny_model)
    numbering.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    numbering.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    columns = {"id": ["a"], "text": ["the lamp"], "text_pair": ["the hall"], "label": ["yes"]}
    features = method(Kind.PAIR).encode(to_table(Kind.PAIR, columns, "test"), numbering, None, Limits(32))
    inputs = inputs_of(features, 1, torch.device("cpu"))
    ids, numbers = inputs["input_ids"][0].tolist(), inputs["token_type_ids"][0].tolist()
    boundary = ids.index(2) + 1
    assert numbers == [0] * boundary + [1] * (len(ids) - boundary) and 1 in numbers


@given(st.lists(st.integers(1, 6), max_size=40), st.integers(6, 20))
def test_windows_hold_every_word_once_in_order_and_as_many_as_fit(words: list[int], limit: int) -> None:
    starts = [0, *_breaks(words, limit), len(words)]
    assert starts == sorted(starts)
    for first, last in itertools.pairwise(starts):
        assert sum(words[first:last]) <= limit
        assert last == len(words) or sum(words[first : last + 1]) > limit


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.lists(st.sampled_from(["lamp", "the", "x" * 90, "\u200b", " ", "grün", "🙂"]), max_size=50), min_size=1)
)
def test_every_word_gets_exactly_one_tag(tiny_model: Path, tokenizer: Any, sentences: list[list[str]]) -> None:
    how = method(Kind.TAGGING)
    tags = [["O"] * len(sentence) for sentence in sentences]
    ids = [str(row) for row in range(len(sentences))]
    table = to_table(Kind.TAGGING, {"id": ids, "tokens": sentences, "tags": tags}, "test")
    features = how.encode(table, tokenizer, TAGS, Limits(24))
    assert all(feature.length <= 24 for feature in features)
    assert how.weight(features) == sum(map(len, sentences))
    with torch.inference_mode():
        model = model_for(Kind.TAGGING, tiny_model, TAGS)
        found = how.predict(model, features, table, TAGS, Batcher(1, 400, {}), search(tokenizer))
    assert [len(prediction.value) for prediction in found] == [len(sentence) for sentence in sentences]
    assert all(tag in TAGS for prediction in found for tag in prediction.value)


def test_only_the_first_piece_of_a_word_carries_its_tag(tokenizer: Any) -> None:
    columns = {"id": ["a"], "tokens": [["unbelievable", "hall"]], "tags": [["B-PLACE", "I-PLACE"]]}
    feature = method(Kind.TAGGING).encode(to_table(Kind.TAGGING, columns, "test"), tokenizer, TAGS, Limits(32))[0]
    assert isinstance(feature.target, list)
    assert [target for target in feature.target if target >= 0] == [1, 2]
    assert len(feature.target) > 4


def bitext() -> Any:
    columns = {
        "id": ["a", "b", "c"],
        "source": ["ein Boot", "die Lampe", "taa"],
        "target": ["a boat", "the lamp", "a boat"],
    }
    return to_table(Kind.BITEXT, columns, "test")


def test_english_finds_the_nearest_foreign_sentence_and_of_equals_the_first(tiny_model: Path, tokenizer: Any) -> None:
    how = method(Kind.BITEXT)
    columns = {"id": ["a", "b"], "source": ["the lamp", "the lamp"], "target": ["the lamp", "the lamp"]}
    table = to_table(Kind.BITEXT, columns, "test")
    model = model_for(Kind.BITEXT, tiny_model, [])
    with torch.inference_mode():
        found = how.predict(
            model, how.encode(table, tokenizer, None, Limits(32)), table, (), Batcher(1, 99, {}), search(tokenizer)
        )
    assert [prediction.value for prediction in found] == ["a", "a"]
    assert found[0].confidence == pytest.approx(1, abs=1e-5)


def test_vectors_are_the_masked_mean_of_the_last_layer(tiny_model: Path, tokenizer: Any) -> None:
    model = model_for(Kind.BITEXT, tiny_model, [])
    texts = tokenizer(["the lamp", "close the window before the rain comes", "the lamp"])["input_ids"]
    with torch.inference_mode():
        together = embed_all(model, texts, Batcher(1, 10_000, {}))
        state = model(input_ids=torch.tensor([texts[0]])).last_hidden_state.mean(1)[0]
        torch.testing.assert_close(together[0], state)
        torch.testing.assert_close(together[2], together[0])
        torch.testing.assert_close(embed(model, texts, 1), together)


def test_the_contrastive_loss_is_lowest_when_each_text_is_nearest_to_its_own(tiny_model: Path, tokenizer: Any) -> None:
    how, model = method(Kind.BITEXT), model_for(Kind.BITEXT, tiny_model, [])
    same = {"id": ["a", "b"], "source": ["the lamp", "close"], "target": ["the lamp", "close"]}
    crossed = {**same, "target": ["close", "the lamp"]}
    losses = [
        float(how.loss(model, how.encode(to_table(Kind.BITEXT, one, "test"), tokenizer, None, Limits(32)), 1, 0.05))
        for one in (same, crossed)
    ]
    assert losses[0] < losses[1]
