"""How long planning takes: studies of 10,000 chains over 40 languages, from facts that are at hand.

python benchmarks/planning.py [--chains 10000]

Seconds are of the processor, so that what else the machine does does not count. Three studies are planned: seeds,
seeds with sizes, and with recipes as well. Of the last the rest of what `isthmus plan` does is timed, too: states from
a store in which every stage is finished, estimates, and the schedule.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from isthmus.data.catalog import SplitFacts
from isthmus.data.schema import Kind
from isthmus.planning.cost import estimates_and_error
from isthmus.planning.forecast import alone, schedule, sharing
from isthmus.planning.plan import Facts, ModelSource, Plan, plan
from isthmus.planning.rates import machine
from isthmus.running.runner import states_of
from isthmus.stage import Settings
from isthmus.store import Store
from isthmus.study.spec import NONE, Study
from isthmus.tasks.core import Task

LANGUAGES = tuple(f"l{number:02d}" for number in range(40))


def task(name: str) -> Task:
    return Task(name, Kind.PAIR, "", LANGUAGES, "accuracy", None, "CC0", "annotated")  # type: ignore[arg-type]


FACTS = Facts(
    task=task,
    model=lambda name: ModelSource(name, {"folder": name}),
    split=lambda of, split, language: SplitFacts(f"{of.name}/{split}/{language}".ljust(64, "0"), 1000, 50_000),
    languages=lambda _, of: of.languages,
)


def studies(chains: int) -> dict[str, Study]:
    """About so many chains each, by what their axes are."""

    def study(size: int, **more: Any) -> Study:
        seeds = list(range(max(1, round(chains / size))))
        before = [NONE, *(f"i{n}" for n in range(9))]
        return Study(intermediates=before, targets=[f"t{n}" for n in range(10)], seeds=seeds, **more)

    models, sizes = [f"m{n}" for n in range(5)], [10, 100, 500]
    recipes = {"a": {}, "b": {"epochs": 2}, "c": {"target": {"epochs": 1}}}
    return {
        "models and seeds": study(500, models=models),
        "sizes and seeds": study(280, sizes=sizes),
        "sizes, recipes and seeds": study(840, sizes=sizes, recipes=recipes),
    }


def seconds(work: Callable[[], Any], rounds: int = 1) -> tuple[float, Any]:
    """Of the processor, the median of some rounds, and what the last one gave."""
    times, made = [], None
    for _ in range(rounds):
        begun = time.process_time()
        made = work()
        times.append(time.process_time() - begun)
    return statistics.median(times), made


def finished(made: Plan, root: Path) -> Store:
    """A store in which all stages of the plan are finished, without what they would have left."""
    store = Store.open(root)
    for key, stage in made.stages.items():
        record = {
            "key": key, "title": stage.title, "function": stage.function, "version": 1, "identity": stage.identity,
            "inputs": stage.inputs, "settings": {"threads": 1, "device": "auto", "processes": 1}, "started": "",
            "seconds": 1.0, "peak_memory": 0, "versions": {}, "machine": machine(), "warnings": [], "result": {},
            "files": {},
        }  # fmt: skip
        store.stage_folder(key).mkdir()
        (store.stage_folder(key) / "record.json").write_text(json.dumps(record))
    return store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    chains, rounds = vars(parser.parse_args()).values()
    for name, study in studies(chains).items():
        took, made = seconds(lambda study=study: plan(study, FACTS), rounds)  # type: ignore[misc]
        print(f"{name}: {len(made.chains):,} chains, {len(made.stages):,} stages planned in {took:.2f} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for state, store in (
            ("nothing", Store.open(Path(folder) / "new")),
            ("all", finished(made, Path(folder) / "done")),
        ):
            took, _ = seconds(lambda store=store: states_of(made, store), 1)  # type: ignore[misc]
            costs, (found, _) = seconds(lambda store=store: estimates_and_error(made, store, Settings()), 1)  # type: ignore[misc]
            print(f"{state} finished: states in {took:.2f} s, estimates in {costs:.2f} s", flush=True)
    took, _ = seconds(lambda: schedule(made, {key: cost.seconds for key, cost in found.items()}, 8), 1)
    shared, _ = seconds(lambda: (alone(made), sharing(made)), 1)
    print(f"schedule of all on 8 workers in {took:.2f} s, what axes share in {shared:.2f} s")


if __name__ == "__main__":
    main()
