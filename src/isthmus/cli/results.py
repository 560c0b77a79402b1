"""The command that shows the results of a study as tables."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.apps import app
from isthmus.cli.options import DEFAULT_STORE, JsonOption, StoreOption


@app.command()
def results(
    study: Annotated[
        str | None, typer.Argument(metavar="STUDY", help="A study; the last one run if not given.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    where: Annotated[
        str | None, typer.Option(help="Only rows for which this holds: \"language = 'sw' and gain > 0\".")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="Only these columns: language,score,gain.")] = None,
    sort: Annotated[str | None, typer.Option(help="Sort by these columns; -gain sorts from the highest down.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most so many rows; 50 in a table on a terminal.")] = None,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="Every prediction instead of the scores: a row a test row.")
    ] = False,
    sql: Annotated[
        str | None, typer.Option(help="A query over the tables results and predictions, instead of all above.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="table, csv, json, jsonl, parquet or arrow; by the file's name if not given."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write this file instead of to standard output.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every score of a study as one table.

    A row for each chain, language and metric. On a terminal it is drawn, in a pipe it is CSV. docs/results.md
    tells what the columns mean.
    """
    from isthmus.commands import result_views
    from isthmus.errors import SpecError

    if as_json and form not in (None, "json"):
        raise SpecError(f"--json is --format json: leave out --format {form}.")
    wanted = result_views.Wanted(
        predictions, where, sql, _names(columns), _names(sort), limit, "json" if as_json else form, output
    )
    result_views.show_results(study, store, wanted)


def _names(given: str | None) -> tuple[str, ...]:
    """Names with commas between them. An empty list of them is one empty name, which is no column."""
    return () if given is None else tuple(part.strip() for part in given.split(","))
