"""Means over targets, with and without retrieval, and the effect of an intermediate task by its size."""

from collections.abc import Collection, Mapping, Sequence
from math import inf

from isthmus.report.boards import Board
from isthmus.report.compare import Found, Measured, effects
from isthmus.report.findings import Average, Comparison, Effect, SizeCurve, SizePoint
from isthmus.stats.intervals import mean_of
from isthmus.study.spec import NONE, THEN, sized, steps_of

#: Kinds that are measured by looking for a counterpart. Their gains dwarf all others (arXiv 2005.13013, table 2).
RETRIEVAL = ("bitext", "mining", "ranking")
EVERYTHING, TRAINED = "all targets", "without retrieval"


def average(measured: Sequence[Measured], every: Sequence[Board], kinds: Mapping[str, str]) -> list[Average]:
    """Of each model, over the targets that every intermediate task was measured on; ``every`` board of the study."""
    found = []
    for model in dict.fromkeys(one.board.model for one in measured):
        mine = [board for board in every if board.model == model]
        found += _of_model([one for one in measured if one.board.model == model and one.zero_shot], mine, kinds)
    return found


def _of_model(measured: Sequence[Measured], every: Sequence[Board], kinds: Mapping[str, str]) -> list[Average]:
    intermediates = list(dict.fromkeys(one.intermediate for one in measured))
    by_name = {one.name: one for one in measured}
    targets = list(dict.fromkeys(board.target for board in every))
    common = [target for target in targets if all((target, intermediate) in by_name for intermediate in intermediates)]
    averages: list[Average] = []
    for name in (EVERYTHING, TRAINED):
        of = [target for target in targets if name == EVERYTHING or kinds.get(target) not in RETRIEVAL]
        covered = [target for target in common if target in of]
        if len(covered) < 2 or (name != EVERYTHING and of == targets):
            continue
        rows = {
            intermediate: members
            for intermediate in intermediates
            if _seeds(members := [by_name[target, intermediate] for target in covered])
        }
        means = {name: mean_of([one.over(one.zero_shot).at(_seeds(of)) for one in of]) for name, of in rows.items()}
        languages = len(_zero_shot(every, of))
        for intermediate, effect in effects({key: Found.of(mean) for key, mean in means.items()}).items():
            members = rows[intermediate]
            averages.append(
                Average(
                    members[0].board.model,
                    intermediate,
                    name,
                    tuple(covered),
                    len({tag for one in members for tag in one.zero_shot}),
                    effect,
                    any(one.tuned(one.zero_shot) for one in members),
                    len(covered),
                    len(of),
                    languages,
                )
            )
    return averages


def _seeds(members: Sequence[Measured]) -> list[int]:
    """Those that all have."""
    return [seed for seed in members[0].seeds if all(seed in one.seeds for one in members)]


def _zero_shot(every: Sequence[Board], targets: Collection[str]) -> set[str]:
    mine = [board for board in every if board.target in targets]
    return {tag for board in mine for tag in board.scores if tag != board.training}


def size_curves(comparisons: Sequence[Comparison], averages: Sequence[Average]) -> tuple[SizeCurve, ...]:
    """Of the intermediate tasks that a study has in two sizes or more."""
    cells = {
        (cell.model, cell.intermediate, cell.target, False): cell.zero_shot.effect
        for cell in comparisons
        if cell.zero_shot
    }
    means = {(one.model, one.intermediate, one.name, True): one.effect for one in averages}
    points: dict[tuple[str, str, str, bool], dict[int | None, Effect]] = {}
    for (model, intermediate, target, mean), effect in {**cells, **means}.items():
        task, rows = without_size(intermediate)
        points.setdefault((model, task, target, mean), {})[rows] = effect
    return tuple(
        SizeCurve(*key, tuple(SizePoint(rows, found[rows]) for rows in sorted(found, key=_all_last)))
        for key, found in points.items()
        if len(found) > 1
    )


def _all_last(rows: int | None) -> float:
    return inf if rows is None else rows


def without_size(intermediate: str) -> tuple[str, int | None]:
    """``a@100>b@100`` as ``a>b`` and its rows; itself and None where its steps have no size, or not the same one."""
    if intermediate == NONE:
        return intermediate, None
    steps = [sized(step) for step in steps_of(intermediate)]
    sizes = {rows for _, rows in steps}
    return (THEN.join(name for name, _ in steps), steps[0][1]) if len(sizes) == 1 else (intermediate, None)
