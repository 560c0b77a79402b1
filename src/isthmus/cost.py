"""What a plan will cost, before it is spent: seconds and bytes, from the rows it reads and this machine's speed."""

import json
import time
from functools import cache
from typing import NamedTuple

from isthmus.plan import Plan
from isthmus.spec import Recipe
from isthmus.stage import Record, Stage
from isthmus.store import Store

_CHARACTERS_PER_TOKEN = 3.5
_SPECIAL_TOKENS = 2
#: Of a plain matrix product's speed, what a training or prediction step reaches on short texts.
_EFFICIENCY = 0.45
_OVERHEAD = {"model": 6.0, "translate": 5.0, "train": 3.0, "predict": 3.0, "score": 0.5}  # seconds: loading, writing
_BACKWARD = 3.0  # a training step costs about three forward passes
_GENERATION = 12.0  # a translated token: a small batch, a decoder besides, and a softmax over the vocabulary
_UNKNOWN_BODY = 85_000_000  # parameters besides the word embeddings, of a model not seen yet: those of a base model


class Estimate(NamedTuple):
    """The cost of one stage."""

    seconds: float
    bytes: int


def estimates(plan: Plan, store: Store) -> dict[str, Estimate]:
    """An estimate for every stage of ``plan``: what a finished one took, what another one is expected to take."""
    bodies = {key: _body(key, store) for key, stage in plan.stages.items() if stage.function == "model"}
    found, finished = {}, set(store.finished())
    for key, stage in plan.stages.items():
        if stage.function != "model":
            bodies[key] = bodies[next(iter(stage.inputs.values()))]
        record = store.record(key) if key in finished else None
        found[key] = _spent(record) if record else _expected(plan, key, bodies[key])
    return found


def _spent(record: Record) -> Estimate:
    return Estimate(record.seconds, sum(fact.size for fact in record.files.values()))


def _expected(plan: Plan, key: str, body: int) -> Estimate:
    stage = plan.stages[key]
    seconds, size = _OVERHEAD[stage.function], 0
    if stage.function == "train":
        recipe = Recipe.model_validate(stage.identity["recipe"])
        tokens = recipe.epochs * _tokens(plan, key, recipe.train_examples)
        mlm = stage.identity.get("mixture", {}).get("mlm")
        if recipe.steps:
            rows = sum(min(fact.rows, recipe.train_examples or fact.rows) for fact in plan.reads[key])
            tokens *= recipe.steps * recipe.batch_size / max(1.0, recipe.epochs * rows)
        elif mlm:  # texts are not gone through once: their part of the steps is given
            tokens /= 1 - mlm["share"]
        seconds += _BACKWARD * 2 * body * tokens / flops_per_second()
        size = 4 * body
    elif stage.function == "translate":
        seconds += _GENERATION * 2 * body * _tokens(plan, key, None) / flops_per_second()
        size = int(2 * sum(fact.characters for fact in plan.reads[key]))
    elif stage.function == "predict":
        seconds += 2 * body * _tokens(plan, key, stage.identity.get("limit")) / flops_per_second()
        size = 100_000
    return Estimate(seconds, size)


def _tokens(plan: Plan, key: str, limit: int | None) -> float:
    """Tokens in the rows a stage reads, or in ``limit`` of the rows of each split."""
    total = 0.0
    for fact in plan.reads[key]:
        share = min(1.0, limit / fact.rows) if limit else 1.0
        total += share * (fact.characters / _CHARACTERS_PER_TOKEN + _SPECIAL_TOKENS * fact.rows)
    return total


def _body(key: str, store: Store) -> int:
    """Parameters besides the word embeddings, from the model's configuration where it is in the store already."""
    try:
        config = json.loads((store.stage_folder(key) / "model" / "config.json").read_text(encoding="utf-8"))
        width, inner = config["hidden_size"], config["intermediate_size"]
        return int(config["num_hidden_layers"] * (4 * width * width + 2 * width * inner))
    except (OSError, ValueError, KeyError, TypeError):
        return 21_300_000 if _is_embedded(key) else _UNKNOWN_BODY


def _is_embedded(key: str) -> bool:
    from isthmus.model import embedded

    return key == Stage("model", {"package": embedded.PACKAGE, "sha256": embedded.SHA256}).key


@cache
def flops_per_second() -> float:
    """Float operations a second that a stage is expected to reach here; measured in a fifth of a second."""
    import numpy as np

    left, right = np.ones((512, 384), np.float32), np.ones((384, 1536), np.float32)
    _ = left @ right
    rounds, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < 0.2:
        _ = left @ right
        rounds += 1
    return _EFFICIENCY * 2 * 512 * 384 * 1536 * rounds / (time.perf_counter() - begun)
