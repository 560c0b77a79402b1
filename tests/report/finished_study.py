"""A study that was really run, in miniature and in this process: two files, two languages, a model of two layers.

Its names and texts are what nobody should have to expect: HTML in file names, in sentences and in labels.
"""

import csv
import shutil
from contextlib import chdir
from pathlib import Path

from isthmus import api
from isthmus.planning.plan import Plan
from isthmus.running.execute import execute
from isthmus.stage import Settings
from isthmus.store import Store
from isthmus.study.file import parse_study
from tests.tiny import SENTENCES

#: A file name that is a tag.
TAG = "<img src=x onerror=alert(1) b.csv"
SCRIPT = "<script>alert(2)</script>"
#: Turns what follows around, and does not turn it back.
OVERRIDE = "\N{RIGHT-TO-LEFT OVERRIDE}"
STUDY = f"""\
name: viewed
models: [tiny]
intermediates: [none, {TAG!r}]
targets: [reviews.csv]
files:
  reviews.csv:
    test: {{de: de.csv, sw: sw.csv}}
seeds: [1, 2]
recipe: {{epochs: 2, batch_size: 8, learning_rate: 3e-3, max_length: 32}}
"""


def run(folder: Path, tiny_model: Path) -> tuple[Store, Plan]:
    """Run the study in ``folder``, with its store in there; returns store and plan."""
    shutil.copytree(tiny_model, folder / "tiny")
    rows = [(f"{SENTENCES[row % 10]} {row}", "long" if len(SENTENCES[row % 10]) > 31 else "short") for row in range(40)]
    _write(folder / "reviews.csv", rows)
    _write(folder / TAG, [(text, "good" if row % 3 else SCRIPT) for row, (text, _) in enumerate(rows)])
    _write(folder / "de.csv", [(f"{text} {SCRIPT}", label) for text, label in rows])
    _write(folder / "sw.csv", [(f"{OVERRIDE}{text} \x07", label) for text, label in rows])
    study = parse_study(STUDY, "viewed.yaml")
    store = Store.open(folder / "store")
    with chdir(folder):
        plan = api.make_plan(study, store)
        api.keep_study(study, store, plan)
        for stage in plan.stages.values():
            execute(store, stage, Settings())
    return store, plan


def _write(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
