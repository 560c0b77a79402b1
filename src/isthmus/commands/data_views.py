"""``isthmus data check``: what a folder has of the published data sets."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from isthmus.commands.progress import preparing
from isthmus.commands.views import output, print_json
from isthmus.data.check import GOOD, Entry, Report, State, check
from isthmus.data.sources.published import Dataset
from isthmus.errors import SpecError, nearest
from isthmus.planning.facts import EVERYTHING, members_of
from isthmus.tasks.core import Task


def check_data(folder: Path, suites: list[str], names: list[str], every: bool, as_json: bool) -> int:
    """Print what ``folder`` has; 1 where something of what was named, or of a task that is there in part, is not.

    Raises:
        SpecError: there is no such folder, suite or task, or the task is not one of published files.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise SpecError(f"There is no folder {folder}: name the one that the data sets are in.")
    chosen = _tasks(suites, names)
    with preparing(as_json) as say:
        report = check(folder, chosen, bool(suites or names), say)
    if as_json:
        print_json({"folder": str(folder), **_json(report)})
    else:
        _show(report, folder, every)
    return 0 if report.complete and report.entries else 1


def _tasks(suites: list[str], names: list[str]) -> list[Task]:
    """The tasks named, each in the languages that the suites have it in; every published one where none is."""
    from isthmus.tasks import registry

    found: dict[str, Task] = {}
    for suite in suites or ([] if names else [EVERYTHING]):
        members = members_of(suite)
        if members is None:
            from isthmus.tasks.suites import suites as known

            raise SpecError(f"There is no suite called {suite!r}: {nearest(suite, [*known(), EVERYTHING])}")
        for name, tags in members.items():
            task = registry.task(name)
            before = found[name].languages if name in found else ()
            there = tuple(tag for tag in task.languages if tag in tags or tag in before)
            found[name] = replace(task, languages=there)
            for training in task.training:
                found.setdefault(training, replace(registry.task(training), languages=()))
    for name in names:
        found[name] = registry.task(name)
    for task in found.values():
        if not isinstance(task.source, Dataset):
            raise SpecError(f"{task.name} is not read from files: there is nothing to check.")
    return list(found.values())


def _show(report: Report, folder: Path, every: bool) -> None:
    console = output()
    if not report.entries:
        console.print(f"There is nothing in {folder} that any task reads; `isthmus tasks NAME` shows where files are.")
        return
    console.print(_table(report, every))
    if report.absent:
        console.print(f"\nNothing is there of {', '.join(report.absent)}.")
    if not report.complete:
        print("Not all is there: --all shows every split, and `partial: true` measures what is.", file=sys.stderr)


def _json(report: Report) -> dict[str, Any]:
    """The report for scripts."""
    entries = [{**entry._asdict(), "state": str(entry.state), "notes": list(entry.notes)} for entry in report.entries]
    return {"complete": report.complete, "absent": list(report.absent), "entries": entries}


def _table(report: Report, every: bool) -> Table:
    """A line a task; or, with ``every``, a line for each split and language."""
    table = Table(box=None, pad_edge=False)
    if every:
        for name in ("task", "split", "language", "state", "rows", "expected", "notes"):
            table.add_column(name, justify="right" if name in ("rows", "expected") else "left", no_wrap=name != "notes")
        for entry in report.entries:
            expected = "" if entry.expected is None else f"{entry.expected:,}"
            place = (entry.task, entry.split, entry.language, str(entry.state))
            table.add_row(*map(Text, (*place, f"{entry.rows:,}", expected, "; ".join(entry.notes))))
        return table
    for name in ("task", "train", "dev", "test", "rows", "remarks"):
        table.add_column(name, justify="right" if name == "rows" else "left", no_wrap=name != "remarks")
    for task in dict.fromkeys(entry.task for entry in report.entries):
        own = [entry for entry in report.entries if entry.task == task]
        shown = [_summary([entry for entry in own if entry.split == split]) for split in ("train", "dev", "test")]
        table.add_row(*map(Text, (task, *shown, f"{sum(entry.rows for entry in own):,}", _remarks(own))))
    return table


def _summary(entries: Sequence[Entry]) -> str:
    """What there is of a split: one word, or how many languages of how many."""
    if len(entries) == 1:
        return str(entries[0].state)
    if not entries:
        return ""
    good = sum(entry.state in GOOD for entry in entries)
    return f"{good} of {len(entries)}"


def _remarks(entries: Sequence[Entry]) -> str:
    """What is not good, and how often something was noted."""
    bad: dict[State, list[Entry]] = {}
    for entry in entries:
        if entry.state not in (*GOOD, State.MISSING) and len(entries) > 1:
            bad.setdefault(entry.state, []).append(entry)
    parts = [f"{state}: {_places(found)}" for state, found in bad.items()]
    noted = Counter(entry.state in GOOD and bool(entry.notes) for entry in entries)[True]
    return "; ".join([*parts, *([f"{noted} with notes"] if noted else [])])


def _places(entries: Sequence[Entry]) -> str:
    names = [f"{entry.split}/{entry.language}" for entry in entries]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
