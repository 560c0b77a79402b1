"""How long planning takes: a study of 10,000 chains over 40 languages, from facts that are at hand.

python benchmarks/planning.py [--chains 10000]
"""

import argparse
import statistics
import time

from isthmus.data.catalog import SplitFacts
from isthmus.data.schema import Kind
from isthmus.plan import Facts, ModelSource, plan
from isthmus.spec import NONE, Study
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chains", type=int, default=10_000)
    chains = parser.parse_args().chains
    seeds = list(range(max(1, chains // 500)))
    study = Study(
        models=[f"m{n}" for n in range(5)],
        intermediates=[NONE, *(f"i{n}" for n in range(9))],
        targets=[f"t{n}" for n in range(10)],
        seeds=seeds,
    )
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        made = plan(study, FACTS)
        times.append(time.perf_counter() - begun)
    print(
        f"{len(made.chains)} chains over {len(LANGUAGES)} languages: {len(made.stages)} stages "
        f"planned in {statistics.median(times):.2f} s (median of {len(times)})"
    )


if __name__ == "__main__":
    main()
