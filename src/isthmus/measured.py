"""What `isthmus evaluate` shows: scores by task and language, the averages of suites, and what was left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from isthmus.plan import Plan
from isthmus.report.summary import render_scores
from isthmus.results import Results
from isthmus.runner import Walk
from isthmus.store import Store

Scores = Mapping[str, Mapping[str, float]]


@dataclass
class Measured:
    """A plan that was run, what it measured, and what it could not.

    Attributes:
        suites: the names of the suites that were asked for.
        left_out: task, or task/language, and the reason in a sentence.
    """

    plan: Plan
    walk: Walk
    store: Store
    suites: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def scores(self) -> dict[str, dict[str, float]]:
        """Task -> language -> score by the task's main metric; less the language that a sweep chose its layer on."""
        dev = {name: sweep["dev_language"] for name, sweep in self.sweeps().items()}
        return {
            name: {language: value for language, value in result["scores"].items() if language != dev.get(name)}
            for name, result in self._results("score").items()
        }

    def also(self) -> dict[str, dict[str, dict[str, float]]]:
        """Task -> further metric -> language -> score."""
        return {name: dict(result.get("also", {})) for name, result in self._results("score").items()}

    def sweeps(self) -> dict[str, Mapping[str, Any]]:
        """Task -> what a sweep over layers found, for tasks that had one."""
        return {name: found["layers"] for name, found in self._results("predictions").items() if "layers" in found}

    def notes(self) -> dict[str, list[str]]:
        """Task -> what was noticed of its rows (repaired, dropped, fewer than published), and in which languages."""
        found: dict[str, list[str]] = {}
        for planned in self.plan.chains:
            if planned.predictions is None:
                continue
            languages: dict[str, list[str]] = {}
            measured = self.plan.stages[planned.predictions].identity["test"]
            for language, facts in zip(measured, self.plan.reads[planned.predictions], strict=False):
                for note in facts.notes:
                    languages.setdefault(note, []).append(language)
            if languages:
                found[planned.chain.target] = [f"{', '.join(tags)}: {note}" for note, tags in languages.items()]
        return found

    def _results(self, role: str) -> dict[str, Mapping[str, Any]]:
        """What the stage in that role of each task's chain has to tell."""
        found = {}
        for planned in self.plan.chains:
            key = getattr(planned, role)
            record = self.store.record(key) if key else None
            if record is not None:
                found[planned.chain.target] = record.result
        return found


def mean(values: Mapping[str, float]) -> float:
    """The unweighted mean over languages; NaN over none."""
    return sum(values.values()) / len(values) if values else float("nan")


def measured_json(measured: Measured) -> dict[str, Any]:
    """Everything that was measured, for scripts."""
    also, notes, sweeps = measured.also(), measured.notes(), measured.sweeps()
    tasks: dict[str, dict[str, Any]] = {}
    for name, languages in measured.scores().items():
        tasks[name] = {"metric": measured.plan.tasks[name].metric, "mean": mean(languages) if languages else None}
        tasks[name]["languages"] = languages
        for key, found in (("also", also), ("notes", notes), ("layers", sweeps)):
            if found.get(name):
                tasks[name][key] = found[name]
    told = {"model": measured.plan.study.models[0], "tasks": tasks, "left_out": measured.left_out}
    suites = {name: _averages(name, measured.scores()) for name in measured.suites}
    return {**told, "suites": suites} if suites else told


def render_measured(measured: Measured, results: Results) -> RenderableType:
    """The same for people: a table a task, or, for suites, a line a task and the averages."""
    parts: list[RenderableType] = []
    if measured.suites:
        parts.append(_overview(measured))
        for name in measured.suites:
            parts.extend(_suite_lines(name, measured.scores()))
    else:
        parts.append(render_scores(results))
        for name, metrics in measured.also().items():
            means = ", ".join(f"{metric} {mean(values):.1f}" for metric, values in metrics.items())
            parts.extend([Text(f"{name}, means of further metrics: {means}")] if metrics else [])
    for name, sweep in measured.sweeps().items():
        parts.append(_sweep(name, sweep))
    for name, notes in measured.notes().items():
        parts.extend(Text(f"{name}: {note}", style="dim") for note in notes[:_MOST])
        parts.extend([Text(f"{name}: and {len(notes) - _MOST} more notes", style="dim")] if len(notes) > _MOST else [])
    parts.extend(_left_out(measured.left_out))
    return Group(*parts)


