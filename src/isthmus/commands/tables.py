"""What the command line lists: tasks and stages, readable at 80 columns; nothing that a name is needed for is cut."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isthmus.outside import visible
from isthmus.planning.plan import Plan
from isthmus.running.runner import State
from isthmus.stage import Json, Record
from isthmus.tasks.core import Task
from isthmus.tasks.mixtures import MIXTURES, description

#: Stages listed before the rest is only counted.
MOST = 60
_COLOURS = {State.DONE: "green", State.FAILED: "red", State.RUNNING: "cyan"}
#: What is listed first where not everything is.
_URGENCY = (State.FAILED, State.RUNNING, State.ELSEWHERE, State.WAITING, State.SKIPPED, State.DONE)


def task_list(tasks: Iterable[Task]) -> RenderableType:
    """A line of figures for each task, and its description dim below."""
    head = ("task", "kind", "trains in", "languages", "metric", "labels")
    found = list(tasks)
    rows = [
        (task.name, str(task.kind), task.train_language or "-", str(len(task.languages)), task.metric, task.labels_are)
        for task in found
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    parts: list[RenderableType] = [Text(_line(head, widths), style="bold")]
    for task, row in zip(found, rows, strict=True):
        parts.append(Text(_line(row, widths)))
        parts.append(Padding(Text(task.description, style="dim"), (0, 0, 0, 2), expand=False))
    return Group(*parts)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def task_json(task: Task) -> dict[str, Json]:
    """A task for scripts."""
    return {
        "name": task.name,
        "kind": str(task.kind),
        "description": task.description,
        "train_language": task.train_language,
        "languages": list(task.languages),
        "metric": task.metric,
        "labels": list(task.labels),
        "labels_are": task.labels_are,
        "derivation": task.derivation,
        "rows": dict(task.expected_rows),
        "licence": task.licence,
        "homepage": task.homepage,
        "citation": task.citation,
    }


def task_page(task: Task) -> RenderableType:
    """Everything about one task."""
    facts = {
        "name": task.name,
        "kind": str(task.kind),
        "description": task.description,
        "trains in": task.train_language or "nothing: it is only measured",
        "languages": f"{len(task.languages)}: {', '.join(task.languages)}",
        "metric": task.metric,
        "labels": f"{len(task.labels)}: {', '.join(task.labels)}" if task.labels else "none",
        "labels are": f"{task.labels_are}. {task.derivation}".strip(),
        "rows": ", ".join(f"{split} {rows}" for split, rows in task.expected_rows.items()),
        "licence": task.licence,
        "homepage": task.homepage,
        "citation": task.citation,
    }
    return _page(facts)


def _page(facts: Mapping[str, str]) -> RenderableType:
    """Fields and what they hold, one below the other."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for field, value in facts.items():
        if value:
            grid.add_row(Text(field, style="bold"), Text(value))
    return grid


def mixture_list(names: Iterable[str]) -> RenderableType:
    """The built-in mixtures: the tasks in each, and its description dim below."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text("mixture", style="bold"), Text("tasks", style="bold"))
    for name in names:
        grid.add_row(Text(name), Text(", ".join(MIXTURES[name].tasks)))
        grid.add_row(Text(), Text(description(name), style="dim"))
    return grid


def mixture_json(name: str) -> dict[str, Json]:
    """A built-in mixture for scripts."""
    return {"name": name, "description": description(name), **MIXTURES[name].model_dump(mode="json")}


def mixture_page(name: str) -> RenderableType:
    """Everything about one of the built-in mixtures."""
    mixture = MIXTURES[name]
    cap = f", a task counting as at most {mixture.cap:,} rows" if mixture.cap else ""
    return _page(
        {
            "name": name,
            "kind": "mixture",
            "description": description(name),
            "tasks": f"{len(mixture.tasks)}: {', '.join(mixture.tasks)}",
            "sampling": f"{mixture.sampling}{cap}",
            "heads": mixture.heads,
        }
    )


def training_table(record: Record) -> RenderableType:
    """What the members of a finished training had: steps, loss, and the dev scores of what was kept."""
    kept = record.result["kept_step"]
    dev: dict[str, list[str]] = {}
    for point in record.result["dev"]:
        if point["step"] == kept:
            interval = "" if point["low"] is None else f" [{point['low']:.1f}, {point['high']:.1f}]"
            score = f"{point['language']} {point['score']:.1f}{interval}"
            dev.setdefault(point["member"], []).append(f"{point['metric']} {score}")
    title = f"{record.title}: {record.result['steps']:,} steps"
    title += f", the weights after step {kept:,} kept" if kept < record.result["steps"] else ""
    table = Table(title=Text(visible(title)), title_style="bold", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("task", overflow="fold")
    table.add_column("steps", justify="right", no_wrap=True)
    table.add_column("loss", no_wrap=True)
    table.add_column("dev", overflow="fold")
    for name, had in record.result["members"].items():
        first, last = (had[end] for end in ("first_loss", "last_loss"))
        loss = "-" if first is None else f"{first:.2f} to {last:.2f}"
        table.add_row(Text(visible(name)), f"{had['steps']:,}", loss, Text("\n".join(dev.get(name, ["-"]))))
    return table


def stage_table(
    plan: Plan,
    states: Mapping[str, State],
    seconds: Mapping[str, float],
    keys: bool,
    everything: bool,
    notes: Mapping[str, str] | None = None,
) -> RenderableType:
    """The stages of a plan, their states and their seconds; of many, those that matter most now (`listed`).

    ``notes`` are lines below the titles, by the keys of their stages.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("state", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("stage", overflow="fold")
    shown = listed(plan, states, everything)
    names = short_names(plan.study.models)
    for key in shown:
        title = Text(visible(shortened(plan.stages[key].title, names)))
        for line in ((notes or {}).get(key), key if keys else None):
            title.append(f"\n{visible(line)}" if line else "", style="dim")
        state = Text(str(states[key]), style=_COLOURS.get(states[key], ""))
        table.add_row(state, f"{seconds[key]:,.0f}", title)
    more = len(plan.stages) - len(shown)
    return Group(table, Text(f"... and {more:,} more stages: --all lists them.", style="dim")) if more else table


def listed(plan: Plan, states: Mapping[str, State], everything: bool) -> list[str]:
    """The keys of the stages that a table has: of many, those that matter most now."""
    if len(plan.stages) <= MOST or everything:
        return list(plan.stages)
    return sorted(plan.stages, key=lambda key: _URGENCY.index(states[key]))[:MOST]


def short_names(models: Iterable[str]) -> dict[str, str]:
    """A model folder by the end of its path, as far as that tells the models apart."""
    long = [model for model in models if model.startswith(("/", ".", "~"))]
    for length in (1, 2, 3):
        short = {model: "/".join(Path(model).parts[-length:]) for model in long}
        if len(set(short.values())) == len(long):
            return short
    return {}


def shortened(title: str, names: Mapping[str, str]) -> str:
    """A stage's title with short names of models."""
    for name in sorted(names, key=len, reverse=True):
        title = title.replace(name, names[name])
    return title


def duration(seconds: float) -> str:
    """A time as one would say it."""
    if seconds < 90:
        return "a second" if seconds < 1.5 else f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def size(count: float) -> str:
    """Bytes as one would say them."""
    if 0 < count < 1e6:
        return f"{max(1, round(count / 1e3)):,} kB"
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
