"""The answer in a terminal of 80 columns, with or without colour."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from isthmus.outside import visible
from isthmus.report.findings import Comparison, Direction, Effect, GroupEffect, Problem, ScoreTable, Summary
from isthmus.report.words import DAGGER, MARKS, count, dagger, duration, intermediate, memory, number, points, signed
from isthmus.study.spec import NONE

_STYLES: dict[Direction, str] = {"up": "bold blue", "down": "bold yellow", "unclear": ""}
#: Columns of gains that fit beside the name of a language.
_SIDE_BY_SIDE = 4
_MOST_PROBLEMS = 8
_LEGEND = "Points gained over no intermediate task, 95% intervals; ▲ gain and ▼ loss shown (p < 0.05 after Holm)."


def render_terminal(summary: Summary) -> RenderableType:
    """The headline, the gain matrix, the gains by language, and what went wrong."""
    return Group(*_parts(summary))


def render_tables(tables: Sequence[ScoreTable], footnote: str = "") -> RenderableType:
    """Scores without any comparison: a table for each model, target and metric, with the mean of the languages."""
    parts = [part for table in tables for part in (_scores(table), _text())][:-1]
    return Group(*parts, *([_text(footnote, style="dim")] if footnote else []))


def _scores(scores: ScoreTable) -> Table:
    title = _text(f"{scores.target} with {scores.model}, {scores.metric}")
    table = Table(title=title, title_style="bold", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("language", overflow="fold")
    for name in scores.columns:
        table.add_column(_text("score" if scores.columns == (NONE,) else intermediate(name)), justify="right")
    mean = "mean" if all(not row.training for row in scores.rows) else "mean, zero-shot"
    room = any(any(row.tuned) for row in scores.rows)
    if scores.covered:
        name = f"{mean} ({count(len(scores.covered), 'language')})"
        table.add_row(_text(name, style="bold"), *_figures(scores.means, scores.tuned, room))
    for row in scores.rows:
        name = f"{row.name} (trained)" if row.training else row.name
        table.add_row(_text(name), *_figures(row.values, row.tuned, room))
    return table


def _figures(values: Sequence[float | None], tuned: Sequence[bool], room: bool) -> list[Text]:
    """Scores with their marks; where there are some in the table, each has ``room`` for one, so that digits align."""
    shown = ["none" if value is None else number(value) for value in values]
    marks = [dagger(mark and value is not None) for mark, value in zip(tuned, values, strict=True)]
    return [_text(f"{text}{mark or (' ' if room else '')}") for text, mark in zip(shown, marks, strict=True)]


def _parts(summary: Summary) -> Iterator[RenderableType]:
    yield _text(summary.headline, style="bold")
    for sentence in summary.details:
        yield _bullet(sentence)
    if summary.comparisons:
        yield _text()
        yield _matrix(summary)
        yield _text(_LEGEND, style="dim")
        if summary.footnote:
            yield _text(summary.footnote, style="dim")
        for model, target in dict.fromkeys((cell.model, cell.target) for cell in summary.comparisons):
            cells = [cell for cell in summary.comparisons if (cell.model, cell.target) == (model, target)]
            for start in range(0, len(cells), _SIDE_BY_SIDE):
                yield _text()
                yield _by_language(summary, cells[start : start + _SIDE_BY_SIDE])
    if summary.caveats:
        yield _text()
        yield from (_bullet(sentence) for sentence in summary.caveats)
    if summary.problems:
        yield _text()
        yield _text("Problems", style="bold")
        yield from (_problem(problem) for problem in summary.problems[:_MOST_PROBLEMS])
        if len(summary.problems) > _MOST_PROBLEMS:
            yield _text(f"  and {len(summary.problems) - _MOST_PROBLEMS} more, in the report")
    yield _text()
    yield _text(_cost(summary), style="dim")


def _text(said: str = "", style: str = "", no_wrap: bool | None = None) -> Text:
    """A text for the terminal, in which names cannot steer it."""
    return Text(visible(said), style=style, no_wrap=no_wrap)


def _bullet(sentence: str) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_row("-", _text(sentence))
    return grid


def _matrix(summary: Summary) -> Table:
    """A row for each intermediate task on each target, the language of the training data beside the others."""
    models = summary.models
    table = Table(title="Gains", title_style="bold", title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("first", overflow="fold")
    table.add_column("target", overflow="fold")
    trained_in = {cell.training.name for cell in summary.comparisons if cell.training}
    table.add_column(_text(trained_in.pop() if len(trained_in) == 1 else "trained in"), justify="right", no_wrap=True)
    table.add_column("zero-shot", justify="right", no_wrap=True)
    table.add_column("over", justify="right", no_wrap=True)
    for cell in summary.comparisons:
        target = f"{cell.target} ({cell.model})" if len(models) > 1 else cell.target
        trained = _figure(cell.training.effect, brief=False) if cell.training else _text("–  ")
        others = _group(cell.zero_shot, brief=False) if cell.zero_shot else _text("–  ")
        target += " (collapsed)" if cell.collapsed else ""
        over = str(len(cell.zero_shot.languages)) if cell.zero_shot else "0"
        table.add_row(_text(intermediate(cell.intermediate)), _text(target), trained, others, over)
    for average in summary.averages:
        name = f"{average.name} ({average.model})" if len(models) > 1 else average.name
        figure = _figure(average.effect, brief=False, tuned=average.tuned)
        first = _text(intermediate(average.intermediate))
        table.add_row(first, _text(name, style="italic"), _text(), figure, str(average.languages))
    return table


def _by_language(summary: Summary, cells: list[Comparison]) -> Table:
    """A row for each language, a column for each intermediate task; the mean first, then by the first column."""
    model = f" with {cells[0].model}" if len(summary.models) > 1 else ""
    title = _text(f"{cells[0].target}{model}: gains by language")
    table = Table(title=title, title_style="bold", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("language", overflow="fold")
    for cell in cells:
        table.add_column(_text(intermediate(cell.intermediate)), justify="right", overflow="fold")
    means = [_group(cell.zero_shot, brief=True) if cell.zero_shot else _text() for cell in cells]
    table.add_row(_text("all zero-shot", style="bold"), *means)
    found = [{row.tag: row for row in cell.languages} for cell in cells]
    names = {row.tag: f"{row.name} (trained)" if row.training else row.name for cell in cells for row in cell.languages}
    for tag, name in names.items():
        rows = [column.get(tag) for column in found]
        figures = [_figure(row.effect, brief=True, tuned=row.tuned) if row else _text() for row in rows]
        table.add_row(_text(name), *figures)
    return table


def _group(group: GroupEffect, brief: bool) -> Text:
    return _figure(group.effect, brief, group.tuned)


def _figure(effect: Effect, brief: bool, tuned: bool = False) -> Text:
    """The estimate and its mark, with the interval unless ``brief``. Marks have a place of their own: digits align."""
    figure = signed(effect.gain.estimate) if brief else points(effect.gain)
    mark = MARKS[effect.direction] or " "
    return _text(f"{figure}{DAGGER if tuned else ' '}{mark}", style=_STYLES[effect.direction], no_wrap=True)


def _problem(problem: Problem) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    style = "bold red" if problem.kind == "failed" else "bold"
    grid.add_row("-", Text.assemble((problem.kind, style), visible(f" {problem.where}: {problem.text}")))
    return grid


def _cost(summary: Summary) -> str:
    finished = f"{summary.finished} of {count(summary.chains, 'chain')}"
    peak = memory(summary.peak_memory)
    spent = f"{duration(summary.seconds)} in {count(len(summary.stages), 'stage')}" if summary.stages else ""
    return ", ".join(
        filter(None, [finished, count(summary.seeds, "seed"), spent, f"peak memory {peak}" if peak else ""])
    )
