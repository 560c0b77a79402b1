"""The commands that show what a study has found: as a file, or live in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.apps import app
from isthmus.cli.options import DEFAULT_STORE, Examples, JsonOption, StoreOption


@app.command()
def report(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A study; the last one run if not given.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    output: Annotated[Path | None, typer.Option(help="Write the page here instead of into the store.")] = None,
    examples: Examples = True,
    as_json: JsonOption = False,
) -> None:
    """Write a study's report, and print its answer."""
    from isthmus.commands import views

    views.write_report(study, store, output, as_json, examples)


@app.command()
def view(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A study; a list of all in the store if not given.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1; 0 is any that is free.")] = 0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = False,
    examples: Examples = True,
    as_json: JsonOption = False,
) -> None:
    """Show studies in a browser while they run.

    On this machine alone, and read-only; Ctrl-C ends it, and nothing else.
    """
    from isthmus.commands import viewing

    viewing.view(study, store, viewing.How(port, open_browser, examples, as_json))
