"""What `isthmus evaluate` shows: scores by task and language, the averages of suites, and what was left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from isthmus.collect import tuned_on
from isthmus.data.catalog import SplitFacts
from isthmus.planning.plan import Plan
from isthmus.report.summary import note_on, render_scores
from isthmus.report.words import dagger
from isthmus.results import Results
from isthmus.running.runner import Walk
from isthmus.store import Store
from isthmus.tasks.suites import Averages, Suite

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

    def tuned(self) -> dict[str, tuple[str, ...]]:
        """Task -> languages that were measured and are no longer zero-shot, of tasks that have some."""
        found = {}
        scores = self.scores()
        for planned in self.plan.chains:
            name = planned.chain.target
            chosen, trained = tuned_on(self.plan, planned.model), self.plan.tasks[name].train_language
            if there := tuple(tag for tag in scores.get(name, ()) if tag in chosen and tag != trained):
                found[name] = there
        return found

    def sweeps(self) -> dict[str, Mapping[str, Any]]:
        """Task -> what a sweep over layers found, for tasks that had one."""
        return {name: found["layers"] for name, found in self._results("predictions").items() if "layers" in found}

    def notes(self) -> dict[str, list[str]]:
        """Task -> what was noticed of its rows (repaired, dropped, fewer than published), and in which languages."""
        found: dict[str, list[str]] = {}
        for name, measured in self._rows().items():
            languages: dict[str, list[str]] = {}
            for language, facts in measured.items():
                for note in facts.notes:
                    languages.setdefault(note, []).append(language)
            if languages:
                found[name] = [f"{', '.join(tags)}: {note}" for note, tags in languages.items()]
        for planned in self.plan.chains:
            if trained := self._noted_in_training(planned.model):
                found[planned.chain.target] = [*trained, *found.get(planned.chain.target, [])]
        return found

    def _noted_in_training(self, key: str) -> list[str]:
        """What was noticed of the rows that the model of that stage, and those it began as, were trained on."""
        stage = self.plan.stages[key]
        before = [note for parent in self.plan.needs(key) for note in self._noted_in_training(parent)]
        task = stage.hints.get("task", "")
        return [*before, *(f"trained on {task}: {note}" for facts in self.plan.reads[key] for note in facts.notes)]

    def short(self) -> dict[str, tuple[str, ...]]:
        """Task -> languages measured on other rows than all of the published test set: such figures are no benchmark's.

        Rows are fewer than published, or of the dev split, or fewer than there are were asked for.
        """
        limits = self.plan.study.test_limit
        found = {
            name: tuple(
                language
                for language, facts in measured.items()
                if facts.in_part or facts.rows > (limits(name) or facts.rows)
            )
            for name, measured in self._rows().items()
        }
        return {name: languages for name, languages in found.items() if languages}

    def _rows(self) -> dict[str, dict[str, SplitFacts]]:
        """Task -> language -> the rows that it is measured on."""
        found: dict[str, dict[str, SplitFacts]] = {}
        for planned in self.plan.chains:
            if planned.predictions is not None:
                measured = self.plan.stages[planned.predictions].identity["test"]
                reads = self.plan.reads[planned.predictions]
                found[planned.chain.target] = dict(zip(measured, reads, strict=False))
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
    also, tuned, notes, sweeps = measured.also(), measured.tuned(), measured.notes(), measured.sweeps()
    tasks: dict[str, dict[str, Any]] = {}
    for name, languages in measured.scores().items():
        tasks[name] = {"metric": measured.plan.tasks[name].metric, "mean": mean(languages) if languages else None}
        tasks[name]["languages"] = languages
        more: dict[str, Mapping[str, Any]] = {"also": also, "tuned": tuned, "notes": notes, "layers": sweeps}
        tasks[name] |= {key: found[name] for key, found in more.items() if found.get(name)}
    told = {"model": measured.plan.study.models[0], "tasks": tasks, "left_out": measured.left_out}
    suites = {name: _averages(name, measured) for name in measured.suites}
    return {**told, "suites": suites} if suites else told


def render_measured(measured: Measured, results: Results) -> RenderableType:
    """The same for people: a table a task, or, for suites, a line a task and the averages."""
    parts: list[RenderableType] = []
    if measured.suites:
        parts.append(_overview(measured))
        for name in measured.suites:
            parts.extend(_suite_lines(name, measured))
        if note := note_on([tag for tags in measured.tuned().values() for tag in tags]):
            parts.extend([Text(), Text(note, style="dim")])
    else:
        dev = {(name, sweep["dev_language"]) for name, sweep in measured.sweeps().items()}
        test = tuple(score for score in results.scores if (score.chain.target, score.language) not in dev)
        parts.append(render_scores(replace(results, scores=test)))
        tuned = measured.tuned()
        for name, metrics in measured.also().items():
            mark = dagger(name in tuned)
            means = ", ".join(f"{metric} {mean(values):.1f}{mark}" for metric, values in metrics.items())
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
    tuned = measured.tuned()
    for name, scores in measured.scores().items():
        if not scores:
            continue
        chosen = tuned.get(name, ())
        shown = {tag: f"{value:.1f}{dagger(tag in chosen)}" for tag, value in scores.items()}
        ordered = sorted(scores, key=lambda language: scores[language])
        ends = ", ".join(f"{tag} {shown[tag]}" for tag in dict.fromkeys([ordered[0], ordered[-1]]))
        metric, average = measured.plan.tasks[name].metric, f"{mean(scores):.1f}{dagger(bool(chosen))}"
        table.add_row(Text(name), metric, str(len(scores)), shown.get("en", "-"), average, Text(ends, style="dim"))
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
    """What was not measured: a line for each reason."""
    if not left_out:
        return []
    lines: list[RenderableType] = [Text(), Text("Not measured", style="bold")]
    return [*lines, *(Text(f"- {line}") for line in reasons_of(left_out))]


def reasons_of(left_out: Mapping[str, str]) -> list[str]:
    """A line for each reason: ``udpos, xnli (de, sw): no files of it are there``."""
    by_reason: dict[str, dict[str, list[str]]] = {}
    for name, reason in left_out.items():
        task, _, language = name.partition("/")
        languages = by_reason.setdefault(reason, {}).setdefault(task, [])
        languages.extend([language] if language else [])
    lines = []
    for reason, tasks in by_reason.items():
        names = [f"{task} ({', '.join(tags)})" if tags else task for task, tags in tasks.items()]
        lines.append(f"{', '.join(names)}: {reason}")
    return lines


def _aggregates(suite: Suite, measured: Measured) -> tuple[Averages, Averages]:
    """A suite's averages of all that was measured, and of what was measured on the whole of its test set."""
    from isthmus.tasks.suites import aggregate

    scores, short = measured.scores(), measured.short()
    whole = {
        name: {language: value for language, value in values.items() if language not in short.get(name, ())}
        for name, values in scores.items()
    }
    return aggregate(scores, suite), aggregate(whole, suite)


