"""Which GPUs a stage has: its own, as long as there are enough."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.api import Resources
from isthmus.engines.gpus import Gpus, listed, visible

PLAIN = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaa)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-bbb)
"""
DIVIDED = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaa)
  MIG 3g.20gb     Device  0: (UUID: MIG-one)
  MIG 3g.20gb     Device  1: (UUID: MIG-two)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbb)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-ccc)
  MIG 7g.40gb     Device  0: (UUID: MIG-three)
"""


def test_devices_are_named_by_uuid_and_a_divided_gpu_by_its_parts() -> None:
    assert listed(PLAIN) == ("GPU-aaa", "GPU-bbb")
    assert listed(DIVIDED) == ("MIG-one", "MIG-two", "GPU-bbb", "MIG-three")
    assert listed("No devices found.\n") == ()


@pytest.mark.parametrize(
    ("preset", "names"),
    [("2,5", ("2", "5")), ("GPU-aaa, MIG-one", ("GPU-aaa", "MIG-one")), ("1,-1,0", ("1",)), ("", ()), ("-1", ())],
)
def test_a_variable_that_is_set_decides_as_it_does_in_cuda(preset: str, names: tuple[str, ...]) -> None:
    assert visible({"CUDA_VISIBLE_DEVICES": preset}, lambda: listed(PLAIN)) == names


def test_a_variable_makes_no_gpus_where_there_are_none() -> None:
    assert visible({"CUDA_VISIBLE_DEVICES": "0"}, tuple) == ()
    assert visible({}, lambda: listed(PLAIN)) == ("GPU-aaa", "GPU-bbb")


def test_a_stage_runs_for_each_gpu_or_for_as_many_as_a_training_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.api.visible", lambda _: ("0", "1", "2", "3"))
    assert Resources().settle()[0] == 4
    assert Resources(processes=2).settle()[0] == 2
    assert Resources(workers=3).settle()[0] == 3
    assert Resources(device="cpu", workers=1).settle()[1].device == "cpu"


@given(names=st.integers(1, 6), each=st.integers(1, 3), steps=st.lists(st.booleans(), max_size=40))
def test_stages_share_no_gpu_while_there_are_enough(names: int, each: int, steps: list[bool]) -> None:
    gpus = Gpus([str(number) for number in range(names)])
    held: dict[str, tuple[str, ...]] = {}
    for place, begins in enumerate(steps):
        if begins:
            held[f"stage-{place}"] = gpus.lend(f"stage-{place}", each)
            assert len(set(held[f"stage-{place}"])) == min(each, names)
        elif held:
            key = next(iter(held))
            gpus.take_back(key)
            del held[key]
        if len(held) * each <= names and not _was_crowded(steps[: place + 1], each, names):
            lent = [name for each_lent in held.values() for name in each_lent]
            assert len(lent) == len(set(lent))


def _was_crowded(steps: list[bool], each: int, names: int) -> bool:
    running = 0
    for begins in steps:
        running = running + 1 if begins else max(0, running - 1)
        if running * each > names:
            return True
    return False


def test_stages_that_outnumber_the_gpus_are_spread_evenly() -> None:
    gpus = Gpus(("0", "1"))
    assert [gpus.lend(key, 1) for key in "abcd"] == [("0",), ("1",), ("0",), ("1",)]
    gpus.take_back("b")
    gpus.take_back("d")
    assert gpus.lend("e", 1) == ("1",)


def test_each_stage_sees_its_own_gpus_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the zygote is told, by an engine whose zygote is a program that writes it down."""
    from isthmus.engines.local import LocalEngine

    told = tmp_path / "told"
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\nexec cat > {told}\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    engine = LocalEngine(2, 1, ("GPU-a", "GPU-b", "GPU-c", "GPU-d"), each=2)
    for key in ("train-1", "train-2"):
        engine.start(key, tmp_path / "stage.json", tmp_path / "log.txt")
    engine.close()
    seen = [json.loads(line)["variables"] for line in told.read_text().splitlines()]
    assert seen == [{"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}, {"CUDA_VISIBLE_DEVICES": "GPU-c,GPU-d"}]
    assert os.environ.get("CUDA_VISIBLE_DEVICES") not in ("GPU-a,GPU-b", "GPU-c,GPU-d")
