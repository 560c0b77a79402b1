"""The commands before a run: begin a study, look at what it will take."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.apps import app
from isthmus.cli.options import (
    DEFAULT_STORE,
    AllStages,
    Changes,
    Device,
    JsonOption,
    Keys,
    StoreOption,
    StudyArgument,
    Workers,
)


@app.command("plan")
def plan_study(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    changes: Changes = None,
    workers: Workers = None,
    device: Device = "auto",
    price: Annotated[float | None, typer.Option(help="What an hour of one worker costs, in any currency.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Say what fits into 6h, 30m, 90s, or, with --price, into so much money.")
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="First measure this machine, for half a minute; kept in the store.")
    ] = False,
    keys: Keys = False,
    all_stages: AllStages = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a study would run, and what that will take."""
    from isthmus.commands import planning_views, running

    resources = running.resources(workers, device, 60.0)
    planning_views.show_plan(
        planning_views.Asked(
            study, tuple(changes or ()), store, resources, price, budget, calibrate, as_json, keys, all_stages
        )
    )


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The study to begin.")] = Path("study.yaml"),
    example: Annotated[
        str, typer.Option(help="minimal, sizes, recipes, mixture, translation, suite, files or slurm.")
    ] = "minimal",
    data: Annotated[
        Path | None, typer.Option(help="A folder of data sets: the study measures the tasks that are in it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a study with comments, to be changed and run."""
    from isthmus.commands import starting

    starting.init(file, example, data, force)


@app.command()
def schema(
    output: Annotated[Path | None, typer.Option(help="Write it here instead of to standard output.")] = None,
) -> None:
    """Print the JSON schema of a study, for editors."""
    from isthmus.commands import starting

    starting.write_schema(output)
