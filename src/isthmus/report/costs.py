"""What a study cost, by function and by chain, and what it was made from: for the last part of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isthmus.results import DataFacts, Results, StageSummary


@dataclass(frozen=True)
class FunctionCost:
    """What all stages of one function took together; ``size`` in bytes of the store."""

    function: str
    stages: int
    seconds: float
    longest: float
    peak_memory: int
    size: int
    share: float  # of the time of all stages, 0 to 100


@dataclass(frozen=True)
class ChainCost:
    """What the chains of an intermediate task on a target took, means over seeds.

    Attributes:
        alone: seconds of all stages from the model to the scores, as if nothing were shared.
        own: seconds of the stages that no other chain has.
    """

    setting: str
    intermediate: str
    target: str
    seeds: int
    alone: float
    own: float
    size: int


@dataclass(frozen=True)
class DataLine:
    """The rows of one task in one role: a line for all languages."""

    task: str
    used: str
    licence: str
    rows: int
    languages: tuple[DataFacts, ...]
    notes: tuple[str, ...]


def by_function(stages: Sequence[StageSummary]) -> tuple[FunctionCost, ...]:
    """The dearest first."""
    total = sum(stage.seconds for stage in stages) or 1
    costs = []
    for function in dict.fromkeys(stage.function for stage in stages):
        those = [stage for stage in stages if stage.function == function]
        seconds = sum(stage.seconds for stage in those)
        longest = max(stage.seconds for stage in those)
        peak = max(stage.peak_memory for stage in those)
        size = sum(stage.size for stage in those)
        costs.append(FunctionCost(function, len(those), seconds, longest, peak, size, 100 * seconds / total))
    return tuple(sorted(costs, key=lambda cost: -cost.seconds))


def by_chain(results: Results) -> tuple[ChainCost, ...]:
    """In the order of the study; chains that are not finished count with the stages that are."""
    stages = {stage.key: stage for stage in results.stages}
    used: dict[str, int] = {}
    for path in results.paths:
        for key in path:
            used[key] = used.get(key, 0) + 1
    found: dict[tuple[str, str, str], list[tuple[str, ...]]] = {}
    for chain, path in zip(results.chains, results.paths, strict=False):
        found.setdefault((chain.setting, chain.intermediate, chain.target), []).append(path)
    return tuple(_of_chain(name, paths, stages, used) for name, paths in found.items())


def _of_chain(
    name: tuple[str, str, str],
    paths: Sequence[tuple[str, ...]],
    stages: Mapping[str, StageSummary],
    used: Mapping[str, int],
) -> ChainCost:
    alone = sum(stages[key].seconds for path in paths for key in path) / len(paths)
    own = sum(stages[key].seconds for path in paths for key in path if used[key] == 1) / len(paths)
    size = sum(stages[key].size for path in paths for key in path) // len(paths)
    return ChainCost(*name, len(paths), alone, own, size)


def data_lines(results: Results) -> tuple[DataLine, ...]:
    """A line for each task and role, with the fingerprint of the rows in each language."""
    licences = {task.name: task.licence for task in results.tasks}
    found: dict[tuple[str, str], list[DataFacts]] = {}
    for fact in results.data:
        found.setdefault((fact.task, fact.used), []).append(fact)
    lines = []
    for (task, used), facts in found.items():
        notes = tuple(dict.fromkeys(note for fact in facts for note in fact.notes))
        rows = sum(fact.rows for fact in facts)
        lines.append(DataLine(task, used, licences.get(task, ""), rows, tuple(facts), notes))
    return tuple(lines)
