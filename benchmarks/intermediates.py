"""Is every intermediate task learnt? Its English dev score by the embedded model and a small recipe, over seeds.

python benchmarks/intermediates.py --data FOLDER [--store STORE] [--seeds 1,2,3] [--tasks sick,rte] [--json]

Each task is trained for itself (``--tasks nine``: nine of them together); what a data set publishes as dev, where its
training rows are not in the folder, is trained on, and a part of it held out. A score stands beside that of the
commonest label (or tag, or answer) of the same dev rows, which is what a collapsed model has. Prints Markdown. The
second time nothing is run again.
"""

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from isthmus.api import Resources, make_plan, walk
from isthmus.evaluate.metrics import metric
from isthmus.running.execute import Context
from isthmus.running.runner import Watcher
from isthmus.stage import Settings
from isthmus.store import Store
from isthmus.study.spec import Recipe, Study
from isthmus.train.rows import parts_of

RECIPE = {
    "train_examples": 640,
    "epochs": 2,
    "learning_rate": 1e-4,
    "batch_size": 16,
    "max_length": 64,
    "freeze_embeddings": True,
    "evaluate_every": 10_000,  # at the end
    "dev_examples": 120,
}
#: What the folder has of each task: its name, or the file that it is read from.
FILES = {
    "mnli": ("nli/nli_datasets/mnli/dev.csv", {"text": "premise", "text_pair": "hypothesis", "label": "label"}),
    "snli": ("nli/nli_datasets/snli/dev.csv", {"text": "premise", "text_pair": "hypothesis", "label": "label"}),
    "scitail": ("nli/nli_datasets/scitail/dev.csv", {"text": "premise", "text_pair": "hypothesis", "label": "label"}),
    "squad": ("qa/squad_20articles/dev.json", {}),
    "cosmosqa": (
        "mc/cosmosqa/valid.csv",
        {"id": "id", "text": "context", "question": "question", "answer": "label"}
        | {f"choice{number + 1}": f"answer{number}" for number in range(4)},
    ),
}
PUBLISHED = ("sick", "rte", "mrpc", "tydiqa", "socialiqa", "copa", "ccg-pmb", "wnut17", "ewt-pos")
#: Kinds of the paper's nine that are in the folder: inference, paraphrase, questions, endings, supertags.
NINE = ("mnli", "snli", "mrpc", "squad", "tydiqa", "socialiqa", "cosmosqa", "ccg-pmb", "copa")
OVERRIDES: dict[str, dict[str, Any]] = {
    "squad": {"max_length": 192, "stride": 96, "train_examples": 160, "batch_size": 8, "learning_rate": 2e-4},
    "tydiqa": {"max_length": 192, "stride": 96, "train_examples": 160, "batch_size": 8, "learning_rate": 2e-4},
    "socialiqa": {"train_examples": 320},
    "cosmosqa": {"max_length": 96, "train_examples": 120, "batch_size": 8},
    "copa": {"epochs": 3},
    "ccg-pmb": {"learning_rate": 5e-4, "epochs": 3},
    "wnut17": {"learning_rate": 3e-4},
    "ewt-pos": {"learning_rate": 3e-4},
}


def study(data: Path, names: list[str], seeds: list[int]) -> Study:
    """One training for each task and seed."""
    files = {
        f"{name}-part": {"train": str(data / path), "columns": columns, "quoting": "auto"}
        for name, (path, columns) in FILES.items()
        if name in names or "nine" in names
    }
    here = [f"{name}-part" if name in FILES else name for name in names if name != "nine"]
    overrides = {f"{name}-part" if name in FILES else name: fields for name, fields in OVERRIDES.items()}
    nine = [f"{name}-part" if name in FILES else name for name in NINE]
    used = {*here, *(nine if "nine" in names else ())}
    fields: dict[str, Any] = {
        "name": "intermediates",
        "targets": [*here, *(["copa"] if "nine" in names and "copa" not in here else [])],
        "seeds": seeds,
        "data": [str(data)],
        "partial": True,
        "recipe": RECIPE,
        "overrides": {name: fields for name, fields in overrides.items() if name in used},
        "files": files,
    }
    if "nine" in names:
        fields["mixtures"] = {"nine-part": {"tasks": nine}}
        fields["intermediates"] = ["none", "nine-part"]
    return Study.model_validate(fields)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--tasks", default=",".join([*FILES, *PUBLISHED]))
    parser.add_argument("--workers", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    store, begun = Store.open(options.store), time.perf_counter()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    planned = make_plan(study(options.data.resolve(), options.tasks.split(","), seeds), store, "models")
    walked = walk(planned, store, Resources(options.workers), Watcher())
    for key, problem in walked.errors.items():
        print(f"{planned.stages[key].title}: {problem}", file=sys.stderr)
    rows: dict[str, list[dict[str, Any]]] = {}
    for key, stage in planned.stages.items():
        record = store.record(key)
        if stage.function == "train" and record is not None:
            parts = parts_of(
                Context(store, stage, Settings(), Path(), Path()), Recipe.model_validate(stage.identity["recipe"])
            )
            for part in parts:
                told = {"score": record.result["members"][part.name]["dev"]["en"], "metric": part.metric}
                told |= {"commonest": commonest(part), "dev": len(part.dev["en"]), "train": len(part.table)}
                together = " (of nine)" if len(parts) > 1 else ""
                rows.setdefault(f"{part.name.removesuffix('-part')}{together}", []).append(told)
    if options.json:
        print(json.dumps(rows))
    else:
        print(table(rows))
    print(f"\n{time.perf_counter() - begun:.0f} s", file=sys.stderr)


def commonest(part: Any) -> float:
    """The score of predicting the same for all dev rows: what is commonest among their golds."""
    golds = part.method.golds(part.dev["en"])
    measure = metric(part.metric)
    if measure.compares == "tags":
        tag = Counter(tag for tags in golds for tag in tags).most_common(1)[0][0]
        return measure.score(golds, [[tag] * len(tags) for tags in golds])
    if isinstance(golds[0], list):  # answers, several of which may be right
        answer = Counter(answers[0] for answers in golds if answers).most_common(1)[0][0]
        return measure.score(golds, [answer] * len(golds))
    label = Counter(golds).most_common(1)[0][0]
    return measure.score(golds, [label] * len(golds))


def table(rows: dict[str, list[dict[str, Any]]]) -> str:
    lines = [
        "| task | trained on | dev rows | metric | score | seeds | commonest |",
        "| --- | ---: | ---: | --- | ---: | --- | ---: |",
    ]
    for name, runs in rows.items():
        scores, one = [run["score"] for run in runs], runs[0]
        each = ", ".join(f"{score:.1f}" for score in scores)
        lines.append(
            f"| {name} | {one['train']:,} | {one['dev']:,} | {one['metric']} | {statistics.mean(scores):.1f} | {each} "
            f"| {one['commonest']:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
