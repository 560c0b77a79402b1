"""The commands `evaluate` and `submission`, once their arguments are read: a model on tasks and whole suites.

A model is measured as it is, on the tasks that its head fits and those that need none; or, where asked for, trained on
each task's English data first. What cannot be measured is listed with its reason: it never goes missing silently.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.collect import collect
from isthmus.commands.choosing import Chooser, reasons
from isthmus.commands.measured import Measured, reasons_of
from isthmus.commands.progress import preparing
from isthmus.commands.running import Run, columns_of, failure, leave, pairs_of, study_of, walk_plan
from isthmus.commands.views import output, planned_for, print_json, writing_to
from isthmus.data.catalog import Catalog
from isthmus.data.schema import Kind
from isthmus.disk import plainly
from isthmus.errors import SpecError, nearest
from isthmus.model.layout import HEADS
from isthmus.model.sources import find_model
from isthmus.planning.facts import bound, is_file, members_of, where_of
from isthmus.planning.plan import Goal, Plan
from isthmus.stage import Stage
from isthmus.store import Store
from isthmus.study.spec import NONE, Study
from isthmus.tasks.core import Task


@dataclass(frozen=True)
class Request:
    """What a person asks to have measured.

    Attributes:
        tasks: names, files, or ``LANGUAGE=FILE,...``.
        suites: names; their tasks in their languages.
        fields: of the study, such as ``languages`` or ``data``, as they are written in a study file.
        intermediates: trained on before each task's own English data, where ``train`` is set.
        train: train on each task's English data first; otherwise the model is measured as it is.
    """

    model: str
    tasks: tuple[str, ...]
    suites: tuple[str, ...]
    fields: Mapping[str, Any]
    changes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    intermediates: tuple[str, ...] = ()
    train: bool = False


def measure(request: Request, run: Run, goal: Goal) -> Measured:
    """Run what the request asks for, to predictions or scores.

    Raises:
        SpecError, DataError, ModelError: in one sentence, what keeps the request from being met.
    """
    from isthmus.tasks import registry

    base = _study(request)
    store = Store.open(run.store)
    with plainly(store.root), preparing(run.quiet) as say:
        catalog = Catalog(store, say)
        labelled = goal != "predictions"
        chooser = Chooser(base, catalog, request.train, labelled)
        explicit = [_explicit(name, request.columns, base, labelled) for name in request.tasks]
        for task in explicit:
            known = registry.tasks().get(task.name, task)
            chooser.note_absent(task, known.languages)
        of_suites = chooser.members(request.suites)
    head = None if request.train else _head(request.model, store, run)
    own = [task for task in explicit if head is None or _fits(task, head, request.model)]
    for task in of_suites:
        reason = "" if head is None else _misfit(task, head, request.model)
        if reason:
            chooser.leave_out(task.name, reason)
        else:
            own.append(task)
    if not own:
        raise SpecError(f"There is nothing to measure: {reasons(chooser.left_out)}")
    measured = {task.name for task in own}
    for name in base.train_on:
        if name not in measured and name not in chooser.left_out:
            raise SpecError(f"--train-on names {name!r}, which is not measured: {nearest(name, measured)}")
    training = {name: tasks for name, tasks in base.train_on.items() if name in measured}
    languages = chooser.there(own)
    targets = tuple(task.name for task in own)
    study = base.model_copy(update={"targets": targets, "train_on": training, "languages": languages})
    if request.train and goal == "evaluation":
        goal = "scores"
    elif request.train and goal == "predictions":
        goal = "trained predictions"
    planned = planned_for(study, store, goal, run.quiet, tuple(own))
    walked = walk_plan(planned, store, run)
    return Measured(planned, walked, store, request.suites, chooser.left_out)


def _study(request: Request) -> Study:
    """The study of the request, with the names of its suites for targets."""
    if (request.intermediates or request.fields.get("train_on")) and not request.train:
        raise SpecError("--intermediate and --train-on train the model first: add --train, or leave them out.")
    if not request.tasks and not request.suites:
        raise SpecError("Nothing to measure: name a --task or a --suite.")
    for name in request.suites:
        if members_of(name) is None:
            from isthmus.tasks.suites import suite

            suite(name)  # raises, and says what there is
    before = [list(request.intermediates)] if request.intermediates else [NONE]
    fields = {"name": "evaluate", "models": [request.model], "intermediates": before, **request.fields}
    return study_of({**fields, "targets": [*request.tasks, *request.suites]}, request.changes)


def _explicit(named: str, columns: Sequence[str], study: Study, labelled: bool) -> Task:
    """The task that ``--task`` names: one of the registry, FILE (in English), or LANGUAGE=FILE,..."""
    from isthmus.data.files import file_task
    from isthmus.tasks import registry

    if named in registry.tasks() or not is_file(named):
        if columns:
            raise SpecError("--columns goes with a --task that is a file; the other tasks have rows of their own.")
        return bound(registry.task(named), where_of(study, labelled))
    test = pairs_of("--task", "LANGUAGE=FILE", [named]) if "=" in named else {"en": named}
    return file_task(None, test=test, columns=columns_of(columns), name=named)


@dataclass(frozen=True)
class Head:
    """What a model's configuration says of its head: the transformers class, and the labels it tells apart."""

    architecture: str
    labels: tuple[str, ...]
    #: the tasks whose heads lie beside a model that was trained on several at once
    beside: tuple[str, ...] = ()


