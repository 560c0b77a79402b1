"""The commands that only look, once their arguments are read: plan, status, tasks, report, store verify."""

import errno
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from isthmus import api, tables
from isthmus.api import Resources
from isthmus.cost import Estimate, estimates
from isthmus.disk import plainly
from isthmus.errors import IsthmusError, SpecError, StoreError, nearest
from isthmus.plan import Goal, Plan
from isthmus.plan_views import facts_of, note_of
from isthmus.progress import preparing
from isthmus.results import Results
from isthmus.runner import State, states_of
from isthmus.spec import NONE, Study
from isthmus.store import Store
from isthmus.study_file import read_study
from isthmus.tasks.core import Task

_COUNTED = (State.DONE, State.RUNNING, State.FAILED, State.WAITING)


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


def build_page(results: Results, page: Path) -> None:
    """Write the report. Raises SpecError where it cannot be written."""
    from isthmus.report.build import build

    with writing_to(page):
        page.parent.mkdir(parents=True, exist_ok=True)
        build(results, page)


def answer(results: Results, page: Path, as_json: bool, more: Mapping[str, Any]) -> None:
    """Print what the results say: for people, or as JSON with ``more``."""
    from isthmus.report.summary import render_terminal, summarise, to_json

    summary = summarise(results)
    if as_json:
        print_json({**to_json(summary), "report": str(page), **more})
        return
    console = output()
    console.print(render_terminal(summary))
    console.print(f"\nReport: {page}", soft_wrap=True)


def show_plan(
    name: str, changes: tuple[str, ...], store_path: Path, as_json: bool, keys: bool, all_stages: bool
) -> None:
    """``isthmus plan``."""
    study = api.load_study(name, changes)
    store = Store.open(store_path)
    planned = planned_for(study, store, "scores", quiet=as_json)
    if not as_json:
        say_notes(planned)
    states, costs = states_of(planned, store), estimates(planned, store)
    todo = [key for key, state in states.items() if state is not State.DONE]
    workers, _ = Resources().settle()
    seconds = sum(costs[key].seconds for key in todo) / max(1, min(workers, len(todo)))
    size = sum(costs[key].bytes for key in todo)
    if as_json:
        total = {"chains": len(planned.chains), "to_do": len(todo), "seconds": round(seconds, 1), "bytes": size}
        print_json({"study": study.name, **total, "stages": _stages_json(planned, states, costs)})
        return
    console = output()
    expected = {key: cost.seconds for key, cost in costs.items()}
    notes = {key: note for key in planned.stages if (note := note_of(planned, key))}
    console.print(tables.stage_table(planned, states, expected, keys, all_stages, notes))
    lengths = _lengths(planned)
    alone = sum(lengths[chain.score or chain.model] for chain in planned.chains)
    console.print(
        f"\n{len(planned.chains):,} chains in {len(planned.stages):,} stages; one by one they would take {alone:,}."
    )
    told = f"about {tables.duration(seconds)} with {workers} worker{'s' if workers > 1 else ''}"
    left = f"{len(todo):,} to do: {told}, and {tables.size(size)} of disk."
    console.print(left if todo else "Nothing to do: every stage is finished.")
    if any(stage.function == "train" for stage in planned.stages.values()):
        console.print("Every training begins with a fresh head, but those that say otherwise.")
    if NONE not in study.intermediates:
        console.print(f"There is no baseline: add `{NONE}` to intermediates to see gains.")


def _stages_json(planned: Plan, states: Mapping[str, State], costs: Mapping[str, Estimate]) -> list[dict[str, Any]]:
    facts = {key: facts_of(planned, key) for key in planned.stages}
    return [
        {
            "key": key,
            "title": stage.title,
            "function": stage.function,
            "needs": list(stage.inputs.values()),
            **facts.get(key, {}),
            "state": str(states[key]),
            "seconds": round(costs[key].seconds, 1),
        }
        for key, stage in planned.stages.items()
    ]


def _lengths(planned: Plan) -> dict[str, int]:
    """The number of stages from a model to each stage, that one included."""
    lengths: dict[str, int] = {}
    for key in planned.stages:  # each after those it builds on
        lengths[key] = 1 + sum(lengths[need] for need in planned.needs(key))
    return lengths


def show_status(name: str | None, store_path: Path, as_json: bool, keys: bool, all_stages: bool) -> None:
    """``isthmus status``."""
    store = existing(store_path)
    if name is None:
        _show_studies(store, as_json)
        return
    study = _kept_or_named(name, store)
    with _where_it_was_run(name, store):
        planned = api.make_plan(study, store)
    states = states_of(planned, store)
    reasons = {key: _reason(store, key) for key, state in states.items() if state is State.FAILED}
    if as_json:
        stages = {key: str(state) for key, state in states.items()}
        print_json({"study": study.name, "stages": stages, "errors": reasons})
        return
    seconds = {key: float(store.progress(key).get("seconds", 0)) for key in planned.stages}
    seconds |= {key: record.seconds for key in planned.stages if (record := store.record(key))}
    console = output()
    console.print(tables.stage_table(planned, states, seconds, keys, all_stages))
    found = list(states.values())
    counts = ", ".join(f"{found.count(state):,} {_word(state)}" for state in _COUNTED if state in found)
    console.print(f"\n{counts}.")
    for key, reason in reasons.items():
        console.print(f"failed: {planned.stages[key].title}: {reason}")


