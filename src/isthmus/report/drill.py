"""The drill-down of a report: each target, and each intermediate task on it, by language."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isthmus.languages import SCRIPTS
from isthmus.report import plots, words
from isthmus.report.compare import facts
from isthmus.report.findings import Comparison, Effect, GroupEffect, LanguageEffect, SizeCurve, Summary
from isthmus.report.matrix import Anchors
from isthmus.results import DataFacts, Example

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class LanguageLine:
    """One language in the table of a target's gains: a cell for each comparison, None where it has none."""

    first: LanguageEffect
    cells: tuple[LanguageEffect | None, ...]


@dataclass(frozen=True)
class LanguageRow:
    """One language of one comparison, with what it is grouped by."""

    effect: LanguageEffect
    script: str


@dataclass(frozen=True)
class Groups:
    """Means over languages that share something."""

    title: str
    groups: tuple[GroupEffect, ...]


@dataclass(frozen=True)
class Drill:
    """One intermediate task on one target."""

    anchor: str
    cell: Comparison
    plot: "Markup"
    rows: tuple[LanguageRow, ...]
    groups: tuple[Groups, ...]
    examples: tuple[Example, ...]

    @property
    def fixed(self) -> int:
        """How many of the examples it fixed."""
        return sum(example.score > example.baseline for example in self.examples)


@dataclass(frozen=True)
class TargetSection:
    """What the page shows of one target in one setting."""

    anchor: str
    heading: str
    training: str | None  # the name of the language of the training data
    comparisons: tuple[Comparison, ...]
    overview: "Markup"
    lines: tuple[LanguageLine, ...]
    drills: tuple[Drill, ...]


@dataclass(frozen=True)
class SizeFigure:
    """Gains over the sizes of an intermediate task's training data."""

    title: str
    plot: "Markup"
    points: tuple[tuple[str, Effect], ...]


def anchors_of(summary: Summary) -> Anchors:
    """The ids of all drill-downs: the same for the same study."""
    boards = list(dict.fromkeys((cell.model, cell.target) for cell in summary.comparisons))
    found = {}
    for cell in summary.comparisons:
        board = (cell.model, cell.target)
        of_board = [each.intermediate for each in summary.comparisons if (each.model, each.target) == board]
        found[cell.model, cell.intermediate, cell.target] = (
            f"gain-{boards.index(board) + 1}-{of_board.index(cell.intermediate) + 1}"
        )
    return found


def sections(summary: Summary, anchors: Anchors, examples: Sequence[Example]) -> tuple[TargetSection, ...]:
    """A section for each target of each setting, in the order of the study."""
    boards = dict.fromkeys((cell.model, cell.target) for cell in summary.comparisons)
    several = len({model for model, _ in boards}) > 1
    by_cell: dict[tuple[str, str, str], list[Example]] = {}
    for example in examples:
        by_cell.setdefault((example.setting, example.intermediate, example.target), []).append(example)
    made = []
    for place, (model, target) in enumerate(boards):
        cells = tuple(cell for cell in summary.comparisons if (cell.model, cell.target) == (model, target))
        axis = plots.limits([row.effect for cell in cells for row in cell.languages])
        heading = f"{target} with {model}" if several else target
        drills = tuple(
            _drill(heading, cell, anchors[name], axis, by_cell.get(name, ()))
            for cell in cells
            for name in [(model, cell.intermediate, target)]
        )
        training = next((cell.training.name for cell in cells if cell.training), None)
        overview = _overview(heading, cells)
        made.append(
            TargetSection(f"target-{place + 1}", heading, training, cells, overview, _language_lines(cells), drills)
        )
    return tuple(made)


def _drill(
    heading: str, cell: Comparison, anchor: str, axis: tuple[float, float], examples: Sequence[Example]
) -> Drill:
    groups = (Groups("Resource class", cell.resources), Groups("Family", cell.families))
    scripts = Groups("Script", tuple(_named(group) for group in cell.scripts))
    rows = tuple(LanguageRow(row, script_of(row.tag)) for row in cell.languages)
    kept = tuple(group for group in (*groups, scripts) if group.groups)
    return Drill(anchor, cell, _dots(heading, cell, axis), rows, kept, tuple(examples))


