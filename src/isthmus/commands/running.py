"""The commands that run studies and train models, once their arguments are read; what all that run stages share.

Results go to standard output, the rest to standard error.
"""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from isthmus import api
from isthmus.api import Resources
from isthmus.collect import collect
from isthmus.commands.exporting import check_free, copy_model
from isthmus.commands.progress import shows_bars, watcher_for
from isthmus.commands.tables import training_table
from isthmus.commands.views import answer, build_page, output, planned_for, print_json, say_notes, summary_of
from isthmus.engines.choose import options_of
from isthmus.errors import IsthmusError, ResourceError, SpecError, StageFailed
from isthmus.planning.cost import estimates
from isthmus.planning.facts import is_file
from isthmus.planning.plan import Plan
from isthmus.planning.training import mixture_of
from isthmus.remote.live import Link, linked
from isthmus.results import Results
from isthmus.running.runner import State, Walk, Watcher
from isthmus.store import Store
from isthmus.study.file import apply_changes
from isthmus.study.spec import NONE, Study, first_problem
from isthmus.tasks.mixtures import MIXTURES

_INTERRUPTED = 130


@dataclass(frozen=True)
class Run:
    """How a command runs stages, and how it tells of them."""

    store: Path
    how: Resources
    as_json: bool
    quiet: bool  # no progress
    remote: str | None = None  # the address of a remote store to share


def resources(workers: int | None, device: str, checkpoint_seconds: float, **more: Any) -> Resources:
    """The resources that the options ask for; ``more`` are further fields of `Resources`.

    Raises:
        SpecError: an option has a value that it cannot have.
        ResourceError: there is no such device.
    """
    if more.get("shard", "none") not in ("none", "full", "offload"):
        raise SpecError(f"--shard is none, full or offload, not {more['shard']!r}.")
    if device not in ("auto", "cpu", "cuda"):
        raise SpecError(f"--device is auto, cpu or cuda, not {device!r}.")
    options_of(more.get("engine", "local"), more.get("engine_options", {}))
    if device == "cuda" and more.get("engine", "local") == "local":
        import torch

        if not torch.cuda.is_available():
            raise ResourceError("--device cuda: PyTorch finds no CUDA device on this machine; leave --device out.")
    return Resources(workers, device, checkpoint_seconds, **more)


def run_study(name: str, changes: tuple[str, ...], run: Run, examples: bool = True) -> None:
    """``isthmus run``; without ``examples`` the report quotes no sentence of any data set."""
    study = api.load_study(name, changes)
    store = Store.open(run.store)
    with linked(store, run.remote, run.quiet) as link:
        link.rows(study.name)
        planned = planned_for(study, store, "scores", run.quiet)
        if not run.quiet:
            say_notes(planned)
        folder = api.keep_study(study, store, planned)
        link.stages(planned)
        walked = walk_plan(planned, store, run, link)
        told = (api.study_yaml(study), _command(name, changes))
        results = collect(planned, store, walked.states, walked.errors, *told, examples=examples)
        page = folder / "report.html"
        new = walked.finished_here or walked.errors or not page.exists() or not examples
        summary = summary_of(results)
        if new:
            build_page(results, summary, page)
        link.study(planned)
    problem = failure(walked)
    if run.as_json:
        more = {"stages_run": len(walked.finished_here), "stages": walked.total}
        answer(summary, page, True, {**more, "error": str(problem)} if problem else more)
        leave(problem)
        return
    if not new:
        output().print(f"Nothing to do: all {walked.total} stages of {study.name} are finished.")
    answer(summary, page, False, {})
    if problem:
        raise problem


def _command(name: str, changes: tuple[str, ...]) -> str:
    return shlex.join(["isthmus", "run", name, *(part for change in changes for part in ("--set", change))])


def walk_plan(planned: Plan, store: Store, run: Run, link: Link | None = None) -> Walk:
    """Run what is not finished, and share it by ``link``; progress goes to standard error.

    Raises:
        IsthmusError: with the status 130, when the run was interrupted.
    """
    if run.quiet:
        watcher = Watcher()
    else:
        workers, settings = run.how.settle()
        costs = estimates(planned, store, settings) if shows_bars() else {}
        watcher = watcher_for({key: cost.seconds for key, cost in costs.items()}, workers)
    if link is not None:
        store, watcher = link.store, link.watcher(watcher)
    walked = api.walk(planned, store, run.how, watcher)
    if walked.interrupted:
        done = walked.count(State.DONE)
        error = IsthmusError(
            f"Interrupted: {done} of {walked.total} stages are finished, and those under way have saved what they had. "
            "To go on, run the same command again."
        )
        error.exit_code = _INTERRUPTED
        raise error
    return walked


def failure(walked: Walk) -> IsthmusError | None:
    """What kept the run from finishing, in a sentence."""
    if not walked.errors:
        return None
    key, reason = next(iter(walked.errors.items()))
    more = f" ({len(walked.errors)} stages failed, {walked.count(State.SKIPPED)} were skipped.)"
    problem = StageFailed(f"{walked.plan.stages[key].title}: {reason}{more if len(walked.errors) > 1 else ''}")
    if walked.codes.get(key) == IsthmusError.exit_code:
        problem.exit_code = IsthmusError.exit_code
    return problem