def _word(state: State) -> str:
    return "finished" if state is State.DONE else str(state)


def _reason(store: Store, key: str) -> str:
    """Why a stage failed when it was last run."""
    try:
        return str(json.loads((store.work_folder(key) / "failure.json").read_bytes())["error"])
    except (OSError, ValueError, KeyError):
        return "the reason was not kept"


def _show_studies(store: Store, as_json: bool) -> None:
    """Every study in the store, with the number of its stages in each state."""
    rows: dict[str, dict[str, Any]] = {}
    for folder in sorted((store.root / "studies").glob("*/study.yaml")):
        name = folder.parent.name
        try:
            study = read_study(folder)
            with _where_it_was_run(name, store):
                found = list(states_of(api.make_plan(study, store), store).values())
            rows[name] = {str(state): found.count(state) for state in _COUNTED}
        except IsthmusError as error:  # a file or a package it needs is gone: the other studies are still there
            rows[name] = {"error": str(error)}
    if as_json:
        print_json({"store": str(store.root), "studies": rows})
        return
    console = output()
    if not rows:
        console.print(f"No study has been run in {store.root}.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("study", no_wrap=True)
    for word in map(_word, _COUNTED):
        table.add_column(word, justify="right", no_wrap=True)
    for name, counts in rows.items():
        if "error" not in counts:
            table.add_row(Text(name), *(f"{value:,}" for value in counts.values()))
    console.print(table)
    for name, counts in rows.items():
        if "error" in counts:
            console.print(f"{name}: {counts['error']}")


def existing(path: Path) -> Store:
    """The store at ``path``, which must be there."""
    with plainly(path):
        if not (path.expanduser() / "STORE").exists():
            raise StoreError(f"There is no store at {path}: name one with --store, or run a study first.")
    return Store.open(path)


def _kept_or_named(name: str, store: Store) -> Study:
    """The study as it was last run in the store, or the file or built-in study of that name."""
    kept = {path.parent.name: path for path in (store.root / "studies").glob("*/study.yaml")}
    if name in kept:
        return read_study(kept[name])
    if name in api.built_in_studies() or Path(name).suffix or Path(name).exists():
        return api.load_study(name)
    raise SpecError(f"No study called {name} was run in {store.root}: {nearest(name, kept)}")


@contextmanager
def _where_it_was_run(name: str, store: Store) -> Iterator[None]:
    """While inside, relative names of files and folders mean what they meant to the run of a study that was kept."""
    with ExitStack() as stack:
        with suppress(OSError):  # not kept by a run, or gone by now
            folder = (store.study_folder(name) / "folder.txt").read_text(errors="surrogateescape")
            stack.enter_context(chdir(folder))
        yield


def write_report(name: str | None, store_path: Path, page: Path | None, as_json: bool) -> None:
    """``isthmus report``."""
    store = existing(store_path)
    if name is None:
        kept = sorted((store.root / "studies").glob("*/study.yaml"), key=lambda path: path.stat().st_mtime)
        if not kept:
            raise StoreError(f"No study has been run in {store.root}: run one first, with isthmus run STUDY.")
        name = kept[-1].parent.name
    study = _kept_or_named(name, store)
    if page is not None and page.is_dir():
        raise SpecError(f"--output {page} is a folder: give the name of a file, such as {page / 'report.html'}.")
    with _where_it_was_run(name, store):
        results = api.results_of(study, store)
    page = page or store.study_folder(study.name) / "report.html"
    build_page(results, page)
    answer(results, page, as_json, {})


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


def verify(store_path: Path, as_json: bool) -> int:
    """``isthmus store verify``; 1 when something was damaged."""
    store = existing(store_path)
    checked, found = 0, []
    with plainly(store.root), preparing(as_json) as say:
        for name, damage in store.verify():
            say(f"reading {name}")
            checked += 1
            if damage:
                found.extend(damage)
                store.set_aside(name) if not name.startswith("data/") else store.data_file(Path(name).stem).unlink()
    if as_json:
        print_json({"checked": checked, "damaged": [vars(item) for item in found]})
    elif found:
        for item in found:
            output().print(f"{item}: {'removed' if item.key == 'data' else 'set aside'}.")
        output().print("The next run of a study that needs them makes them anew.")
    else:
        output().print(f"All {checked:,} finished stages and data files are as they were written.")
    return 1 if found else 0