def _averages(name: str, measured: Measured) -> dict[str, Any]:
    """A suite's averages and what they rest on, for scripts."""
    from isthmus.tasks.suites import suites

    if name not in suites():  # `all` is no benchmark: it has no average
        return {}
    found, whole = _aggregates(suites()[name], measured)
    there, expected = found.coverage.pairs
    short = {task: tags for task, tags in measured.short().items() if task in found.tasks}
    missing = dict(found.coverage.missing)
    return {
        "tasks": dict(found.tasks),
        "groups": {**whole.groups, **whole.own_groups},
        "all_task": whole.all_task,
        "so_far": found.so_far,
        "so_far_without_retrieval": found.so_far_without_retrieval,
        "coverage": {"there": there, "expected": expected, "in_part": short, "missing": missing},
    }


def _suite_lines(name: str, measured: Measured) -> list[RenderableType]:
    """The averages of a suite, and how much of it they cover."""
    from isthmus.tasks.suites import suites

    if name not in suites():
        return []
    suite = suites()[name]
    found, whole = _aggregates(suite, measured)
    there, expected = found.coverage.pairs
    tasks = f"{len(whole.coverage.complete)} of {len(suite.tasks)} tasks complete"
    short = there - whole.coverage.pairs[0]
    in_part = f", {short} of them in part or on dev" if short else ""
    lines: list[RenderableType] = [
        Text(),
        Text(f"{suite.title}: {tasks}, {there} of {expected} task-languages{in_part}"),
    ]
    tuned, members = set(measured.tuned()), {**suite.groups, **suite.own_groups}
    for group, value in {**whole.groups, **whole.own_groups}.items():
        mark = dagger(not tuned.isdisjoint(members[group]))
        lines.append(Text(f"  {group.replace('_', ' ')}: {value:.2f}{mark}"))
    mark = dagger(not tuned.isdisjoint(found.tasks))
    if whole.all_task is not None:
        lines.append(Text(f"  all tasks: {whole.all_task:.2f}{mark}", style="bold"))
    elif found.so_far is not None:
        lines.append(Text(f"  mean of the tasks measured: {found.so_far:.2f}{mark}, which is no {suite.title} score"))
        if found.so_far_without_retrieval is not None:
            mark = dagger(not tuned.isdisjoint(set(found.tasks) - set(suite.retrieval)))
            lines.append(Text(f"  the same without retrieval: {found.so_far_without_retrieval:.2f}{mark}"))
    return lines
