"""When a plan will be done: the stages in the order that a run takes them, on a number of workers; and what a limit
on time or money leaves of it."""

import heapq
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from isthmus.planning.plan import Plan, PlannedChain
from isthmus.study.spec import ALL, NONE, of_size


def schedule(
    plan: Plan, seconds: Mapping[str, float], workers: int, only: Collection[str] | None = None
) -> dict[str, float]:
    """When each stage that is to do ends, in seconds from now.

    As `isthmus.running.runner` does it: a free worker takes the first stage, in the order of the plan, of which
    everything it builds on is finished.

    Args:
        plan: whose stages stand after those that they build on.
        seconds: of the stages that are to do; those that are missing are finished.
        workers: stages at once.
        only: these stages alone, which must be whole chains from the beginning.
    """
    wanted = [key for key in plan.stages if key in seconds and (only is None or key in only)]
    order = {key: number for number, key in enumerate(wanted)}
    needs = {key: sum(need in order for need in set(plan.needs(key))) for key in wanted}
    followers: dict[str, list[str]] = {key: [] for key in wanted}
    for key in wanted:
        for need in set(plan.needs(key)):
            if need in order:
                followers[need].append(key)
    ready = [order[key] for key in wanted if not needs[key]]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    ends: dict[str, float] = {}
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            number = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[wanted[number]], number))
        now, number = heapq.heappop(running)
        key = wanted[number]
        ends[key] = now
        for follower in followers[key]:
            needs[follower] -= 1
            if not needs[follower]:
                heapq.heappush(ready, order[follower])
    return ends


def closure(plan: Plan, chains: Iterable[PlannedChain]) -> set[str]:
    """The stages that the chains are made of."""
    found: set[str] = set()
    waiting = [key for chain in chains for key in (chain.model, chain.predictions, chain.score) if key]
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting.extend(plan.needs(key))
    return found


class Shared(NamedTuple):
    """What an axis shares: its values, and the stages that there would be if each value were a study of its own."""

    axis: str
    values: int
    apart: int


def sharing(plan: Plan) -> list[Shared]:
    """Each axis with more than one value, and the stages of the plan if nothing were shared along it."""
    found = []
    for axis in ("model", "recipe", "intermediate", "target", "seed"):
        by: dict[Any, list[PlannedChain]] = {}
        for chain in plan.chains:
            by.setdefault(getattr(chain.chain, axis), []).append(chain)
        if len(by) > 1:
            found.append(Shared(f"{axis}s", len(by), sum(len(closure(plan, chains)) for chains in by.values())))
    return found


def alone(plan: Plan) -> int:
    """Stages that the chains would take if each were run by itself."""
    lengths: dict[str, int] = {}
    for key in plan.stages:  # each after those it builds on
        lengths[key] = 1 + sum(lengths[need] for need in plan.needs(key))
    return sum(lengths[chain.score or chain.predictions or chain.model] for chain in plan.chains)


@dataclass(frozen=True)
class Offer:
    """A smaller study that is done within the limit: what to change, and what is left."""

    changes: tuple[str, ...]
    dropped: tuple[str, ...]
    chains: int
    seconds: float


class _Cut(NamedTuple):
    """How much of each axis is kept: seeds of each target, sizes, and intermediates besides none."""

    seeds: int
    sizes: int
    intermediates: int


def smaller(plan: Plan, seconds: Mapping[str, float], workers: int, limit: float) -> Offer | None:
    """The largest study on the way from this one to a single comparison that is done within ``limit`` seconds.

    Seeds are dropped first, from the last one, then sizes from the largest, then intermediates from the last. None
    where not even one seed of one intermediate fits.
    """
    study = plan.study
    sizes = sorted(study.sizes, key=lambda size: float("inf") if size == ALL else size)
    before = [name for name in study.intermediates if name != NONE]
    most = max(len(seeds) for seeds in (study.seeds, *study.target_seeds.values()))
    steps = [_Cut(count, len(sizes), len(before)) for count in range(most - 1, 0, -1)]
    steps += [_Cut(1, count, len(before)) for count in range(len(sizes) - 1, 0, -1)]
    steps += [_Cut(1, min(1, len(sizes)), count) for count in range(len(before) - 1, 0, -1)]
    for cut in steps:
        chains = [chain for chain in plan.chains if _kept(plan, chain, cut, sizes, before)]
        ends = schedule(plan, seconds, workers, closure(plan, chains))
        if max(ends.values(), default=0.0) <= limit:
            changes, dropped = _said(plan, cut, sizes, before)
            return Offer(changes, dropped, len(chains), max(ends.values(), default=0.0))
    return None


def _kept(plan: Plan, planned: PlannedChain, cut: _Cut, sizes: Sequence[Any], before: Sequence[str]) -> bool:
    chain, study = planned.chain, plan.study
    if chain.seed not in study.seeds_of(chain.target)[: cut.seeds]:
        return False
    if chain.intermediate == NONE:
        return True
    kept = sizes[: cut.sizes] or [ALL]
    return chain.intermediate in {of_size(name, size) for name in before[: cut.intermediates] for size in kept}


def _said(
    plan: Plan, cut: _Cut, sizes: Sequence[Any], before: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The changes as values of ``--set``, and in words."""
    study, changes, dropped = plan.study, list[str](), list[str]()
    if len(study.seeds) > cut.seeds:
        changes.append(f"seeds=[{', '.join(map(str, study.seeds[: cut.seeds]))}]")
    for target, seeds in study.target_seeds.items():
        if len(seeds) > cut.seeds:
            changes.append(f'target_seeds."{target}"=[{", ".join(map(str, seeds[: cut.seeds]))}]')
    if changes:
        dropped.append("all seeds but one" if cut.seeds == 1 else f"all but {cut.seeds} seeds")
    if cut.sizes < len(sizes):
        changes.append(f"sizes=[{', '.join(map(str, sizes[: cut.sizes]))}]")
        dropped.append(f"the sizes {', '.join(map(str, sizes[cut.sizes :]))}")
    if cut.intermediates < len(before):
        gone = before[cut.intermediates :]
        left = [name for name in study.intermediates if name not in gone]
        changes.append(f"intermediates=[{', '.join(_quoted(name) for name in left)}]")
        dropped.append(f"the intermediates {', '.join(gone)}")
    return tuple(changes), tuple(dropped)


def _quoted(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else json.dumps(name)
