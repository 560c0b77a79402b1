"""How a training computes changes nothing of what it computes: micro-batches, recomputation, compiling, attention."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from tests.tiny import write_tiny_model
from tests.train.rows_of_kinds import KINDS, LABELS, member_of, model_for, rows_of

from isthmus.data.schema import Kind
from isthmus.errors import ModelError
from isthmus.kinds import method
from isthmus.kinds.core import Limits
from isthmus.model.folder import load_tokenizer
from isthmus.stage import Settings
from isthmus.study.spec import Recipe
from isthmus.train import arithmetic
from isthmus.train.checkpoint import Progress, restore, save
from isthmus.train.dev import Dev
from isthmus.train.loop import Training, _gradient
from isthmus.train.optimizer import make_optimizer
from isthmus.train.stage import _collapsed

RECIPE = Recipe(steps=3, batch_size=6, learning_rate=1e-3, max_length=32)
SPLITTABLE = [kind for kind in KINDS if kind not in (Kind.BITEXT, Kind.RANKING)]


def gradients(
    folder: Path, kind: Kind, micro_batch: int | None = None, arrange: Callable[[Any], None] = lambda _: None
) -> dict[str, torch.Tensor]:
    """Of the loss of the first batch, with dropout in its place if ``arrange`` puts it there."""
    model = model_for([kind], folder)
    arrange(model)
    model.train()
    training = Training(model, [member_of(kind, folder, 12, RECIPE.batch_size)], RECIPE, 1, 1)
    training.micro_batch = micro_batch
    loss = _gradient(training, Accelerator(cpu=True), model, 0)
    found = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    return {"loss": torch.tensor(loss), **found}


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("kind", SPLITTABLE)
def test_accumulated_gradients_are_those_of_the_whole_batch(masked_model: Path, kind: Kind) -> None:
    """A tagger's sentences have several lengths and so have texts: each micro-batch counts by its words or tokens."""
    expected = gradients(masked_model, kind)
    for size in (1, 4):
        assert_same(gradients(masked_model, kind, size), expected)


@pytest.mark.parametrize("kind", [Kind.BITEXT, Kind.RANKING])
def test_a_batch_of_each_others_negatives_is_never_split(masked_model: Path, kind: Kind) -> None:
    expected = gradients(masked_model, kind)
    for name, value in gradients(masked_model, kind, 1).items():
        assert torch.equal(value, expected[name])


@pytest.mark.parametrize("kind", [Kind.TAGGING, Kind.TEXT, Kind.BITEXT])
def test_gradient_checkpointing_gives_the_same_gradients_dropout_included(masked_model: Path, kind: Kind) -> None:
    def drop(model: Any) -> None:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.1

    def drop_and_recompute(model: Any) -> None:
        drop(model)
        arithmetic.arrange(model, Settings(gradient_checkpointing=True))
        assert model.is_gradient_checkpointing

    expected = gradients(masked_model, kind, arrange=drop)
    assert_same(gradients(masked_model, kind, arrange=drop_and_recompute), expected)
    assert not torch.allclose(expected["loss"], gradients(masked_model, kind)["loss"]), "there was dropout"


def test_attention_is_computed_as_the_settings_say(masked_model: Path) -> None:
    def eager(model: Any) -> None:
        arithmetic.arrange(model, Settings(attention="eager"))
        assert model.config._attn_implementation == "eager"

    assert_same(gradients(masked_model, Kind.TAGGING, arrange=eager), gradients(masked_model, Kind.TAGGING))
    with pytest.raises(ModelError, match="attention flash is not for BertForTokenClassification"):
        arithmetic.arrange(model_for([Kind.TAGGING], masked_model), Settings(attention="flash"))


@pytest.mark.slow
def test_compiled_layers_give_the_same_gradients(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path, layers=1)

    def compiled(model: Any) -> None:
        arithmetic.arrange(model, Settings(compile=True))

    assert_same(gradients(folder, Kind.TAGGING, arrange=compiled), gradients(folder, Kind.TAGGING))


def test_the_scale_of_the_loss_in_fp16_is_part_of_a_checkpoint(masked_model: Path, tmp_path: Path) -> None:
    model = model_for([Kind.SEQUENCE], masked_model)
    optimizer = make_optimizer(model, RECIPE)
    scaler = torch.amp.GradScaler("cpu", init_scale=512.0, growth_interval=7)
    scaler.scale(torch.ones(1))  # the scale is made with the first loss
    save(tmp_path, Progress(1), model, optimizer, scaler)
    another = torch.amp.GradScaler("cpu")
    restore(tmp_path, model, optimizer, another)
    assert another.state_dict() == scaler.state_dict()
    assert another.get_scale() == 512.0


def test_a_model_that_predicts_one_label_throughout_is_warned_of(masked_model: Path) -> None:
    model, how, tokenizer = (
        model_for([Kind.SEQUENCE], masked_model),
        method(Kind.SEQUENCE),
        load_tokenizer(masked_model),
    )
    table, limits, labels = rows_of(Kind.SEQUENCE, 24), Limits(32), LABELS[Kind.SEQUENCE]
    features: dict[str, Any] = {"en": how.encode(table, tokenizer, None, limits)}
    dev = Dev(0, "lengths", how, "accuracy", {"en": table}, features, labels, limits, no_answer=False)
    training = Training(model, [member_of(Kind.SEQUENCE, masked_model, 12, 6)], RECIPE, 1, 1)
    model.classifier.weight.data.zero_()
    for step, bias in ((1, [0.0, 9.0]), (2, [9.0, 0.0])):
        model.classifier.bias.data = torch.tensor(bias)
        training.dev += dev.measure(model, step, tokenizer, "fp32")
    training.step = 2
    assert _collapsed(training) == ["lengths, en: collapsed, every prediction on dev rows is 'short' (step 2)"]
    training.step = 3
    assert _collapsed(training) == [], "what was kept had not been measured"
