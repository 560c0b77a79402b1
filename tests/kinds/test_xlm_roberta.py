"""An architecture whose parts have other names, and which computes positions from the padding token."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.fit import fit
from tests.tiny import SENTENCES

from isthmus.data.schema import Kind, to_table
from isthmus.kinds.choice import CHOICE
from isthmus.kinds.core import Batcher, Limits, Method, Search
from isthmus.kinds.span import SPAN
from isthmus.kinds.text import TEXT
from isthmus.model.folder import load_model, load_tokenizer, save_model
from isthmus.model.vocabulary import trim
from isthmus.study.spec import Recipe, Retrieval

LIMITS = Limits(40)
RECIPE = Recipe(epochs=60, batch_size=2, learning_rate=5e-3, max_length=40)
QUESTIONS = {
    "question": ["what", "what"],
    "context": ["the lamp in the hall", "a small boat"],
    "answers": [["hall"], ["boat"]],
    "answer_starts": [[16], [8]],
}
CHOICES = {
    "text": ["the lamp", "the hall"],
    "question": ["", "what"],
    "choices": [["green", "a boat"], ["a", "the rain", "a slow song"]],
    "answer": [1, 2],
}


@pytest.fixture(scope="module")
def start(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import XLMRobertaConfig, XLMRobertaModel

    tokenizer = load_tokenizer(tiny_model)
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = XLMRobertaConfig(vocab_size=len(tokenizer), max_position_embeddings=66, pad_token_id=1, **sizes)
    folder = tmp_path_factory.mktemp("xlm-roberta")
    torch.manual_seed(0)
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("kind", "how", "columns", "right"),
    [(Kind.SPAN, SPAN, QUESTIONS, ["hall", "boat"]), (Kind.CHOICE, CHOICE, CHOICES, [1, 2])],
)
def test_what_was_learned_on_a_trimmed_vocabulary_is_in_the_saved_folder(
    start: Path, tmp_path: Path, kind: Kind, how: Method, columns: Mapping[str, Any], right: list[Any]
) -> None:
    tokenizer, rows = load_tokenizer(start), to_table(kind, {"id": ["a", "b"], **columns}, "test")
    model: Any = load_model(start, how.auto_class, [], fresh_head=True, seed=1)
    trimmed = trim(model, [how.encode(rows, tokenizer, [], LIMITS)], tokenizer.pad_token_id)
    assert trimmed is not None
    fit(how, model, trimmed.features[0], RECIPE, tokenizer.pad_token_id)
    save_model(model, tmp_path, start, model.get_input_embeddings().weight, trimmed.kept)
    saved = load_model(tmp_path, how.auto_class, [], fresh_head=False).eval()
    asked, search = how.encode(rows, tokenizer, None, LIMITS), Search("en", Retrieval(), tokenizer, LIMITS)
    with torch.inference_mode():
        found = how.predict(saved, asked, rows, (), Batcher(1, 200, {}), search)
    assert [one.value for one in found] == right


def test_its_language_model_is_trained_saved_and_tied(start: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(start)
    model: Any = load_model(start, TEXT.auto_class, [], fresh_head=True, seed=1)
    rows = to_table(Kind.TEXT, {"id": list(map(str, range(len(SENTENCES)))), "text": SENTENCES}, "test")
    features = TEXT.encode(rows, tokenizer, [], LIMITS)
    fit(TEXT, model, features, RECIPE.model_copy(update={"epochs": 4}), tokenizer.pad_token_id)
    save_model(model, tmp_path, start, model.get_input_embeddings().weight, None)
    saved: Any = load_model(tmp_path, TEXT.auto_class, [], fresh_head=False).eval()
    assert saved.lm_head.decoder.weight is saved.get_input_embeddings().weight
    torch.manual_seed(5)
    loss = TEXT.loss(saved, features, 1, 1.0)
    torch.testing.assert_close(loss, TEXT.loss(model, features, 1, 1.0))
    untrained = load_model(start, TEXT.auto_class, [], fresh_head=True, seed=1).eval()
    assert loss < TEXT.loss(untrained, features, 1, 1.0)
