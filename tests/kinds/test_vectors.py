"""A vector is the pooled states of the layer that was asked for, whichever way it was come by."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tests.tiny import SENTENCES, write_tiny_model

from isthmus.errors import ModelError, SpecError
from isthmus.kinds import vectors
from isthmus.kinds.core import Batcher, pad_texts
from isthmus.kinds.vectors import Pooling, embed, embed_all, embed_texts, pooling_of
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.study.spec import Retrieval

DEPTH = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("three-layers"), layers=DEPTH)


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load_model(folder, "AutoModel", [], fresh_head=False).eval()


@pytest.fixture(scope="module")
def texts(folder: Path) -> list[list[int]]:
    ids: list[list[int]] = load_tokenizer(folder)(SENTENCES)["input_ids"]
    return ids


@torch.inference_mode()
def hidden_states(model: Any, texts: list[list[int]]) -> Any:
    return model(**pad_texts(texts, 1, torch.device("cpu"))._asdict(), output_hidden_states=True).hidden_states


@pytest.mark.parametrize("layer", range(DEPTH + 1))
def test_one_layer_is_that_of_a_whole_pass_and_the_rest_is_not_computed(
    model: Any, texts: list[list[int]], layer: int
) -> None:
    ran = []
    hooks = [block.register_forward_hook(lambda *_: ran.append(1)) for block in model.encoder.layer]
    with torch.inference_mode():
        found = embed(model, texts, 1, Pooling(layer, "cls"))
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(found, hidden_states(model, texts)[layer][:, 0])
    assert len(ran) == layer


def test_all_layers_from_one_pass_are_those_of_single_passes(model: Any, texts: list[list[int]]) -> None:
    with torch.inference_mode():
        swept = embed_all(model, texts, Batcher(1, 60, {}), Pooling(None, "mean"))
        for layer in range(DEPTH + 1):
            torch.testing.assert_close(swept[:, layer], embed_all(model, texts, Batcher(1, 60, {}), Pooling(layer)))


def test_pooling_leaves_padding_out(model: Any, texts: list[list[int]]) -> None:
    with torch.inference_mode():
        last = embed(model, texts, 1, Pooling(DEPTH, "last"))
        mean = embed(model, texts, 1)
        for row, text in enumerate(texts):
            states = hidden_states(model, [text])[-1][0]
            torch.testing.assert_close(last[row], states[-1])
            torch.testing.assert_close(mean[row], states.mean(0))


@pytest.mark.parametrize(("depth", "layer"), [(12, 8), (24, 14), (2, 2), (6, 5)])
def test_the_layer_of_xtreme(model: Any, depth: int, layer: int) -> None:
    model.config.num_hidden_layers = depth
    try:
        assert pooling_of(model, Retrieval(layer="xtreme").of("bitext")) == Pooling(layer, "mean")
    finally:
        model.config.num_hidden_layers = DEPTH


def test_a_layer_that_there_is_not(model: Any) -> None:
    with pytest.raises(SpecError, match="layer is 9, but the model has 3 layers: take one of 0 to 3"):
        pooling_of(model, Retrieval(layer=9).of("mining"))


def test_nothing_is_encoded_twice_while_there_is_room(
    model: Any, texts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    hook = model.register_forward_pre_hook(lambda _, __, named: seen.append(len(named["input_ids"])), with_kwargs=True)
    with torch.inference_mode():
        batcher = Batcher(1, 60, {})
        first = embed_all(model, [*texts, *texts[:4]], batcher)
        again = embed_all(model, texts[::-1], batcher)
        assert sum(seen) == len(set(map(tuple, texts)))
        torch.testing.assert_close(again, first[: len(texts)].flip(0), rtol=0, atol=0)
        torch.testing.assert_close(first[len(texts) :], first[:4], rtol=0, atol=0)
        monkeypatch.setattr(vectors, "_REMEMBERED_BYTES", 6 * first.shape[1] * 4)
        small = Batcher(1, 60, {})
        for start in (0, 4):
            torch.testing.assert_close(embed_all(model, texts[start : start + 5], small), first[start : start + 5])
            assert len(small.known) <= 6
    hook.remove()


def test_texts_as_they_are_written(model: Any, folder: Path, texts: list[list[int]]) -> None:
    with torch.inference_mode():
        found = embed_texts(model, SENTENCES, load_tokenizer(folder), 64)
        torch.testing.assert_close(found, embed(model, texts, 1))


def test_a_model_that_went_wrong_is_named(folder: Path, texts: list[list[int]]) -> None:
    model: Any = load_model(folder, "AutoModel", [], fresh_head=False).eval()
    model.encoder.layer[1].output.dense.bias.data.fill_(float("nan"))
    with torch.inference_mode(), pytest.raises(ModelError, match="not finite numbers"):
        embed_all(model, texts, Batcher(1, 60, {}))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"layer": "all"}, "needs a dev_language"),
        ({"dev_language": "de"}, "dev_language is what layer: all chooses on"),
        ({"layer": -1}, "greater than or equal to 0"),
        ({"pooling": "max"}, "'mean', 'cls' or 'last'"),
    ],
)
def test_options_that_mean_nothing(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Retrieval.model_validate(fields)


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("bitext", {"direction": "max"}, "retrieval.direction: max is not for bitext tasks: .* take forward, backward"),
        ("bitext", {"official": True}, "retrieval.official: true is not for bitext tasks"),
        ("ranking", {"margin": "ratio"}, "retrieval.margin: ratio is not for ranking tasks"),
        ("mining", {"layer": "all", "dev_language": "de"}, "layer: all is for bitext tasks"),
    ],
)
def test_options_that_a_kind_does_not_have(kind: str, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        Retrieval.model_validate(fields).of(kind)


def test_what_is_left_out_is_as_the_benchmark_has_it() -> None:
    shown = {kind: Retrieval().of(kind) for kind in ("bitext", "mining", "ranking")}
    fields = {kind: (o.pooling, o.similarity, o.margin, o.neighbours, o.direction) for kind, o in shown.items()}
    assert fields == {
        "bitext": ("mean", "cosine", "none", 4, "backward"),
        "mining": ("mean", "cosine", "ratio", 4, "max"),
        "ranking": ("cls", "cosine", "none", 4, "forward"),
    }
