"""What an engine adds to the time of a stage, and what a second worker gains.

python benchmarks/scheduling.py [--engine local ray slurm] [--stages 30] [--workers 24]

Overhead: score stages that differ in name alone, one after the other. The time from the end of one to the end of the
next, less the seconds that the stage itself reports, is what starting, claiming, publishing and noticing take. The
first stage, which waits for imports, does not count. Slurm is tried as submitit's jobs on this machine, each of which
imports everything anew; a real queue adds its own wait.

Workers: the same small trainings by one and by two local workers, of one thread each.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.run.small_study import FIELDS, TASKS
from tests.tiny import write_tiny_model

from isthmus.api import Resources, make_plan, walk
from isthmus.planning.plan import Plan
from isthmus.running.runner import State, Walk, Watcher
from isthmus.stage import Stage
from isthmus.store import Store
from isthmus.study.spec import Study

GOALS = {"local": 50, "ray": 150}  # milliseconds
OPTIONS = {"local": {}, "ray": {}, "slurm": {"cluster": "local"}}


class Clock(Watcher):
    """When each stage ended."""

    def __init__(self) -> None:
        self.ended: dict[str, float] = {}

    def changed(self, walked: Walk, key: str) -> None:
        if walked.states[key] is State.DONE:
            self.ended[key] = time.perf_counter()


def base(store: Store, model: Path) -> Plan:
    """One chain of a small study."""
    study = {**FIELDS, "intermediates": ["none"], "targets": ["length"], "models": [str(model)]}
    return make_plan(Study.model_validate(study), store, tasks=TASKS)


def copies(planned: Plan, function: str, count: int, field: str, values: list[Any]) -> Plan:
    """The plan with ``count`` stages like that of ``function``, of other keys, and none that builds on it."""
    before = dict(planned.stages)
    (like,) = [stage for stage in before.values() if stage.function == function]
    places = list(before)
    kept = {key: before[key] for key in places[: places.index(like.key)]}
    made: list[Stage] = [replace(like, identity={**like.identity, field: values[number]}) for number in range(count)]
    return replace(planned, stages={**kept, **{stage.key: stage for stage in made}}, chains=())


def run(planned: Plan, store: Store, **fields: Any) -> Clock:
    clock = Clock()
    walked = walk(planned, store, Resources(device="cpu", **fields), clock)
    if walked.errors:
        raise SystemExit(f"failed: {walked.errors}")
    return clock


def overhead(engine: str, store: Store, planned: Plan, count: int) -> list[float]:
    """Milliseconds beside each stage after the first."""
    scores = copies(planned, "score", count, "copy", [f"{engine}-{number}" for number in range(count)])
    clock = run(scores, store, workers=1, engine=engine, engine_options=OPTIONS[engine])
    times = sorted((at, key) for key, at in clock.ended.items())
    seconds = {key: record.seconds for _, key in times if (record := store.record(key))}
    return [1000 * (after[0] - before[0] - seconds[after[1]]) for before, after in pairwise(times)]


def throughput(model: Path, count: int, workers: int) -> float:
    """Seconds for all trainings after the first that ended."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "store")
        planned = copies(base(store, model), "train", count, "seed", list(range(count)))
        threads: Mapping[str, Any] = {"checkpoint_seconds": 600.0}
        trains = [key for key, stage in planned.stages.items() if stage.function == "train"]
        clock = run(planned, store, workers=workers, **threads)
        ended = [clock.ended[key] for key in trains]
        return (max(ended) - min(ended)) / (count - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", nargs="*", default=["local", "ray"], choices=list(OPTIONS))
    parser.add_argument("--stages", type=int, default=30)
    parser.add_argument("--workers", type=int, default=0, metavar="STAGES", help="trainings for one and two workers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = write_tiny_model(Path(folder) / "model")
        store = Store.open(Path(folder) / "store")
        planned = base(store, model)
        run(planned, store, workers=1)
        for engine in options.engine:
            found = overhead(engine, store, planned, options.stages)
            goal = f", goal {GOALS[engine]}" if engine in GOALS else ""
            print(
                f"{engine}: {statistics.median(found):.0f} ms beside each of {len(found)} stages (median; "
                f"least {min(found):.0f}, most {max(found):.0f}{goal}; load {os.getloadavg()[0]:.1f})",
                flush=True,
            )
        if options.workers:
            one, two = (throughput(model, options.workers, workers) for workers in (1, 2))
            print(
                f"{options.workers} trainings: {one:.2f} s each with one worker, {two:.2f} s with two: "
                f"{one / two:.2f} times as fast (goal 1.6; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
            )


if __name__ == "__main__":
    main()
