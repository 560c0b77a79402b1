"""status, logs and why: of a finished study, of one that failed, of one under way; and names that are none."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.commands import watching
from isthmus.running.attempts import Attempt, keep_attempt, keep_failure
from isthmus.running.runner import State
from isthmus.store import Store
from tests.cli.conftest import PROGRAM, Said, refused

Program = Callable[..., Said]


def key_of(title: str) -> str:
    """The key of the finished stage of that title in the store of the working directory."""
    for path in Path("store/stages").glob("*/stage.json"):
        if json.loads(path.read_text())["title"] == title:
            return path.parent.name
    raise AssertionError(title)


TRAIN = "train tiny > reviews.csv, seed 1"
SCORE = "score tiny > reviews.csv on reviews.csv"
PREDICT = "predict tiny > reviews.csv on reviews.csv, 2 languages"


def half_way(title: str = TRAIN, done: int = 30) -> Path:
    """The stage is under way: neither it nor what builds on it is finished. Returns its folder."""
    key = key_of(title)
    work = Path("store/work") / key
    work.mkdir()
    shutil.copy(f"store/stages/{key}/stage.json", work)
    (work / "log.txt").write_text("--- 2026-01-01 00:00:01 UTC: begun by process 7 on node3\nloading\n")
    (work / "process.json").write_text('{"host": "node3", "pid": 7}')
    (work / "progress.json").write_text(json.dumps({"done": done, "total": 100, "seconds": 12.5}))
    for gone in {TRAIN: (TRAIN, PREDICT, SCORE), SCORE: (SCORE,)}[title]:
        shutil.rmtree(f"store/stages/{key_of(gone)}")
    return work


# -- status


def test_status_tells_how_far_running_stages_are_who_runs_them_and_when_they_were_last_heard_of(
    finished: Path, isthmus: Program
) -> None:
    work = half_way()
    keep_attempt(work, Attempt("2026-01-01T00:00:00+00:00", 5.0, "it fell"))
    past = time.time() - 40
    for path in work.iterdir():
        os.utime(path, (past, past))
    with Store(finished / "store").claim(work.name):
        said, told = isthmus("status", "small").out, isthmus("status", "small", "--json").json
    assert re.search(r"^running +12 +train tiny > reviews\.csv, seed 1", said, re.MULTILINE)
    note = "30 of 100 (30%), 12 seconds, process 7 on node3, last heard of 40 seconds ago; 1 failed attempt"
    assert note in " ".join(said.split())
    assert "5 finished, 1 running, 2 waiting." in said
    running = told["running"][work.name]
    assert {name: running[name] for name in ("done", "total", "seconds", "where")} == {
        "done": 30, "total": 100, "seconds": 12.5, "where": "process 7 on node3"}  # fmt: skip
    assert 39 < running["silent"] < 60
    assert told["attempts"][work.name][0]["reason"] == "it fell"
    assert told["stages"][work.name] == "running" and told["run_under_way"] is False


def test_what_builds_on_a_failed_stage_is_skipped_and_the_reason_is_told(finished: Path, isthmus: Program) -> None:
    keep_failure(half_way(), "The loss is no number.")
    said = isthmus("status", "small").out
    assert "5 finished, 1 failed, 2 skipped." in said
    assert f"failed: {TRAIN}: The loss is no number." in said
    assert re.search(
        r"^study +finished +running +failed +waiting +skipped\nsmall +5 +0 +1 +0 +2 *$", isthmus("status").out, re.M
    )


def test_watching_what_is_finished_ends_at_once(here: Path, isthmus: Program) -> None:
    said = isthmus("status", "--watch")
    assert (said.code, said.out) == (0, "small: 8 finished.\n")
    assert "ask for one of them" in isthmus("status", "--watch", "--json").json["error"]
    assert "run one first" in refused(isthmus("status", "--watch", "--store", str(Store.open(here / "none").root)))


def test_watching_tells_each_change_in_a_line_and_leaves_with_what_came_of_it(
    finished: Path, isthmus: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_REFRESH", 0.05)
    store = Store(finished / "store")
    work = half_way()

    def happen() -> None:
        with store.in_use():
            with store.claim(work.name):
                time.sleep(1)
            keep_failure(work, "It fell.")
            time.sleep(0.5)

    other = threading.Thread(target=happen)
    other.start()
    said = isthmus("status", "small", "--watch")
    other.join()
    lines = said.out.splitlines()
    assert said.code == 1 and lines[0] in ("small: 5 finished, 3 waiting.", "small: 5 finished, 1 running, 2 waiting.")
    assert "[8/8] failed train tiny > reviews.csv, seed 1: It fell." in lines
    assert sum(line.startswith("[8/8] skipped ") for line in lines) == 2


def test_the_watch_of_a_study_that_was_interrupted_ends_and_says_that_nobody_runs_it(
    finished: Path, isthmus: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_REFRESH", 0.05)
    monkeypatch.setattr(watching, "_PATIENCE", 0.2)
    half_way()
    said = isthmus("status", "small", "--watch")
    assert said.code == 1
    assert said.out == "small: 5 finished, 3 waiting.\nNo run is under way in this store.\n"


def test_a_run_that_begins_a_moment_later_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_PATIENCE", 0.2)
    store = Store.open(tmp_path / "store")
    end, waiting = watching._End(store), {"a": State.WAITING, "b": State.DONE}
    assert not end.is_here(waiting)
    time.sleep(0.25)
    with store.in_use():
        assert not end.is_here(waiting)
    assert not end.is_here(waiting), "its end is no sooner than the moment after it"
    time.sleep(0.25)
    assert end.is_here(waiting) and end.deserted


def test_on_a_terminal_the_watch_draws_bars_and_q_ends_it(finished: Path) -> None:
    work = half_way()
    with Store(finished / "store").claim(work.name):
        here, there = os.openpty()
        settings = {**os.environ, "COLUMNS": "120", "TERM": "xterm-256color"}
        command = [PROGRAM, "status", "small", "--watch"]
        process = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=settings)
        os.close(there)
        drawn, end = "", time.monotonic() + 90
        try:
            while "q ends the watching" not in drawn and time.monotonic() < end:
                if select.select([here], [], [], 0.5)[0]:
                    drawn += os.read(here, 1 << 16).decode(errors="replace")
            os.write(here, b"q")
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            os.close(here)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert "5/8" in plain and "30/100" in plain and "train tiny > reviews.csv, seed 1" in plain
    assert "left" in plain and "━" in plain


def test_ctrl_c_ends_the_watch_and_nothing_else(finished: Path, process: Program) -> None:
    half_way()
    watch = subprocess.Popen([PROGRAM, "status", "small", "-w"], stdout=subprocess.PIPE, text=True)
    assert watch.stdout is not None and watch.stdout.readline().startswith("small: 5 finished")
    watch.send_signal(signal.SIGINT)
    assert watch.wait(timeout=60) == 0


# -- logs


def test_the_log_of_a_stage_is_found_by_key_by_its_beginning_and_by_words(here: Path, isthmus: Program) -> None:
    key = key_of(TRAIN)
    whole = Path(f"store/stages/{key}/log.txt").read_text()
    for name in (
        [key],
        [key[:14]],
        [key[6:16]],
        [TRAIN],
        TRAIN.split(),
        ["tiny > reviews.csv, seed"],
        [TRAIN, "--study", "small"],
    ):
        said = isthmus("logs", *name)
        assert said.code == 0, said
        assert said.err == f"{TRAIN} ({key}): finished\n"
        assert said.out.replace("\n\n---", "\n---") == whole
    told = isthmus("logs", key, "--json").json
    assert told["key"] == key and told["state"] == "finished"
    assert "\n".join(line for part in told["log"] for line in part) + "\n" == whole


def test_attempts_are_apart_and_of_each_the_last_lines_are_shown(finished: Path, isthmus: Program) -> None:
    work = half_way()
    with (work / "log.txt").open("a") as log:
        log.write("step 1\nstep 2\nstep 3\n")
    keep_attempt(work, Attempt("2026-01-01T00:00:00+00:00", 5.0, "it fell"))
    with (work / "log.txt").open("a") as log:
        log.write("--- 2026-01-01 00:00:09 UTC: begun by process 8 on node4\nstep 3\nstep 4\n")
    said = isthmus("logs", work.name)
    assert said.err == f"{TRAIN} ({work.name}): not running\n"
    first, second = said.out.split("\n\n")
    assert "node3" in first and first.endswith("UTC: ended: it fell") and "node4" in second
    short = isthmus("logs", work.name, "--lines", "1").out.splitlines()
    assert [line.partition("UTC: ")[2] or line for line in short] == [
        "begun by process 7 on node3", "ended: it fell", "", "begun by process 8 on node4", "step 4"]  # fmt: skip
    told = isthmus("logs", work.name, "--json").json
    assert [len(part) for part in told["log"]] == [6, 3] and told["attempts"][0]["reason"] == "it fell"


def test_following_a_log_goes_on_until_the_stage_ends(finished: Path, isthmus: Program) -> None:
    store = Store(finished / "store")
    shutil.copytree(store.stage_folder(key_of(SCORE)), aside := finished / "aside")
    work = half_way(SCORE)

    def happen() -> None:
        with store.in_use(), store.claim(work.name):
            for number in range(3):
                time.sleep(0.4)
                with (store.root / "work" / work.name / "log.txt").open("a") as log:
                    log.write(f"step {number}\n")
            shutil.copy(store.work_folder(work.name) / "log.txt", aside / "log.txt")
            aside.rename(store.stage_folder(work.name))

    other = threading.Thread(target=happen)
    other.start()
    time.sleep(0.1)
    said = isthmus("logs", work.name, "--follow")
    other.join()
    assert said.code == 0 and said.out.splitlines()[1:] == ["loading", "step 0", "step 1", "step 2"]


def test_a_stage_that_was_followed_and_is_given_up_leaves_with_status_1(finished: Path, isthmus: Program) -> None:
    keep_failure(work := half_way(), "It fell.")
    said = isthmus("logs", work.name, "-f")
    assert said.code == 1 and "failed: It fell." in said.err


def test_the_log_of_a_stage_that_was_not_begun_is_not_that_of_another(finished: Path, isthmus: Program) -> None:
    key = key_of(SCORE)
    shutil.rmtree(f"store/stages/{key}")
    for name in ([SCORE], [key[:12]]):
        assert refused(isthmus("logs", *name)) == f"{SCORE} ({key}) has no log: it has not been begun."


def test_a_name_that_is_no_stages_or_several_stages_is_answered_in_a_sentence(here: Path, isthmus: Program) -> None:
    for command in ("logs", "why"):
        several = refused(isthmus(command, "score"))
        assert several.startswith("2 stages are called 'score': score tiny > ") and several.endswith(
            "Give the key, or more words."
        )
        assert key_of(SCORE) in several
        assert "There is no stage 'trian-12': did you mean train-" in refused(isthmus(command, "trian-12"))
        assert "did you mean train tiny > reviews.csv, seed 1" in refused(
            isthmus(command, "train tiny > review.csv, sed 1")
        )
        assert "No study called other was run" in refused(isthmus(command, "score", "--study", "other"))
        assert "There is no store" in refused(isthmus(command, "score", "--store", "elsewhere"))
        assert isthmus(command, "nothing", "--json").json.keys() == {"error"}
    assert "ask for one of them" in isthmus("logs", key_of(SCORE), "--json", "--follow").json["error"]
    Path("more.yaml").write_text(Path("study.yaml").read_text().replace("epochs: 20", "epochs: 21"))
    unrun = refused(isthmus("logs", *SCORE.split(), "--study", "more.yaml"))
    assert unrun.startswith(f"{SCORE} (score-") and unrun.endswith(" has no log: it has not been begun.")


# -- why


def test_why_of_a_finished_stage(here: Path, isthmus: Program) -> None:
    key = key_of(PREDICT)
    told = isthmus("why", key, "--json").json
    assert (told["key"], told["title"], told["state"], told["nearest"]) == (key, PREDICT, "done", None)
    assert told["why"][1] == "It is up to date: its study needs a stage of just this key."
    assert [need["title"] for need in told["needs"]] == [TRAIN]
    assert [need["title"] for need in told["needs"][0]["needs"]] == ["get tiny"]
    assert [after["title"] for after in told["needed_by"]] == [SCORE]
    assert [(chain["study"], chain["intermediate"], chain["target"]) for chain in told["chains"]] == [
        ("small", "none", "reviews.csv")]  # fmt: skip
    said = isthmus("why", *PREDICT.split())
    assert said.code == 0 and said.out.startswith(f"{PREDICT}\n{key}, done\n")
    assert "└── get tiny  done" in said.out and f"  {SCORE}  done" in said.out
    assert "small: tiny > none > reviews.csv, seed 1" in said.out
    model = isthmus("why", "get tiny", "--json").json
    assert len(model["needed_by"]) == 7 and len(model["chains"]) == 2


def test_why_of_an_altered_one(finished: Path, isthmus: Program) -> None:
    key = key_of(SCORE)
    (finished / "store/stages" / key / "statistics.parquet").write_bytes(b"")
    why = isthmus("why", key, "--json").json["why"]
    assert why[0].startswith(f"It is not up to date: {key}: statistics.parquet has 0 bytes instead of ")


def test_why_of_one_that_a_changed_study_would_run(here: Path, isthmus: Program) -> None:
    text = Path("study.yaml").read_text().replace("epochs: 20", "epochs: 21").replace("name: small", "name: more")
    Path("more.yaml").write_text(text)
    told = isthmus("why", TRAIN, "--study", "more.yaml", "--json").json
    assert told["state"] == "waiting"
    assert told["why"] == [
        "It is not finished: there is no record of it in the store.",
        "All that it builds on is finished: the next run of its study begins it.",
    ]
    assert told["nearest"]["key"] == key_of(TRAIN)
    assert told["nearest"]["differs"] == {"recipe.epochs": {"here": "21.0", "there": "20.0"}}
    score = isthmus("why", SCORE, "--study", "more.yaml", "--json").json
    assert score["why"][1] == f"It waits for: {PREDICT} (waiting)."
    said = isthmus("why", TRAIN, "--study", "more.yaml").out
    assert "  recipe.epochs: 21.0 here, 20.0 there\n" in said


def test_why_of_one_of_an_older_version_and_of_one_that_failed(
    finished: Path, isthmus: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isthmus import stage

    old = key_of(SCORE)
    monkeypatch.setattr(stage, "VERSIONS", {**stage.VERSIONS, "score": 99})
    monkeypatch.setattr("isthmus.commands.reasons.VERSIONS", stage.VERSIONS)
    why = isthmus("why", old, "--json").json["why"]
    assert "It is out of date: it was made by version 1 of score, which now has version 99." in why[1]
    new = isthmus("why", SCORE, "--json").json
    assert new["key"] != old and new["nearest"]["differs"] == {"version": {"here": "99", "there": "1"}}
    work = finished / "store/work" / new["key"]
    work.mkdir()
    keep_failure(work, "It fell.")
    keep_attempt(work, Attempt("2026-01-01T00:00:00+00:00", 5.0, "it fell"))
    why = isthmus("why", SCORE, "--json").json["why"]
    assert why[0] == "It is not finished: it failed (It fell.)."
    assert why[1] == "Attempts that came to nothing: 2026-01-01T00:00:00+00:00, it fell."
