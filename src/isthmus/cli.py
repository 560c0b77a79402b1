"""The command line. Nothing heavy is imported before a command needs it."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.errors import IsthmusError

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


def _task_names(incomplete: str) -> list[str]:
    from isthmus.tasks.registry import tasks

    return [name for name in tasks() if name.startswith(incomplete)]


StoreOption = Annotated[Path, typer.Option("--store", envvar="ISTHMUS_STORE", help="The folder of finished stages.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts, and no progress.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Stages to run at once; decided by the machine if not given.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a field, such as recipe.epochs=2.")]
StudyArgument = Annotated[str, typer.Argument(metavar="STUDY", help="A YAML file, or a built-in study: quickstart.")]
Tasks = Annotated[
    list[str], typer.Option("--task", help="The task to measure; may be repeated.", autocompletion=_task_names)
]
Languages = Annotated[str, typer.Option(help="Tags such as de,sw, or a selector such as low-resource.")]
Every = Annotated[float, typer.Option("--checkpoint-every", min=0, help="Seconds between checkpoints in training.")]

DEFAULT_STORE = Path("store")


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


@app.command("run")
def run_study(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    changes: Changes = None,
    workers: Workers = None,
    device: Device = "auto",
    checkpoint_every: Every = 60.0,
    as_json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Run a study: train, measure, print the gains, write the report. Skips what is finished."""
    from isthmus import commands

    resources = commands.resources(workers, device, checkpoint_every)
    commands.run_study(study, store, tuple(changes or ()), resources, as_json, quiet)


@app.command("plan")
def plan_study(
    study: StudyArgument, store: StoreOption = DEFAULT_STORE, changes: Changes = None, as_json: JsonOption = False
) -> None:
    """Show what a study would run: its stages, which are finished, what the rest will cost."""
    from isthmus import commands

    commands.show_plan(study, store, tuple(changes or ()), as_json)


@app.command()
def train(
    target: Annotated[str, typer.Option(help="The task to train on last.", autocompletion=_task_names)],
    model: Annotated[
        str, typer.Option(help="`embedded`, a model folder, or a hub id, optionally @revision.")
    ] = "embedded",
    intermediate: Annotated[
        list[str] | None,
        typer.Option(help="Train on this task first; repeat for several in a row.", autocompletion=_task_names),
    ] = None,
    seed: Annotated[int, typer.Option(help="Fixes the data order, the fresh head and the dropout.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Copy the trained model folder here.")] = None,
    store: StoreOption = DEFAULT_STORE,
    changes: Changes = None,
    workers: Workers = None,
    device: Device = "auto",
    checkpoint_every: Every = 60.0,
    as_json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on intermediate tasks, then on a target task; ends in a Hugging Face folder."""
    from isthmus import commands

    resources = commands.resources(workers, device, checkpoint_every)
    fields = commands.train_fields(model, intermediate or [], target, seed)
    commands.train(fields, store, tuple(changes or ()), output, resources, as_json, quiet)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A trained model folder, `embedded`, or a hub id.")],
    task: Tasks,
    languages: Languages = "all",
    limit: Annotated[int | None, typer.Option(min=1, help="Measure on at most this many rows a language.")] = None,
    store: StoreOption = DEFAULT_STORE,
    workers: Workers = None,
    device: Device = "auto",
    as_json: JsonOption = False,
    quiet: Quiet = False,
) -> None:
    """Measure a model as it is on tasks, in every language that they have."""
    from isthmus import commands

    fields = {"name": "evaluate", "models": [model], "targets": task, "languages": languages.split(",")}
    resources = commands.resources(workers, device, 60.0)
    commands.evaluate({**fields, "test_examples": limit}, store, resources, as_json, quiet)


@app.command()
def status(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A study; all in the store if not given.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show how far studies are: what is finished, running, failed or waiting."""
    from isthmus import commands

    commands.show_status(study, store, as_json)


@app.command()
def tasks(
    name: Annotated[str | None, typer.Argument(help="Show this task whole.", autocompletion=_task_names)] = None,
    as_json: JsonOption = False,
) -> None:
    """List the tasks, or show one."""
    from isthmus import commands

    commands.show_tasks(name, as_json)


@app.command()
def report(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A study; the last one run if not given.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    output: Annotated[Path | None, typer.Option(help="Write the page here instead of into the store.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a study's report from what is finished, and print its answer."""
    from isthmus import commands

    commands.write_report(study, store, output, as_json)


@stage_app.command("run")
def stage_run(
    file: Annotated[Path, typer.Argument(help="A stage.json.")],
    store: Annotated[Path | None, typer.Option(help="The store, where the file is not inside it.")] = None,
) -> None:
    """Run one stage from its stage.json: what every engine starts."""
    from isthmus.execute import run_stage_file

    raise typer.Exit(run_stage_file(file, store))


@store_app.command("verify")
def store_verify(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Read every file of every finished stage; set damaged stages aside, to be made anew by the next run."""
    from isthmus import commands

    raise typer.Exit(commands.verify(store, as_json))


def main() -> None:
    """Run the command line; every IsthmusError becomes its one sentence."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]  # welcome anywhere on the line
    debug = len(arguments) < len(sys.argv) - 1
    try:
        code = app(arguments, standalone_mode=False)
    except IsthmusError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("Interrupted. Everything finished is kept; the same command goes on.", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        if isinstance(error, _click_exception()):
            error.show()
            sys.exit(error.exit_code)
        if debug:
            raise
        _fail(f"Isthmus failed ({type(error).__name__}: {error}). Add --debug for the traceback.", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _click_exception() -> Any:
    """The class of usage errors, in click or in the copy of it that newer typers hold."""
    return typer.BadParameter.__mro__[2]


def _fail(sentence: str, code: int) -> None:
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
