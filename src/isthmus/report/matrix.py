"""The gain matrix of a report: intermediate tasks down, averages and targets across."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from isthmus.report.findings import Average, Comparison, Direction, Effect, Summary
from isthmus.report.words import MEANINGS, count, listing, points

#: Setting, intermediate task and target, and the id of their drill-down.
Anchors = Mapping[tuple[str, str, str], str]
#: Steps of colour: a gain is as strong as the largest that is shown in its matrix, or half, or less.
_STRENGTHS = (0.5, 0.2)


@dataclass(frozen=True)
class Cell:
    """One figure of the matrix, and everything that a reader must know with it.

    Attributes:
        link: where its drill-down is; empty for averages.
        strength: 1 (weak) to 3 of a difference that is shown; 0 of others.
        flags: what must not be overlooked, in a word or two. note: what it covers, where that differs from its column.
        spoken: all of that, for those who hear it.
    """

    effect: Effect
    tuned: bool
    link: str
    strength: int
    flags: tuple[str, ...]
    note: str
    spoken: str

    @property
    def direction(self) -> Direction:
        """Which way a difference is shown."""
        return self.effect.direction


@dataclass(frozen=True)
class Column:
    """The head of a column: its name, and below it what it is measured by and over."""

    name: str
    average: bool
    about: str


@dataclass(frozen=True)
class Line:
    """An intermediate task and its cells, a column each; None where there is no gain."""

    intermediate: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Matrix:
    """The matrix of one setting: a model, with a recipe where there are several."""

    setting: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    shown: int  # cells with a difference shown


def matrices(summary: Summary, anchors: Anchors) -> tuple[Matrix, ...]:
    """A matrix for each setting that has gains; ``anchors`` say where the drill-down of each comparison is."""
    settings = dict.fromkeys(cell.model for cell in summary.comparisons)
    return tuple(_matrix(setting, summary, anchors) for setting in settings)


def _matrix(setting: str, summary: Summary, anchors: Anchors) -> Matrix:
    mine = [cell for cell in summary.comparisons if cell.model == setting]
    averages = [average for average in summary.averages if average.model == setting]
    targets = list(dict.fromkeys(cell.target for cell in mine))
    names = list(dict.fromkeys(average.name for average in averages))
    by_place = {(cell.intermediate, cell.target): cell for cell in mine}
    by_name = {(average.intermediate, average.name): average for average in averages}
    largest = _largest([*(cell.zero_shot.effect for cell in mine if cell.zero_shot), *(a.effect for a in averages)])
    most = {target: max(_covered(cell) for cell in mine if cell.target == target) for target in targets}
    lines = []
    for intermediate in dict.fromkeys(cell.intermediate for cell in mine):
        means = [_average(by_name.get((intermediate, name)), largest) for name in names]
        gains = [_gain(by_place.get((intermediate, target)), most[target], largest, anchors) for target in targets]
        lines.append(Line(intermediate, (*means, *gains)))
    columns = [_of_average([a for a in averages if a.name == name]) for name in names]
    columns += [_of_target([cell for cell in mine if cell.target == target], most[target]) for target in targets]
    shown = sum(cell is not None and cell.direction != "unclear" for line in lines for cell in line.cells)
    return Matrix(setting, tuple(columns), tuple(lines), shown)


def _largest(effects: Iterable[Effect]) -> float:
    return max((abs(e.gain.estimate) for e in effects if e.direction != "unclear"), default=1.0)


def _covered(cell: Comparison) -> int:
    return len(cell.zero_shot.languages) if cell.zero_shot else 0


def _of_average(averages: Sequence[Average]) -> Column:
    first = averages[0]
    of = f" of {first.of}" if first.of > first.covered else ""
    about = f"{first.covered or len(first.targets)}{of} targets, {count(first.languages, 'language')}"
    return Column(first.name, True, about)


def _of_target(cells: Sequence[Comparison], most: int) -> Column:
    return Column(cells[0].target, False, f"{cells[0].metric}, {count(most, 'language')}")


def _average(average: Average | None, largest: float) -> Cell | None:
    if average is None:
        return None
    return _cell(average.effect, average.tuned, "", largest, (), f"over {listing(average.targets, most=12)}")


def _gain(cell: Comparison | None, most: int, largest: float, anchors: Anchors) -> Cell | None:
    if cell is None or cell.zero_shot is None:
        return None
    flags = ["loss shown"] if cell.negative else []
    if cell.collapsed:
        flags.append("collapsed" if cell.collapsed_runs == 1 else f"{cell.collapsed_runs} collapsed")
    covered = _covered(cell)
    note = f"{covered} of {most} languages" if covered < most else ""
    return _cell(
        cell.zero_shot.effect,
        cell.zero_shot.tuned,
        anchors[cell.model, cell.intermediate, cell.target],
        largest,
        tuple(flags),
        note,
    )


def _cell(effect: Effect, tuned: bool, link: str, largest: float, flags: tuple[str, ...], note: str) -> Cell:
    strength = 0
    if effect.direction != "unclear":
        share = abs(effect.gain.estimate) / largest
        strength = 3 - sum(share < step for step in _STRENGTHS)
    said = [points(effect.gain), MEANINGS[effect.direction], *flags, note]
    return Cell(effect, tuned, link, strength, flags, "" if not link else note, ", ".join(filter(None, said)))
