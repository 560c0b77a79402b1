"""The stage `train`: a model and a task in, a whole Hugging Face folder out."""

import time
from typing import Any

import torch

from isthmus.data.catalog import read_rows
from isthmus.data.subset import nested_subset
from isthmus.errors import ResourceError
from isthmus.execute import Context, Interrupted
from isthmus.kinds import method
from isthmus.kinds.core import Feature, Limits, Method
from isthmus.model.card import write_card
from isthmus.model.folder import check_length, load_model, load_tokenizer, save_model
from isthmus.model.vocabulary import trim
from isthmus.spec import Recipe
from isthmus.stage import Json
from isthmus.train import checkpoint
from isthmus.train.loop import Training, freeze, make_optimizer
from isthmus.train.loop import run as train

_BYTES_PER_TRAINED = 16  # weight, gradient and two moments, float32


def run(context: Context) -> dict[str, Json]:
    """Train as the stage's identity says; writes ``model/``. Returns the learning curve and what was trained on."""
    from accelerate import Accelerator

    identity, settings = context.stage.identity, context.settings
    recipe = Recipe.model_validate(identity["recipe"])
    torch.set_num_threads(settings.threads)
    parent = context.input_folder("model") / "model"
    how = method(identity["kind"])
    labels = list(identity.get("labels", ()))
    model: Any = load_model(parent, how.auto_class, labels, fresh_head=True, seed=identity["seed"])
    tokenizer = load_tokenizer(parent)
    check_length(tokenizer, recipe.max_length)
    features = encode_training_rows(context, how, tokenizer, labels, recipe)
    freeze(model, recipe)
    trimmed = trim(model, features, tokenizer.pad_token_id)
    _check_memory(model)

    accelerator = Accelerator(
        cpu=settings.device == "cpu", mixed_precision="bf16" if recipe.precision == "bf16" else "no"
    )
    optimizer = make_optimizer(model, recipe)
    prepared, prepared_optimizer = accelerator.prepare(model, optimizer)
    training = Training(
        model, how, trimmed.features if trimmed else features, recipe, identity["seed"], tokenizer.pad_token_id
    )
    training.micro_batch = settings.micro_batch
    training.step, training.curve = checkpoint.restore(context.work, model, optimizer)
    train(training, accelerator, prepared_optimizer, prepared, _after_step(context, optimizer))

    context.warnings.extend(training.warnings)
    history = [*_history(context), _entry(context, recipe, training)]
    folder = context.output / "model"
    folder.mkdir()
    embedding = model.get_input_embeddings().weight
    rows = embedding if embedding.requires_grad else None
    save_model(model, folder, parent, rows, trimmed.kept if trimmed and rows is not None else None)
    write_card(folder, history)
    return {
        "history": history,
        "curve": [point.__dict__ for point in training.curve],
        "steps": training.steps,
        "examples": len(training.features),
        "tokens": sum(feature.length for feature in features),
        "vocabulary": len(trimmed.kept) if trimmed else None,
        "micro_batch": training.micro_batch,
    }


def encode_training_rows(
    context: Context, how: Method, tokenizer: Any, labels: list[str], recipe: Recipe
) -> list[Feature]:
    """The features of the stage's training rows, or of its nested subset of them."""
    table = read_rows(context.store.data_file(context.stage.identity["train"]))
    salt = f"train/{context.stage.identity['seed']}"
    table = table.take(nested_subset(table.column("id").to_pylist(), recipe.train_examples, salt))
    return how.encode(table, tokenizer, labels, Limits(recipe.max_length, recipe.stride))


def _after_step(context: Context, optimizer: torch.optim.Optimizer) -> Any:
    """What happens between steps: progress, checkpoints, and stopping when asked to."""
    saved = time.monotonic()

    def after(training: Training) -> None:
        nonlocal saved
        context.report(training.step, training.steps)
        stop = context.stopping() and training.step < training.steps
        if stop or time.monotonic() - saved >= context.settings.checkpoint_seconds:
            checkpoint.save(context.work, training.step, training.model, optimizer, training.curve)
            saved = time.monotonic()
        if stop:
            raise Interrupted(
                f"{context.stage.title}: stopped after step {training.step} of {training.steps}, and saved."
            )

    return after


def _history(context: Context) -> list[dict[str, Json]]:
    """What the parent model had been trained on, in order."""
    record = context.store.record(context.stage.inputs["model"])
    return list(record.result.get("history", ())) if record else []


def _entry(context: Context, recipe: Recipe, training: Training) -> dict[str, Json]:
    """This stage's line in the history of the model."""
    hints = context.stage.hints
    return {
        "task": hints.get("task"),
        "language": hints.get("language"),
        "licence": hints.get("licence"),
        "kind": context.stage.identity["kind"],
        "seed": context.stage.identity["seed"],
        "examples": len({feature.example for feature in training.features}),
        "recipe": recipe.model_dump(),
        "key": context.stage.key,
    }


def _check_memory(model: Any) -> None:
    """Refuse to begin what cannot fit: weights, gradients and moments, before any activation."""
    import psutil

    parameters = list(model.parameters())
    needed = sum(p.numel() * (_BYTES_PER_TRAINED if p.requires_grad else 4) for p in parameters)
    there = psutil.virtual_memory().available + psutil.Process().memory_info().rss
    if needed > there:
        raise ResourceError(
            f"Training this model takes at least {needed / 1e9:.1f} GB of memory and {there / 1e9:.1f} GB are there: "
            "use a smaller model, freeze_embeddings or freeze_layers, or a machine with more memory."
        )