def _head(name: str, store: Store, run: Run) -> Head:
    """The head of a model; one from the hub is fetched first."""
    source = find_model(name)
    if "embedded" in source.hints:
        return Head("", ())
    stage = Stage("model", source.identity, title=f"get {name}", hints=source.hints)
    folder = Path(source.hints.get("folder") or store.stage_folder(stage.key) / "model")
    if not folder.exists():
        only = Plan(Study(targets=("model",)), {stage.key: stage}, (), {}, {stage.key: ()})
        if problem := failure(walk_plan(only, store, run)):
            raise problem
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        classes = config.get("architectures") or [""]
        labels = (config.get("id2label") or {}).values()
        return Head(str(classes[0]), tuple(map(str, labels)), tuple(source.hints.get("heads", ())))
    except (OSError, ValueError, AttributeError) as error:
        raise SpecError(f"{folder / 'config.json'} cannot be read: {error}.") from None


def _fits(task: Task, head: Head, model: str) -> bool:
    """True where the model can be measured on a task that was named. Raises SpecError where it cannot."""
    if reason := _misfit(task, head, model):
        raise SpecError(f"{reason}.")
    return True


def _misfit(task: Task, head: Head, model: str) -> str:
    """Why the model's head does not fit the task: all its rows would count as wrong. Empty where it does."""
    wanted = HEADS[task.kind]
    if not wanted or task.name in head.beside:
        return ""
    train = f"train it on {' and '.join(task.training)} first (--train does)" if task.training else "train it first"
    if not head.architecture.endswith(wanted) or (task.labels and not head.labels):
        return f"{model} has no head for {task.name} ({task.kind}): {train}"
    lacking = [label for label in task.labels if label not in head.labels]
    if lacking and task.kind in (Kind.SEQUENCE, Kind.PAIR, Kind.TAGGING):
        labels = ", ".join(head.labels[:6]) + (", ..." if len(head.labels) > 6 else "")
        return (
            f"{model} was not trained on {task.name}: its head tells apart {labels}, and does not know {lacking[0]!r}"
        )
    return ""


def fields_of(
    languages: str,
    data: Sequence[str],
    partial: bool,
    limit: int | None,
    retrieval: Mapping[str, Any],
    train_on: Sequence[str],
) -> dict[str, Any]:
    """The options of the commands as fields of a study."""
    training: dict[str, list[str]] = {}
    for option in train_on:
        names, _, task = option.partition("=")
        if not names or not task:
            raise SpecError(f"--train-on takes TASK,...=TASK or FILE, such as xquad,mlqa=squad, not {option!r}.")
        for name in names.split(","):
            training.setdefault(name.strip(), []).append(task.strip())
    fields = {"languages": languages.split(","), "data": list(data), "partial": partial, "test_examples": limit}
    return {**fields, "retrieval": dict(retrieval), "train_on": training}


#: Layers that have names.
_LAYERS = ("last", "xtreme", "all")


def retrieval_fields(layers: str | None, dev_language: str | None, pooling: str | None) -> dict[str, Any]:
    """The options on retrieval as fields of `isthmus.study.spec.Retrieval`."""
    layer = int(layers) if layers is not None and layers.isdecimal() else layers
    if isinstance(layer, str) and layer not in _LAYERS:
        raise SpecError(f"--layers takes a hidden layer (0, 1, ...), {', '.join(_LAYERS)}, not {layers!r}.")
    given = {"layer": layer, "dev_language": dev_language, "pooling": pooling}
    return {name: value for name, value in given.items() if value is not None}


def evaluate(request: Request, run: Run) -> None:
    """``isthmus evaluate``."""
    from isthmus.commands.measured import measured_json, render_measured

    measured = measure(request, run, "evaluation")
    results = collect(measured.plan, measured.store, measured.walk.states, {}, "", "isthmus evaluate")
    problem = failure(measured.walk)
    if problem and not results.scores:
        raise problem
    if run.as_json:
        told = measured_json(measured)
        print_json({**told, "error": str(problem)} if problem else told)
    else:
        output().print(render_measured(measured, results))
    leave(problem, run.as_json)


def submit(request: Request, folder: Path, run: Run) -> None:
    """``isthmus submission``."""
    from isthmus.evaluate.submission import write_predictions
    from isthmus.tasks import registry

    if folder.exists() and not folder.is_dir():
        raise SpecError(f"--output {folder} is a file: name a folder.")
    for name in request.tasks:
        if name not in registry.tasks() and is_file(name):
            raise SpecError(f"--task {name} is a file of your own: a submission is for tasks that others score.")
    measured = measure(request, run, "predictions")
    if problem := failure(measured.walk):
        raise problem
    files: list[Path] = []
    with writing_to(folder):
        for planned in measured.plan.chains:
            assert planned.predictions is not None
            task = measured.plan.tasks[planned.chain.target]
            stage = measured.store.stage_folder(planned.predictions) / "predictions"
            predictions = {language: stage / f"{language}.parquet" for language in task.languages}
            there = {language: path for language, path in predictions.items() if path.exists()}
            files.extend(write_predictions(folder, task.name, task.kind, there))
    if run.as_json:
        left_out = measured.left_out
        print_json({"folder": str(folder), "files": [str(path) for path in files], "left_out": left_out})
        return
    for line in reasons_of(measured.left_out):
        print(f"left out: {line}", file=sys.stderr)
    tasks = len(measured.plan.chains)
    output().print(f"{len(files)} files of {tasks} task{'s' if tasks != 1 else ''}: {folder}")
