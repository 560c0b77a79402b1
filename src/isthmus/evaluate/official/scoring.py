"""Two folders scored whole: the official figures, and beside them intervals, coverage and both tag conventions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isthmus.evaluate.official.folder import Found, Pair, find
from isthmus.evaluate.official.forms import DEFAULT_SEQEVAL, Form, Scored, Seqeval, form_of
from isthmus.evaluate.official.intervals import Interval, mean_of, task_intervals
from isthmus.evaluate.official.multichecklist import ErrorRates, error_rates
from isthmus.tasks.suites import Averages, Suite, aggregate

#: The name of a task's own score among its intervals.
MAIN = "metric"
#: The metrics of spans of tags, and the convention of each.
CONVENTION_METRICS: Mapping[str, Seqeval] = {"span_f1_1.2.2": "1.2.2", "span_f1": "0.0.12"}


@dataclass(frozen=True)
class TaskScore:
    """A task in the languages that are there.

    Attributes:
        official: official metric -> language -> figure, 0 to 100.
        main: language -> the task's score.
        beside: metric of Isthmus -> language -> figure.
        intervals: of the means over languages, by the names of all these; the task's own score is `MAIN`.
    """

    official: Mapping[str, Mapping[str, float]]
    main: Mapping[str, float]
    beside: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, Interval]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SuiteScore:
    """A suite as far as two folders have it.

    Attributes:
        tasks: by name, in the suite's order.
        averages: means by the chosen convention; by_convention: the same by each.
        intervals: of `averages`, by the name of a group, ``all_task`` or ``so_far``.
        rates: of MultiCheckList, where it is there.
    """

    suite: Suite
    seqeval: Seqeval
    tasks: Mapping[str, TaskScore]
    averages: Averages
    by_convention: Mapping[str, Averages]
    intervals: Mapping[str, Interval]
    found: Found
    rates: ErrorRates | None
    notes: tuple[str, ...]


def score_pair(task: str, language: str, pair: Pair, seqeval: Seqeval = DEFAULT_SEQEVAL) -> dict[str, float]:
    """The official figures of one task in one language. Raises DataError naming file and line."""
    form = form_of(task, seqeval)
    return form.figures(form.read(pair.predictions, pair.labels, language))


def score_folders(
    predictions: Path,
    labels: Path,
    suite: Suite,
    tasks: Sequence[str] = (),
    seqeval: Seqeval = DEFAULT_SEQEVAL,
    partial: bool = False,
) -> SuiteScore:
    """Score all that is there of a suite, or of some of its tasks.

    Raises:
        SpecError, DataError: as `find`, or a file cannot be scored: the sentence names it.
    """
    found = find(predictions, labels, suite, tasks, partial)
    scores = {task: _task(form_of(task, seqeval), pairs) for task, pairs in found.pairs.items()}
    averages = aggregate({task: score.main for task, score in scores.items()}, suite)
    by_convention: dict[str, Averages] = {
        convention: aggregate({task: score.beside.get(name, score.main) for task, score in scores.items()}, suite)
        for name, convention in CONVENTION_METRICS.items()
    }
    notes = [note for score in scores.values() for note in score.notes]
    rates = None
    if "multichecklist" in found.diagnostics:
        rates = error_rates(predictions / "multichecklist", labels / "multichecklist", partial)
        notes.extend(rates.notes)
    intervals = _over_tasks(suite, averages, {task: score.intervals[MAIN] for task, score in scores.items()})
    return SuiteScore(suite, seqeval, scores, averages, by_convention, intervals, found, rates, tuple(notes))


def _task(form: Form, pairs: Mapping[str, Pair]) -> TaskScore:
    read = {language: form.read(pair.predictions, pair.labels, language) for language, pair in pairs.items()}
    figures = {**form.beside, **form.official, MAIN: form.main}
    sums = {language: scored.statistics.sum(axis=0) for language, scored in read.items()}
    by_name = {
        name: {language: float(figure(total)) for language, total in sums.items()} for name, figure in figures.items()
    }
    return TaskScore(
        {name: by_name[name] for name in form.official},
        by_name[MAIN],
        {name: by_name[name] for name in form.beside},
        task_intervals(read, figures, form.parallel),
        _notes(read),
    )


def _notes(read: Mapping[str, Scored]) -> tuple[str, ...]:
    return tuple(note for scored in read.values() for note in scored.notes)


def _over_tasks(suite: Suite, averages: Averages, tasks: Mapping[str, Interval]) -> dict[str, Interval]:
    """The intervals of all averages that there are."""
    members = {
        **{name: suite.groups[name] for name in averages.groups},
        **{name: suite.own_groups[name] for name in averages.own_groups},
    }
    if averages.all_task is not None:
        members["all_task"] = suite.tasks
    if averages.so_far is not None:
        members["so_far"] = tuple(tasks)
    if averages.so_far_without_retrieval is not None:
        members["so_far_without_retrieval"] = tuple(task for task in tasks if task not in suite.retrieval)
    return {name: mean_of([tasks[task] for task in listed]) for name, listed in members.items()}
