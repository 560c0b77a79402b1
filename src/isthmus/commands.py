"""What the commands do, once their arguments are read. Results go to standard output, the rest to standard error."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from isthmus import api
from isthmus.api import Resources
from isthmus.collect import collect
from isthmus.cost import estimates
from isthmus.disk import plainly
from isthmus.errors import IsthmusError, SpecError, StageFailed, StoreError
from isthmus.plan import Goal, Plan
from isthmus.progress import watcher_for
from isthmus.results import Results
from isthmus.run import State, Walk, states_of
from isthmus.spec import NONE, Study, first_problem
from isthmus.store import Store
from isthmus.study_file import apply_changes, read_study

_INTERRUPTED = 130


def resources(workers: int | None, device: str, checkpoint_seconds: float) -> Resources:
    """The resources that the options ask for."""
    if device not in ("auto", "cpu", "cuda"):
        raise SpecError(f"--device is auto, cpu or cuda, not {device!r}.")
    return Resources(workers, device, checkpoint_seconds)


def output() -> Console:
    """Standard output: plain where it is not a terminal, or NO_COLOR is set."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def run_study(
    name: str, store_path: Path, changes: tuple[str, ...], how: Resources, as_json: bool, quiet: bool
) -> None:
    """``isthmus run``."""
    study = api.load_study(name, changes)
    store = Store.open(store_path)
    planned, walked = _run(study, store, "scores", how, as_json or quiet)
    folder = api.keep_study(study, store)
    results = collect(planned, store, walked.states, walked.errors, api.study_yaml(study), _command(name, changes))
    page = folder / "report.html"
    new = walked.finished_here or walked.errors or not page.exists()
    if new:
        _build(results, page)
    if not new and not as_json:
        output().print(f"Nothing to do: all {walked.total} stages of {study.name} are finished.")
    _answer(results, page, as_json, {"stages_run": len(walked.finished_here), "stages": walked.total})
    _end(walked)


def _command(name: str, changes: tuple[str, ...]) -> str:
    import shlex

    return shlex.join(["isthmus", "run", name, *(part for change in changes for part in ("--set", change))])


def _run(study: Study, store: Store, goal: Goal, how: Resources, quiet: bool) -> tuple[Plan, Walk]:
    """Plan and run; progress goes to standard error."""
    with _preparing(quiet) as say:
        planned = api.make_plan(study, store, goal, say)
    expected = {key: estimate.seconds for key, estimate in estimates(planned, store).items()}
    return planned, api.walk(planned, store, how, watcher_for(quiet, expected))


