"""The runs that learned nothing: what score stages warn of, and trainings whose loss was no longer a number."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from isthmus.report.findings import Collapse
from isthmus.results import Results, StageSummary
from isthmus.study.spec import NONE

NAN_LOSS = "NaN loss"
#: As `isthmus.evaluate.score` and `isthmus.train.loop` say it.
_COLLAPSED = re.compile(r"(?P<language>\S+): collapsed, every prediction is (?P<value>.+)", re.DOTALL)
_LOST = re.compile(r"The loss became \S+ at step")

#: By setting, intermediate task and target: language (empty for all), seed and value of every collapse.
Collapsed = Mapping[tuple[str, str, str], Sequence[tuple[str, int, str]]]


def collapses(results: Results) -> Collapsed:
    """Every collapse of the study, by what the chain is."""
    stages = {stage.key: stage for stage in results.stages}
    found: dict[tuple[str, str, str], list[tuple[str, int, str]]] = {}
    for chain, path in zip(results.chains, results.paths, strict=False):
        mine = [(language, chain.seed, value) for key in path if key in stages for language, value in _of(stages[key])]
        if mine:
            found.setdefault((chain.setting, chain.intermediate, chain.target), []).extend(mine)
    return found


def _of(stage: StageSummary) -> Iterator[tuple[str, str]]:
    if _LOST.search(stage.error):
        yield "", NAN_LOSS
    for warning in stage.warnings if stage.function == "score" else ():
        if match := _COLLAPSED.fullmatch(warning):
            yield match["language"], match["value"]


def of_cell(setting: str, intermediate: str, target: str, collapsed: Collapsed) -> tuple[Collapse, ...]:
    """Those that a gain rests on: of the chains with the intermediate task, then of those without."""
    sides: tuple[tuple[Literal["with", "baseline"], str], ...] = (("with", intermediate), ("baseline", NONE))
    return tuple(
        Collapse(language, seed, side, value)
        for side, name in sides
        for language, seed, value in collapsed.get((setting, name, target), ())
    )
