"""The commands that train, translate, measure and score."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.apps import app
from isthmus.cli.options import (
    DEFAULT_STORE,
    Changes,
    Columns,
    Compile,
    Data,
    Device,
    Every,
    First,
    JsonOption,
    Languages,
    MicroBatch,
    Partial,
    Processes,
    Quiet,
    Recompute,
    Shard,
    StoreOption,
    Suites,
    Tasks,
    TrainFirst,
    TrainOn,
    Workers,
    suite_names,
    task_names,
    training_fields,
)


@app.command()
def train(
    target: Annotated[
        str,
        typer.Option(
            help="The task to train on last: a name, a file, or several with + between.", autocompletion=task_names
        ),
    ],
    model: Annotated[
        str, typer.Option(help="`embedded`, a model folder, or a hub id, optionally @revision.")
    ] = "embedded",
    intermediate: Annotated[
        list[str] | None,
        typer.Option(
            help="Train on this task, file or mixture (a+b) first; repeat for several.", autocompletion=task_names
        ),
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="Measure on these files: de=de.csv,sw=sw.csv (target: a file).")
    ] = None,
    columns: Columns = None,
    data: Data = None,
    partial: Partial = False,
    seed: Annotated[int, typer.Option(help="Fixes the data order, the fresh head and the dropout.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Copy the trained model folder here.")] = None,
    store: StoreOption = DEFAULT_STORE,
    changes: Changes = None,
    workers: Workers = None,
    device: Device = "auto",
    checkpoint_every: Every = 60.0,
    processes: Processes = 1,
    shard: Shard = "none",
    micro_batch: MicroBatch = None,
    gradient_checkpointing: Recompute = False,
    compile_layers: Compile = False,
    as_json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Train on intermediate tasks, then on a target.

    Ends in a Hugging Face folder; measures it too where --test names files.
    """
    from isthmus.commands import running

    how = training_fields(processes, shard, micro_batch, gradient_checkpointing, compile_layers)
    resources = running.resources(workers, device, checkpoint_every, **how)
    fields = running.train_fields(model, intermediate or [], target, seed, test or [], columns or [])
    fields |= {"data": data or [], "partial": partial}
    run = running.Run(store, resources, as_json, as_json or quiet)
    running.train(fields, tuple(changes or ()), output, run)


@app.command()
def translate(
    task: Annotated[str, typer.Option(help="The task whose training rows are translated.", autocompletion=task_names)],
    into: Annotated[list[str], typer.Option(help="Languages to translate into: de,sw. May be repeated.")],
    translator: Annotated[str, typer.Option(help="A seq2seq model: a folder, or a hub id, optionally @revision.")],
    output: Annotated[Path | None, typer.Option(help="Write TASK.LANGUAGE.jsonl files into this folder, too.")] = None,
    data: Data = None,
    partial: Partial = False,
    store: StoreOption = DEFAULT_STORE,
    changes: Changes = None,
    workers: Workers = None,
    device: Device = "auto",
    as_json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Translate the training rows of a task, with its labels.

    Spans and tags find their place; no sentence is translated twice, whatever is interrupted.
    """
    from isthmus.commands import running, translating

    run = running.Run(store, running.resources(workers, device, 60.0), as_json, as_json or quiet)
    tags = [tag.strip() for part in into for tag in part.split(",") if tag.strip()]
    where = {"data": data or [], "partial": partial}
    translating.translate(task, {"translator": translator, "into": tags}, where, changes or (), output, run)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A trained model folder, `embedded`, or a hub id.")],
    task: Tasks = None,
    suite: Suites = None,
    languages: Languages = "all",
    data: Data = None,
    partial: Partial = False,
    train_first: TrainFirst = False,
    intermediate: First = None,
    train_on: TrainOn = None,
    columns: Columns = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Measure on at most this many rows a language.")] = None,
    layers: Annotated[
        str | None, typer.Option(help="Retrieval: a hidden layer, `last`, or `all` to choose one on --dev-language.")
    ] = None,
    dev_language: Annotated[
        str | None, typer.Option(help="The language that --layers all chooses the layer on.")
    ] = None,
    pooling: Annotated[str | None, typer.Option(help="Retrieval: mean, cls or last.")] = None,
    store: StoreOption = DEFAULT_STORE,
    changes: Changes = None,
    workers: Workers = None,
    device: Device = "auto",
    as_json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Measure a model on tasks and suites, in every language.

    As it is, or with --train after training on each task's English data.
    """
    from isthmus.commands import measuring, running

    run = running.Run(store, running.resources(workers, device, 60.0), as_json, as_json or quiet)
    retrieval = measuring.retrieval_fields(layers, dev_language, pooling)
    fields = measuring.fields_of(languages, data or [], partial, limit, retrieval, train_on or [])
    measuring.evaluate(
        measuring.Request(
            model,
            tuple(task or ()),
            tuple(suite or ()),
            fields,
            tuple(changes or ()),
            tuple(columns or ()),
            tuple(intermediate or ()),
            train_first,
        ),
        run,
    )


@app.command()
def submission(
    model: Annotated[str, typer.Argument(help="A trained model folder, `embedded`, or a hub id.")],
    output: Annotated[Path, typer.Option(help="The folder to write TASK/test-LANGUAGE files into.")],
    task: Tasks = None,
    suite: Suites = None,
    languages: Languages = "all",
    data: Data = None,
    partial: Partial = False,
    train_first: TrainFirst = False,
    intermediate: First = None,
    train_on: TrainOn = None,
    store: StoreOption = DEFAULT_STORE,
    changes: Changes = None,
    workers: Workers = None,
    device: Device = "auto",
    as_json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Write predictions as the official folder.

    Labels are not needed: test sets without any will do.
    """
    from isthmus.commands import measuring, running

    run = running.Run(store, running.resources(workers, device, 60.0), as_json, as_json or quiet)
    fields = measuring.fields_of(languages, data or [], partial, None, {}, train_on or [])
    more = (tuple(changes or ()), (), tuple(intermediate or ()), train_first)
    measuring.submit(measuring.Request(model, tuple(task or ()), tuple(suite or ()), fields, *more), output, run)


@app.command()
def score(
    predictions: Annotated[Path, typer.Option(help="A folder of TASK/test-LANGUAGE files.")],
    labels: Annotated[Path, typer.Option(help="A folder of the same layout with the right labels.")],
    suite: Annotated[str, typer.Option(help="xtreme or xtreme-r.", autocompletion=suite_names)],
    tasks: Annotated[list[str] | None, typer.Option(help="Only these tasks: xnli,panx. May be repeated.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the official output file here.")] = None,
    seqeval: Annotated[str, typer.Option(help="The convention for spans of tags: 1.2.2 or 0.0.12.")] = "1.2.2",
    partial: Annotated[
        bool, typer.Option("--partial", help="Score what is there, and list what is missing; else missing is an error.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Score predictions as the official evaluator does.

    That of XTREME and XTREME-R: the same folders, the same figures, with intervals beside.
    """
    from isthmus.evaluate.official import command

    request = command.Request(predictions, labels, suite, tuple(tasks or ()), seqeval, partial)
    command.score(request, output, as_json)
