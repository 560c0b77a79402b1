"""The training loop: the same for every kind of task and every mixture of them, and resumable at every step."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from isthmus.data.batch import epoch_batches
from isthmus.errors import ResourceError, StageFailed
from isthmus.kinds.core import TOKEN_BUDGET, Feature, Method, device_of
from isthmus.kinds.features import lengths_of
from isthmus.results import CurvePoint, DevPoint
from isthmus.study.spec import Mixture, Recipe
from isthmus.train.checkpoint import Progress
from isthmus.train.cpu import hasten
from isthmus.train.distributed import add_up, is_sharded, seed_all, share_of, together
from isthmus.train.heads import use
from isthmus.train.schedule import Schedule, Size, make_schedule

_CURVE_POINTS = 60


@dataclass
class Member:
    """One of the tasks that are trained together, or the only one."""

    name: str
    method: Method
    features: Sequence[Feature]
    batch_size: int
    #: is it text for the masked language model of a mixture?
    masked: bool = False
    #: the epoch that was last asked for, and its batches of positions
    _drawn: tuple[int, list[list[int]]] = field(default=(-1, []), init=False, repr=False)

    def batch(self, turn: int, seed: int) -> list[Feature]:
        """The examples of the member's step number ``turn``: a function of the seed and the number alone."""
        epoch, position = divmod(turn, math.ceil(len(self.features) / self.batch_size))
        if self._drawn[0] != epoch:
            self._drawn = (epoch, epoch_batches(lengths_of(self.features), self.batch_size, seed, epoch))
        return [self.features[row] for row in self._drawn[1][position]]


