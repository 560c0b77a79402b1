"""The commands on the store and on single stages."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.apps import stage_app, store_app
from isthmus.cli.options import DEFAULT_STORE, JsonOption, StoreOption

AllItems = Annotated[bool, typer.Option("--all", help="List all of it, however much there is.")]


@stage_app.command("run")
def stage_run(
    file: Annotated[Path, typer.Argument(help="A stage.json.")],
    store: Annotated[Path | None, typer.Option(help="The store, where the file is not inside it.")] = None,
) -> None:
    """Run one stage from its stage.json: what every engine starts."""
    from isthmus.running.execute import Code, run_stage_file

    code = run_stage_file(file, store)
    raise typer.Exit(Code.DONE if code == Code.ALREADY else code)


@store_app.command("verify")
def store_verify(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Read every file of every finished stage.

    Damaged stages are set aside, to be made anew by the next run; not while a run is under way.
    """
    from isthmus.commands import cleaning

    raise typer.Exit(cleaning.verify(store, as_json))


@store_app.command("gc")
def store_gc(
    store: StoreOption = DEFAULT_STORE,
    yes: Annotated[bool, typer.Option("--yes", help="Delete it. Without this, it is only listed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list it, also with --yes.")] = False,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="STUDY", help="Keep what this study needs, too. May be repeated.")
    ] = None,
    forget: Annotated[
        list[str] | None, typer.Option(metavar="STUDY", help="Keep this study no longer. May be repeated.")
    ] = None,
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Only what was last written before that: 12h, 30d, 8w.")
    ] = "0d",
    damaged: Annotated[bool, typer.Option("--damaged", help="Also stages that were set aside as damaged.")] = False,
    data: Annotated[bool, typer.Option("--data", help="Also rows that no kept study reads.")] = False,
    tokens: Annotated[bool, typer.Option("--tokens", help="Also rows as tokens, all of them.")] = False,
    translations: Annotated[
        bool, typer.Option("--translations", help="Also the kept translations of sentences, all of them.")
    ] = False,
    everything: AllItems = False,
    as_json: JsonOption = False,
) -> None:
    """List what no study that was run here needs; --yes deletes it.

    Models of isthmus train, and what isthmus evaluate made, are of no study.
    """
    from isthmus.commands import cleaning

    also = {"damaged": damaged, "data": data, "tokens": tokens, "translations": translations}
    chosen = frozenset(name for name, asked in also.items() if asked)
    wish = cleaning.Wish(tuple(keep or ()), tuple(forget or ()), cleaning.age_of(older_than), chosen)
    cleaning.collect_garbage(store, wish, yes and not dry_run, everything, as_json)


@store_app.command("export")
def store_export(
    key: Annotated[
        str, typer.Argument(help="The key of a stage with a model, or its beginning (isthmus plan --keys).")
    ],
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Copy the model of a finished stage out of the store.

    Its card has the scores that the store knows.
    """
    from isthmus.commands import exporting

    exporting.export(key, folder, store, as_json)
