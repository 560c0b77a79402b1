"""The options of the command line, and what completes them. Nothing heavy is imported before it is asked for."""

from pathlib import Path
from typing import Annotated

import typer


def task_names(incomplete: str) -> list[str]:
    """The tasks whose names begin so: for completion."""
    from isthmus.tasks.registry import tasks

    return [name for name in tasks() if name.startswith(incomplete)]


def study_names(incomplete: str) -> list[str]:
    """The built-in studies whose names begin so."""
    from isthmus.api import built_in_studies

    return [name for name in built_in_studies() if name.startswith(incomplete)]


def suite_names(incomplete: str) -> list[str]:
    """The suites whose names begin so, and `all`."""
    from isthmus.facts import EVERYTHING
    from isthmus.tasks.suites import suites

    return [name for name in (*suites(), EVERYTHING) if name.startswith(incomplete)]


StoreOption = Annotated[Path, typer.Option("--store", envvar="ISTHMUS_STORE", help="The folder of finished stages.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts, and no progress.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Stages to run at once; decided by the machine if not given.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a field, such as recipe.epochs=2.")]
StudyArgument = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="A YAML file, or a built-in study: quickstart.", autocompletion=study_names),
]
Tasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        help="The task to measure: a name, a file (in English), or de=de.csv,sw=sw.csv. May be repeated.",
        autocompletion=task_names,
    ),
]
Suites = Annotated[
    list[str] | None,
    typer.Option(
        "--suite",
        help="xtreme, xtreme-r, or all: every published task. May be repeated.",
        autocompletion=suite_names,
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Option("--data", help="A folder of data sets, or `hub`, in the order to look; the hub alone if not given."),
]
Partial = Annotated[
    bool,
    typer.Option("--partial", help="Take what is there, and list what is missing; without it, missing is an error."),
]
TrainFirst = Annotated[bool, typer.Option("--train", help="Train on the English data of each task first.")]
TrainOn = Annotated[
    list[str] | None,
    typer.Option("--train-on", help="With --train: xquad,mlqa=FILE trains on another task or file than usual."),
]
First = Annotated[
    list[str] | None,
    typer.Option("--intermediate", help="With --train: train on this task before; repeat for several."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--columns", help="Where files of your own have what: text=review,label=stars. Guessed if not given."),
]
Keys = Annotated[bool, typer.Option("--keys", help="Show the key of every stage: the name of its folder.")]
AllStages = Annotated[bool, typer.Option("--all", help="List every stage, however many there are.")]
Languages = Annotated[str, typer.Option(help="Tags such as de,sw, or a selector such as low-resource.")]
Every = Annotated[float, typer.Option("--checkpoint-every", min=0, help="Seconds between checkpoints in training.")]
Processes = Annotated[int, typer.Option(min=1, help="Processes that share each training; on GPUs, one each.")]
Shard = Annotated[
    str,
    typer.Option(help="How they hold a model: all of it each (none), parts (full), or parts in host memory (offload)."),
]
MicroBatch = Annotated[
    int | None, typer.Option(min=1, help="Examples at once in training; a batch has as many as the recipe says.")
]
Recompute = Annotated[
    bool, typer.Option("--gradient-checkpointing", help="Train with less memory, in a third more time.")
]
Compile = Annotated[bool, typer.Option("--compile", help="Train with layers compiled by torch.compile.")]

DEFAULT_STORE = Path("store")
