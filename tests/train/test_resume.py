"""A training that is killed at any step and begun again ends as if nothing had happened: the same files and record."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.run.test_kills import ENVIRONMENT
from tests.train.rows_of_kinds import model_for
from tests.train.test_mixture import EVERY

from isthmus.api import make_plan
from isthmus.data.schema import Kind
from isthmus.results import DevPoint
from isthmus.running.execute import execute
from isthmus.stage import Settings
from isthmus.store import Store
from isthmus.study.spec import Recipe, Study
from isthmus.train import checkpoint
from isthmus.train.checkpoint import Progress
from isthmus.train.optimizer import make_optimizer

QUICK = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-3, "max_length": 32}
STUDIES: dict[str, dict[str, Any]] = {
    "kinds": {"intermediates": ["colours+places+spans+endings"]},
    "languages": {
        "intermediates": ["mixed"],
        "mixtures": {
            "mixed": {
                "tasks": ["colours"],
                "mlm": {"share": 0.5, "tasks": ["length"], "split": "test", "languages": ["en", "de"]},
            }
        },
    },
    "dev": {
        "intermediates": ["colours+places"],
        "recipe": {**QUICK, "epochs": 4, "evaluate_every": 4, "patience": 3, "checkpoint": "best", "dev_examples": 8},
    },
}


def stage_file(store: Store, model: Path, name: str) -> Path:
    """The stage of the mixture, ready to be run."""
    fields = {"models": [str(model)], "targets": ["length"], "recipe": QUICK, **STUDIES[name]}
    planned = make_plan(Study.model_validate(fields), store, "models", tasks=EVERY)
    for stage in planned.stages.values():
        if stage.function == "train":
            file = store.root / f"{name}.json"
            file.write_text(json.dumps(stage.to_json(Settings())))
            return file
        execute(store, stage, Settings())
    raise AssertionError


@pytest.mark.slow
def test_a_training_killed_at_random_steps_has_the_same_files_and_the_same_record(
    masked_model: Path, tmp_path: Path
) -> None:
    store = Store.open(tmp_path / "store")
    files = [str(stage_file(store, masked_model, name)) for name in STUDIES]
    command = [sys.executable, "-m", "tests.train.killed", str(store.root), *files]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=ENVIRONMENT)
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(lines) == 3 * len(STUDIES)
    for line in lines:
        assert line["killed"] and line["finished"], line
        assert set(line["same"].values()) == {True}, line
    assert any(0 < line["went_on_from"] < line["killed_at"][-1] - 1 for line in lines)
    kinds, languages, dev = (lines[3 * number]["result"] for number in range(3))
    assert list(kinds["members"]) == ["colours", "places", "spans", "endings"]
    assert list(languages["members"]) == ["colours", "mlm/en", "mlm/de"]
    assert {point["member"] for point in dev["dev"]} == {"colours", "places"}
    assert 0 < dev["kept_step"] <= dev["steps"]


def test_the_best_weights_of_the_checkpoint_outlive_better_ones_until_there_is_a_newer_checkpoint(
    masked_model: Path, tmp_path: Path
) -> None:
    """A killed training goes on from the checkpoint: on another machine the better ones might not come again."""
    model = model_for([Kind.SEQUENCE], masked_model)
    optimizer = make_optimizer(model, Recipe())

    def progress(step: int, *scores: float) -> Progress:
        return Progress(step, (), [DevPoint(10 * (n + 1), "a", "en", "accuracy", s) for n, s in enumerate(scores)])

    def kept() -> list[str]:
        return sorted(path.stem for path in tmp_path.glob("best-*"))

    bias = model.classifier.bias.data
    for step in (10, 20, 30):
        bias.fill_(step)
        checkpoint.save_best(tmp_path, step, model)
        if step == 10:
            checkpoint.save(tmp_path, progress(12, 50.0), model, optimizer)
    assert kept() == ["best-00000010", "best-00000030"]
    assert checkpoint.restore(tmp_path, model, optimizer).best == 10
    checkpoint.restore_best(tmp_path, 10, model)
    assert torch.equal(bias, torch.full_like(bias, 10))
    checkpoint.save(tmp_path, progress(32, 50.0, 60.0, 70.0), model, optimizer)
    assert kept() == ["best-00000030"]


def test_a_disk_that_is_full_leaves_the_checkpoint_before(
    masked_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_for([Kind.SEQUENCE], masked_model)
    optimizer = make_optimizer(model, Recipe())
    checkpoint.save(tmp_path, Progress(1), model, optimizer)
    import safetensors.torch

    save = safetensors.torch.save_file

    def full(tensors: Any, path: Path, **more: Any) -> None:
        save(tensors, path, **more)
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path, Progress(2), model, optimizer)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000001.safetensors"]
    assert checkpoint.restore(tmp_path, model, optimizer).step == 1


def test_what_a_killed_save_left_behind_is_removed(masked_model: Path, tmp_path: Path) -> None:
    model = model_for([Kind.SEQUENCE], masked_model)
    optimizer = make_optimizer(model, Recipe())
    checkpoint.save(tmp_path, Progress(1), model, optimizer)
    (tmp_path / ".checkpoint-00000002.safetensors.77.tmp").write_bytes(b"half")
    assert checkpoint.restore(tmp_path, model, optimizer).step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-00000001.safetensors"]
