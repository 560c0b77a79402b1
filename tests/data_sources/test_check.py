"""`isthmus data check`: what is there, what is missing, what is cut, and what has no labels."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def check(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "isthmus.cli", "data", "check", *map(str, arguments)]
    settings = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=settings, check=False)


def test_each_state_is_told(pack: Path) -> None:
    done = check(pack, "--task", "xnli", "--task", "xquad", "--task", "mrpc", "--task", "tydiqa", "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    states = {(e["task"], e["split"], e["language"]): (e["state"], e["rows"], e["expected"]) for e in told["entries"]}
    assert states["mrpc", "test", "en"] == ("complete", 1725, 1725)
    assert states["xquad", "test", "de"] == ("complete", 1190, 1190)
    assert states["xquad", "test", "th"] == ("missing", 0, 1190)
    assert states["xnli", "test", "en"] == ("no labels", 0, 5010)
    assert states["xnli", "dev", "de"] == ("fewer rows", 1200, 2490)
    assert states["tydiqa", "test", "sw"][0] == "no labels"
    repeated = next(e for e in told["entries"] if e["task"] == "tydiqa" and e["split"] == "train")
    assert any("3,607" in note for note in repeated["notes"])
    assert done.returncode == 1 and told["complete"] is False


def test_a_line_a_task_and_the_exit_status_0_where_all_is_there(pack: Path) -> None:
    done = check(pack, "--task", "mrpc", "--task", "sick")
    assert done.returncode == 0 and done.stderr == ""
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1] == ["mrpc", "complete", "complete", "5,801"]
    assert lines[2] == ["sick", "complete", "complete", "complete", "9,927"]


def test_a_suite_counts_what_it_trains_on_and_only_its_languages(pack: Path) -> None:
    done = check(pack / "qa", "--suite", "xtreme")
    assert done.returncode == 1
    assert "xquad" in done.stdout and "5 of 11" in done.stdout
    assert "Nothing is there of" in done.stdout and "squad" in done.stdout.split("Nothing is there of")[1]


def test_garbage_ends_in_words(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "xnli").mkdir()
    for language in ("de", "en", "fr"):
        (tmp_path / f"xnli/test-{language}.tsv").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "xnli/dev-en.tsv").write_text("")
    (tmp_path / "xquad.de.json").write_text("[" * 100_000)
    (tmp_path / "xquad.es.json").write_text('{"data": [{"paragraphs": 3}]}')
    (tmp_path / "xquad.en.json").mkdir()
    (tmp_path / "xquad.zh.json").symlink_to(tmp_path / "xquad.zh.json")
    shutil.copy(pack / "mc/xcopa/et/test.et.jsonl", tmp_path / "test.et.jsonl")
    (tmp_path / "loop").symlink_to(tmp_path)
    done = check(tmp_path, "--json")
    told = json.loads(done.stdout)
    states = {(e["task"], e["split"], e["language"]): e["state"] for e in told["entries"]}
    assert states["xnli", "test", "de"] == "faulty" and states["xnli", "dev", "en"] == "faulty"
    assert states["xquad", "test", "de"] == states["xquad", "test", "es"] == "faulty"
    assert states["xquad", "test", "en"] == states["xquad", "test", "zh"] == "missing"
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "There is no folder" in check(tmp_path / "nowhere").stderr
    assert "There is no suite called 'xtrem': did you mean xtreme" in check(tmp_path, "--suite", "xtrem").stderr
    assert "is not read from files" in check(tmp_path, "--task", "intents").stderr
