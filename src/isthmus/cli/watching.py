"""The commands that watch: how far studies are, what a stage printed, and why it is where it is."""

from typing import Annotated

import typer

from isthmus.cli.apps import app
from isthmus.cli.options import DEFAULT_STORE, AllStages, JsonOption, Keys, StoreOption

Stage = Annotated[
    list[str],
    typer.Argument(metavar="STAGE...", help="Its key, the beginning of it, or words that its title alone has."),
]
OfStudy = Annotated[
    str | None, typer.Option("--study", metavar="STUDY", help="Look among the stages of this study alone.")
]


@app.command()
def status(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A study; all in the store if not given.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on showing it until it is done, or q is pressed.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    keys: Keys = False,
    all_stages: AllStages = False,
    as_json: JsonOption = False,
) -> None:
    """Show how far studies are."""
    from isthmus.commands import watching

    raise typer.Exit(watching.show_status(study, store, as_json, keys, all_stages, watch))


@app.command()
def logs(
    stage: Stage,
    study: OfStudy = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as the log grows, until the stage ends.")
    ] = False,
    lines: Annotated[int | None, typer.Option("--lines", "-n", min=1, help="Of each attempt, the last lines.")] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Print what a stage printed, attempt by attempt."""
    from isthmus.commands import logs

    raise typer.Exit(logs.show_log(stage, study, store, follow, lines, as_json))


@app.command()
def why(
    stage: Stage,
    study: OfStudy = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show what a stage builds on, and why it is up to date or not."""
    from isthmus.commands import reason_views

    reason_views.show_why(stage, study, store, as_json)
