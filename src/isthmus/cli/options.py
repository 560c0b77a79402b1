"""The options of the command line, and what completes them. Nothing heavy is imported before it is asked for."""

from pathlib import Path
from typing import Annotated, Any

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
    from isthmus.planning.facts import EVERYTHING
    from isthmus.tasks.suites import suites

    return [name for name in (*suites(), EVERYTHING) if name.startswith(incomplete)]


StoreOption = Annotated[Path, typer.Option("--store", envvar="ISTHMUS_STORE", help="The folder of finished stages.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts, and no progress.")]
RemoteAddress = Annotated[
    str | None,
    typer.Option("--remote", help="Share a remote store, such as s3://bucket/prefix: fetch what it has, add to it."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Stages to run at once; decided by the machine if not given.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a field, such as recipe.epochs=2.")]
StudyArgument = Annotated[
    str,
    typer.Argument(
        metavar="STUDY", help="A YAML file, or a built-in study: quickstart or paper.", autocompletion=study_names
    ),
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
Examples = Annotated[
    bool, typer.Option("--examples/--no-examples", help="Quote test examples whose outcome differs, or none.")
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

EngineName = Annotated[str, typer.Option("--engine", help="What runs the stages: local, ray or slurm.")]
EngineOptions = Annotated[
    list[str] | None,
    typer.Option("--engine-option", metavar="NAME=VALUE", help="For the engine: address=auto, partition=gpu, ..."),
]
Retries = Annotated[int, typer.Option(min=0, help="Tries of a failed stage beyond the first.")]
Timeout = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="End a try of a stage that takes longer than 90 (seconds), 30m or 2h."),
]
TrackerNames = Annotated[
    list[str] | None,
    typer.Option("--tracker", help="Tell tensorboard, wandb, mlflow, ... of losses and scores. May be repeated."),
]

DEFAULT_STORE = Path("store")


def training_fields(
    processes: int, shard: str, micro_batch: int | None, recompute: bool, compile_layers: bool
) -> dict[str, Any]:
    """How trainings compute, as fields of `isthmus.api.Resources`."""
    return {
        "processes": processes,
        "shard": shard,
        "micro_batch": micro_batch,
        "gradient_checkpointing": recompute,
        "compile": compile_layers,
    }


def engine_fields(engine: str, options: list[str] | None, retries: int, timeout: str | None) -> dict[str, Any]:
    """What runs the stages and how it meets failure, as fields of `isthmus.api.Resources`."""
    from isthmus.engines.options import pairs, seconds_of

    told = pairs(options or [])
    return {"engine": engine, "engine_options": told, "retries": retries, "timeout": seconds_of(timeout)}
