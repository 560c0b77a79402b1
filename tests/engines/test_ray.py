"""The Ray engine on two nodes of one machine: a node that goes away half-way costs no stage and changes no result."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.two_nodes import ENVIRONMENT, NODES

ROOT = Path(__file__).parents[2]
STUDY = {"intermediates": ["none", "colours"], "targets": ["length"]}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[str]"]:
    """A cluster of two nodes, which does as it is told."""
    command = [sys.executable, "-m", NODES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=120)


def say(nodes: "subprocess.Popen[str]", order: str) -> str:
    assert nodes.stdin is not None
    assert nodes.stdout is not None
    nodes.stdin.write(order + "\n")
    nodes.stdin.flush()
    answer = nodes.stdout.readline().strip()
    assert answer, "the cluster did not start, or has ended"
    return answer


def start(store: Path, model: Path, **fields: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.engines.program", str(store), str(model)]
    command += [json.dumps(fields), json.dumps(STUDY)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")} | ENVIRONMENT
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )


def finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    printed, errors = process.communicate(timeout=400)
    assert printed, errors
    told: dict[str, Any] = json.loads(printed)
    return told


def trains_on_second(nodes: "subprocess.Popen[str]", store: Path) -> bool:
    """Is there a training on the second node that has left a checkpoint?"""
    for path in store.glob("work/train-*/process.json"):
        if (
            list(path.parent.glob("checkpoint-*"))
            and say(nodes, f"has {json.loads(path.read_text())['pid']}") == "True"
        ):
            return True
    return False


@pytest.mark.slow
def test_on_two_nodes_of_which_one_is_killed_the_study_ends_as_on_one_machine(
    nodes: "subprocess.Popen[str]", tmp_path: Path, tiny_model: Path
) -> None:
    address = say(nodes, "address")
    ray = {"engine": "ray", "engine_options": {"address": address, "cpus": "1"}}
    asked_for_gpus = finish(start(tmp_path / "none", tiny_model, **ray, device="cuda"))
    assert "A stage needs 1 CPU and 1 GPU, which no node of the Ray cluster has" in asked_for_gpus["error"]

    process = start(tmp_path / "store", tiny_model, **ray)
    while not (there := trains_on_second(nodes, tmp_path / "store")) and process.poll() is None:
        time.sleep(0.05)
    say(nodes, "kill")
    told = finish(process)
    assert there, "the study was over before the node could be killed"
    assert set(told["states"].values()) == {"done"}
    assert told["errors"] == {}
    assert sorted(told["here"]) == sorted(told["states"])
    lost = [path for path in (tmp_path / "store").glob("stages/*/attempts.json") if '"lost": true' in path.read_text()]
    assert lost
    assert told["scores"] == finish(start(tmp_path / "local", tiny_model, workers=1))["scores"]


def test_a_run_that_is_interrupted_saves_and_leaves_the_cluster_running(
    nodes: "subprocess.Popen[str]", tmp_path: Path, tiny_model: Path
) -> None:
    fields = {"engine": "ray", "engine_options": {"address": say(nodes, "address"), "cpus": "1"}}
    process = start(tmp_path / "store", tiny_model, **fields)
    while not list((tmp_path / "store").glob("work/train-*/checkpoint-*")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    told = finish(process)
    assert process.returncode == 0
    assert "done" in told["states"].values()
    assert set(told["states"].values()) != {"done"}
    assert say(nodes, "count").isdecimal()


def test_an_address_where_there_is_no_cluster_is_one_sentence(tmp_path: Path, tiny_model: Path) -> None:
    fields = {"engine": "ray", "engine_options": {"address": "127.0.0.1:9"}}
    told = finish(start(tmp_path / "store", tiny_model, **fields))
    assert told["error"].startswith("There is no Ray cluster to join at 127.0.0.1:9 (")