class _preparing:
    """Says which rows are being loaded: over and over the same line on a terminal, nothing elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self._console = Console(stderr=True)
        self._status = self._console.status("planning") if self._console.is_terminal and not quiet else None

    def __enter__(self) -> Any:
        if self._status is None:
            return lambda _: None
        self._status.start()
        return lambda text: self._status.update(Text(text)) if self._status else None

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()


def _build(results: Results, page: Path) -> None:
    from isthmus.report.build import build

    with plainly(page.parent):
        page.parent.mkdir(parents=True, exist_ok=True)
        build(results, page)


def _answer(results: Results, page: Path, as_json: bool, more: Mapping[str, Any]) -> None:
    """Print the answer: for people, or as JSON."""
    from isthmus.report.summary import render_terminal, summarise, to_json

    summary = summarise(results)
    if as_json:
        print(json.dumps({**to_json(summary), "report": str(page), **more}, ensure_ascii=False))
        return
    console = output()
    console.print(render_terminal(summary))
    console.print(f"\nReport: {page}", soft_wrap=True)


def _end(walked: Walk) -> None:
    """Leave with a status that says whether everything is finished."""
    done = walked.count(State.DONE)
    if walked.interrupted:
        sentence = (
            f"Interrupted: {done} of {walked.total} stages are finished and kept. The same command goes on from there."
        )
        error = IsthmusError(sentence)
        error.exit_code = _INTERRUPTED
        raise error
    if walked.errors:
        key, reason = next(iter(walked.errors.items()))
        more = f" ({len(walked.errors)} stages failed, {walked.count(State.SKIPPED)} were skipped.)"
        raise StageFailed(f"{walked.plan.stages[key].title}: {reason}{more if len(walked.errors) > 1 else ''}")


def show_plan(name: str, store_path: Path, changes: tuple[str, ...], as_json: bool) -> None:
    """``isthmus plan``."""
    study = api.load_study(name, changes)
    store = Store.open(store_path)
    with _preparing(as_json) as say:
        planned = api.make_plan(study, store, notify=say)
    states, costs = states_of(planned, store), estimates(planned, store)
    todo = [key for key, state in states.items() if state is not State.DONE]
    workers, _ = Resources().settle()
    seconds = sum(costs[key].seconds for key in todo) / max(1, min(workers, len(todo)))
    size = sum(costs[key].bytes for key in todo)
    if as_json:
        stages = [
            {
                "key": key,
                "title": stage.title,
                "function": stage.function,
                "needs": list(stage.inputs.values()),
                "state": str(states[key]),
                "seconds": round(costs[key].seconds, 1),
            }
            for key, stage in planned.stages.items()
        ]
        total = {"chains": len(planned.chains), "to_do": len(todo), "seconds": round(seconds, 1), "bytes": size}
        print(json.dumps({"study": study.name, **total, "stages": stages}, ensure_ascii=False))
        return
    console = output()
    console.print(_stage_table(planned, states, {key: cost.seconds for key, cost in costs.items()}))
    alone = sum(_length(planned, chain.score or chain.model) for chain in planned.chains)
    console.print(
        f"{len(planned.chains)} chains, {len(planned.stages)} stages (run alone, the chains would take {alone}). "
        f"{len(todo)} to do: about {_duration(seconds)} with {workers} workers, {size / 1e6:.0f} MB of disk."
    )
    if NONE not in study.intermediates:
        console.print(f"There is no baseline: add `{NONE}` to intermediates to see gains.")


def _length(planned: Plan, key: str) -> int:
    """The number of stages from a model to ``key``."""
    needs = planned.needs(key)
    return 1 + sum(_length(planned, need) for need in needs)


def _stage_table(planned: Plan, states: Mapping[str, State], seconds: Mapping[str, float]) -> Table:
    table = Table("state", "stage", "seconds", "key", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    colours = {State.DONE: "green", State.FAILED: "red", State.RUNNING: "cyan"}
    for key, stage in planned.stages.items():
        state = Text(str(states[key]), style=colours.get(states[key], ""))
        table.add_row(state, Text(stage.title, overflow="fold"), f"{seconds[key]:.0f}", Text(key, style="dim"))
    return table


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def train_fields(model: str, intermediates: list[str], target: str, seed: int) -> dict[str, Any]:
    """The study of one chain."""
    before = [intermediates] if intermediates else [NONE]
    return {"name": "train", "models": [model], "intermediates": before, "targets": [target], "seeds": [seed]}


def _study(fields: Mapping[str, Any], changes: tuple[str, ...] = ()) -> Study:
    try:
        return Study.model_validate(apply_changes(changes, dict(fields)))
    except ValidationError as error:
        raise SpecError(f"{first_problem(error)}.") from None


def train(
    fields: Mapping[str, Any],
    store_path: Path,
    changes: tuple[str, ...],
    copy_to: Path | None,
    how: Resources,
    as_json: bool,
    quiet: bool,
) -> None:
    """``isthmus train``."""
    study = _study(fields, changes)
    if copy_to is not None and copy_to.exists() and (not copy_to.is_dir() or any(copy_to.iterdir())):
        raise SpecError(f"--output {copy_to} is there already and not an empty folder.")
    store = Store.open(store_path)
    planned, walked = _run(study, store, "models", how, as_json or quiet)
    _end(walked)
    key = planned.chains[0].model
    folder = store.stage_folder(key) / "model"
    if copy_to is not None:
        with plainly(copy_to):
            shutil.copytree(folder, copy_to, dirs_exist_ok=True)
        folder = copy_to
    record = store.record(key)
    loss = record.result["curve"][-1]["loss"] if record else float("nan")
    if as_json:
        print(json.dumps({"model": str(folder), "key": key, "loss": loss, "stages_run": len(walked.finished_here)}))
    else:
        output().print(f"{planned.stages[key].title}: final loss {loss:.3f}\nModel: {folder}")


def evaluate(fields: Mapping[str, Any], store_path: Path, how: Resources, as_json: bool, quiet: bool) -> None:
    """``isthmus evaluate``."""
    study = _study(fields)
    store = Store.open(store_path)
    planned, walked = _run(study, store, "evaluation", how, as_json or quiet)
    _end(walked)
    results = collect(planned, store, walked.states, walked.errors, api.study_yaml(study), "isthmus evaluate")
    if as_json:
        found: dict[str, dict[str, Any]] = {}
        for score in results.scores:
            task = found.setdefault(score.chain.target, {"metric": score.metric, "languages": {}})
            task["languages"][score.language] = score.value
        print(json.dumps({"model": study.models[0], "tasks": found}, ensure_ascii=False))
        return
    from isthmus.report.summary import render_scores

    output().print(render_scores(results))


def show_status(name: str | None, store_path: Path, as_json: bool) -> None:
    """``isthmus status``."""
    store = _existing(store_path)
    if name is not None:
        study = _kept_or_named(name, store)
        planned = api.make_plan(study, store)
        states = states_of(planned, store)
        seconds = {key: float(store.progress(key).get("seconds", 0)) for key in planned.stages}
        seconds |= {key: record.seconds for key in planned.stages if (record := store.record(key))}
        if as_json:
            print(json.dumps({"study": study.name, "stages": {key: str(state) for key, state in states.items()}}))
        else:
            output().print(_stage_table(planned, states, seconds))
        return
    table = Table("study", "finished", "running", "failed", "waiting", box=None, pad_edge=False)
    rows = {}
    for folder in sorted((store.root / "studies").iterdir()):
        planned = api.make_plan(_kept_or_named(folder.name, store), store)
        found = list(states_of(planned, store).values())
        counts = {str(state): found.count(state) for state in (State.DONE, State.RUNNING, State.FAILED, State.WAITING)}
        rows[folder.name] = counts
        table.add_row(folder.name, f"{counts['done']} of {len(found)}", *map(str, list(counts.values())[1:]))
    if as_json:
        print(json.dumps({"store": str(store.root), "studies": rows}))
    else:
        output().print(table if rows else f"No study has been run in {store.root}.")


def _existing(path: Path) -> Store:
    """The store at ``path``, which must be there."""
    if not (path.expanduser() / "STORE").exists():
        raise StoreError(f"There is no store at {path}: name one with --store, or run a study first.")
    return Store.open(path)


def _kept_or_named(name: str, store: Store) -> Study:
    """The study as it was last run in the store, or the file or built-in study of that name."""
    kept = store.study_folder(name) / "study.yaml"
    return read_study(kept) if Path(name).suffix not in (".yaml", ".yml") and kept.exists() else api.load_study(name)


def write_report(name: str | None, store_path: Path, page: Path | None, as_json: bool) -> None:
    """``isthmus report``."""
    store = _existing(store_path)
    if name is None:
        kept = sorted((store.root / "studies").glob("*/study.yaml"), key=lambda path: path.stat().st_mtime)
        if not kept:
            raise StoreError(f"No study has been run in {store.root}.")
        name = kept[-1].parent.name
    study = _kept_or_named(name, store)
    results = api.results_of(study, store)
    page = page or store.study_folder(study.name) / "report.html"
    _build(results, page)
    _answer(results, page, as_json, {})


def show_tasks(name: str | None, as_json: bool) -> None:
    """``isthmus tasks``."""
    from isthmus.tasks.registry import task, tasks

    if name is not None:
        found = task(name)
        facts = {
            "name": found.name,
            "kind": str(found.kind),
            "description": found.description,
            "train language": found.train_language or "none: only measured",
            "languages": ", ".join(found.languages),
            "metric": found.metric,
            "labels": ", ".join(found.labels) or "none",
            "labels are": f"{found.labels_are}. {found.derivation}".strip(),
            "rows": ", ".join(f"{split} {rows}" for split, rows in found.expected_rows.items()),
            "licence": found.licence,
            "homepage": found.homepage,
            "citation": found.citation,
        }
        if as_json:
            print(json.dumps(facts, ensure_ascii=False))
            return
        grid = Table.grid(padding=(0, 2))
        for field, value in facts.items():
            grid.add_row(Text(field, style="bold"), Text(value))
        output().print(grid)
        return
    table = Table("task", "kind", "trains in", "languages", "metric", "labels", "description", box=None, pad_edge=False)
    for item in tasks().values():
        row = (item.name, str(item.kind), item.train_language or "-", str(len(item.languages)), item.metric)
        table.add_row(*map(Text, (*row, item.labels_are, item.description)))
    if as_json:
        print(json.dumps([_task_json(item) for item in tasks().values()], ensure_ascii=False))
    else:
        output().print(table)


def _task_json(item: Any) -> dict[str, Any]:
    return {
        "name": item.name,
        "kind": str(item.kind),
        "train_language": item.train_language,
        "languages": list(item.languages),
        "metric": item.metric,
        "labels_are": item.labels_are,
        "licence": item.licence,
    }


def verify(store_path: Path, as_json: bool) -> int:
    """``isthmus store verify``; 1 when something was damaged."""
    store = _existing(store_path)
    checked, found = 0, []
    with plainly(store.root), _preparing(as_json) as say:
        for name, damage in store.verify():
            say(f"reading {name}")
            checked += 1
            if damage:
                found.extend(damage)
                store.set_aside(name) if not name.startswith("data/") else store.data_file(Path(name).stem).unlink()
    if as_json:
        print(json.dumps({"checked": checked, "damaged": [vars(item) for item in found]}))
    elif found:
        for item in found:
            output().print(f"{item}: set aside.")
        output().print("The next run of a study that needs them makes them anew.")
    else:
        output().print(f"All {checked} finished stages and data files are as they were written.")
    return 1 if found else 0
