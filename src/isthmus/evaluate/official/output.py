"""A scored suite as the official output file, with Isthmus' own figures beside; and as tables for people."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from isthmus.evaluate.official.intervals import Interval
from isthmus.evaluate.official.multichecklist import ErrorRates
from isthmus.evaluate.official.scoring import CONVENTION_METRICS, MAIN, SuiteScore, TaskScore
from isthmus.stats.intervals import LEVEL
from isthmus.tasks.suites import Averages

_MOST = 8


def document(score: SuiteScore) -> dict[str, Any]:
    """The keys of the official output file, and one more, ``isthmus``, with everything else.

    Official: ``all_task`` and groups, as far as nothing they average is missing; then for each task its metrics by
    language, ``avg_`` with each metric's mean, and ``avg_metric``.
    """
    averages = score.averages
    overall = {} if averages.all_task is None else {"all_task": averages.all_task}
    tasks = {task: _official(found) for task, found in score.tasks.items()}
    return {**overall, **averages.groups, **tasks, "isthmus": _beside(score)}


def _official(score: TaskScore) -> dict[str, Any]:
    means = {f"avg_{metric}": _mean(values) for metric, values in score.official.items()}
    return {
        **{metric: dict(values) for metric, values in score.official.items()},
        **means,
        "avg_metric": _mean(score.main),
    }


def _beside(score: SuiteScore) -> dict[str, Any]:
    coverage = score.averages.coverage
    there, expected = coverage.pairs
    told: dict[str, Any] = {
        "suite": score.suite.name,
        "seqeval": score.seqeval,
        "level": LEVEL,
        "averages": {name: _interval(found) for name, found in score.intervals.items()},
        "averages_by_seqeval": {name: _averages(found) for name, found in score.by_convention.items()},
        "tasks": {task: _task(found) for task, found in score.tasks.items()},
        "coverage": {
            "languages": {"there": there, "expected": expected},
            "tasks": {
                task: {"there": len(coverage.there[task]), "expected": len(languages)}
                for task, languages in coverage.expected.items()
            },
            "missing": {task: list(languages) for task, languages in coverage.missing.items()},
        },
        "missing_files": [str(path) for path in score.found.missing],
        "notes": list(score.notes),
    }
    if score.rates is not None:
        told["multichecklist"] = _rates(score.rates)
    return told


def _task(score: TaskScore) -> dict[str, Any]:
    beside = {
        metric: {language: _number(value) for language, value in by.items()} for metric, by in score.beside.items()
    }
    return {"averages": {name: _interval(found) for name, found in score.intervals.items()}, "languages": beside}


def _averages(found: Averages) -> dict[str, float | None]:
    overall = {} if found.all_task is None else {"all_task": found.all_task}
    return {name: _number(value) for name, value in {**overall, **found.groups, **found.own_groups}.items()}


def _rates(rates: ErrorRates) -> dict[str, Any]:
    return {
        "error_rates": {language: dict(by_test) for language, by_test in rates.rates.items()},
        "cases": {language: dict(by_test) for language, by_test in rates.cases.items()},
        "by_test": rates.by_test,
        "mean": rates.mean,
        "missing": list(rates.missing),
    }


def _interval(found: Interval) -> dict[str, float | None]:
    return {"value": _number(found.value), "low": _number(found.low), "high": _number(found.high)}


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)


def tables(score: SuiteScore) -> RenderableType:
    """The scores of tasks, the averages, and what is missing."""
    parts: list[RenderableType] = []
    if score.tasks:
        head = f"{score.suite.title}; spans of tags by the convention of seqeval {score.seqeval}"
        parts.extend([Text(head, style="bold"), Text(), _tasks(score), Text(), _overall(score)])
    if score.rates is not None:
        parts.extend([Text(), _rates_table(score.rates)])
    return Group(*parts, *_remarks(score))


def _columns(*columns: tuple[str, bool]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, right in columns:
        table.add_column(name, justify="right" if right else "left", no_wrap=right or name in ("task", "average"))
    return table


def _tasks(score: SuiteScore) -> Table:
    table = _columns(("task", False), ("languages", True), ("score", True), ("95% interval", True), ("made of", False))
    coverage = score.averages.coverage
    for task, found in score.tasks.items():
        there, expected = len(coverage.there[task]), len(coverage.expected[task])
        whole = task in coverage.complete
        main = found.intervals[MAIN]
        table.add_row(
            task,
            str(there) if whole else f"{there} of {expected}",
            _points(main.value),
            _range(main),
            Text(_made_of(found, score.seqeval), style="dim"),
        )
    return table


def _made_of(score: TaskScore, seqeval: str) -> str:
    if len(score.official) == 1:
        return next(iter(score.official))
    named = {name: score.intervals[name].value for name in score.official}
    for name, convention in CONVENTION_METRICS.items():
        if name in score.beside and convention != seqeval:
            named[f"f1 of seqeval {convention}"] = score.intervals[name].value
    if "token_accuracy" in score.beside:
        named["token accuracy"] = score.intervals["token_accuracy"].value
    return ", ".join(f"{name.replace('_', ' ')} {_points(value)}" for name, value in named.items())


def _overall(score: SuiteScore) -> Table:
    other = next(name for name in score.by_convention if name != score.seqeval)
    head = ("average", False), ("score", True), ("95% interval", True), (f"seqeval {other}", True), ("of", False)
    table = _columns(*head)
    averages, beside = score.averages, _averages(score.by_convention[other])
    for name, members in {"all_task": score.suite.tasks, **score.suite.groups, **score.suite.own_groups}.items():
        if name in score.intervals:
            of, again = "all tasks" if name == "all_task" else ", ".join(members), beside.get(name)
            figures = _figures(score.intervals[name], "-" if again is None else _points(again))
        else:
            lacking = [task for task in members if task not in averages.coverage.complete]
            of, figures = f"not whole: {', '.join(lacking)}", ("-", "", "")
        table.add_row(name, *figures, Text(of, style="dim"))
    if averages.all_task is None:
        whole = f"{len(averages.coverage.complete)} of {len(score.suite.tasks)} tasks are whole"
        for name, words in (("so_far", "what is there"), ("so_far_without_retrieval", "the same, no retrieval")):
            if name in score.intervals:
                table.add_row(words, *_figures(score.intervals[name], ""), Text(whole, style="dim"))
    return table


def _figures(found: Interval, other: str) -> tuple[str, str, str]:
    return _points(found.value), _range(found), other


def _rates_table(rates: ErrorRates) -> Table:
    tests = list(rates.by_test)
    table = _columns(("error rate", False), *((test, True) for test in tests))
    for language, by_test in rates.rates.items():
        table.add_row(language, *(_points(by_test[test]) if test in by_test else "-" for test in tests))
    table.add_row("mean", *(_points(value) for value in rates.by_test.values()), style="bold")
    return table


def _remarks(score: SuiteScore) -> list[RenderableType]:
    lines = []
    if score.found.absent:
        lines.append(f"In neither folder: {', '.join(score.found.absent)}.")
    by_folder: dict[str, list[str]] = {}
    for path in score.found.missing:
        by_folder.setdefault(str(path.parent), []).append(path.name)
    lines.extend(f"Missing in {folder}: {', '.join(names)}." for folder, names in by_folder.items())
    if score.rates is not None and score.rates.missing:
        lines.append(f"Without predictions in multichecklist: {', '.join(score.rates.missing)}.")
    lines.extend(score.notes[:_MOST])
    if len(score.notes) > _MOST:
        lines.append(f"And {len(score.notes) - _MOST} more notes: --json has them all.")
    return [Text(), *(Text(line) for line in lines)] if lines else []


def _points(value: float) -> str:
    return f"{value:.2f}" if isfinite(value) else "-"


def _range(found: Interval) -> str:
    return f"{found.low:.1f} to {found.high:.1f}" if isfinite(found.low) else ""
