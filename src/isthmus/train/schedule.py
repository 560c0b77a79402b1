"""Which member of a mixture has which step: a pure function of sizes and seed, so that a resumed run needs no state."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.stage import Json
from isthmus.study.spec import Mixture, Recipe


class Size(NamedTuple):
    """What a member brings: its features, how many a step takes, and whether it is text for masking."""

    features: int
    batch_size: int
    masked: bool = False


class Schedule(NamedTuple):
    """The member of each step, int16 (steps,), and how many steps that member has had before, int32 (steps,)."""

    member: NDArray[np.int16]
    turn: NDArray[np.int32]


def make_schedule(sizes: Sequence[Size], recipe: Recipe, mixture: Mixture | None, seed: int) -> Schedule:
    """Every member's steps in a random order that ``seed`` fixes: shares are exact, not drawn."""
    counts = steps_of(sizes, recipe, mixture)
    member = np.repeat(np.arange(len(counts), dtype=np.int16), counts)
    if len(counts) > 1:
        member = np.random.Generator(np.random.PCG64([seed, len(counts)])).permutation(member)
    turn = np.empty(len(member), dtype=np.int32)
    for number, count in enumerate(counts):
        turn[member == number] = np.arange(count)
    return Schedule(member, turn)


def told_mixture(identity: Mapping[str, Json]) -> Mixture | None:
    """How members are mixed, as the identity of a training stage says; None for a single task."""
    if "members" not in identity:
        return None
    told = dict(identity["mixture"])
    if "mlm" in told:
        told["mlm"] = {**told["mlm"], "tasks": ["in the members"]}
    return Mixture.model_validate({**told, "tasks": ["in the members"]})


def steps_of(sizes: Sequence[Size], recipe: Recipe, mixture: Mixture | None) -> list[int]:
    """Optimiser steps of each member.

    An epoch of a mixture is as many examples as its tasks have, each counting with at most ``cap``; sampling says which
    part of them is whose. Proportional sampling without a cap gives each task each of its examples once an epoch. The
    steps of the masked language model come on top, so that they are the stated share of all.
    """
    if mixture is None:
        (size,) = sizes
        return [recipe.steps or max(1, round(math.ceil(size.features / size.batch_size) * recipe.epochs))]
    tasks = [size for size in sizes if not size.masked]
    texts = [size for size in sizes if size.masked]
    share = mixture.mlm.share if mixture.mlm and texts else 0.0
    counted = [min(size.features, mixture.cap or size.features) for size in tasks]
    parts = task_shares(counted, mixture)
    wanted = [recipe.epochs * sum(counted) * part / size.batch_size for part, size in zip(parts, tasks, strict=True)]
    if recipe.steps:
        wanted = [recipe.steps * (1 - share) * each / sum(wanted) for each in wanted]
    counts = _rounded(wanted, max(len(tasks), round(sum(wanted))))
    found, masked = iter(counts), iter(list[int]())
    if texts:
        assert mixture.mlm is not None
        steps = max(len(texts), round(sum(counts) * share / (1 - share)))
        weights = _shares([size.features for size in texts], mixture.mlm.temperature)
        masked = iter(_rounded([steps * weight for weight in weights], steps))
    return [next(masked) if size.masked else next(found) for size in sizes]


def task_shares(counted: Sequence[int], mixture: Mixture) -> list[float]:
    """The part of the examples that comes from each task."""
    powers = {"proportional": 1.0, "uniform": math.inf, "temperature": mixture.temperature}
    return _shares(counted, powers[mixture.sampling])


def _shares(counts: Sequence[int], temperature: float) -> list[float]:
    """n to the power of 1 / temperature, as shares of their sum."""
    weights = [float(count) ** (1 / temperature) for count in counts]
    return [weight / sum(weights) for weight in weights]


def _rounded(wanted: Sequence[float], total: int) -> list[int]:
    """Whole numbers, at least 1 each, as near to ``wanted`` as a sum of ``total`` allows (largest remainders)."""
    counts = [max(1, math.floor(each)) for each in wanted]
    order = sorted(range(len(wanted)), key=lambda place: (counts[place] - wanted[place], place))
    for place in order[: max(0, total - sum(counts))]:
        counts[place] += 1
    return counts