def script_of(tag: str) -> str:
    """The name of the script that a language is written in."""
    return _script(facts(tag).script)


def _script(code: str) -> str:
    name = SCRIPTS.get(code, code)
    return f"{name} Han" if code in ("Hans", "Hant") else name


def _named(group: GroupEffect) -> GroupEffect:
    return GroupEffect(_script(group.name), group.languages, group.effect, group.tuned)


def _overview(heading: str, cells: Sequence[Comparison]) -> "Markup":
    """Each intermediate task with the language of the training data above the mean of the others."""
    rows: list[plots.Row] = []
    for cell in cells:
        rows.append(plots.Row(words.intermediate(cell.intermediate)))
        if cell.training:
            rows.append(plots.Row(cell.training.name, cell.training.effect, strong=True))
        if cell.zero_shot:
            others = "others" if cell.training else "languages"
            label = f"{len(cell.zero_shot.languages)} {others}{words.dagger(cell.zero_shot.tuned)}"
            rows.append(plots.Row(label, cell.zero_shot.effect))
    title = f"Gains on {heading}: {_spoken(rows)}"
    return markup(plots.dot_plot(title, rows, plots.limits([row.effect for row in rows if row.effect])))


def _spoken(rows: Sequence[plots.Row]) -> str:
    """A dot plot read aloud."""
    parts = [f"{row.label} {words.points(row.effect.gain)}" if row.effect else f"{row.label}:" for row in rows]
    return re.sub(r"(\]), ([^,]+:)", r"\1; \2", ", ".join(parts)).replace(":,", ":")


def _dots(heading: str, cell: Comparison, axis: tuple[float, float]) -> "Markup":
    rows = [plots.Row(f"{row.name}{words.dagger(row.tuned)}", row.effect, row.training) for row in cell.languages]
    title = (
        f"Gains by language on {heading} after {words.intermediate(cell.intermediate)}, "
        f"from {rows[0].label} ({words.signed(_estimate(rows[0].effect))}) "
        f"to {rows[-1].label} ({words.signed(_estimate(rows[-1].effect))}). The figures are in the table."
    )
    mean = cell.zero_shot.effect if cell.zero_shot else None
    return markup(plots.dot_plot(title, rows, axis, mean))


def _estimate(effect: Effect | None) -> float:
    return effect.gain.estimate if effect else 0.0


def _language_lines(cells: Sequence[Comparison]) -> tuple[LanguageLine, ...]:
    """Every language that any comparison has: the training language first, the others by name."""
    by_tag: dict[str, list[LanguageEffect | None]] = {}
    for column, cell in enumerate(cells):
        for row in cell.languages:
            by_tag.setdefault(row.tag, [None] * len(cells))[column] = row
    lines = [LanguageLine(next(filter(None, found)), tuple(found)) for found in by_tag.values()]
    return tuple(sorted(lines, key=lambda line: (not line.first.training, line.first.name)))


def size_figures(curves: Sequence[SizeCurve], data: Sequence[DataFacts]) -> tuple[SizeFigure, ...]:
    """A figure for each intermediate task and target with several sizes; averages first."""
    axis = plots.limits([point.effect for curve in curves for point in curve.points])
    several = len({curve.model for curve in curves}) > 1
    rows = {fact.task: fact.rows for fact in data if fact.used == "trained on"}
    figures = []
    for curve in sorted(curves, key=lambda curve: not curve.average):
        known = [point.rows for point in curve.points if point.rows is not None]
        whole = max(rows.get(curve.intermediate, 0), 2 * max(known, default=500))
        drawn = [plots.SizePoint(point.rows or whole, point.effect) for point in curve.points]
        named = tuple((f"{point.rows:,}" if point.rows else "all", point.effect) for point in curve.points)
        title = f"{words.intermediate(curve.intermediate)} on {curve.target}"
        title += f" with {curve.model}" if several else ""
        spoken = ", ".join(f"{name} rows {words.points(effect.gain)}" for name, effect in named)
        plot = plots.size_curve(f"Gains of {title} by training rows: {spoken}", drawn, axis)
        figures.append(SizeFigure(title, markup(plot), named))
    return tuple(figures)


def markup(safe: str) -> "Markup":
    """What has been escaped already."""
    from markupsafe import Markup

    return Markup(safe)
