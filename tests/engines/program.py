"""The small study on any engine, as a program of its own: what the tests run, watch and kill.

    python -m tests.engines.program STORE MODEL [FIELDS OF RESOURCES AS JSON [FIELDS OF THE STUDY AS JSON]]

Prints one JSON line: the states of the stages, what this run finished, the scores, and how often each stage was begun.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from isthmus.api import Resources, make_plan, walk
from isthmus.errors import IsthmusError
from isthmus.running.runner import State, Walk, Watcher
from isthmus.store import Store
from isthmus.study.spec import Study
from tests.run.small_study import FIELDS, TASKS


class Counting(Watcher):
    """Counts how often each stage was begun."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    def changed(self, walk: Walk, key: str) -> None:
        if walk.states[key] is State.RUNNING:
            self.begun[key] += 1


def main(root: str, model: str, fields: str = "{}", changes: str = "{}") -> None:
    store = Store.open(Path(root))
    study = Study.model_validate({**FIELDS, "models": [model], **json.loads(changes)})
    planned = make_plan(study, store, tasks=TASKS)
    watcher = Counting()
    given = {"device": "cpu", "checkpoint_seconds": 0, **json.loads(fields)}
    try:
        walked = walk(planned, store, Resources(**given), watcher)
    except IsthmusError as error:
        print(json.dumps({"error": str(error)}))
        sys.exit(error.exit_code)
    scores = {
        f"{chain.chain.intermediate}/{chain.chain.target}": record.result["scores"]
        for chain in planned.chains
        if chain.score and (record := store.record(chain.score))
    }
    told = {"here": walked.finished_here, "scores": scores, "errors": walked.errors, "begun": watcher.begun}
    print(json.dumps({"states": {key: str(state) for key, state in walked.states.items()}, **told}))


if __name__ == "__main__":
    main(*sys.argv[1:])
