"""The engine of that name, with the options that it takes."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.engines import Engine, ray, slurm
from isthmus.engines.gpus import visible
from isthmus.engines.local import LocalEngine
from isthmus.engines.options import read_options
from isthmus.errors import SpecError, nearest
from isthmus.stage import Settings

#: What ``--engine`` takes, and the options of each.
ENGINES = {"local": {}, "ray": ray.OPTIONS, "slurm": slurm.OPTIONS}


class Chosen(NamedTuple):
    """An engine, and the settings of the stages that it runs: their threads are its to say."""

    engine: Engine
    settings: Settings


def options_of(name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The options of the engine ``name``, read.

    Raises:
        SpecError: there is no engine of that name, it has no such option, or the option cannot have that value.
    """
    if name not in ENGINES:
        raise SpecError(f"--engine is local, ray or slurm, not {name!r}: {nearest(name, ENGINES)}")
    return read_options(name, ENGINES[name], given)


def choose(
    name: str, options: Mapping[str, str], asked: int | None, settled: tuple[int, Settings], root: Path
) -> Chosen:
    """The engine ``name`` for stages in the store ``root``, checked and ready to start some.

    Args:
        name: one of `ENGINES`.
        options: what it is told besides, as it was written.
        asked: how many stages to run at once, where a person has said so.
        settled: how many this machine would run, and the settings of each.
        root: the folder of the store.

    Raises:
        SpecError: there is no engine of that name, it has no such option, or the option cannot have that value.
        MissingPackage: it needs a package that is not installed.
        ResourceError: it cannot run the stages: there is no cluster, or no node with what a stage needs.
    """
    values = options_of(name, options)
    workers, settings = settled
    if name == "ray":
        on_ray = ray.RayEngine(values, asked, settings, root)
        return Chosen(on_ray, replace(settings, threads=on_ray.threads))
    if name == "slurm":
        slots = workers if values.get("cluster") == "local" else asked or slurm.JOBS
        on_slurm = slurm.SlurmEngine(values, slots, settings, root)
        return Chosen(on_slurm, replace(settings, threads=on_slurm.threads))
    gpus = visible(os.environ) if settings.device != "cpu" else ()
    return Chosen(LocalEngine(workers, settings.threads, gpus, settings.processes), settings)
