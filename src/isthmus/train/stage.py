"""The stage `train`: a model and a task, or a mixture of tasks, in; a whole Hugging Face folder out."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from isthmus.kinds.core import Feature
from isthmus.kinds.features import Features, lengths_of
from isthmus.model.card import outcome, translations_of, write_card
from isthmus.model.folder import load_model, save_model
from isthmus.model.heads import save_heads
from isthmus.model.tokens import LazyTokenizer, Tokens, tokens_of
from isthmus.model.vocabulary import trim
from isthmus.running.execute import Context, Interrupted
from isthmus.running.tracking import following
from isthmus.stage import Json
from isthmus.study.spec import Mixture, Recipe
from isthmus.train import arithmetic, checkpoint, distributed, launch
from isthmus.train.dev import Dev
from isthmus.train.heads import Heads, model_of, use
from isthmus.train.loop import Member, Training
from isthmus.train.loop import run as train
from isthmus.train.optimizer import freeze, layers, make_optimizer
from isthmus.train.rows import Part, parts_of
from isthmus.train.schedule import told_mixture


def run(context: Context) -> dict[str, Json]:
    """Train as the stage's identity says; writes ``model/``. Returns the learning curves and what was trained on."""
    arithmetic.check(context.settings, Recipe.model_validate(context.stage.identity["recipe"]))
    return launch.run(context) if context.settings.processes > 1 else work(context)


