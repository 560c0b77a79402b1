"""A study run on one machine is finished on another, and two machines share the work of one study."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import SENTENCES


@pytest.fixture
def study(tmp_path: Path, tiny_model: Path) -> Path:
    """A study of two chains over files, with a real model in miniature."""
    rows = [f"{'long' if len(text) > 31 else 'short'}\t{text} {row}" for row in range(3) for text in SENTENCES]
    for name in ("train", "before", "de"):
        (tmp_path / f"{name}.tsv").write_text("\n".join(["label\ttext", *rows]) + "\n")
    fields = {
        "name": "pair",
        "models": [str(tiny_model)],
        "intermediates": ["none", str(tmp_path / "before.tsv")],
        "targets": [str(tmp_path / "train.tsv")],
        "files": {str(tmp_path / "train.tsv"): {"test": {"de": str(tmp_path / "de.tsv")}}},
        "recipe": {"epochs": 1, "batch_size": 4, "max_length": 32},
    }
    (tmp_path / "pair.yaml").write_text(json.dumps(fields))
    return tmp_path / "pair.yaml"


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "isthmus.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate()
    assert process.returncode == 0, err + out
    found: dict[str, object] = json.loads(out)
    return found


@pytest.mark.slow
def test_two_machines_share_a_study_and_a_third_has_nothing_left_to_do(study: Path, s3: str, tmp_path: Path) -> None:
    stores, url = [tmp_path / "a", tmp_path / "b"], f"{s3}/lab"
    both = [start("run", study, "--store", each, "--workers", "1", "--json", "--remote", url) for each in stores]
    runs = [answer(process) for process in both]
    stages = int(str(runs[0]["stages"]))
    assert sum(int(str(each["stages_run"])) for each in runs) == stages  # nothing twice
    differ = answer(start("store", "diff", url, "--store", stores[0], "--json"))
    assert differ["stages"] == {"here": [], "there": [], "both": stages}

    third = tmp_path / "c"
    pulled = answer(start("store", "pull", url, "--study", "pair", "--store", third, "--json"))
    assert len(pulled["stages"]) == stages and not pulled["failed"]  # type: ignore[arg-type]
    page = third / "studies/pair/report.html"
    page.unlink()
    assert answer(start("run", study, "--store", third, "--json"))["stages_run"] == 0
    for store in stores:  # the same records tell the same
        assert page.read_bytes() == (store / "studies/pair/report.html").read_bytes()
