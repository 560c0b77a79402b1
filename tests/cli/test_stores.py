"""A store that is none, locked, empty or damaged, and stage files that are none: a sentence each, and nothing lost."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isthmus.disk import lock
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


@pytest.fixture
def unwritable(here: Path, isthmus: Program) -> Iterator[Path]:
    """A copy of the folder that all can read and `nobody` can write, with a lock in its store that each stage left."""
    copy = Path(tempfile.mkdtemp(prefix="isthmus-test-")) / "folder"
    shutil.copytree(here, copy)
    copy.parent.chmod(0o755)
    (copy / "store/studies/small/folder.txt").write_text(str(copy))
    os.chdir(copy)
    for command in ("status small", "why get", "store gc", "store verify"):
        isthmus(*command.split())  # all modules are loaded: nobody may not be able to read them
    things = (copy, *copy.rglob("*"))
    for path in things:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield copy
    os.chdir(here)
    for path in things:
        path.chmod(0o755)
    shutil.rmtree(copy.parent)


def test_a_store_that_cannot_be_written_is_named(unwritable: Path, isthmus: Program) -> None:
    with nobody():
        new = isthmus(*f"{TRAIN}reviews.csv --store new".split())
        report = isthmus("report", "--store", "store")
    assert refused(new) == "new cannot be used as a store: Permission denied."
    assert "cannot be " in refused(report)


def test_a_store_that_can_only_be_read_is_looked_at_as_any_other(unwritable: Path, isthmus: Program) -> None:
    store = Store(unwritable / "store")
    assert (store.root / "locks/store.lock").exists() and len(list(store.root.glob("locks/*.lock"))) > 8
    with store.in_use(), nobody():
        status, why, gc = (isthmus(*said.split()) for said in ("status small --json", "why get --json", "store gc"))
        delete = refused(isthmus("store", "gc", "--yes"))
    assert status.err == why.err == gc.err == ""
    assert status.json["run_under_way"] is True and set(status.json["stages"].values()) == {"done"}
    assert why.json["state"] == "done"
    assert (gc.code, gc.out) == (0, "What these studies need stays: small.\nThere is nothing else.\n")
    assert delete == f"{store.root} cannot be written (Permission denied): choose another folder with --store."


def test_damage_in_a_store_that_can_only_be_read_is_told_all_the_same(unwritable: Path, isthmus: Program) -> None:
    scores = next(unwritable.glob("store/stages/score-*/statistics.parquet"))
    scores.chmod(0o644)
    scores.write_bytes(b"")
    with nobody():
        said = isthmus("store", "verify")
    assert said.code == 1 and len(said.out.splitlines()) == 2
    assert said.out.startswith(f"{scores.parent.name}: statistics.parquet has 0 bytes instead of ")
    assert said.out.endswith(f": left there.\n{unwritable}/store cannot be written (Permission denied).\n")


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


def test_what_is_damaged_stays_while_a_run_that_counts_on_it_is_under_way(finished: Path, isthmus: Program) -> None:
    store = Store(finished / "store")
    scores = next(store.root.glob("stages/score-*/statistics.parquet"))
    scores.write_bytes(b"")
    rows = min(store.root.glob("data/*.arrow"))
    rows.write_bytes(b"")
    with store.in_use():
        said, told = isthmus("store", "verify"), isthmus("store", "verify", "--json")
        assert scores.exists() and rows.exists()
    assert said.code == told.code == 1
    assert f"data: {rows.name} has other rows than its name says: left there.\n" in said.out
    assert said.out.splitlines()[0].startswith(f"{scores.parent.name}: statistics.parquet has 0 bytes instead of ")
    assert said.out.splitlines()[-1].startswith(f"A run is under way in {store.root}: verify again at its end")
    assert len(told.json["damaged"]) == 2 and told.json["set_aside"] is False
    after = isthmus("store", "verify", "--json")
    assert after.code == 1 and after.json["set_aside"] is True and len(after.json["damaged"]) == 2
    assert not scores.exists() and not rows.exists()
    assert isthmus("store", "verify", "--json").json == {"checked": 10, "damaged": [], "set_aside": False}


def test_what_a_run_has_made_anew_since_it_was_found_damaged_is_not_set_aside(
    finished: Path, isthmus: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = next((finished / "store").glob("stages/score-*/statistics.parquet"))
    content = scores.read_bytes()
    scores.write_bytes(b"")
    alone = Store.alone
    monkeypatch.setattr(Store, "alone", lambda store: scores.write_bytes(content) and alone(store))
    assert isthmus("store", "verify").out.startswith("All ") and scores.exists()


# -- what no study needs


def test_nothing_goes_of_what_a_kept_study_needs(here: Path, isthmus: Program) -> None:
    said = isthmus("store", "gc", "--yes")
    assert (said.code, said.err) == (0, "")
    assert said.out == "What these studies need stays: small.\nThere is nothing else.\n"


def unneeded(folder: Path) -> tuple[str, ...]:
    """Make the store keep a study of one chain; returns the keys of the stages that it does not need."""
    study = folder / "store" / "studies" / "small" / "study.yaml"
    study.write_text(study.read_text().replace("- colours.csv\n", ""))
    assert "intermediates:\n- none\n" in study.read_text()
    return tuple(sorted(path.parent.name for path in (folder / "store/stages").glob("*/record.json")
                        if "> colours.csv" in json.loads(path.read_text())["title"]))  # fmt: skip


def test_what_is_not_needed_is_listed_and_only_deleted_when_told_to(finished: Path, isthmus: Program) -> None:
    stages, extra = finished / "store" / "stages", unneeded(finished)
    assert len(extra) == 4
    before = {path.name for path in stages.iterdir()}
    for how in ([], ["--dry-run"], ["--dry-run", "--yes"]):
        said = isthmus("store", "gc", *how)
        assert said.code == 0 and said.out.endswith("--yes deletes them.\n")
        assert said.out.count("\nstage ") == 4 and "train tiny > colours.csv, seed 1" in said.out
        assert {path.name for path in stages.iterdir()} == before
    told = isthmus("store", "gc", "--json").json
    assert not told["deleted"] and told["kept"] == ["small"]
    assert sorted(Path(item["path"]).name for item in told["items"]) == list(extra)
    done = isthmus("store", "gc", "--yes", "--json").json
    assert done["deleted"] and done["bytes"] == told["bytes"] and done["items"][0].keys() == told["items"][0].keys()
    assert {path.name for path in stages.iterdir()} == before - set(extra)
    assert not (finished / "store" / "trash").exists()
    assert isthmus("run", "small", "--store", "store").code == 2, "a kept study is no study file"
    assert isthmus("store", "verify").out.startswith("All ")


def test_the_room_that_is_told_of_counts_a_file_with_several_names_once_and_only_when_all_go(
    finished: Path, isthmus: Program
) -> None:
    extra = [finished / "store/stages" / key for key in unneeded(finished)]
    alone = isthmus("store", "gc", "--json").json["bytes"]
    there = sum(path.stat().st_size for folder in extra for path in folder.rglob("*") if path.is_file())
    shared = [path for folder in extra for path in folder.rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert there == alone + sum(path.stat().st_size for path in shared)
    weights = next(path for folder in extra for path in folder.glob("model/*.safetensors") if path.stat().st_nlink == 1)
    os.link(weights, finished / "another-name")
    assert isthmus("store", "gc", "--json").json["bytes"] == alone - weights.stat().st_size


def test_a_stage_that_a_process_is_at_and_what_it_builds_on_stay(finished: Path, isthmus: Program) -> None:
    extra, store = unneeded(finished), Store(finished / "store")
    last = next(key for key in extra if key.startswith("predict"))
    work = store.work_folder(last)
    work.mkdir()
    store.stage_folder(last).joinpath("stage.json").rename(work / "stage.json")
    shutil.rmtree(store.stage_folder(last))
    with store.claim(last):
        gone = isthmus("store", "gc", "--yes", "--json").json["items"]
    assert [item["title"] for item in gone] == ["score tiny > colours.csv > reviews.csv on reviews.csv"]
    assert work.exists() and len(list(store.root.glob("stages/train-*"))) == 3
    gone = isthmus("store", "gc", "--yes", "--json").json["items"]
    assert {item["what"] for item in gone} == {"work", "stage"} and not work.exists()
    assert len(list(store.root.glob("stages/train-*"))) == 1


def test_nothing_is_deleted_while_a_run_is_under_way(finished: Path, isthmus: Program) -> None:
    extra, store = unneeded(finished), Store(finished / "store")
    with store.in_use():
        assert isthmus("store", "gc").out.endswith("--yes deletes them.\n")
        sentence = refused(isthmus("store", "gc", "--yes"))
    assert sentence.startswith("A run is under way in ") and sentence.endswith("Nothing was deleted.")
    assert all(store.has(key) for key in extra)


def test_a_collection_that_was_killed_is_finished_by_the_next(finished: Path, isthmus: Program) -> None:
    (key, *_) = unneeded(finished)
    store = Store(finished / "store")
    (store.root / "trash").mkdir()
    store.stage_folder(key).rename(store.root / "trash" / f"{key}.1")
    assert not store.has(key)
    isthmus("store", "gc", "--yes")
    assert not (store.root / "trash").exists()


def test_what_kills_left_goes(finished: Path, isthmus: Program) -> None:
    root, dead = finished / "store", subprocess.Popen(["true"])
    dead.wait()
    names = (
        *(f"{folder}.abc.arrow.{dead.pid}.tmp" for folder in ("data/", "data/index/", "tokens/", "studies/small/")),
        f".calibration.json.{dead.pid}.tmp", f".STORE.{dead.pid}.tmp", "incoming/0a", "incoming/0b.part", "trash/x.1/y",
    )  # fmt: skip
    at_work = f"data/.def.arrow.{os.getpid()}.tmp", ".calibration.x_y/store/STORE"
    needed = f"work/{next(root.glob('stages/train-*')).name}/.progress.json.{dead.pid}.tmp"
    for name in (*names, *at_work, needed):
        write(f"store/{name}", b"x" * 1000)
    told = isthmus("store", "gc", "--json").json
    listed = {str(Path(item["path"]).relative_to(root)) for item in told["items"]}
    assert listed == {*names[:6], "incoming", "trash"} and {item["what"] for item in told["items"]} == {"left"}
    with Store(root).in_use():
        refused(isthmus("store", "gc", "--yes"))
        with lock(root / "locks" / "pull.lock"):
            assert len(isthmus("store", "gc", "--json").json["items"]) == 7
    assert all((root / name).exists() for name in names)
    done = isthmus("store", "gc", "--yes", "--json").json
    assert done["bytes"] == told["bytes"] == 9000 and len(done["items"]) == 8
    assert not any((root / name).exists() for name in (*names, "trash", "incoming"))
    for name in at_work:
        assert (root / name).exists()
        os.utime(root / name, (1e9, 1e9))
    gone = isthmus("store", "gc", "--yes", "--json").json["items"]
    assert [Path(item["path"]).name for item in gone] == [".calibration.x_y", Path(at_work[0]).name]
    assert (root / needed).exists()


def test_age_data_tokens_and_damaged_stages(finished: Path, isthmus: Program) -> None:
    extra, root = unneeded(finished), finished / "store"
    old = root / "stages" / extra[0]
    for path in old.rglob("*"):
        os.utime(path, (1e9, 1e9))
    items = isthmus("store", "gc", "--older-than", "30d", "--json").json["items"]
    assert [Path(item["path"]).name for item in items] == [extra[0]]
    for wrong in ("30", "x", "d", "-1d", ""):
        assert "--older-than takes a number and m, h, d or w" in refused(isthmus("store", "gc", "--older-than", wrong))
    (root / "damaged" / "train-1.0").mkdir()
    (root / "damaged" / "train-1.0" / "record.json").write_text("x")
    what = {item["what"] for item in isthmus("store", "gc", "--json", "--damaged", "--tokens", "--data").json["items"]}
    assert what == {"stage", "damaged", "tokens", "data"}
    rows = {path.name for path in (root / "data").glob("*.arrow")}
    isthmus("store", "gc", "--yes", "--damaged", "--tokens", "--data", "--translations")
    left = {path.name for path in (root / "data").glob("*.arrow")}
    assert len(rows - left) == 1 and left < rows, "the rows of the intermediate task, which no kept study reads"
    assert list((root / "damaged").iterdir()) == [] == list((root / "tokens").glob("*.arrow"))
    again = isthmus("run", "study.yaml", "--set", "intermediates=[none]")
    assert again.out.startswith("Nothing to do"), again
    whole = isthmus("run", "study.yaml")
    assert whole.code == 0 and "8 stages: 4 finished, 4 to do." in whole.err


def test_studies_to_keep_and_to_forget(finished: Path, isthmus: Program) -> None:
    unneeded(finished)
    kept = isthmus("store", "gc", "--keep", "study.yaml", "--json").json
    assert kept["items"] == [] and kept["kept"] == ["small", "study.yaml"]
    assert isthmus("store", "gc", "--keep", "small", "--json").json["kept"] == ["small"]
    assert "did you mean small?" in refused(isthmus("store", "gc", "--forget", "smal"))
    unknown = refused(isthmus("store", "gc", "--keep", "smal"))
    assert unknown.startswith("--keep smal: No study called smal was run in ") and unknown.endswith("mean small?")
    both = refused(isthmus("store", "gc", "--keep", "small", "--forget", "small", "--yes"))
    assert both == "--keep small and --forget small: say only one of them."
    gone = isthmus("store", "gc", "--forget", "small", "--yes")
    assert "The store keeps no study." in gone.out and "Deleted: 8 things" in gone.out
    assert list((finished / "store/stages").iterdir()) == [] and not (finished / "store/studies/small").exists()


def test_where_a_study_cannot_be_planned_nothing_is_taken_for_unneeded(finished: Path, isthmus: Program) -> None:
    write("store/studies/gone/study.yaml", "name: gone\ntargets: [x.csv]\nfiles: {x.csv: {test: {de: /none/de.csv}}}\n")
    for how in ([], ["--yes"]):
        sentence = refused(isthmus("store", "gc", *how))
        assert sentence == (
            "What gone needs is not known, since it cannot be planned (There is no file x.csv.) Mend that, or say "
            "--forget gone."
        )
    assert isthmus("store", "gc", "--forget", "gone").code == 0


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
