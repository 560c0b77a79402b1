"""The report as one HTML file: everything inside, nothing fetched, no script."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.disk import write_atomic
from isthmus.report import plots, words
from isthmus.report.compare import facts
from isthmus.report.curves import curve_groups
from isthmus.report.findings import Average, Comparison, Effect, GroupEffect, LanguageEffect, Summary
from isthmus.report.summary import summarise
from isthmus.results import Results, StageSummary

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class LanguageLine:
    """One language in the table of a target's gains: a cell for each comparison, None where it has none."""

    first: LanguageEffect
    cells: tuple[LanguageEffect | None, ...]


@dataclass(frozen=True)
class GroupLine:
    """One family or resource class in the same way."""

    name: str
    languages: tuple[str, ...]
    cells: tuple[GroupEffect | None, ...]


@dataclass(frozen=True)
class TargetSection:
    """What the page shows of one target with one model."""

    anchor: str
    heading: str
    training: str | None  # the name of the language of the training data
    comparisons: tuple[Comparison, ...]
    overview: "Markup"
    plots: tuple[tuple[Comparison, "Markup"], ...]
    lines: tuple[LanguageLine, ...]
    resources: tuple[GroupLine, ...]
    families: tuple[GroupLine, ...]


@dataclass(frozen=True)
class AverageTable:
    """Means over targets with one model; ``columns`` says what each column is of."""

    model: str
    columns: tuple[Average, ...]
    lines: tuple[tuple[str, tuple[Average | None, ...]], ...]


@dataclass(frozen=True)
class FunctionCost:
    """What all stages of one function took together."""

    function: str
    stages: int
    seconds: float
    longest: float
    peak_memory: int
    share: float  # of the time of all stages, 0 to 100


def build(results: Results, path: Path) -> None:
    """Write the report of ``results`` to ``path``. The same results give the same bytes.

    Raises:
        DataError: chains of one target were scored on different examples.
        OSError: ``path`` cannot be written.
    """
    write_atomic(path, page(summarise(results)).encode())


def page(summary: Summary) -> str:
    """The report as HTML. All text from data is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("number", "signed", "span", "points", "listing", "count", "intermediate", "duration", "memory"):
        environment.filters[name] = getattr(words, name)
    environment.filters["language"] = lambda tag: facts(tag).name
    environment.filters["sentence"] = _sentence
    curves, without = curve_groups(summary.stages)
    return environment.get_template("report.html").render(
        summary=summary,
        sections=_sections(summary),
        averages=_averages(summary.averages),
        curves=curves,
        curves_left_out=without,
        costs=_costs(summary.stages),
        several_models=len(summary.models) > 1,
        marks=words.MARKS,
        meanings=words.MEANINGS,
    )


def _sections(summary: Summary) -> tuple[TargetSection, ...]:
    boards = dict.fromkeys((cell.model, cell.target) for cell in summary.comparisons)
    several = len({model for model, _ in boards}) > 1
    sections = []
    for place, (model, target) in enumerate(boards):
        cells = tuple(cell for cell in summary.comparisons if (cell.model, cell.target) == (model, target))
        training = next((cell.training.name for cell in cells if cell.training), None)
        axis = plots.limits([row.effect for cell in cells for row in cell.languages])
        heading = f"{target} with {model}" if several else target
        sections.append(
            TargetSection(
                f"target-{place + 1}",
                heading,
                training,
                cells,
                _overview(f"overview-{place}", heading, cells),
                tuple(
                    (cell, _dots(f"dots-{place}-{column}", heading, cell, axis)) for column, cell in enumerate(cells)
                ),
                _language_lines(cells),
                _group_lines([cell.resources for cell in cells]),
                _group_lines([cell.families for cell in cells]),
            )
        )
    return tuple(sections)


def _averages(averages: Sequence[Average]) -> list[AverageTable]:
    """A table for each model: a line for each intermediate task, a column for each set of targets."""
    tables = []
    for model in dict.fromkeys(average.model for average in averages):
        mine = {(average.intermediate, average.name): average for average in averages if average.model == model}
        columns = tuple({average.name: average for average in reversed(mine.values())}.values())[::-1]
        names = dict.fromkeys(intermediate for intermediate, _ in mine)
        lines = {name: tuple(mine.get((name, column.name)) for column in columns) for name in names}
        tables.append(AverageTable(model, columns, tuple(lines.items())))
    return tables


def _overview(name: str, heading: str, cells: Sequence[Comparison]) -> "Markup":
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
    return _markup(plots.dot_plot(name, title, rows, plots.limits([row.effect for row in rows if row.effect])))


def _spoken(rows: Sequence[plots.Row]) -> str:
    """A dot plot read aloud."""
    parts = [f"{row.label} {words.points(row.effect.gain)}" if row.effect else f"{row.label}:" for row in rows]
    return re.sub(r"(\]), ([^,]+:)", r"\1; \2", ", ".join(parts)).replace(":,", ":")


def _dots(name: str, heading: str, cell: Comparison, axis: tuple[float, float]) -> "Markup":
    rows = [plots.Row(f"{row.name}{words.dagger(row.tuned)}", row.effect, row.training) for row in cell.languages]
    title = (
        f"Gains by language on {heading} after {words.intermediate(cell.intermediate)}, "
        f"from {rows[0].label} ({words.signed(_estimate(rows[0].effect))}) "
        f"to {rows[-1].label} ({words.signed(_estimate(rows[-1].effect))}). The figures are in the table below."
    )
    mean = cell.zero_shot.effect if cell.zero_shot else None
    return _markup(plots.dot_plot(name, title, rows, axis, mean))


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


def _group_lines(columns: Sequence[tuple[GroupEffect, ...]]) -> tuple[GroupLine, ...]:
    """Families or resource classes, in the order of the first comparison that has them."""
    names = dict.fromkeys(group.name for groups in columns for group in groups)
    lines = []
    for name in names:
        cells = tuple(next((group for group in groups if group.name == name), None) for groups in columns)
        languages = dict.fromkeys(language for cell in cells if cell for language in cell.languages)
        lines.append(GroupLine(name, tuple(languages), cells))
    return tuple(lines)


def _costs(stages: Sequence[StageSummary]) -> tuple[FunctionCost, ...]:
    """The dearest first."""
    total = sum(stage.seconds for stage in stages) or 1
    costs = []
    for function in dict.fromkeys(stage.function for stage in stages):
        those = [stage for stage in stages if stage.function == function]
        seconds = sum(stage.seconds for stage in those)
        longest = max(stage.seconds for stage in those)
        peak = max(stage.peak_memory for stage in those)
        costs.append(FunctionCost(function, len(those), seconds, longest, peak, 100 * seconds / total))
    return tuple(sorted(costs, key=lambda cost: -cost.seconds))


def _sentence(text: str) -> "Markup":
    """Escaped, with intervals (``+2.1 [1.4, 2.8]``) set apart and kept on one line."""
    from markupsafe import escape

    def interval(found: re.Match[str]) -> str:
        return f'{found[1]}\xa0<span class="interval">{found[2].replace(" ", "&nbsp;")}</span>'

    return _markup(re.sub(rf"([+{words.MINUS}]?\d[\d.]*) (\[[{words.MINUS}\d., ]+\])", interval, str(escape(text))))


def _markup(safe: str) -> "Markup":
    """What has been escaped already."""
    from markupsafe import Markup

    return Markup(safe)
