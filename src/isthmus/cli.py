"""The command line. Nothing heavy is imported before a command needs it."""

import io
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from isthmus.errors import IsthmusError
from isthmus.options import (
    DEFAULT_STORE,
    AllStages,
    Changes,
    Columns,
    Compile,
    Data,
    Device,
    Every,
    First,
    JsonOption,
    Keys,
    Languages,
    MicroBatch,
    Partial,
    Processes,
    Quiet,
    Recompute,
    Shard,
    StoreOption,
    StudyArgument,
    Suites,
    Tasks,
    TrainFirst,
    TrainOn,
    Workers,
    suite_names,
    task_names,
)

app = typer.Typer(
    name="isthmus",
    help="Intermediate-task transfer across languages: train on English tasks, measure zero-shot in many languages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
stage_app = typer.Typer(help="Single stages, as engines start them.", no_args_is_help=True)
store_app = typer.Typer(help="Look after the folder that holds finished stages.", no_args_is_help=True)
app.add_typer(stage_app, name="stage")
app.add_typer(store_app, name="store")
data_app = typer.Typer(help="Look at the data sets that tasks are made of.", no_args_is_help=True)
app.add_typer(data_app, name="data")


_INTERRUPTED = 130


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks instead of sentences.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"isthmus {installed('isthmus')}")
        raise typer.Exit
    del debug  # seen by `main`, shown here


def _how(processes: int, shard: str, micro_batch: int | None, recompute: bool, compile_layers: bool) -> dict[str, Any]:
    """How trainings compute, as fields of `isthmus.api.Resources`."""
    return {
        "processes": processes,
        "shard": shard,
        "micro_batch": micro_batch,
        "gradient_checkpointing": recompute,
        "compile": compile_layers,
    }


@app.command("run")
def run_study(
    study: StudyArgument,
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
    """Run a study, print the gains and write the report.

    Finished stages are not run again; Ctrl-C is safe, and the same command goes on.
    """
    from isthmus import commands

    how = _how(processes, shard, micro_batch, gradient_checkpointing, compile_layers)
    resources = commands.resources(workers, device, checkpoint_every, **how)
    commands.run_study(study, tuple(changes or ()), commands.Run(store, resources, as_json, as_json or quiet))


@app.command("plan")
def plan_study(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    changes: Changes = None,
    keys: Keys = False,
    all_stages: AllStages = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a study would run, and what it will cost."""
    from isthmus import views

    views.show_plan(study, tuple(changes or ()), store, as_json, keys, all_stages)


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
    from isthmus import commands

    how = _how(processes, shard, micro_batch, gradient_checkpointing, compile_layers)
    resources = commands.resources(workers, device, checkpoint_every, **how)
    fields = commands.train_fields(model, intermediate or [], target, seed, test or [], columns or [])
    fields |= {"data": data or [], "partial": partial}
    run = commands.Run(store, resources, as_json, as_json or quiet)
    commands.train(fields, tuple(changes or ()), output, run)


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
    from isthmus import commands, translating

    run = commands.Run(store, commands.resources(workers, device, 60.0), as_json, as_json or quiet)
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
    from isthmus import commands, measuring

    run = commands.Run(store, commands.resources(workers, device, 60.0), as_json, as_json or quiet)
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
    from isthmus import commands, measuring

    run = commands.Run(store, commands.resources(workers, device, 60.0), as_json, as_json or quiet)
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


@app.command()
def status(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A study; all in the store if not given.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    keys: Keys = False,
    all_stages: AllStages = False,
    as_json: JsonOption = False,
) -> None:
    """Show how far studies are."""
    from isthmus import views

    views.show_status(study, store, as_json, keys, all_stages)


@app.command()
def tasks(
    name: Annotated[
        str | None, typer.Argument(help="Show this task, or this mixture, whole.", autocompletion=task_names)
    ] = None,
    mixtures: Annotated[bool, typer.Option("--mixtures", help="List the mixtures alone.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the tasks and the mixtures of them, or show one."""
    from isthmus import views

    views.show_tasks(name, mixtures, as_json)


@app.command()
def report(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A study; the last one run if not given.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    output: Annotated[Path | None, typer.Option(help="Write the page here instead of into the store.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a study's report, and print its answer."""
    from isthmus import views

    views.write_report(study, store, output, as_json)


@stage_app.command("run")
def stage_run(
    file: Annotated[Path, typer.Argument(help="A stage.json.")],
    store: Annotated[Path | None, typer.Option(help="The store, where the file is not inside it.")] = None,
) -> None:
    """Run one stage from its stage.json: what every engine starts."""
    from isthmus.execute import Code, run_stage_file

    code = run_stage_file(file, store)
    raise typer.Exit(Code.DONE if code == Code.ALREADY else code)


@store_app.command("verify")
def store_verify(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Read every file of every finished stage; set damaged stages aside, to be made anew by the next run."""
    from isthmus import views

    raise typer.Exit(views.verify(store, as_json))


@store_app.command("export")
def store_export(
    key: Annotated[
        str, typer.Argument(help="The key of a stage with a model, or its beginning (isthmus plan --keys).")
    ],
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Copy the model of a finished stage out of the store; its card has the scores that the store knows."""
    from isthmus import exporting

    exporting.export(key, folder, store, as_json)


@data_app.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that the data sets are in.")],
    suite: Annotated[list[str] | None, typer.Option(help="Check all that this suite needs. May be repeated.")] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Check this task. May be repeated.", autocompletion=task_names)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="List every split and language, with notes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what of the data sets is in a folder: what is missing, cut, or without labels."""
    from isthmus import data_views

    raise typer.Exit(data_views.check_data(folder, suite or [], task or [], every, as_json))


def main() -> None:
    """Run the command line; every error that a person can mend becomes its one sentence."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]  # welcome anywhere on the line
    debug = len(arguments) < len(sys.argv) - 1
    sys.stdout, sys.stderr = (stream or _nowhere() for stream in (sys.stdout, sys.stderr))  # None when it was closed
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what a terminal cannot show must not end the program
    try:
        code = app(arguments, prog_name="isthmus", standalone_mode=False)
        sys.stdout.flush()
        if code == _INTERRUPTED and arguments[:1] != ["stage"]:  # typer kept the KeyboardInterrupt to itself
            raise KeyboardInterrupt
    except IsthmusError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("Interrupted. Everything finished is kept; to go on, run the same command again.", _INTERRUPTED)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if isinstance(error, _click_exception()):
            _usage_error(error)
        if debug:
            raise
        sentence = " ".join(f"{type(error).__name__}: {error}".split())
        _fail(f"Isthmus failed ({sentence}). Add --debug for the traceback.", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - for as long as the program runs


def _click_exception() -> Any:
    """The class of usage errors, in click or in the copy of it that newer typers hold."""
    return typer.BadParameter.__mro__[2]


def _usage_error(error: Any) -> None:
    """A command line that cannot be read: what click says of it, or the same as JSON."""
    if "--json" in sys.argv:
        _fail(error.format_message(), error.exit_code)
    error.show()
    sys.exit(error.exit_code)


def _fail(sentence: str, code: int) -> None:
    """Say what is wrong, and leave with ``code``."""
    if "--json" in sys.argv:
        print(json.dumps({"error": sentence}))
    else:
        from rich.console import Console
        from rich.text import Text

        Console(stderr=True, highlight=False, soft_wrap=True).print(
            Text("Error: ", style="bold red"), Text(sentence), sep=""
        )
    sys.exit(code)


if __name__ == "__main__":
    main()
