"""How large the report of a full study is, and how long it takes to build: nine intermediate tasks on nine targets.

python benchmarks/report_size.py [--seeds 3] [--languages 40] [--rows 200] [--output report.html]

The scores come from a random generator; their shape, and that of the examples and of the stages, is what a real study
of that size has. Seconds are of the processor.
"""

import argparse
import time
from hashlib import sha256
from pathlib import Path

import numpy as np

from isthmus.evaluate.metrics import metric
from isthmus.examples import MOST, TOTAL
from isthmus.languages import known
from isthmus.report.build import encoded, shown
from isthmus.report.summary import summarise
from isthmus.results import (
    Chain,
    CurvePoint,
    DataFacts,
    Example,
    Results,
    Score,
    StageSummary,
    Statistics,
    TaskFacts,
)

INTERMEDIATES = ("none", "mnli", "snli", "mrpc", "squad", "tydiqa", "socialiqa", "cosmosqa", "ccg", "together")
TARGETS = ("xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa", "tatoeba", "bucc2018")
#: As long as a sentence pair; letters of one to three bytes.
TEXTS = (
    "The committee had already decided that the bridge would not be opened before the end of the following year. ",
    "Комитет уже решил, что мост не будет открыт раньше конца следующего года, и никто не возражал против этого. ",
    "समिति ने पहले ही तय कर लिया था कि पुल अगले वर्ष के अंत से पहले नहीं खोला जाएगा, और किसी ने विरोध नहीं किया। ",
    "委员会早已决定这座桥不会在明年年底之前开放，而且没有任何人对此提出过反对意见，所以工程照常进行下去了。",
)


def scores(chains: list[Chain], languages: list[str], rows: int) -> list[Score]:
    """Right or wrong for every row, with an effect of the intermediate task on the target."""
    generator = np.random.default_rng(1)
    effect = {(i, t): generator.normal(0, 0.06) for i in INTERMEDIATES for t in TARGETS}
    names = {tag: tuple(f"{tag}-{row}" for row in range(rows)) for tag in languages}
    reduce = metric("accuracy").reduce
    found = []
    for chain in chains:
        for tag in languages:
            rate = 0.55 + (0 if chain.intermediate == "none" else effect[chain.intermediate, chain.target])
            right = generator.random(rows) < rate + generator.normal(0, 0.01)
            values = np.stack([right.astype(float), np.ones(rows)], axis=1)
            made = Statistics(names[tag], names[tag], values)
            found.append(Score(chain, tag, "accuracy", float(reduce(values.sum(axis=0))), made))
    return found


def stages(chains: list[Chain]) -> tuple[list[StageSummary], list[tuple[str, ...]]]:
    """Those of every chain, trainings on intermediate tasks shared, and the path of each chain."""
    found: dict[str, StageSummary] = {}
    curve = tuple(CurvePoint(10 * step, 2 / (1 + step / 20) + 0.1, 1e-4) for step in range(100))

    def stage(title: str, function: str, seconds: float) -> str:
        key = f"{function}-{sha256(title.encode()).hexdigest()[:20]}"
        drawn = curve if function == "train" else ()
        found[key] = StageSummary(
            key, title, function, "done", seconds, 10**9, drawn, started="2026-01-01T10:00:00", size=10**8
        )
        return key

    paths = []
    for chain in chains:
        story, path = "embedded", [stage("get embedded", "model", 5)]
        for name in [] if chain.intermediate == "none" else [chain.intermediate]:
            story = f"{story} > {name}"
            path.append(stage(f"train {story}, seed {chain.seed}", "train", 1200))
        path.append(stage(f"train {story} > {chain.target}, seed {chain.seed}", "train", 900))
        path.append(stage(f"predict {story} > {chain.target} on {chain.target}, seed {chain.seed}", "predict", 90))
        path.append(stage(f"score {story} > {chain.target} on {chain.target}, seed {chain.seed}", "score", 1))
        paths.append(tuple(path))
    return list(found.values()), paths


def examples(languages: list[str], seeds: int) -> list[Example]:
    """As many as a study of that size shows, with texts as long as they may be."""
    cells = [(i, t) for i in INTERMEDIATES[1:] for t in TARGETS]
    most = min(MOST, TOTAL // len(cells))
    found = []
    for intermediate, target in cells:
        for place in range(most):
            text = (TEXTS[place % len(TEXTS)] * 2)[:200]
            ends = (0.0, 100.0) if place % 2 else (100.0, 0.0)
            parts = (("first", text[:110]), ("second", text[110:]))
            tag = languages[place % len(languages)]
            values = ("contradiction", "neutral", "contradiction")
            found.append(
                Example("embedded", intermediate, target, tag, f"{place}", parts, *values, 1, ends[0], ends[1], seeds)
            )
    return found


def study(seeds: int, languages: int, rows: int) -> Results:
    """The results of the whole study."""
    tags = ["en", *(one.tag for one in known() if one.resource != "low" and one.tag != "en")][:languages]
    tags += [one.tag for one in known() if one.tag not in tags][: languages - len(tags)]
    chains = [Chain("embedded", i, t, s) for i in INTERMEDIATES for s in range(1, seeds + 1) for t in TARGETS]
    made, paths = stages(chains)
    tasks = [
        TaskFacts(name, "pair", "made up", "derived", "", "CC0-1.0", "en") for name in (*INTERMEDIATES[1:], *TARGETS)
    ]
    data = [
        DataFacts(t, "measured on", tag, rows, sha256(f"{t}{tag}".encode()).hexdigest())
        for t in TARGETS
        for tag in tags
    ]
    return Results(
        "full",
        "name: full\n",
        tuple(tasks),
        tuple(chains),
        tuple(scores(chains, tags, rows)),
        tuple(made),
        paths=tuple(paths),
        data=tuple(data),
        examples=tuple(examples(tags, seeds)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--languages", type=int, default=40)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    results = study(given.seeds, given.languages, given.rows)
    begun = time.process_time()
    summary = summarise(results)
    summarised = time.process_time()
    whole = encoded(shown(results, summary))
    built = time.process_time()
    bare = encoded(shown(Results(**{**vars(results), "examples": ()}), summary))
    print(f"{len(results.chains)} chains, {len(results.stages)} stages, {len(results.examples)} examples")
    print(f"{len(whole) / 1e6:.2f} MB, of which {(len(whole) - len(bare)) / 1e6:.2f} MB examples")
    print(f"statistics {summarised - begun:.1f} s, page {built - summarised:.1f} s")
    if given.output:
        given.output.write_bytes(whole)


if __name__ == "__main__":
    main()
