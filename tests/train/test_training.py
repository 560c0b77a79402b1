"""The loop trains what the recipe says, goes on exactly where it stopped, and never changes the effective batch."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny import SENTENCES

from isthmus.data.schema import Kind, to_table
from isthmus.errors import StageFailed
from isthmus.kinds import method
from isthmus.kinds.core import Limits
from isthmus.model.folder import load_model, load_tokenizer, save_model
from isthmus.model.vocabulary import trim
from isthmus.study.spec import Recipe
from isthmus.train import checkpoint
from isthmus.train.checkpoint import Progress
from isthmus.train.loop import Member, Training, run
from isthmus.train.optimizer import freeze, make_optimizer

LABELS = ["short", "long"]
RECIPE = Recipe(epochs=2, batch_size=4, learning_rate=1e-3, max_length=32)


class Stop(Exception):
    """Raised between steps, as a kill would end them."""


def table() -> Any:
    labels = ["short" if len(text) < 30 else "long" for text in SENTENCES]
    return to_table(Kind.SEQUENCE, {"id": list(map(str, range(10))), "text": SENTENCES, "label": labels}, "test")


def prepare(
    folder: Path, recipe: Recipe = RECIPE, trimmed: bool = True, seed: int = 1
) -> tuple[Training, Any, list[int] | None]:
    how, tokenizer = method(Kind.SEQUENCE), load_tokenizer(folder)
    model: Any = load_model(folder, how.auto_class, LABELS, fresh_head=True, seed=seed)
    features = how.encode(table(), tokenizer, LABELS, Limits(recipe.max_length))
    freeze(model, recipe)
    small = trim(model, [features], tokenizer.pad_token_id) if trimmed else None
    members = [Member("task", how, small.features[0] if small else features, recipe.batch_size)]
    training = Training(model, members, recipe, seed, tokenizer.pad_token_id)
    return training, make_optimizer(model, recipe), small.kept if small else None


def train(training: Training, optimizer: Any, after: Any = lambda _: None) -> None:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model, prepared = accelerator.prepare(training.model, optimizer)
    run(training, accelerator, prepared, model, after)


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in training.model.state_dict().items()}


def test_training_learns(tiny_model: Path) -> None:
    training, optimizer, _ = prepare(tiny_model, RECIPE.model_copy(update={"epochs": 30, "learning_rate": 5e-3}))
    train(training, optimizer)
    assert training.step == training.steps == 90
    assert training.curve[-1].loss < 0.5 * training.curve[0].loss


@pytest.mark.parametrize("stop_after", range(1, 6))
def test_a_run_stopped_after_any_step_and_resumed_has_the_same_weights_bit_for_bit(
    tiny_model: Path, tmp_path: Path, stop_after: int
) -> None:
    unbroken, optimizer, _ = prepare(tiny_model)
    train(unbroken, optimizer)

    broken, optimizer, _ = prepare(tiny_model)

    def after(training: Training) -> None:
        checkpoint.save(tmp_path, Progress(training.step, training.curve), training.model, optimizer)
        if training.step == stop_after:
            raise Stop

    with pytest.raises(Stop):
        train(broken, optimizer, after)
    resumed, optimizer, _ = prepare(tiny_model)
    torch.manual_seed(999)  # whatever state the generator is in
    progress = checkpoint.restore(tmp_path, resumed.model, optimizer)
    resumed.step, resumed.curve = progress.step, list(progress.curve)
    assert resumed.step == stop_after
    train(resumed, optimizer)
    assert resumed.curve == unbroken.curve
    for name, value in weights(unbroken).items():
        assert torch.equal(value, weights(resumed)[name]), name


def test_only_the_newest_checkpoint_is_kept_and_an_unreadable_one_is_passed_over(
    tiny_model: Path, tmp_path: Path
) -> None:
    training, optimizer, _ = prepare(tiny_model)
    for step in (1, 2):
        checkpoint.save(tmp_path, Progress(step), training.model, optimizer)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000002.safetensors"]
    (tmp_path / "checkpoint-00000003.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    assert checkpoint.restore(tmp_path, training.model, optimizer).step == 2
    (tmp_path / "checkpoint-00000002.safetensors").unlink()
    assert checkpoint.restore(tmp_path, training.model, optimizer) == Progress()


def test_training_on_the_trimmed_vocabulary_gives_the_same_model_and_leaves_other_rows_alone(
    tiny_model: Path, tmp_path: Path
) -> None:
    saved = {}
    for name, trimmed in (("whole", False), ("trimmed", True)):
        recipe = RECIPE.model_copy(update={"weight_decay": 0.1})
        training, optimizer, kept = prepare(tiny_model, recipe, trimmed)
        train(training, optimizer)
        folder = tmp_path / name
        folder.mkdir()
        save_model(training.model, folder, tiny_model, training.model.get_input_embeddings().weight, kept)
        saved[name] = load_model(folder, "AutoModelForSequenceClassification", LABELS, fresh_head=False).state_dict()
    assert saved["whole"].keys() == saved["trimmed"].keys()
    for name, value in saved["whole"].items():
        torch.testing.assert_close(saved["trimmed"][name], value, rtol=1e-4, atol=1e-6)
    before = load_model(tiny_model, "AutoModel", [], fresh_head=False).get_input_embeddings().weight
    after = saved["trimmed"]["bert.embeddings.word_embeddings.weight"]
    assert kept is not None
    touched = torch.zeros(len(before), dtype=torch.bool)
    touched[kept] = True
    assert torch.equal(before[~touched], after[~touched])
    assert (~touched).any()
    assert not torch.equal(before[touched], after[touched])


def test_frozen_parts_stay_as_they_were_bit_for_bit(tiny_model: Path) -> None:
    recipe = RECIPE.model_copy(update={"freeze_embeddings": True, "freeze_layers": 1})
    training, optimizer, _ = prepare(tiny_model, recipe)
    before = weights(training)
    train(training, optimizer)
    changed = {name for name, value in weights(training).items() if not torch.equal(value, before[name])}
    assert any("layer.1" in name for name in changed)
    assert not any("layer.0" in name or "embeddings" in name for name in changed)


def test_more_frozen_layers_than_there_are_is_an_error(tiny_model: Path) -> None:
    with pytest.raises(StageFailed, match="freeze_layers is 5, but the model has 2 layers"):
        prepare(tiny_model, RECIPE.model_copy(update={"freeze_layers": 5}))


def test_the_rate_rises_over_the_warm_up_and_falls_to_nothing(tiny_model: Path) -> None:
    training, _, _ = prepare(tiny_model, Recipe(epochs=10, batch_size=1, learning_rate=1.0 - 1e-9, warmup_ratio=0.1))
    rates = [training.learning_rate(step) for step in range(training.steps)]
    assert training.steps == 100
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert rates[10:] == pytest.approx([(100 - step) / 90 for step in range(10, 100)])


def test_running_out_of_memory_halves_the_micro_batch_and_changes_nothing_else(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = RECIPE.model_copy(update={"batch_size": 8})
    reference, optimizer, _ = prepare(tiny_model, calm)
    reference.model.config.hidden_dropout_prob = 0.0
    no_dropout(reference.model)
    train(reference, optimizer)
    training, optimizer, _ = prepare(tiny_model, calm)
    no_dropout(training.model)
    how = training.members[0].method
    loss = how.loss

    def only_three(model: Any, features: Any, pad: int, temperature: float) -> Any:
        if len(features) > 3:
            raise torch.OutOfMemoryError("made up")
        return loss(model, features, pad, temperature)

    monkeypatch.setattr(how, "loss", only_three)
    train(training, optimizer)
    assert training.micro_batch == 2
    assert "micro-batch lowered to 2" in training.warnings[-1]
    for name, value in weights(reference).items():
        torch.testing.assert_close(weights(training)[name], value, rtol=1e-3, atol=1e-5)


def no_dropout(model: Any) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def test_a_loss_that_is_no_number_ends_the_stage_with_a_sentence(tiny_model: Path) -> None:
    training, optimizer, _ = prepare(tiny_model)
    training.model.classifier.weight.data.fill_(math.inf)
    with pytest.raises(StageFailed, match="The loss became nan at step 1: lower the learning rate"):
        train(training, optimizer)
