"""The answer of a study as one typed, pure piece of data: `summarise` makes it, everything else renders it."""

from collections.abc import Sequence

from rich.console import RenderableType

from isthmus.report.averages import average, size_curves
from isthmus.report.boards import Board, boards, usable
from isthmus.report.collapses import collapses
from isthmus.report.compare import compare, facts, measure
from isthmus.report.export import to_json
from isthmus.report.findings import Comparison, NegativeTransfer, ScoreRow, ScoreTable, Summary
from isthmus.report.mixed import mixed
from isthmus.report.problems import problems
from isthmus.report.sentences import caveats, details, footnote, headline
from isthmus.report.terminal import render_tables, render_terminal
from isthmus.results import Results
from isthmus.stats.resampling import RESAMPLES

__all__ = ["Summary", "note_on", "render_scores", "render_terminal", "summarise", "to_json"]


def summarise(results: Results, resamples: int = RESAMPLES) -> Summary:
    """What the results say, as far as they go: chains without scores and stages without results become problems.

    The same results give the same summary. ``resamples`` is that of the bootstrap.

    Raises:
        DataError: chains of one target were scored on different examples.
        SpecError: a score is by a metric that there is not.
    """
    every = boards(results)
    kinds = {task.name: task.kind for task in results.tasks}
    measured = measure(every, resamples)
    comparisons = tuple(compare(measured, collapses(results)))
    averages = tuple(average(measured, every, kinds))
    scored = {score.chain for score in results.scores if usable(score)}
    chains = tuple(dict.fromkeys([*results.chains, *(score.chain for score in results.scores)]))
    finished = sum(chain in scored for chain in chains)
    training = {task.name: task.train_language for task in results.tasks}
    found = tuple(problems(results, [chain for chain in chains if chain not in scored], comparisons))
    warnings = sum(problem.kind == "warning" for problem in found)
    tuned = tuned_tags(every)
    return Summary(
        study=results.study_name,
        headline=headline(comparisons, averages, finished, len(chains)),
        details=details(comparisons, training),
        caveats=caveats(comparisons, finished, len(chains), warnings),
        chains=len(chains),
        finished=finished,
        seeds=len({chain.seed for chain in chains}),
        comparisons=comparisons,
        averages=averages,
        scores=tuple(_table(board) for board in every),
        problems=found,
        stages=results.stages,
        tasks=results.tasks,
        model_notes=results.model_notes,
        study_yaml=results.study_yaml,
        command=results.command,
        machine=results.machine,
        versions=tuple(results.versions.items()),
        tuned=tuned,
        footnote=note_on(tuned),
        negative_transfer=_negative(comparisons),
        mixed=tuple(mixed(measured, kinds)),
        sizes=size_curves(comparisons, averages),
    )


def _negative(comparisons: Sequence[Comparison]) -> tuple[NegativeTransfer, ...]:
    """The cells that are shown to lose, the largest loss first."""
    found = [
        NegativeTransfer(cell.model, cell.intermediate, cell.target, cell.zero_shot.effect)
        for cell in comparisons
        if cell.zero_shot and cell.negative
    ]
    return tuple(sorted(found, key=lambda one: one.effect.gain.estimate))


def note_on(tags: Sequence[str]) -> str:
    """What the mark at scores in these languages says; nothing without any."""
    return footnote([facts(tag).name for tag in dict.fromkeys(tags)])


def tuned_tags(every: Sequence[Board]) -> tuple[str, ...]:
    """The languages in which a score is marked as no longer zero-shot."""
    found = (tag for board in every for tag in board.scores if board.tuned(tag, *board.intermediates))
    return tuple(dict.fromkeys(found))


def render_scores(results: Results) -> RenderableType:
    """The scores alone, for the terminal: what there is to show of a model that is compared with nothing."""
    every = boards(results)
    return render_tables([_table(board) for board in every], note_on(tuned_tags(every)))


def _table(board: Board) -> ScoreTable:
    """All scores of a board; the means cover only what every column has."""
    columns = board.intermediates
    seeds = {name: board.seeds(name) for name in columns}
    rows = [
        ScoreRow(
            tag,
            facts(tag).name,
            tag == board.training,
            tuple(board.mean(tag, name, seeds[name]) for name in columns),
            tuple(board.tuned(tag, name) for name in columns),
        )
        for tag in board.scores
    ]
    rows.sort(key=lambda row: (not row.training, row.name))
    covered = [row for row in rows if not row.training and None not in row.values]
    means: tuple[float | None, ...] = tuple(None for _ in columns)
    if covered:
        means = tuple(
            sum(value for value in column if value is not None) / len(covered)
            for column in zip(*(row.values for row in covered), strict=True)
        )
    counts = tuple(len(seeds[name]) for name in columns)
    names = tuple(row.name for row in covered)
    tuned = tuple(any(row.tuned[place] for row in covered) for place in range(len(columns)))
    return ScoreTable(board.model, board.target, board.metric, columns, counts, tuple(rows), means, names, tuned)
