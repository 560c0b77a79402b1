"""A store that is none, locked, empty or damaged, and stage files that are none: a sentence each, and nothing lost."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isthmus.store import Store
from tests.cli.conftest import Said, refused, write

Program = Callable[..., Said]
TRAIN = "train --model tiny --set recipe.max_length=32 --target "


def test_what_is_not_a_store_is_not_used_as_one(here: Path, isthmus: Program) -> None:
    before = sorted(Path("tiny").iterdir())
    for name in ("tiny", "study.yaml"):
        for command in ("run study.yaml", f"{TRAIN}reviews.csv", "plan study.yaml"):
            sentence = refused(isthmus(*command.split(), "--store", name))
            assert sentence == f"{name} is not an Isthmus store and not empty: choose another folder with --store."
        for command in ("status", "status small", "report", "store verify"):
            sentence = refused(isthmus(*command.split(), "--store", name))
            assert sentence == f"There is no store at {name}: name one with --store, or run a study first."
    assert sorted(Path("tiny").iterdir()) == before
    assert "No such file" in refused(isthmus("run", "study.yaml", "--store", "/proc/none/store"))


def test_an_empty_store_has_nothing_to_show(here: Path, isthmus: Program) -> None:
    Store.open(here / "empty")
    said = isthmus("status", "--store", "empty")
    assert (said.code, said.err) == (0, "") and said.out.startswith("No study has been run in ")
    assert isthmus("status", "--store", "empty", "--json").json["studies"] == {}
    assert "run one first, with isthmus run STUDY" in refused(isthmus("report", "--store", "empty"))
    assert isthmus("store", "verify", "--store", "empty").out.startswith("All 0 finished stages")


@contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of the superuser, whom nothing is forbidden."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_store_that_cannot_be_written_is_named(here: Path, isthmus: Program) -> None:
    isthmus("plan", "study.yaml")  # all modules are loaded: nobody may not be able to read them
    locked = Path(tempfile.mkdtemp(prefix="isthmus-test-"))
    shutil.copytree("store", locked / "store")
    for folder in (locked, *(path for path in locked.rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    for file in ("study.yaml", "reviews.csv"):
        shutil.copy(file, locked.chmod(0o755) or locked)
    locked.chmod(0o555)
    try:
        with nobody():
            os.chdir(locked)
            new = isthmus(*f"{TRAIN}reviews.csv --store new".split())
            report = isthmus("report", "--store", "store")
    finally:
        os.chdir(here)
        for folder in (locked, *(path for path in locked.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        shutil.rmtree(locked)
    assert refused(new) == "new cannot be used as a store: Permission denied."
    assert "cannot be " in refused(report)


def test_one_study_that_cannot_be_planned_does_not_hide_the_others(here: Path, isthmus: Program) -> None:
    write("store/studies/gone/study.yaml", "name: gone\ntargets: [x.csv]\nfiles: {x.csv: {test: {de: /none/de.csv}}}\n")
    write("store/studies/torn/study.yaml", "name: [\n")
    said = isthmus("status")
    assert said.code == 0
    assert "small" in said.out and "gone: There is no file x.csv." in said.out
    assert "torn: " in said.out and "this is not valid YAML" in said.out
    told = isthmus("status", "--json").json["studies"]
    assert told["small"]["done"] == 8 and "error" in told["gone"]


def test_damage_is_named_and_mended(finished: Path, isthmus: Program) -> None:
    stage = sorted((finished / "store" / "stages").glob("train-*"))[0]
    file = stage / "model" / "model-00002-of-00002.safetensors"
    content = file.read_bytes()
    file.unlink()  # another name of it may be elsewhere
    file.write_bytes(content[:-1])
    scores = next((finished / "store" / "stages").glob("score-*/statistics.parquet"))
    scores.write_bytes(scores.read_bytes()[:-1])
    sentence = refused(isthmus("report"))
    assert sentence.startswith(f"{scores.parent.name}: statistics.parquet has ")
    assert sentence.endswith(": run the study again, which makes it anew.")
    said = isthmus("store", "verify")
    assert said.code == 1
    found = f"model/{file.name} has {len(content) - 1} bytes instead of {len(content)}"
    assert f"{stage.name}: {found}: set aside." in said.out
    again = isthmus("run", "study.yaml")
    assert again.code == 0 and "6 finished, 2 to do" in again.err
    assert file.read_bytes() == content, "made anew, the same to the bit"


def test_rows_that_were_altered_are_read_anew(finished: Path, isthmus: Program) -> None:
    for file in (finished / "store" / "data").glob("*.arrow"):
        file.write_bytes(file.read_bytes()[:-100])
    said = isthmus("store", "verify")
    assert said.code == 1 and said.out.count(" has other rows than its name says: removed.\n") == 4
    assert isthmus("run", "study.yaml").out.startswith("Nothing to do")
    assert isthmus("store", "verify").out.startswith("All 12 finished stages and data files")


# -- single stages


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no stage file x.json."),
        ("", "x.json is not a stage file: "),
        ("[]", "x.json is not a stage file: "),
        ('{"function": "train"}', "x.json is not a stage file: "),
        (b"\xff", "x.json is not a stage file: "),
    ],
)
def test_a_stage_file_that_is_none_is_named(
    here: Path, isthmus: Program, content: str | bytes | None, sentence: str
) -> None:
    if content is not None:
        write("x.json", content)
    said = isthmus("stage", "run", "x.json")
    assert said.code == 2 and said.err.startswith(sentence) and said.err.count("\n") == 1


def test_a_stage_file_outside_a_store_or_altered_is_refused(here: Path, isthmus: Program) -> None:
    shutil.copy(next((here / "store" / "stages").glob("train-*/stage.json")), "x.json")
    said = isthmus("stage", "run", "x.json")
    assert said.code == 2 and said.err == "x.json is not inside a store: say which one with --store.\n"
    assert isthmus("stage", "run", "x.json", "--store", "store").out.endswith(": already done\n")
    stage = json.loads(Path("x.json").read_text())
    write("x.json", json.dumps({**stage, "identity": {**stage["identity"], "seed": 7}}))
    said = isthmus("stage", "run", "x.json", "--store", "store")
    assert said.code == 2 and "its fields give" in said.err and "plan the study anew" in said.err
