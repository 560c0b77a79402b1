"""Which parameters decay, and how fast each layer learns; trimming the vocabulary changes neither."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from tests.train.rows_of_kinds import member_of, model_for

from isthmus.data.schema import Kind
from isthmus.model.folder import load_model, load_tokenizer, save_model
from isthmus.model.vocabulary import trim
from isthmus.study.spec import Mixture, Recipe
from isthmus.train.loop import Training, run
from isthmus.train.optimizer import make_optimizer

NAME = "bert.embeddings.word_embeddings.weight"


def by_name(model: Any, recipe: Recipe) -> dict[str, tuple[float, float]]:
    """The share of the rate and the weight decay of each parameter."""
    groups = make_optimizer(model, recipe).param_groups
    held = {id(each): (group["share"], group["weight_decay"]) for group in groups for each in group["params"]}
    return {name: held[id(parameter)] for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("decay_embeddings", [False, True])
def test_biases_norms_and_word_embeddings_do_not_decay_unless_these_are_asked_to(
    masked_model: Path, decay_embeddings: bool
) -> None:
    recipe = Recipe(weight_decay=0.1, decay_embeddings=decay_embeddings)
    found = by_name(model_for([Kind.SEQUENCE], masked_model), recipe)
    exempt = {name for name, (_, decay) in found.items() if decay == 0.0}
    vectors = {name for name in found if name.endswith("bias") or "LayerNorm" in name}
    assert exempt == (vectors if decay_embeddings else vectors | {NAME})
    assert {decay for name, (_, decay) in found.items() if name not in exempt} == {0.1}
    assert {share for share, _ in found.values()} == {1.0}


def test_each_layer_learns_at_a_share_of_the_rate_of_the_one_above(masked_model: Path) -> None:
    found = by_name(model_for([Kind.SEQUENCE], masked_model), Recipe(layer_decay=0.5))
    shares = {"embeddings": 0.125, "layer.0": 0.25, "layer.1": 0.5, "pooler": 1.0, "classifier": 1.0}
    for name, (share, _) in found.items():
        (part,) = (part for part in shares if f"{part}." in name)
        assert share == shares[part], name


def test_all_heads_of_a_mixture_learn_at_the_full_rate(masked_model: Path) -> None:
    found = by_name(model_for([Kind.TAGGING, Kind.SPAN], masked_model), Recipe(layer_decay=0.5))
    assert found["models.1.qa_outputs.weight"][0] == found["models.0.classifier.weight"][0] == 1.0
    assert found["models.0.bert.encoder.layer.1.output.dense.weight"][0] == 0.5
    assert found["models.0.bert.embeddings.word_embeddings.weight"][0] == 0.125


@pytest.mark.parametrize("decay_embeddings", [False, True])
@pytest.mark.parametrize("kinds", [(Kind.SEQUENCE,), (Kind.TAGGING, Kind.CHOICE)])
def test_a_trimmed_vocabulary_trains_as_the_whole_one_and_leaves_other_rows_alone(
    masked_model: Path, tmp_path: Path, kinds: tuple[Kind, ...], decay_embeddings: bool
) -> None:
    """Rows that no text touches never decay when trimmed; those that are touched decay as they would have."""
    recipe = Recipe(
        steps=6, batch_size=4, learning_rate=1e-3, weight_decay=0.5, decay_embeddings=decay_embeddings, layer_decay=0.9
    )
    pad = load_tokenizer(masked_model).pad_token_id
    before = load_model(masked_model, "AutoModel", [], fresh_head=False).get_input_embeddings().weight.detach()
    after, kept = {}, []
    for name in ("whole", "trimmed"):
        model = model_for(kinds, masked_model)
        members = [member_of(kind, masked_model, 6, recipe.batch_size) for kind in kinds]
        if name == "trimmed":
            trimmed = trim(model, [member.features for member in members], pad)
            assert trimmed is not None
            kept = trimmed.kept
            for member, features in zip(members, trimmed.features, strict=True):
                member.features = features
        mixture = Mixture(tasks=tuple(map(str, kinds))) if len(kinds) > 1 else None
        training, optimizer = Training(model, members, recipe, 1, pad, mixture), make_optimizer(model, recipe)
        accelerator = Accelerator(cpu=True)
        run(training, accelerator, accelerator.prepare(optimizer), model, lambda _: None)
        base = model if len(kinds) == 1 else model.models[0]
        folder = tmp_path / name
        folder.mkdir()
        rows = base.get_input_embeddings().weight
        save_model(base, folder, masked_model, rows, kept if name == "trimmed" else None)
        after[name] = load_model(folder, "AutoModel", [], fresh_head=False).state_dict()
    touched = torch.zeros(len(before), dtype=torch.bool)
    touched[kept] = True
    assert touched.any() and not touched.all()
    place = "embeddings.word_embeddings.weight"
    assert torch.equal(after["trimmed"][place][~touched], before[~touched]), "bit for bit"
    assert torch.equal(after["whole"][place][~touched], before[~touched]) != decay_embeddings
    for name, value in after["whole"].items():
        rows = touched if name == place else slice(None)
        torch.testing.assert_close(after["trimmed"][name][rows], value[rows], rtol=1e-4, atol=2e-6)
