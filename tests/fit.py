"""Training as the stage does it, without a store: for tests of what a kind learns."""

from collections.abc import Callable, Sequence
from typing import Any

from isthmus.kinds.core import Feature, Method
from isthmus.study.spec import Recipe
from isthmus.train.loop import Member, Training, run
from isthmus.train.optimizer import make_optimizer


def fit(
    method: Method,
    model: Any,
    features: Sequence[Feature],
    recipe: Recipe,
    pad: int,
    after: Callable[[Training, Any], None] = lambda _, __: None,
    begin: Callable[[Training, Any], None] = lambda _, __: None,
) -> Training:
    """Train ``model`` in place; ``begin`` and ``after`` (each step) are given the training and the optimizer."""
    from accelerate import Accelerator

    members = [Member("task", method, features, recipe.batch_size)]
    training, optimizer = Training(model, members, recipe, 1, pad), make_optimizer(model, recipe)
    begin(training, optimizer)
    accelerator = Accelerator(cpu=True)
    prepared, prepared_optimizer = accelerator.prepare(model, optimizer)
    run(training, accelerator, prepared_optimizer, prepared, lambda now: after(now, optimizer))
    model.eval()
    return training
