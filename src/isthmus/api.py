"""Isthmus from Python: the same runs as the command line's.

import isthmus

study = isthmus.Study(targets=["intents"], intermediates=["none", "slots"])
results = isthmus.run(study)
print(isthmus.summarise(results).headline)
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from isthmus.collect import collect
from isthmus.disk import plainly, write_atomic
from isthmus.engines.choose import choose
from isthmus.engines.gpus import visible
from isthmus.errors import IsthmusError, SpecError, StoreError, nearest
from isthmus.planning import kept
from isthmus.planning.facts import facts_of
from isthmus.planning.plan import Goal, Plan, plan
from isthmus.results import Results
from isthmus.running.runner import Policy, Walk, Watcher, run_plan, states_of
from isthmus.running.tracking import check as check_trackers
from isthmus.stage import Settings
from isthmus.store import Store
from isthmus.study.file import parse_study, read_study
from isthmus.study.spec import Study
from isthmus.study.yaml_lines import dump
from isthmus.tasks.core import Task

_ANSWERS = "answers.json"  # in the folder of a study
_MEMORY_PER_WORKER = 2_000_000_000  # bytes: what a stage of a small encoder takes, with room


@dataclass(frozen=True)
class Resources:
    """How much of this machine a run may use. None: decided from what is there."""

    workers: int | None = None
    device: str = "auto"
    checkpoint_seconds: float = 60.0
    micro_batch: int | None = None
    processes: int = 1
    shard: str = "none"
    gradient_checkpointing: bool = False
    compile: bool = False
    attention: str | None = None
    #: `local`, `ray` or `slurm`, and what it is told besides (`isthmus.engines.choose`)
    engine: str = "local"
    engine_options: Mapping[str, str] = field(default_factory=dict)
    #: tries of a failed stage beyond the first, and the seconds that one may take
    retries: int = 1
    timeout: float | None = None
    #: `tensorboard`, `wandb`, ...: what to tell of losses and scores (`isthmus.running.tracking`)
    trackers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.trackers:
            check_trackers(self.trackers)

    def settle(self) -> tuple[int, Settings]:
        """The number of stages to run at once on this machine, and the settings of each: on GPUs, one for each."""
        import psutil

        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        gpus = visible(os.environ) if self.device != "cpu" else ()
        fitting = int(psutil.virtual_memory().available // _MEMORY_PER_WORKER)
        room = len(gpus) if gpus else min(cores, fitting, 8)
        workers = self.workers or max(1, room // self.processes)
        settings = Settings(
            max(1, cores // workers),
            self.device,
            self.micro_batch,
            self.checkpoint_seconds,
            self.processes,
            self.shard,
            self.gradient_checkpointing,
            self.compile,
            self.attention,
            self.trackers,
        )
        return workers, settings


def load_study(name: str, changes: tuple[str, ...] = ()) -> Study:
    """The study in the YAML file ``name``, or the built-in study of that name, with dotted changes applied.

    Raises:
        SpecError: there is neither, or it is not a valid study (names the line and the field).
    """
    path, known = Path(name), built_in_studies()
    if path.suffix in (".yaml", ".yml") or (path.is_file() and name not in known):
        return read_study(path, changes)
    if name not in known:
        raise SpecError(f"There is no study file {name}, and no built-in study of that name: {nearest(name, known)}")
    text = (files("isthmus") / "studies" / f"{name}.yaml").read_text(encoding="utf-8")
    return parse_study(text, f"built-in study {name}", changes)


def built_in_studies() -> tuple[str, ...]:
    """The names of the studies that come with Isthmus."""
    names = [item.name for item in (files("isthmus") / "studies").iterdir()]
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def make_plan(
    study: Study,
    store: Store,
    goal: Goal = "scores",
    notify: Callable[[str], None] = lambda _: None,
    tasks: Iterable[Task] = (),
) -> Plan:
    """The stages that answer ``study``. Loads the rows of its tasks into ``store`` when they are not there yet."""
    answers: dict[str, Any] = {}
    with plainly(store.root):
        facts = kept.remembering(facts_of(study, store, notify, tasks, goal), answers)
        return replace(plan(study, facts, goal), answers=answers)


def plan_to_look(study: Study, store: Store, tasks: Iterable[Task] = ()) -> Plan:
    """The plan of ``study`` for looking at what is finished.

    Where it cannot be made, since a file, a model or a package is no longer there, and the study was run in the store,
    it is the plan as it was then; a line on standard error says so.

    Raises:
        IsthmusError: it cannot be made, and was not kept.
    """
    try:
        return make_plan(study, store, tasks=tasks)
    except IsthmusError as error:
        planned = _kept_plan(study, store)
        if planned is None:
            raise
        print(f"{str(error).rstrip('.')}: {study.name} is shown as it was when it was run.", file=sys.stderr)
        return planned


def _kept_plan(study: Study, store: Store) -> Plan | None:
    """The plan of ``study`` as it was run in the store; None where just this study was not, or it cannot be read."""
    try:
        data = json.loads((store.study_folder(study.name) / _ANSWERS).read_bytes())
        if study_yaml(parse_study(data["study"], _ANSWERS)) == study_yaml(study):
            return plan(study, kept.remembered(data["answers"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, IsthmusError):
        pass  # it was kept by another version, or altered
    return None


def walk(planned: Plan, store: Store, resources: Resources, watcher: Watcher) -> Walk:
    """Run what is not finished of a plan, by the engine that the resources name."""
    workers, settings = resources.settle()
    if settings.trackers:
        settings = replace(settings, project=planned.study.name)
    policy = Policy(resources.retries, resources.timeout)
    with plainly(store.root):
        settled = (workers, settings)
        chosen = choose(resources.engine, resources.engine_options, resources.workers, settled, store.root)
        return run_plan(planned, store, chosen.engine, chosen.settings, watcher, policy)


def run(
    study: Study | str | Path,
    store: str | Path = "store",
    resources: Resources | None = None,
    watcher: Watcher | None = None,
    tasks: Iterable[Task] = (),
) -> Results:
    """Run a study (or the study file or built-in study of that name) and return what it has to show.

    Finished stages in ``store`` are not run again. A stage that fails is listed in ``results.stages``. ``tasks`` are
    your own, which the study may name beside those of the registry.

    Raises:
        SpecError, DataError, ModelError, MissingPackage, StoreError: in one sentence, what to mend.
    """
    if not isinstance(study, Study):
        study = load_study(str(study))
    opened = Store.open(Path(store))
    planned = make_plan(study, opened, tasks=tasks)
    walked = walk(planned, opened, resources or Resources(), watcher or Watcher())
    return collect(planned, opened, walked.states, walked.errors, study_yaml(study), f"isthmus run {study.name}")


def results_of(study: Study, store: Store) -> Results:
    """What the finished stages of ``study`` in ``store`` have to show, without running anything.

    Raises:
        StoreError: a file that the scores are read from was altered.
    """
    planned = plan_to_look(study, store)
    for chain in planned.chains:
        if chain.score and (damage := store.damage(chain.score)):
            raise StoreError(f"{damage[0]}: run the study again, which makes it anew.")
    states = states_of(planned, store)
    return collect(planned, store, states, {}, study_yaml(study), f"isthmus run {study.name}")


def study_yaml(study: Study) -> str:
    """The study as YAML, with the fields that were given: one at its default may stand against a preset."""
    return dump(study.model_dump(mode="json", exclude_unset=True))


def keep_study(study: Study, store: Store, planned: Plan) -> Path:
    """Write the study into its folder of the store, for `status` and `report`; returns the folder.

    Folders and files are named in it as they were given: `folder.txt` says from where. With it goes what the world said
    when it was planned, so that it can be looked at without asking again.
    """
    folder = store.study_folder(study.name)
    text = study_yaml(study)
    answers = json.dumps({"study": text, "answers": kept.to_json(planned.answers)}, sort_keys=True)
    with plainly(store.root):
        write_atomic(folder / "study.yaml", text.encode())
        write_atomic(folder / "folder.txt", str(Path.cwd()).encode(errors="surrogateescape"))
        write_atomic(folder / _ANSWERS, answers.encode())
    return folder
