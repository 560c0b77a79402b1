"""The commands that look at tasks and data sets."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.apps import app, data_app
from isthmus.cli.options import JsonOption, task_names


@app.command()
def tasks(
    name: Annotated[
        str | None, typer.Argument(help="Show this task, or this mixture, whole.", autocompletion=task_names)
    ] = None,
    mixtures: Annotated[bool, typer.Option("--mixtures", help="List the mixtures alone.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the tasks and the mixtures of them, or show one."""
    from isthmus.commands import views

    views.show_tasks(name, mixtures, as_json)


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
    from isthmus.commands import data_views

    raise typer.Exit(data_views.check_data(folder, suite or [], task or [], every, as_json))
