"""How long `isthmus run` takes for a study of 1,000 stages that is finished, and `isthmus status` for the same.

    python benchmarks/rerun.py [STAGES]

A study of a tiny model and small files is run with one seed. Then it is planned with as many seeds as make so many
stages, and every further seed gets copies of the records and files of the first. What is timed are the commands
themselves, each in a process of its own: reading the study, planning, the check of every file of every stage, and where
it says so the results and the report. Times are of the clock and of the processor; `isthmus --version` tells what of
them it takes to start a process at all.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from isthmus import api
from isthmus.disk import link_or_copy
from isthmus.planning.plan import Plan
from isthmus.stage import FileFact
from isthmus.store import Store

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = str(Path(sys.executable).with_name("isthmus"))
STUDY = """\
name: many
models: [tiny]
intermediates: [none, colours.csv]
targets: [reviews.csv]
files: {reviews.csv: {test: {de: reviews.csv, sw: colours.csv}}}
recipe: {epochs: 2, batch_size: 8, learning_rate: 1e-3, max_length: 32}
"""


def write_files(folder: Path) -> None:
    """The model, the files, the study."""
    sys.path.insert(0, str(ROOT))
    from tests.tiny import SENTENCES, write_tiny_model

    write_tiny_model(folder / "tiny")
    for name in ("reviews", "colours"):
        rows = [f"{SENTENCES[row % 10]} {name} {row},{'long' if row % 3 else 'short'}\n" for row in range(40)]
        (folder / f"{name}.csv").write_text("text,label\n" + "".join(rows))
    (folder / "study.yaml").write_text(STUDY)


def planned(folder: Path, seeds: int) -> Plan:
    """The plan of the study with so many seeds."""
    store = Store.open(folder / "store")
    return api.make_plan(api.load_study("study.yaml", (f"seeds={list(range(1, seeds + 1))}",)), store)


def copy_records(folder: Path, many: Plan, first: Plan) -> None:
    """Give every stage of a later seed the files and the record of the first seed's."""
    store = Store.open(folder / "store")
    models = {store.stage_folder(key): store.record(key) for key in first.stages}
    by_title = {record.title.replace(", seed 1", ""): (path, record) for path, record in models.items() if record}
    for key, stage in many.stages.items():
        if store.has(key):
            continue
        title = stage.title.rpartition(", seed")[0] if ", seed" in stage.title else stage.title
        source, record = by_title[title]
        files = {}
        for name in record.files:
            target = store.stage_folder(key) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(source / name, target)
            status = target.stat()
            files[name] = FileFact(status.st_size, record.files[name].sha256, status.st_mtime_ns)
        made = replace(record, key=key, identity=stage.identity, inputs=stage.inputs, title=stage.title, files=files)
        (store.stage_folder(key) / "record.json").write_text(json.dumps(made.to_json(), indent=1))


def timed(folder: Path, *arguments: str) -> str:
    """Run a command; returns what it took, in words."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    took, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.returncode == 0, ended.stderr
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told = next((line for line in ended.stdout.splitlines() if line.startswith("Nothing to do")), "")
    return f"isthmus {' '.join(arguments)}: {took:.2f} s, {spent:.2f} s of the processor. {told}".rstrip()


def main(stages: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="isthmus-rerun-"))
    try:
        write_files(folder)
        subprocess.run([PROGRAM, "run", "study.yaml", "--quiet"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        os.chdir(folder)
        seeds = -(-(stages - 1) // 7)
        many = planned(folder, seeds)
        copy_records(folder, many, planned(folder, 1))
        (folder / "many.yaml").write_text(f"{STUDY}seeds: {list(range(1, seeds + 1))}\n")
        print(f"{len(many.stages):,} stages, {len(many.chains):,} chains.")
        print(timed(folder, "--version"))
        (folder / "store" / "studies" / "many" / "report.html").unlink()
        print(f"{timed(folder, 'run', 'many.yaml', '--quiet')} The report is written.")
        print(timed(folder, "run", "many.yaml", "--quiet"))
        print(timed(folder, "status", "many"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
