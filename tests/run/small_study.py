"""A small study over a real model in miniature, as a program of its own: what the tests kill.

    python -m tests.run.small_study STORE MODEL [WORKERS]

Prints one JSON line: the states of the stages, what this run finished, and the scores.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from isthmus.api import Resources, make_plan, walk
from isthmus.data.schema import Kind, to_table
from isthmus.running.runner import Watcher
from isthmus.store import Store
from isthmus.study.spec import Study
from isthmus.tasks.core import Split, Task
from tests.tiny import SENTENCES

FIELDS = {
    "name": "small",
    "intermediates": ["none", "colours", "places"],
    "targets": ["length", "pairs-of-rows"],
    "recipe": {"epochs": 3, "batch_size": 4, "learning_rate": 1e-3, "max_length": 32},
}


class Rows:
    """Rows made from the sentences, by a rule."""

    def __init__(self, kind: Kind, name: str) -> None:
        self.kind, self.name = kind, name

    def identity(self) -> Mapping[str, str]:
        return {"rule": self.name}

    def load(self, split: Split, language: str) -> pa.Table:
        ids = [f"{split}-{row}" for row in range(40)]
        texts = [f"{SENTENCES[row % 10]} {row}" for row in range(40)]
        if self.kind is Kind.BITEXT:
            return to_table(self.kind, {"id": ids, "source": texts, "target": texts[::-1]}, self.name)
        if self.kind is Kind.TAGGING:
            tokens = [text.split() for text in texts]
            tags = [["B-P" if word.istitle() else "O" for word in words] for words in tokens]
            return to_table(self.kind, {"id": ids, "tokens": tokens, "tags": tags}, self.name)
        labels = ["long" if len(text) > 31 else "short" for text in texts]
        return to_table(self.kind, {"id": ids, "text": texts, "label": labels}, self.name)


def task(name: str, kind: Kind, labels: tuple[str, ...], trains: str | None = "en") -> Task:
    metric = "span_f1" if kind is Kind.TAGGING else "accuracy"
    return Task(name, kind, name, ("en", "de"), metric, Rows(kind, name), "CC0", "derived", trains, labels)


TASKS = (
    task("colours", Kind.SEQUENCE, ("short", "long")),
    task("places", Kind.TAGGING, ("O", "B-P")),
    task("length", Kind.SEQUENCE, ("short", "long")),
    task("pairs-of-rows", Kind.BITEXT, (), None),
)


def main(root: str, model: str, workers: str = "2") -> None:
    store = Store.open(Path(root))
    planned = make_plan(Study.model_validate({**FIELDS, "models": [model]}), store, tasks=TASKS)
    walked = walk(planned, store, Resources(int(workers), "cpu", checkpoint_seconds=0), Watcher())
    scores = {
        f"{chain.chain.intermediate}/{chain.chain.target}": record.result["scores"]
        for chain in planned.chains
        if chain.score and (record := store.record(chain.score))
    }
    states = {key: str(state) for key, state in walked.states.items()}
    print(json.dumps({"states": states, "here": walked.finished_here, "scores": scores, "errors": walked.errors}))


if __name__ == "__main__":
    main(*sys.argv[1:])
