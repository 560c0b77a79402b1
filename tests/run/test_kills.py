"""Impossible to lose work with: a run killed at any moment and started again ends as if nothing had happened."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from isthmus.disk import sha256
from isthmus.running.attempts import process_of
from isthmus.store import Store

KILLS = 8  # benchmarks/kills.py has more
#: Without the tracing of coverage, which doubles the time that a process takes to start.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COV")}


def start(store: Path, model: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.run.small_study", str(store), str(model)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def finish(store: Path, model: Path) -> dict[str, Any]:
    process = start(store, model)
    printed, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    found: dict[str, Any] = json.loads(printed)
    return found


def weights(store: Path) -> dict[str, str]:
    return {
        str(path.relative_to(store)): sha256(path) for path in sorted(store.glob("stages/train-*/model/*.safetensors"))
    }


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Path, dict[str, Any]]:
    store = tmp_path_factory.mktemp("unbroken") / "store"
    return store, finish(store, tiny_model)


def test_the_small_study_finishes(unbroken: tuple[Path, dict[str, Any]]) -> None:
    store, told = unbroken
    assert set(told["states"].values()) == {"done"}
    assert sorted(told["here"]) == sorted(told["states"])
    assert len(weights(store)) == 2 * 4
    assert list((store / "work").iterdir()) == []


@pytest.mark.slow
def test_a_study_killed_at_random_moments_has_the_same_figures_and_the_same_weights(
    unbroken: tuple[Path, dict[str, Any]], tmp_path: Path, tiny_model: Path
) -> None:
    """Now the whole run is killed, now single stages of a run that goes on; never by anything that could be caught."""
    moment = random.Random(5)
    kills, number, done_before = 0, 0, 0
    while kills < KILLS:
        store = tmp_path / f"store-{number}"
        process = start(store, tiny_model)
        kills += kill_stages(process, store, moment, 3) if kills % 2 else kill_run(process, store, moment)
        process.communicate(timeout=90)
        done = len(list((store / "stages").glob("*/record.json")))
        assert done >= done_before, "a finished stage was lost"
        done_before = done
        if done == len(unbroken[1]["states"]):  # it got through: the next kills are for a fresh store
            compare(unbroken, store, tiny_model)
            number, done_before = number + 1, 0
    compare(unbroken, tmp_path / f"store-{number}", tiny_model)


def kill_run(process: "subprocess.Popen[str]", store: Path, moment: random.Random) -> int:
    """Kill the run while it plans and starts, or soon after its first stage began."""
    if moment.random() < 0.8:
        while not stage_processes(process.pid, store) and process.poll() is None:
            time.sleep(0.02)
    time.sleep(moment.uniform(0.0, 1.5))
    if process.poll() is not None:
        return 0
    process.kill()
    return 1


def kill_stages(process: "subprocess.Popen[str]", store: Path, moment: random.Random, most: int) -> int:
    """Kill up to ``most`` processes of single stages as they work."""
    killed: set[int] = set()
    while len(killed) < most and process.poll() is None:
        for child in stage_processes(process.pid, store):
            time.sleep(moment.uniform(0.0, 0.6))
            with contextlib.suppress(ProcessLookupError):
                if child not in killed and len(killed) < most:
                    os.kill(child, signal.SIGKILL)
                    killed.add(child)
        time.sleep(0.02)
    return len(killed)


def stage_processes(runner: int, store: Path) -> list[int]:
    """The processes of the run that work at a stage; not the one that is forked ahead and waits."""
    at_work = {told.pid for folder in store.glob("work/*") if (told := process_of(folder))}
    try:
        return [each.pid for each in psutil.Process(runner).children(recursive=True) if each.pid in at_work]
    except psutil.NoSuchProcess:
        return []


def compare(unbroken: tuple[Path, dict[str, Any]], store: Path, tiny_model: Path) -> None:
    """Finish what is left and hold it against the unbroken run."""
    told = finish(store, tiny_model)
    assert told["scores"] == unbroken[1]["scores"]
    assert set(told["states"].values()) == {"done"}
    assert weights(store) == weights(unbroken[0])
    assert [damage for _, damage in Store(store).verify() if damage] == []


@pytest.mark.slow
def test_a_stage_killed_before_each_of_its_disk_operations_is_finished_identically(
    unbroken: tuple[Path, dict[str, Any]], tmp_path: Path, tiny_model: Path
) -> None:
    """Fault injection: inside a checkpoint write, between write and rename, inside the publishing of the result."""
    store = tmp_path / "store"
    told = finish(store, tiny_model)
    keys = [next(key for key in told["states"] if key.startswith(function)) for function in ("train", "predict")]
    command = [sys.executable, "-m", "tests.run.crash_everywhere", str(store), *keys]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True, env=ENVIRONMENT)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {line["operation"] for line in lines} >= {
        "half of a safetensors file",
        "fsync",
        "rename",
        "replace",
        "rmtree",
    }
    for line in lines:
        assert line["killed"], line
        assert line["resumed"], line
        assert line["identical"], line
        assert line["damage"] == [], line
    assert len(lines) > 25


def test_two_runs_on_one_store_share_the_work_and_repeat_none_of_it(tmp_path: Path, tiny_model: Path) -> None:
    store = tmp_path / "store"
    processes = [start(store, tiny_model) for _ in range(2)]
    told = []
    for process in processes:
        printed, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
        told.append(json.loads(printed))
    first, second = (set(one["here"]) for one in told)
    assert first.isdisjoint(second)
    assert first | second == set(told[0]["states"])
    assert told[0]["scores"] == told[1]["scores"]
    assert set(told[0]["states"].values()) == set(told[1]["states"].values()) == {"done"}


def test_an_altered_stage_is_made_anew_and_nothing_else_is(
    unbroken: tuple[Path, dict[str, Any]], tmp_path: Path, tiny_model: Path
) -> None:
    store = tmp_path / "store"
    before = finish(store, tiny_model)
    key = next(key for key in before["states"] if key.startswith("predict"))
    path = next((store / "stages" / key / "predictions").iterdir())
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    after = finish(store, tiny_model)
    assert after["here"] == [key]
    assert after["scores"] == before["scores"]


def test_an_interrupted_run_saves_stops_and_goes_on(tmp_path: Path, tiny_model: Path) -> None:
    store = tmp_path / "store"
    process = start(store, tiny_model)
    while not list(store.glob("work/train-*/checkpoint-*")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors  # the program prints what there is; the command line leaves with 130
    states = json.loads(printed)["states"]
    assert "done" in states.values()
    assert set(states.values()) != {"done"}
    assert stage_processes(process.pid, store) == []
    again = finish(store, tiny_model)
    assert set(again["states"].values()) == {"done"}
    assert not set(again["here"]) & {key for key, state in states.items() if state == "done"}
