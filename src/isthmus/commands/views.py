"""The commands that only look, once their arguments are read: plan, status, tasks, report, store verify."""

import errno
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from isthmus import api
from isthmus.commands import tables
from isthmus.commands.progress import preparing
from isthmus.commands.studies_kept import kept_or_named, last_run, where_it_was_run
from isthmus.disk import plainly
from isthmus.errors import SpecError, StoreError
from isthmus.planning.plan import Goal, Plan
from isthmus.results import Results
from isthmus.store import Store
from isthmus.study.spec import Study
from isthmus.tasks.core import Task

if TYPE_CHECKING:
    from isthmus.report.findings import Summary


_DOCTYPE = b"<!doctype html>"


def output() -> Console:
    """Standard output: plain where it is not a terminal, or NO_COLOR is set."""
    return Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value))


def planned_for(study: Study, store: Store, goal: Goal, quiet: bool, own: tuple[Task, ...] = ()) -> Plan:
    """The plan of a study; how its own files were understood goes to standard error."""
    from isthmus.data.files import FileSource

    with preparing(quiet) as say:
        planned = api.make_plan(study, store, goal, say, own)
    for task in planned.tasks.values() if not quiet else ():
        if isinstance(task.source, FileSource):
            print(task.source.describe(), file=sys.stderr)
    return planned


def say_notes(planned: Plan) -> None:
    """What was mended or left out while the rows of a plan were read, on standard error: a line a task and note."""
    found: dict[tuple[str, str], int] = {}
    for key, facts in planned.reads.items():
        task = str(planned.stages[key].hints.get("task", ""))
        for note in dict.fromkeys(note for fact in facts for note in fact.notes):
            found[task, note] = max(found.get((task, note), 0), sum(note in fact.notes for fact in facts))
    for (task, note), languages in found.items():
        print(f"{task}: {note}{f' (in {languages} languages)' if languages > 1 else ''}", file=sys.stderr)


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn what keeps a file or folder outside the store from being written into a sentence."""
    with plainly(path):
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise SpecError(f"{path} cannot be written ({error.strerror or error}): choose another place.") from error


def build_page(results: Results, summary: "Summary", page: Path) -> None:
    """Write the report of results, as they were summarised. Raises SpecError where it cannot be written."""
    from isthmus.report.build import build

    with writing_to(page):
        page.parent.mkdir(parents=True, exist_ok=True)
        build(results, page, summary)


def answer(summary: "Summary", page: Path, as_json: bool, more: Mapping[str, Any]) -> None:
    """Print what the results say: for people, or as JSON with ``more``."""
    from isthmus.report.summary import render_terminal, to_json

    if as_json:
        print_json({**to_json(summary), "report": str(page), **more})
        return
    console = output()
    console.print(render_terminal(summary))
    console.print(f"\nReport: {page}", soft_wrap=True)


def summary_of(results: Results) -> "Summary":
    """What the results say: the dearest part of a report, once for the page and the terminal."""
    from isthmus.report.summary import summarise

    return summarise(results)


def existing(path: Path) -> Store:
    """The store at ``path``, which must be there."""
    with plainly(path):
        if not (path.expanduser() / "STORE").exists():
            raise StoreError(f"There is no store at {path}: name one with --store, or run a study first.")
    return Store.open(path)


def _a_page(path: Path) -> bool:
    """May a report take its place: is it a web page, empty, or no file at all?"""
    if not path.is_file() or path.suffix.lower() in (".html", ".htm"):
        return True
    with writing_to(path), path.open("rb") as file:
        begin = file.read(len(_DOCTYPE))
    return begin.lower() in (b"", _DOCTYPE)


def write_report(name: str | None, store_path: Path, page: Path | None, as_json: bool, examples: bool = True) -> None:
    """``isthmus report``; without ``examples`` the page quotes no sentence of any data set."""
    store = existing(store_path)
    name = name or last_run(store)
    study = kept_or_named(name, store)
    if page is not None and page.is_dir():
        raise SpecError(f"--output {page} is a folder: give the name of a file, such as {page / 'report.html'}.")
    if page is not None and not _a_page(page):
        raise SpecError(f"--output {page} is there and is no web page: choose another name, such as report.html.")
    with where_it_was_run(name, store):
        results = api.results_of(study, store)
    if not examples:
        results = replace(results, examples=())
    page = page or store.study_folder(study.name) / "report.html"
    summary = summary_of(results)
    build_page(results, summary, page)
    answer(summary, page, as_json, {})


def show_tasks(name: str | None, mixtures: bool, as_json: bool) -> None:
    """``isthmus tasks``; ``mixtures`` lists these alone. A mixture is shown by its name like a task."""
    from isthmus.tasks.mixtures import MIXTURES
    from isthmus.tasks.registry import task, tasks

    if name and name in MIXTURES:
        mixture = tables.mixture_json(name)
        print_json(mixture) if as_json else output().print(tables.mixture_page(name))
    elif name:
        found = task(name, MIXTURES)
        print_json(tables.task_json(found)) if as_json else output().print(tables.task_page(found))
    elif as_json:
        listed = map(tables.mixture_json, MIXTURES) if mixtures else map(tables.task_json, tasks().values())
        print_json(list(listed))
    else:
        if not mixtures:
            output().print(tables.task_list(tasks().values()))
            output().print()
        output().print(tables.mixture_list(MIXTURES))
