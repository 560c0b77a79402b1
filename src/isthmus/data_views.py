"""``isthmus data check``: what a folder has of the published data sets."""

import sys
from dataclasses import replace
from pathlib import Path

from isthmus.data.check import Report, check, render, to_json
from isthmus.data.sources.published import Dataset
from isthmus.errors import SpecError, nearest
from isthmus.facts import EVERYTHING, members_of
from isthmus.progress import preparing
from isthmus.tasks.core import Task
from isthmus.views import output, print_json


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
        print_json({"folder": str(folder), **to_json(report)})
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
    console.print(render(report, every))
    if report.absent:
        console.print(f"\nNothing is there of {', '.join(report.absent)}.")
    if not report.complete:
        print("Not all is there: --all shows every split, and `partial: true` measures what is.", file=sys.stderr)
