"""Texts without labels: what is masked, what is learned from it, and what a task that follows makes of the model."""

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fit import fit
from tests.tiny import SENTENCES

from isthmus.api import Resources, make_plan, walk
from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError, ModelError
from isthmus.kinds.core import Batcher, Feature, Limits, Search, inputs_of
from isthmus.kinds.text import TEXT, logits_at, mask
from isthmus.model.folder import load_model, load_tokenizer, save_model
from isthmus.model.vocabulary import trim
from isthmus.running.runner import Watcher
from isthmus.store import Store
from isthmus.study.spec import Recipe, Retrieval, Study
from isthmus.tasks.core import Split, Task
from isthmus.train import checkpoint

LABELS = ("short", "long")
RECIPE = Recipe(epochs=2, batch_size=4, learning_rate=1e-3, max_length=24)
EMBEDDINGS = "bert.embeddings.word_embeddings.weight"


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in miniature with a mask token; it has never had a head."""
    copied = tmp_path_factory.mktemp("with-mask") / "model"
    shutil.copytree(tiny_model, copied)
    tokenizer = load_tokenizer(copied)
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    tokenizer.save_pretrained(copied)
    return copied


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load_model(folder, TEXT.auto_class, [], fresh_head=True, seed=3).eval()


def table(texts: list[str]) -> pa.Table:
    return to_table(Kind.TEXT, {"id": [f"row-{number}" for number in range(len(texts))], "text": texts}, "test")


def ask(model: Any, rows: pa.Table, tokenizer: Any, budget: int = 200, max_length: int = 24) -> Any:
    limits = Limits(max_length)
    with torch.inference_mode():
        features = TEXT.encode(rows, tokenizer, None, limits)
        search = Search("en", Retrieval(), tokenizer, limits)
        return TEXT.predict(model, features, rows, (), Batcher(1, budget, {}), search)


# Masks

texts = st.lists(
    st.sampled_from(
        ["the lamp", "grün", "\u200b", "\u00a0", "مرحبا\u200f", "🙂", "a\u0301", "x" * 40, "\n", "<mask>", "</s>", ""]
    ),
    max_size=20,
).map(" ".join)


@settings(deadline=None)
@given(texts, st.integers(0, 2**64 - 1))
def test_fifteen_percent_of_the_ordinary_tokens_are_masked_and_never_a_special_one(
    tokenizer: Any, text: str, seed: int
) -> None:
    special = set(tokenizer.all_special_ids)
    features = TEXT.encode(table([text, "the lamp"]), tokenizer, [], Limits(24))
    for feature in features:
        (masked,) = mask([feature], seed)
        before, after = np.array(feature.texts[0]), np.array(masked.texts[0])
        ordinary = sum(token not in special for token in before)
        places, tokens = masked.target
        assert len(set(places.tolist())) == len(places) == max(1, round(0.15 * ordinary))
        assert before[places].tolist() == tokens.tolist()
        assert not special & set(tokens.tolist())
        assert set(after[places].tolist()) <= set(tokenizer.get_vocab().values()) - special | {tokenizer.mask_token_id}
        after[places] = before[places]
        assert after.tolist() == before.tolist(), "all else is as it was"
    assert TEXT.weight(features) == sum(len(masked.target.tokens) for masked in mask(features, seed))


def test_of_the_tokens_to_predict_80_percent_are_masked_10_replaced_and_10_left(tokenizer: Any) -> None:
    features = TEXT.encode(table(SENTENCES * 40), tokenizer, [], Limits(24))
    before, after = [], []
    for masked in mask(features, 7):
        before.extend(masked.target.tokens.tolist())
        after.extend(np.array(masked.texts[0])[masked.target.positions].tolist())
    share = {
        "masked": np.mean([token == tokenizer.mask_token_id for token in after]),
        "left": np.mean([token == old for token, old in zip(after, before, strict=True)]),
    }
    error = 4 * np.sqrt(0.8 * 0.2 / len(before))
    assert len(before) > 1200
    assert share["masked"] == pytest.approx(0.8, abs=error)
    assert share["left"] == pytest.approx(0.1 + 0.1 / len(tokenizer), abs=error)


@pytest.mark.parametrize("whole_words", [False, True])
def test_masks_are_new_in_every_step_and_follow_from_its_seed_alone(
    tokenizer: Any, model: Any, whole_words: bool
) -> None:
    features = TEXT.encode(table(SENTENCES), tokenizer, [], Limits(24, whole_words=whole_words))

    def loss(seed: int, used: int = 0, parts: int = 1) -> float:
        torch.manual_seed(seed)
        torch.rand(used)  # as dropout would
        size = len(features) // parts
        total = sum(
            float(TEXT.loss(model, features[start : start + size], 1, 1.0).detach())
            * TEXT.weight(features[start : start + size])
            for start in range(0, len(features), size)
        )
        return total / TEXT.weight(features)

    assert loss(1) == loss(1, used=100)
    assert loss(1) != loss(2)
    assert loss(1) == pytest.approx(loss(1, parts=2), rel=1e-5), "micro-batches have the masks of the whole batch"


def test_windows_of_a_long_text_hold_each_token_once(tokenizer: Any) -> None:
    long = " ".join(SENTENCES)
    features = TEXT.encode(table([long, "", "the lamp"]), tokenizer, [], Limits(24))
    assert all(feature.length <= 24 for feature in features)
    windows = [feature.texts[0] for feature in features if feature.example == 0]
    assert len(windows) > 5
    assert all(window[0] == 0 and window[-1] == 2 for window in windows)
    held = [token for window in windows for token in window[1:-1]]
    assert held == tokenizer(long, add_special_tokens=False)["input_ids"]
    assert {feature.example for feature in features} == {0, 2}


def test_a_tokenizer_without_a_mask_token_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="has no mask token"):
        TEXT.encode(table(["the lamp"]), load_tokenizer(tiny_model), [], Limits(24))


def test_texts_with_nothing_in_them_are_refused_for_training_and_have_nothing_to_predict(
    tokenizer: Any, model: Any
) -> None:
    rows = table(["", "</s>"])
    with pytest.raises(DataError, match="None of the texts has a token to learn from"):
        TEXT.encode(rows, tokenizer, [], Limits(24))
    assert [(one.value, one.gold, one.confidence) for one in ask(model, rows, tokenizer)] == [([], [], 0.0)] * 2


# Whole words

WHOLE = Limits(24, whole_words=True)


@settings(deadline=None)
@given(texts, st.integers(0, 2**64 - 1))
def test_all_pieces_of_a_word_are_masked_or_none(tokenizer: Any, text: str, seed: int) -> None:
    special = set(tokenizer.all_special_ids)
    features = TEXT.encode(table([text, *SENTENCES]), tokenizer, [], WHOLE)
    for feature, masked in zip(features, mask(features, seed), strict=True):
        places = set(masked.target.positions.tolist())
        ids = feature.texts[0]
        ends = [*feature.words[1:], len(ids)]
        words = [
            {place for place in range(start, end) if ids[place] not in special}
            for start, end in zip(feature.words, ends, strict=True)
        ]
        words = [word for word in words if word]
        assert all(not word & places or word <= places for word in words)
        budget = max(1, round(0.15 * sum(map(len, words))))
        assert 0 < len(places) <= max(budget, min(map(len, words)))
        left = [len(word) for word in words if not word & places]
        assert not left or len(places) + min(left) > budget, "no word is left that would have had room"
        alone = mask([feature], seed)[0]
        assert alone.texts == masked.texts, "a mask does not depend on what else is in the batch"


def test_words_are_those_of_the_tokenizer_and_in_scripts_without_spaces_its_pieces(embedded_model: Path) -> None:
    tokenizer = load_tokenizer(embedded_model)
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    sentences = ["Unbelievable lampposts.", "水源在河的北边 and upstream"]
    for feature, text in zip(TEXT.encode(table(sentences), tokenizer, [], WHOLE), sentences, strict=True):
        pieces = tokenizer.convert_ids_to_tokens(feature.texts[0])
        starts = [*feature.words, len(pieces) - 1]
        words = ["".join(pieces[start:end]) for start, end in itertools.pairwise(starts)]
        assert "".join(words).replace("▁", " ").strip() == text
        if text is sentences[0]:
            assert words == ["▁Unbelievable", "▁lampposts."] and len(pieces) > 5
        else:
            assert words[-2:] == ["▁and", "▁upstream"]
            chinese = tokenizer.tokenize(text.split()[0])
            assert words[:-2] == chinese and len(chinese) > 3


def test_windows_end_between_words_and_about_as_much_is_masked_as_without(embedded_model: Path) -> None:
    tokenizer = load_tokenizer(embedded_model)
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    rows = table([" ".join(SENTENCES)] * 50)
    features = TEXT.encode(rows, tokenizer, [], WHOLE)
    starts = {tokenizer.convert_ids_to_tokens(feature.texts[0][1])[0] for feature in features}
    assert starts == {"▁"} and max(feature.length for feature in features) <= 24
    found = sum(len(masked.target.tokens) for masked in mask(features, 1))
    assert found == pytest.approx(TEXT.weight(features), rel=0.02)


# The loss


def test_the_loss_is_that_of_the_library_on_the_same_masks(tokenizer: Any, model: Any) -> None:
    features = TEXT.encode(table(SENTENCES), tokenizer, [], Limits(24))
    torch.manual_seed(5)
    ours = TEXT.loss(model, features, 1, 1.0)
    masked = mask(features, 5)
    inputs = inputs_of(masked, 1, torch.device("cpu"))
    labels = torch.full_like(inputs["input_ids"], -100)
    for row, feature in enumerate(masked):
        labels[row, feature.target.positions] = torch.from_numpy(feature.target.tokens)
    torch.testing.assert_close(ours, model(**inputs, labels=labels).loss)
    logits = logits_at(model, masked, [feature.target.positions for feature in masked], 1)
    torch.testing.assert_close(logits, model(**inputs).logits[labels >= 0])
    assert model(**inputs).logits.shape[:2] == labels.shape, "the model is as it was"


# Predictions


@settings(deadline=None, max_examples=25)
@given(st.lists(texts, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_what_is_masked_and_predicted_depends_on_the_row_alone(
    tokenizer: Any, model: Any, rows: list[str], shuffled: Any
) -> None:
    whole = table(rows)
    found = ask(model, whole, tokenizer)
    names = set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)
    for prediction in found:
        assert len(prediction.value) == len(prediction.gold)
        assert set(prediction.gold) <= names
        assert 0 <= prediction.confidence <= 1
    order = list(range(len(rows)))
    shuffled.shuffle(order)
    for budget in (1, 10_000):
        for row, again in zip(order, ask(model, whole.take(order), tokenizer, budget), strict=True):
            assert again.gold == found[row].gold
            assert again.confidence == pytest.approx(found[row].confidence, abs=1e-4)


def test_a_measured_token_is_always_the_mask(tokenizer: Any) -> None:
    features = TEXT.encode(table(SENTENCES), tokenizer, None, Limits(24))
    for feature in features:
        assert {feature.texts[0][place] for place in feature.target.positions} == {tokenizer.mask_token_id}


# The head


def test_a_head_is_fresh_where_there_is_none_and_kept_where_there_is_one(folder: Path, tmp_path: Path) -> None:
    encoder: Any = load_model(folder, "AutoModel", [], fresh_head=False)
    fresh: Any = load_model(folder, TEXT.auto_class, [], fresh_head=True, seed=1)
    other: Any = load_model(folder, TEXT.auto_class, [], fresh_head=True, seed=2)
    words = encoder.get_input_embeddings().weight
    assert torch.equal(fresh.get_input_embeddings().weight, words)
    assert fresh.get_output_embeddings().weight is fresh.get_input_embeddings().weight
    dense = fresh.cls.predictions.transform.dense.weight
    assert not torch.equal(dense, other.cls.predictions.transform.dense.weight)
    with pytest.raises(ModelError, match="no trained head"):
        load_model(folder, TEXT.auto_class, [], fresh_head=False)
    save_model(fresh, tmp_path, folder, None, None)
    kept: Any = load_model(tmp_path, TEXT.auto_class, [], fresh_head=True, seed=9)
    assert torch.equal(kept.cls.predictions.transform.dense.weight, dense)


def train(folder: Path, tokenizer: Any, recipe: Recipe = RECIPE, **moments: Any) -> Any:
    model: Any = load_model(folder, TEXT.auto_class, [], fresh_head=True, seed=1)
    features = TEXT.encode(table(SENTENCES), tokenizer, [], Limits(recipe.max_length))
    assert trim(model, [features], tokenizer.pad_token_id) is None, "the softmax is over the whole vocabulary"
    return fit(TEXT, model, features, recipe, tokenizer.pad_token_id, **moments)


def test_what_was_learned_is_in_the_saved_folder_for_every_class(folder: Path, tokenizer: Any, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoModelForMaskedLM

    recipe = RECIPE.model_copy(update={"epochs": 60, "learning_rate": 5e-3, "batch_size": 10, "max_length": 64})
    training = train(folder, tokenizer, recipe)
    assert training.curve[-1].loss < 0.8 * training.curve[0].loss
    model = training.model
    save_model(model, tmp_path, folder, model.get_input_embeddings().weight, None)
    inputs = inputs_of([Feature(0, (tokenizer("the lamp is <mask>")["input_ids"],))], 1, torch.device("cpu"))
    with torch.inference_mode():
        wanted = model(**inputs, output_hidden_states=True)
        language_model = AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
        encoder = AutoModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
        torch.testing.assert_close(language_model(**inputs).logits, wanted.logits)
        torch.testing.assert_close(encoder(**inputs).last_hidden_state, wanted.hidden_states[-1])
    before = load_model(folder, "AutoModel", [], fresh_head=False).get_input_embeddings().weight
    assert not torch.equal(language_model.get_output_embeddings().weight, before)
    names = {name for file in tmp_path.glob("*.safetensors") for name in stored(file)}
    assert EMBEDDINGS in names
    assert "cls.predictions.decoder.weight" not in names, "the tied matrix is stored once"
    saved, fresh = (
        load_model(tmp_path, TEXT.auto_class, [], fresh_head=False),
        load_model(folder, TEXT.auto_class, [], True),
    )
    rows = table(SENTENCES * 10)  # the masks differ
    assert accuracy(ask(saved.eval(), rows, tokenizer)) > 2 * accuracy(ask(fresh.eval(), rows, tokenizer)) > 0


def accuracy(found: Any) -> float:
    pairs = [pair for one in found for pair in zip(one.value, one.gold, strict=True)]
    return float(np.mean([value == gold for value, gold in pairs]))


def stored(file: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        return list(tensors.keys())


class Stop(Exception):
    """Raised between steps, as a kill would end them."""


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_a_run_stopped_and_resumed_has_the_same_weights_bit_for_bit(
    folder: Path, tokenizer: Any, tmp_path: Path, stop_after: int
) -> None:
    unbroken = train(folder, tokenizer)

    def stop(training: Any, optimizer: Any) -> None:
        checkpoint.save(tmp_path, training.progress, training.model, optimizer)
        if training.step == stop_after:
            raise Stop

    with pytest.raises(Stop):
        train(folder, tokenizer, after=stop)
    torch.manual_seed(999)

    def go_on(training: Any, optimizer: Any) -> None:
        progress = checkpoint.restore(tmp_path, training.model, optimizer)
        training.step, training.curve = progress.step, list(progress.curve)
        assert training.step == stop_after

    resumed = train(folder, tokenizer, begin=go_on)
    assert resumed.curve == unbroken.curve
    for name, value in unbroken.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


# In a chain


class Rows:
    """The sentences, bare or labelled by their length."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def identity(self) -> Mapping[str, str]:
        return {"rule": self.kind}

    def load(self, split: Split, language: str) -> pa.Table:
        rows = table(SENTENCES * 2)
        if self.kind is Kind.TEXT:
            return rows
        labels = ["long" if len(text) > 31 else "short" for text in SENTENCES * 2]
        return to_table(self.kind, {**rows.to_pydict(), "label": labels}, "test")


