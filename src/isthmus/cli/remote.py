"""The commands that bring stores to other machines and fetch them from there."""

from typing import Annotated

import typer

from isthmus.cli.apps import store_app
from isthmus.cli.options import DEFAULT_STORE, JsonOption, Quiet, StoreOption

Address = Annotated[
    str,
    typer.Argument(
        metavar="URL", envvar="ISTHMUS_REMOTE", help="Such as s3://bucket/prefix, or a folder.", show_envvar=True
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would move, and move nothing.")]


@store_app.command("push")
def store_push(
    url: Address,
    study: Annotated[
        list[str] | None, typer.Option("--study", help="Only what this study needs. May be repeated.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: JsonOption = False,
) -> None:
    """Bring what is finished to a remote store, such as object storage."""
    from isthmus.remote import commands

    raise typer.Exit(commands.push(store, url, tuple(study or ()), dry_run, quiet, as_json))


@store_app.command("pull")
def store_pull(
    url: Address,
    study: Annotated[
        list[str] | None, typer.Option("--study", help="Only what this study needs. May be repeated.")
    ] = None,
    stage: Annotated[
        list[str] | None, typer.Option("--stage", help="Only this stage: its key, or the beginning. May be repeated.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch what is finished in a remote store; every byte is checked."""
    from isthmus.remote import commands

    raise typer.Exit(commands.pull(store, url, tuple(study or ()), tuple(stage or ()), dry_run, quiet, as_json))


@store_app.command("diff")
def store_diff(url: Address, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show what is finished here or in a remote store alone."""
    from isthmus.remote import commands

    commands.diff(store, url, as_json)