@dataclass
class Training:
    """A training under way."""

    model: Any  # a transformers model, or several heads on one (`isthmus.train.heads`)
    members: Sequence[Member]
    recipe: Recipe
    seed: int
    pad: int
    mixture: Mixture | None = None
    micro_batch: int | None = None
    step: int = 0
    curve: list[CurvePoint] = field(default_factory=list)
    dev: list[DevPoint] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    schedule: Schedule = field(init=False, repr=False)

    def __post_init__(self) -> None:
        sizes = [Size(len(member.features), member.batch_size, member.masked) for member in self.members]
        self.schedule = make_schedule(sizes, self.recipe, self.mixture, self.seed)

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return len(self.schedule.member)

    @property
    def every(self) -> int:
        """The steps of a member that one point of its learning curve is the mean of."""
        return max(1, self.steps // _CURVE_POINTS)

    def completed_point(self) -> bool:
        """Has the last step completed a point of a learning curve?"""
        return (int(self.schedule.turn[self.step - 1]) + 1) % self.every == 0

    def batch(self, step: int) -> tuple[int, list[Feature]]:
        """The number of the member whose step it is, and its examples: a function of the seed and the step alone."""
        number = int(self.schedule.member[step])
        seed = self.seed if number == 0 else step_seed(self.seed, -number)
        return number, self.members[number].batch(int(self.schedule.turn[step]), seed)

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then linear decay to zero (arXiv 2005.13013, appendix A)."""
        warmup = round(self.recipe.warmup_ratio * self.steps)
        if step < warmup:
            return self.recipe.learning_rate * (step + 1) / warmup
        return self.recipe.learning_rate * (self.steps - step) / max(1, self.steps - warmup)

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return Progress(self.step, self.curve, self.dev)

    def kept_step(self) -> int:
        """The step whose weights a training that ended here would keep."""
        best = self.progress.best if self.recipe.checkpoint == "best" else 0
        return best or self.step

    def is_over(self) -> bool:
        """Were all steps taken, or the last ``patience`` evaluations no better than one before them?"""
        best = self.progress.best
        stale = sum(step > best for step in {point.step for point in self.dev}) if best else 0
        return self.step >= self.steps or (self.recipe.patience is not None and stale >= self.recipe.patience)


def run(
    training: Training, accelerator: Any, optimizer: Any, model: Any, after_step: Callable[[Training], None]
) -> None:
    """Train from ``training.step`` to the end; ``after_step`` evaluates, reports, saves and may raise to stop.

    Raises:
        StageFailed: the loss is not a finite number.
    """
    recipe = training.recipe
    if not is_sharded(model):
        hasten(training.model)
    model.train()
    while not training.is_over():
        step = training.step
        rate = training.learning_rate(step)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        loss = _gradient(training, accelerator, model, step)
        if not math.isfinite(loss):
            raise StageFailed(
                f"The loss became {loss} at step {step + 1}: lower the learning rate ({recipe.learning_rate:g})."
            )
        accelerator.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        training.step = step + 1
        _note(training, loss, rate)
        after_step(training)


def _gradient(training: Training, accelerator: Any, model: Any, step: int) -> float:
    """The gradient of the mean loss over the whole batch, whatever micro-batch and processes; returns that loss.

    When memory runs out the micro-batch is halved and the step begun again: the effective batch never changes.
    """
    number, whole = training.batch(step)
    method = training.members[number].method
    use(model, number)
    while True:
        loss, error = 0.0, None
        try:
            loss = _accumulate(training, accelerator, model, method, whole)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as caught:
            if not _is_memory(caught):
                raise
            error = caught
            if together() and is_sharded(model):  # the others wait for this one's part: it cannot begin again
                raise ResourceError(f"Memory ran out at step {step + 1}: lower --micro-batch.") from error
        total = add_up(model, loss, error is not None)
        if not total.ran_out:
            return total.loss
        model.zero_grad()
        _halve(training, accelerator, training.members[number], error)


def _halve(training: Training, accelerator: Any, member: Member, error: BaseException | None) -> None:
    """Lower the micro-batch. Raises the error where it cannot be lowered."""
    size = training.micro_batch or math.ceil(member.batch_size / accelerator.num_processes)
    if not member.method.splittable or size == 1:
        raise error or ResourceError("Memory ran out in another process of the training.")
    training.micro_batch = size // 2
    training.warnings.append(
        f"memory ran out at step {training.step + 1}: micro-batch lowered to {training.micro_batch}"
    )


def _accumulate(training: Training, accelerator: Any, model: Any, method: Method, whole: Sequence[Feature]) -> float:
    """Forward and backward passes over this process's share of the batch, in micro-batches.

    The loss of each is a mean over its own examples or labelled tokens, so it counts by how many it has of the whole
    batch's: their sum is the mean over the whole batch, and so is the sum of the gradients.
    """
    sharded = together() and is_sharded(model)
    parts = share_of(whole, method.splittable, training.micro_batch or len(whole), sharded)
    if method.splittable and not sharded:
        parts = [(part, True) for share, _ in parts for part in _light(share, device_of(model))]
    scale = accelerator.num_processes if sharded else 1  # what they hold together is averaged, not added up
    all_of_it = method.weight(whole)
    seed_all(step_seed(training.seed, training.step))
    total = 0.0
    for part, counts in parts:
        weight = method.weight(part)
        if not weight and not sharded:  # of nothing there is no mean
            continue
        with accelerator.autocast():
            loss: Tensor = method.loss(model, part, training.pad, training.recipe.temperature)
            loss = loss * (weight / all_of_it if counts else 0.0)
            accelerator.backward(loss * scale)
        total += float(loss.detach())
    return total


def _light(share: Sequence[Feature], device: torch.device) -> Iterator[Sequence[Feature]]:
    """The share in parts that a CPU works off as fast as the whole, in less memory and with less padding."""
    if device.type != "cpu":
        yield share
        return
    left = sorted(share, key=lambda feature: -feature.length)
    while left:
        count = max(1, TOKEN_BUDGET["cpu"] // (left[0].length * len(left[0].texts)))
        yield left[:count]
        left = left[count:]


def step_seed(seed: int, step: int) -> int:
    """The seed of the random numbers (dropout) of one step; of negative numbers, of a member's order."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}".encode()).digest()[:7], "little")


def _note(training: Training, loss: float, rate: float) -> None:
    """Add the step to its member's learning curve: one point for every ``training.every`` of them, of their mean."""
    number = int(training.schedule.member[training.step - 1])
    turn = int(training.schedule.turn[training.step - 1])
    name, started = training.members[number].name, turn % training.every
    if started == 0:
        training.curve.append(CurvePoint(training.step, loss, rate, name))
        return
    place = next(place for place in reversed(range(len(training.curve))) if training.curve[place].member == name)
    mean = (training.curve[place].loss * started + loss) / (started + 1)
    training.curve[place] = CurvePoint(training.step, mean, rate, name)


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
