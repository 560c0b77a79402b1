"""The training loop: the same for every kind of task, and resumable at every step."""

import contextlib
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.data.batch import epoch_batches
from isthmus.errors import StageFailed
from isthmus.kinds.core import Feature, Method
from isthmus.results import CurvePoint
from isthmus.spec import Recipe

_NO_DECAY_BELOW = 2  # dimensions: biases and norms are vectors
_CURVE_POINTS = 60


@dataclass
class Training:
    """A training under way."""

    model: Any  # a transformers model
    method: Method
    features: Sequence[Feature]
    recipe: Recipe
    seed: int
    pad: int
    micro_batch: int | None = None
    step: int = 0
    curve: list[CurvePoint] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    #: the epoch that was last asked for, and its batches of positions
    _drawn: tuple[int, list[list[int]]] = field(default=(-1, []), init=False, repr=False)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one pass over the features."""
        return math.ceil(len(self.features) / self.recipe.batch_size)

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return max(1, round(self.steps_per_epoch * self.recipe.epochs))

    def batch(self, step: int) -> list[Feature]:
        """The examples of a step: a function of the seed and the step alone."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if self._drawn[0] != epoch:
            lengths = [feature.length for feature in self.features]
            self._drawn = (epoch, epoch_batches(lengths, self.recipe.batch_size, self.seed, epoch))
        return [self.features[row] for row in self._drawn[1][position]]

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then linear decay to zero (arXiv 2005.13013, appendix A)."""
        warmup = round(self.recipe.warmup_ratio * self.steps)
        if step < warmup:
            return self.recipe.learning_rate * (step + 1) / warmup
        return self.recipe.learning_rate * (self.steps - step) / max(1, self.steps - warmup)


def make_optimizer(model: Any, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over what is trained; biases, norms and word embeddings are exempt from weight decay."""
    embedding = model.get_input_embeddings().weight
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [p for p in trained if p.ndim >= _NO_DECAY_BELOW and p is not embedding]
    exempt = [p for p in trained if p.ndim < _NO_DECAY_BELOW or p is embedding]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": exempt, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=recipe.learning_rate, fused=True)


def freeze(model: Any, recipe: Recipe) -> None:
    """Stop gradients to what the recipe leaves as it is. Freezing layers freezes all embeddings below them too."""
    model.get_input_embeddings().weight.requires_grad_(not recipe.freeze_embeddings)
    if not recipe.freeze_layers:
        return
    base = model.base_model
    layers = next(
        (m for m in base.modules() if isinstance(m, nn.ModuleList) and len(m) == model.config.num_hidden_layers), None
    )
    if layers is None or recipe.freeze_layers > len(layers):
        raise StageFailed(f"freeze_layers is {recipe.freeze_layers}, but the model has {len(layers or [])} layers.")
    for part in (base.embeddings, *layers[: recipe.freeze_layers]):
        part.requires_grad_(False)


def run(
    training: Training, accelerator: Any, optimizer: Any, model: Any, after_step: Callable[[Training], None]
) -> None:
    """Train from ``training.step`` to the end; ``after_step`` reports, saves and may raise to stop.

    Raises:
        StageFailed: the loss is not a finite number.
    """
    recipe = training.recipe
    every = max(1, training.steps // _CURVE_POINTS)
    model.train()
    while training.step < training.steps:
        step = training.step
        rate = training.learning_rate(step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = _gradient(training, accelerator, model, step)
        if not math.isfinite(loss):
            raise StageFailed(
                f"The loss became {loss} at step {step + 1}: lower the learning rate ({recipe.learning_rate:g})."
            )
        accelerator.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        training.step = step + 1
        _note(training, loss, rate, every)
        after_step(training)


def _gradient(training: Training, accelerator: Any, model: Any, step: int) -> float:
    """The gradient of the mean loss over the whole batch, whatever the micro-batch; returns that loss.

    When memory runs out the micro-batch is halved and the step begun again: the effective batch never changes.
    """
    while True:
        try:
            return _accumulate(training, accelerator, model, step)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            size = training.micro_batch or training.recipe.batch_size
            if not _is_memory(error) or not training.method.splittable or size == 1:
                raise
            training.micro_batch = size // 2
            training.warnings.append(
                f"memory ran out at step {step + 1}: micro-batch lowered to {training.micro_batch}"
            )
            model.zero_grad()


def _accumulate(training: Training, accelerator: Any, model: Any, step: int) -> float:
    """One forward and backward pass over this process's share of the batch, in micro-batches."""
    whole, method = training.batch(step), training.method
    share = whole[accelerator.process_index :: accelerator.num_processes]
    size = training.micro_batch if training.micro_batch and method.splittable else len(share)
    parts = [share[start : start + size] for start in range(0, len(share), size)] if share else [whole[:1]]
    # Processes average their gradients, so each counts for its part of the whole batch, times their number.
    per_weight = accelerator.num_processes / method.weight(whole) if share else 0.0
    torch.manual_seed(step_seed(training.seed, step) + accelerator.process_index)
    total = 0.0
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        with contextlib.nullcontext() if last else accelerator.no_sync(model), accelerator.autocast():
            loss: Tensor = method.loss(model, part, training.pad, training.recipe.temperature)
            loss = loss * (method.weight(part) * per_weight)
            accelerator.backward(loss)
        total += float(loss.detach())
    return total


def step_seed(seed: int, step: int) -> int:
    """The seed of the random numbers (dropout) of one step."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}".encode()).digest()[:7], "little")


def _note(training: Training, loss: float, rate: float, every: int) -> None:
    """Add the step to the learning curve: one point for every ``every`` steps, of their mean loss."""
    started = (training.step - 1) % every
    if started == 0:
        training.curve.append(CurvePoint(training.step, loss, rate))
    else:
        last = training.curve[-1]
        training.curve[-1] = CurvePoint(training.step, (last.loss * started + loss) / (started + 1), rate)


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