def test_text_is_an_intermediate_task_and_a_target_like_any_other(folder: Path, tmp_path: Path) -> None:
    tasks = [
        Task("plain", Kind.TEXT, "plain", ("en",), "token_accuracy", Rows(Kind.TEXT), "CC0", "derived"),
        Task(
            "length", Kind.SEQUENCE, "length", ("en",), "accuracy", Rows(Kind.SEQUENCE), "CC0", "derived", "en", LABELS
        ),
    ]
    study = Study.model_validate(
        {
            "models": [str(folder)],
            "intermediates": ["plain"],
            "targets": ["length", "plain"],
            "recipe": RECIPE.model_dump(include={"epochs", "batch_size", "learning_rate", "max_length"}),
        }
    )
    store = Store.open(tmp_path / "store")
    planned = make_plan(study, store, tasks=tasks)
    walked = walk(planned, store, Resources(2, "cpu"), Watcher())
    assert walked.errors == {}
    for chain in planned.chains:
        assert chain.score is not None
        assert chain.predictions is not None
        record = store.record(chain.score)
        assert record is not None
        assert 0 <= record.result["scores"]["en"] <= 100
        if chain.chain.target == "plain":
            rows = pq.read_table(store.stage_folder(chain.predictions) / "predictions/en.parquet").to_pylist()
            assert len(rows) == 20
            assert all(len(row["gold"]) == len(row["prediction"]) > 0 for row in rows)
            assert all(token.lstrip("▁") in SENTENCES[int(row["id"][4:]) % 10] for row in rows for token in row["gold"])


def test_a_vocabulary_without_a_name_for_a_row_never_fails(tokenizer: Any, model: Any) -> None:
    """The tiny model has more rows than its tokenizer has tokens, as many published ones do."""
    assert model.config.vocab_size > len(tokenizer)
    bias = model.get_output_embeddings().bias
    before = bias.detach().clone()
    with torch.no_grad():
        bias[-1] = 1e4
    (found,) = ask(model, table(["the lamp in the hall is green"]), tokenizer)
    with torch.no_grad():
        bias.copy_(before)
    assert set(found.value) == {""}