def work(context: Context) -> dict[str, Json]:
    """As `run`, in this process; where it is one of several, the first of them writes and has something to return."""
    from accelerate import Accelerator

    identity, settings = context.stage.identity, context.settings
    recipe = Recipe.model_validate(identity["recipe"])
    mixture = told_mixture(identity)
    torch.set_num_threads(max(1, settings.threads // settings.processes))
    precision = {"bf16": "bf16", "fp16": "fp16"}.get(recipe.precision, "no")
    accelerator = Accelerator(cpu=not arithmetic.on_gpu(settings), mixed_precision=precision)
    parent = context.input_folder("model") / "model"
    tokenizer = LazyTokenizer(parent)
    parts = parts_of(context, recipe)
    tokens = [_encoded(context, part, part.table, tokenizer, part.labels) for part in parts]
    pad = tokens[0].pad
    members = [
        Member(part.name, part.method, rows.features, part.recipe.batch_size, part.masked)
        for part, rows in zip(parts, tokens, strict=True)
    ]
    devs = [_dev(context, number, part, tokenizer) for number, part in enumerate(parts) if part.dev]
    sharded = settings.shard != "none"
    with distributed.in_turn(sharded):
        model = _model(parent, parts, mixture, identity["seed"])
        freeze(model, recipe)
        kept = _trim(model, members, devs, pad)
        arithmetic.give_back()
        arithmetic.check_memory(model, settings)
        arithmetic.arrange(model, settings)
        if sharded:
            distributed.shard(model, layers(model), accelerator.device, settings.shard == "offload")

    optimizer = make_optimizer(model, recipe)
    # Without accelerate's DistributedDataParallel: see `isthmus.train.distributed`.
    prepared = accelerator.prepare_model(model, evaluation_mode=True)
    prepared_optimizer = accelerator.prepare(optimizer)
    training = Training(model, members, recipe, identity["seed"], pad, mixture)
    training.micro_batch = settings.micro_batch
    progress = checkpoint.restore(context.work, model, optimizer, accelerator.scaler)
    if mixture is None:  # what the one task is called is no part of the key, and may have been another name then
        progress = progress.renamed(members[0].name)
    training.step, training.curve, training.dev = progress.step, list(progress.curve), list(progress.dev)
    measure = _measurer(context, devs, tokenizer)
    with following(context, _after_step(context, optimizer, accelerator.scaler, measure)) as after:
        train(training, accelerator, prepared_optimizer, prepared, after)
    if training.kept_step() != training.step:
        checkpoint.restore_best(context.work, training.kept_step(), model)
    if sharded:
        distributed.gather(model)
    if not distributed.is_first():
        return {}

    context.warnings.extend([*training.warnings, *_collapsed(training)])
    result: dict[str, Json] = {
        "curve": [asdict(point) for point in training.curve],
        "dev": [asdict(point) for point in training.dev],
        "steps": training.step,
        "planned_steps": training.steps,
        "kept_step": training.kept_step(),
        "examples": sum(len(member.features) for member in members),
        "tokens": int(sum(lengths_of(member.features).sum() for member in members)),
        "members": _accounts(training),
        "vocabulary": len(kept) if kept else None,
        "micro_batch": training.micro_batch,
    }
    went = outcome(result, translations_of(context.stage.inputs, context.store))
    history = [*_history(context), {**_entry(context, recipe, training), **went}]
    folder = context.output / "model"
    _save(model, parts, parent, folder, kept)
    write_card(folder, history)
    return {"history": history, **result}


def _collapsed(training: Training) -> list[str]:
    """What to warn of: in the weights that are kept, one value is predicted for all dev rows."""
    kept = training.kept_step()
    return [
        f"{point.member}, {point.language}: collapsed, every prediction on dev rows is {point.collapsed} (step {kept})"
        for point in training.dev
        if point.step == kept and point.collapsed is not None
    ]


def _save(model: Any, parts: Sequence[Part], parent: Path, folder: Path, kept: list[int] | None) -> None:
    """Write the model, whole, and beside it the heads of a mixture."""
    folder.mkdir()
    embedding = model.get_input_embeddings().weight
    rows = embedding if embedding.requires_grad else None
    save_model(_ordinary(model), folder, parent, rows, kept if rows is not None else None)
    if isinstance(model, Heads):
        models = {part.name: model_of(model, number) for number, part in enumerate(parts)}
        classes = {part.name: part.method.auto_class for part in parts}
        save_heads(models, classes, {part.name: part.labels for part in parts}, folder)


def _model(parent: Any, parts: Sequence[Part], mixture: Mixture | None, seed: int) -> Any:
    """The parent's model with the head of the one task, or one head a member; shared ones are one model."""
    models: list[Any] = []
    for number, part in enumerate(parts):
        twin = next((place for place in range(number) if _same_head(parts[place], part, mixture)), None)
        if twin is not None:
            models.append(models[twin])
            continue
        fresh = part.recipe.head == "fresh"
        models.append(load_model(parent, part.method.auto_class, part.labels, fresh_head=fresh, seed=seed))
    return models[0] if mixture is None else Heads(models)


def _ordinary(model: Any) -> Any:
    """What an ordinary folder holds: the model with its head; of a mixture, the encoder, as whole as any member has it.

    It has labels of none of them: the heads lie beside it.
    """
    if not isinstance(model, Heads):
        return model
    models: list[Any] = list(model.models)
    base = max((each.base_model for each in models), key=lambda each: len(list(each.parameters())))
    base.config = copy.deepcopy(base.config)
    base.config.num_labels = 2
    return base


def _same_head(one: Part, other: Part, mixture: Mixture | None) -> bool:
    """Do two members share a head: all texts do, tasks where the mixture says so."""
    if one.masked or other.masked:
        return one.masked and other.masked
    return mixture is not None and mixture.heads == "shared"


def _encoded(context: Context, part: Part, table: pa.Table, tokenizer: Any, labels: list[str] | None) -> Tokens:
    """Rows of a member as tokens, from the store where they were made before."""
    return tokens_of(context.store, table, part.kind, tokenizer, labels, part.limits)


def _dev(context: Context, number: int, part: Part, tokenizer: Any) -> Dev:
    """The dev rows of a member, encoded."""
    features: dict[str, Sequence[Feature]] = {
        tag: _encoded(context, part, table, tokenizer, None).features for tag, table in part.dev.items()
    }
    return Dev(
        number, part.name, part.method, part.metric, part.dev, features, part.labels, part.limits, part.recipe.no_answer
    )


def _trim(model: Any, members: Sequence[Member], devs: Sequence[Dev], pad: int) -> list[int] | None:
    """Leave of the vocabulary what members and dev rows use; the ids of these rows, or None for all."""
    lists: list[Sequence[Feature]] = [member.features for member in members]
    lists += [features for dev in devs for features in dev.features.values()]
    trimmed = trim(model, lists, pad)
    if trimmed is None:
        return None
    found = iter(trimmed.features)
    for member in members:
        member.features = next(found)
    for dev in devs:
        for language in dev.features:
            dev.features[language] = next(found)
    return trimmed.kept


def _measurer(context: Context, devs: Sequence[Dev], tokenizer: Any) -> Callable[[Training], None]:
    """Measures on the dev rows when it is time, and keeps the weights where they are the best so far."""

    def measure(training: Training) -> None:
        every = training.recipe.evaluate_every
        if every is None or (training.step % every and training.step < training.steps):
            return
        for dev in devs:
            use(training.model, dev.number)
            points = dev.measure(training.model, training.step, tokenizer, training.recipe.precision)
            training.dev += distributed.said_by_first(points)
        training.model.train()
        if distributed.together():
            distributed.reshard(training.model)
        if training.recipe.checkpoint == "best" and training.progress.best == training.step:
            checkpoint.save_best(context.work, training.step, training.model)

    return measure


def _after_step(
    context: Context, optimizer: torch.optim.Optimizer, scaler: Any, measure: Callable[[Training], None]
) -> Callable[[Training], None]:
    """What happens between steps: evaluation, progress, checkpoints, and stopping when asked to.

    Of several processes the first decides, so that all do the same at the same step.
    """
    saved = time.monotonic()

    def after(training: Training) -> None:
        nonlocal saved
        measure(training)
        if distributed.is_first():
            context.report(training.step, training.steps)
        stop = context.stopping() and not training.is_over()
        due = stop or time.monotonic() - saved >= context.settings.checkpoint_seconds
        stop, due = distributed.said_by_first((stop, due))
        if due:
            checkpoint.save(context.work, training.progress, training.model, optimizer, scaler)
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
        "members": hints.get("members", []),
        "kind": context.stage.identity.get("kind", "mixture"),
        "seed": context.stage.identity["seed"],
        "examples": sum(_rows(member.features) for member in training.members),
        "recipe": recipe.model_dump(),
        "key": context.stage.key,
    }


def _rows(features: Sequence[Feature]) -> int:
    """The rows that features were made from: some give several."""
    if isinstance(features, Features):
        return len(np.unique(features.example))
    return len({feature.example for feature in features})


class _Account(NamedTuple):
    """What one member had of the training."""

    steps: int
    features: int
    first_loss: float | None
    last_loss: float | None
    dev: dict[str, float]


def _accounts(training: Training) -> dict[str, Json]:
    """For each member its steps, its losses, and the scores on dev rows of the weights that are kept."""
    found = {}
    done = training.schedule.member[: training.step]
    for number, member in enumerate(training.members):
        losses = [point.loss for point in training.curve if point.member == member.name]
        own = [point for point in training.dev if (point.member, point.step) == (member.name, training.kept_step())]
        dev = {point.language: point.score for point in own}
        first, last = (losses[0], losses[-1]) if losses else (None, None)
        steps = int((done == number).sum())
        found[member.name] = _Account(steps, len(member.features), first, last, dev)._asdict()
    return found