def leave(problem: IsthmusError | None, told: bool = True) -> None:
    """After what there is to show: leave with the status of the problem. JSON has ``told`` of it, to scripts only."""
    if problem and told:
        print(f"Error: {problem}", file=sys.stderr)
        raise typer.Exit(problem.exit_code)
    if problem:
        raise problem


def train_fields(
    model: str, intermediates: Sequence[str], target: str, seed: int, test: Sequence[str], columns: Sequence[str]
) -> dict[str, Any]:
    """The study of one chain. ``test`` are LANGUAGE=FILE and ``columns`` ROLE=COLUMN, of a target that is a file."""
    before = [list(intermediates)] if intermediates else [NONE]
    fields = {"name": "train", "models": [model], "intermediates": before, "targets": [target], "seeds": [seed]}
    if not test and not columns:
        return fields
    if not is_file(target):
        raise SpecError(f"--test and --columns go with a target that is a file; {target} has rows of its own.")
    files = {"test": pairs_of("--test", "LANGUAGE=FILE", test), "columns": columns_of(columns)}
    return {**fields, "files": {target: files}}


def _of_several(study: Study) -> Study:
    """The study with a target that is a mixture as what is trained on; measured on are its tasks, one by one."""
    (target,) = study.targets
    mixture = mixture_of(target, {**MIXTURES, **study.mixtures})
    if mixture is None or target in study.files:
        return study
    first = mixture.tasks[0]
    return study.model_copy(update={"targets": (first,), "train_on": {**study.train_on, first: (target,)}})


def train(fields: Mapping[str, Any], changes: tuple[str, ...], copy_to: Path | None, run: Run) -> None:
    """``isthmus train``; where the study names files to measure on, the scores too."""
    study = _of_several(study_of(fields, changes))
    if copy_to is not None:
        check_free(copy_to, "--output")
    store = Store.open(run.store)
    measured = any(files.test for files in study.files.values())
    planned = planned_for(study, store, "scores" if measured else "models", run.quiet)
    if not run.quiet:
        say_notes(planned)
    walked = walk_plan(planned, store, run)
    if problem := failure(walked):
        raise problem
    key = planned.chains[0].model
    folder, record = store.stage_folder(key) / "model", store.record(key)
    assert record is not None  # nothing failed
    if copy_to is not None:
        copy_model(store, record, copy_to)
        folder = copy_to
    loss = record.result["curve"][-1]["loss"]
    results = collect(planned, store, walked.states, walked.errors, api.study_yaml(study), "isthmus train")
    if run.as_json:
        facts = {"model": str(folder), "key": key, "loss": loss, "stages_run": len(walked.finished_here)}
        facts |= {name: record.result[name] for name in ("members", "dev") if name in record.result}
        print_json({**facts, "tasks": scores_of(results)} if measured else facts)
        return
    if measured:
        show_scores(results)
    trained = [store.record(each) for each in planned.stages if planned.stages[each].function == "train"]
    for found in filter(None, trained):
        if found.result.get("dev") or len(found.result.get("members", ())) > 1:
            output().print(training_table(found))
    output().print(f"{planned.stages[key].title}: final loss {loss:.3f}\nModel: {folder}")


def scores_of(results: Results) -> dict[str, dict[str, Any]]:
    """Metric and scores by task, for scripts."""
    found: dict[str, dict[str, Any]] = {}
    for score in results.scores:
        task = found.setdefault(score.chain.target, {"metric": score.metric, "languages": {}})
        task["languages"][score.language] = score.value
        if score.tuned:
            task.setdefault("tuned", []).append(score.language)
    return found


def show_scores(results: Results) -> None:
    """The scores alone, a table for each target."""
    from isthmus.report.summary import render_scores

    output().print(render_scores(results))


def study_of(fields: Mapping[str, Any], changes: tuple[str, ...] = ()) -> Study:
    """The study that options make, with the changes of ``--set``. Raises SpecError on a field that does not fit."""
    try:
        return Study.model_validate(apply_changes(changes, dict(fields)))
    except ValidationError as error:
        raise SpecError(f"{first_problem(error)}.") from None


def pairs_of(option: str, form: str, values: Sequence[str]) -> dict[str, str]:
    """``a=b,c=d`` as a mapping. Raises SpecError on a part that is no pair, and on a name given twice."""
    found: dict[str, str] = {}
    for part in (part.strip() for value in values for part in value.split(",")):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name or not value:
            raise SpecError(f"{option} takes {form}, several with commas between, not {part!r}.")
        if name in found:
            raise SpecError(f"{option} names {name} twice.")
        found[name] = value
    return found


def columns_of(values: Sequence[str]) -> dict[str, str | int]:
    """Role -> name of a column, or its number."""
    found = pairs_of("--columns", "ROLE=COLUMN, such as text=review,label=stars", values)
    return {role: int(column) if column.isdecimal() else column for role, column in found.items()}