_MOST = 6


def _overview(measured: Measured) -> Table:
    """A line a task: its metric, the languages measured, the score in English and the mean of all."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("task", no_wrap=True)
    table.add_column("metric")
    for name in ("languages", "en", "mean"):
        table.add_column(name, justify="right")
    table.add_column("worst and best", overflow="fold")
    for name, scores in measured.scores().items():
        if not scores:
            continue
        english = f"{scores['en']:.1f}" if "en" in scores else "-"
        ordered = sorted(scores, key=lambda language: scores[language])
        ends = ", ".join(f"{language} {scores[language]:.1f}" for language in dict.fromkeys([ordered[0], ordered[-1]]))
        metric = measured.plan.tasks[name].metric
        table.add_row(Text(name), metric, str(len(scores)), english, f"{mean(scores):.1f}", Text(ends, style="dim"))
    return table


def _sweep(task: str, sweep: Mapping[str, Any]) -> Table:
    """Accuracy by layer: on the dev language, and the mean of the others, which decided nothing."""
    dev, chosen = sweep["dev_language"], sweep["layer"]
    table = Table(title=Text(f"{task} by layer"), title_style="bold", title_justify="left", box=None)
    table.add_column("layer", justify="right")
    table.add_column(f"{dev} (dev)", justify="right")
    table.add_column("mean of the others", justify="right")
    by_language: Mapping[str, list[float]] = sweep["accuracy"]
    others = [values for language, values in by_language.items() if language != dev]
    for layer, value in enumerate(by_language[dev]):
        rest = f"{sum(values[layer] for values in others) / len(others):.1f}" if others else "-"
        mark = " chosen" if layer == chosen else ""
        table.add_row(f"{layer}{mark}", f"{value:.1f}", rest, style="bold" if mark else "")
    return table


def _left_out(left_out: Mapping[str, str]) -> list[RenderableType]:
    """What was not measured: a line each, of many the first."""
    if not left_out:
        return []
    lines: list[RenderableType] = [Text(), Text(f"Not measured: {len(left_out)}", style="bold")]
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        lines.append(Text(f"- {', '.join(names)}: {reason}"))
    return lines


def _averages(name: str, scores: Scores) -> dict[str, Any]:
    """A suite's averages and what they rest on, for scripts."""
    from isthmus.tasks.suites import aggregate, suites

    if name not in suites():  # `all` is no benchmark: it has no average
        return {}
    found = aggregate(scores, suites()[name])
    there, expected = found.coverage.pairs
    return {
        "tasks": dict(found.tasks),
        "groups": {**found.groups, **found.own_groups},
        "all_task": found.all_task,
        "so_far": found.so_far,
        "so_far_without_retrieval": found.so_far_without_retrieval,
        "coverage": {"there": there, "expected": expected, "missing": dict(found.coverage.missing)},
    }


def _suite_lines(name: str, scores: Scores) -> list[RenderableType]:
    """The averages of a suite, and how much of it they cover."""
    from isthmus.tasks.suites import aggregate, suites

    if name not in suites():
        return []
    suite = suites()[name]
    found = aggregate(scores, suite)
    there, expected = found.coverage.pairs
    tasks = f"{len(found.coverage.complete)} of {len(suite.tasks)} tasks complete"
    lines: list[RenderableType] = [Text(), Text(f"{suite.title}: {tasks}, {there} of {expected} task-languages")]
    for group, value in {**found.groups, **found.own_groups}.items():
        lines.append(Text(f"  {group.replace('_', ' ')}: {value:.2f}"))
    if found.all_task is not None:
        lines.append(Text(f"  all tasks: {found.all_task:.2f}", style="bold"))
    elif found.so_far is not None:
        lines.append(Text(f"  mean of the tasks measured: {found.so_far:.2f}, which is no {suite.title} score"))
        if found.so_far_without_retrieval is not None:
            lines.append(Text(f"  the same without retrieval: {found.so_far_without_retrieval:.2f}"))
    return lines
