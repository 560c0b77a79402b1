"""Several processes train as one does, and a training in several processes can be stopped, killed and gone on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from tests.run.small_study import TASKS
from tests.train.in_processes import CASES

from isthmus.api import Resources, make_plan
from isthmus.commands.running import resources
from isthmus.errors import ResourceError, SpecError
from isthmus.running.execute import Context, Interrupted, execute
from isthmus.stage import Settings, Stage
from isthmus.store import Store
from isthmus.study.spec import Study
from isthmus.train.launch import _problem

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


@pytest.mark.slow
def test_two_processes_train_as_one_does(masked_model: Path) -> None:
    """Every kind, mixtures, micro-batches, a process without a share, too little memory in one, and sharded models."""
    meeting: Any = dist.TCPStore("127.0.0.1", 0, None, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.train.in_processes", str(masked_model), str(meeting.port), str(rank), "2"],
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        for rank in range(2)
    ]
    printed = [worker.communicate(timeout=300)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    told = {line["case"]: line for line in map(json.loads, printed[0].splitlines())}
    assert told.keys() == CASES.keys()
    for name, case in CASES.items():
        found = told[name]
        assert found["agree"], f"{name}: both processes have the same weights, bit for bit"
        assert found["alone"]["weights"] < 1e-5, found
        assert found["alone"]["losses"] < 1e-5, found
        if case.stop:
            assert found["resumed"] == {"weights": 0.0, "losses": 0.0}, found
        if case.room:
            assert found["micro_batch"] == case.room
            assert found["warnings"] == ["memory ran out at step 1: micro-batch lowered to 1"]


RECIPE = {"epochs": 6, "batch_size": 4, "learning_rate": 1e-3, "max_length": 32}
EVALUATED = {"evaluate_every": 5, "checkpoint": "best", "dev_examples": 8}
TWO = Settings(2, "cpu", checkpoint_seconds=0, processes=2)


def stage_of(folder: Path, model: Path, recipe: dict[str, Any]) -> tuple[Store, Stage]:
    """The train stage of a small task in a store of its own; what it builds on is done."""
    store = Store.open(folder)
    study = Study.model_validate({"models": [str(model)], "targets": ["colours"], "recipe": {**RECIPE, **recipe}})
    *before, stage = make_plan(study, store, "models", tasks=TASKS).stages.values()
    assert stage.function == "train"
    for each in before:
        execute(store, each, Settings())
    return store, stage


def without_dropout(model: Path, folder: Path) -> Path:
    """A copy of the model that draws no random numbers."""
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def weights(store: Store, stage: Stage) -> dict[str, torch.Tensor]:
    folder = store.stage_folder(stage.key) / "model"
    return {name: value for path in folder.glob("*.safetensors") for name, value in load_file(path).items()}


@pytest.mark.slow
def test_a_stage_that_is_stopped_in_two_processes_and_finished_is_that_of_one(tiny_model: Path, tmp_path: Path) -> None:
    model = without_dropout(tiny_model, tmp_path / "model")
    store, stage = stage_of(tmp_path / "one", model, EVALUATED)
    execute(store, stage, Settings(device="cpu"))

    broken, same = stage_of(tmp_path / "two", model, EVALUATED)
    assert same.key == stage.key
    (broken.root / "stage.json").write_text(json.dumps(stage.to_json(TWO)))
    command = [str(Path(sys.executable).with_name("isthmus")), "stage", "run", str(broken.root / "stage.json")]
    leader = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    while not list(broken.root.glob("work/*/checkpoint-*")) and leader.poll() is None:
        time.sleep(0.01)
    workers = psutil.Process(leader.pid).children()
    leader.terminate()
    said = leader.communicate(timeout=60)[1]
    assert leader.returncode == 130, said
    assert "stopped after step" in said and "and saved" in said
    assert len(workers) == 2 and not psutil.wait_procs(workers, timeout=10)[1]

    execute(broken, stage, TWO)
    expected, found = weights(store, stage), weights(broken, stage)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    results = [each.record(stage.key) for each in (store, broken)]
    dev, steps = ([record.result[name] for record in results if record] for name in ("dev", "kept_step"))
    assert dev[0] == dev[1] and steps[0] == steps[1]


def context_of(tmp_path: Path, count: int) -> Context:
    stage = Stage("train", {}, title="train a task")
    return Context(Store(tmp_path), stage, Settings(processes=count), tmp_path, tmp_path / "output")


def test_the_process_that_was_killed_or_failed_first_is_the_cause(tmp_path: Path) -> None:
    context = context_of(tmp_path, 3)
    told = {0: [2.0, "RuntimeError: Connection closed by peer", 1], 2: [1.0, "This disk is full.", 2]}
    for rank, (when, error, code) in told.items():
        (tmp_path / f"worker-{rank}.json").write_text(json.dumps({"when": when, "error": error, "code": code}))
    assert str(_problem(context, [1, 0, 2])) == "This disk is full."
    assert _problem(context, [1, 0, 2]).exit_code == 2
    assert str(_problem(context, [1, -9, 0])) == (
        "Process 2 of 3 was ended by SIGKILL (the system may have run out of memory)."
    )
    context.stop()
    assert isinstance(_problem(context, [-15, 0, 0]), Interrupted), "before it could say anything"


def test_a_worker_ends_when_its_leader_does() -> None:
    program = (
        "import time; from isthmus.train import launch; launch.watch_leader(); print(1, flush=True); time.sleep(60)"
    )
    leader = "import subprocess, sys, os, signal\n"
    leader += f"worker = subprocess.Popen([sys.executable, '-c', {program!r}], stdin=-1, stdout=-1)\n"
    leader += "worker.stdout.readline(); print(worker.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    said = subprocess.run([sys.executable, "-c", leader], capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == -signal.SIGKILL, said.stderr
    deadline = time.monotonic() + 10
    while psutil.pid_exists(int(said.stdout)) and psutil.Process(int(said.stdout)).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("settings", "recipe", "sentence"),
    [
        (Settings(device="cpu"), {"precision": "fp16"}, "precision: fp16 needs a CUDA device, and there is none"),
        (Settings(device="cpu", shard="full"), {}, "--shard needs several processes"),
    ],
)
def test_what_this_machine_cannot_do_is_said_before_any_work(
    tiny_model: Path, tmp_path: Path, settings: Settings, recipe: dict[str, Any], sentence: str
) -> None:
    store, stage = stage_of(tmp_path / "store", tiny_model, recipe)
    with pytest.raises(ResourceError, match=sentence):
        execute(store, stage, settings)


def test_a_way_to_hold_a_model_that_there_is_not_is_said() -> None:
    with pytest.raises(SpecError, match="--shard is none, full or offload, not 'half'"):
        resources(None, "cpu", 60.0, shard="half")


def test_processes_share_the_cores_and_are_no_part_of_a_key(tiny_model: Path, tmp_path: Path) -> None:
    alone, _ = Resources(device="cpu").settle()
    several, settings = Resources(device="cpu", processes=2).settle()
    assert several == max(1, alone // 2)
    assert settings.processes == 2
    _, stage = stage_of(tmp_path / "store", tiny_model, {})
    assert stage.to_json(settings)["key"] == stage.to_json(Settings())["key"]
