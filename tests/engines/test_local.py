"""The local engine with a real zygote that has nothing to import, and stages that do almost nothing."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from isthmus.engines import Ended
from isthmus.engines.local import LocalEngine
from isthmus.errors import StageFailed

ROOT = Path(__file__).parents[2]


def instead_of_python(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Have the engine start this command as its zygote."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_python(tmp_path, monkeypatch, f"cd {ROOT} && exec {sys.executable} -m tests.engines.light_zygote")


@pytest.fixture
def engine(light: None) -> Iterator[LocalEngine]:
    made = LocalEngine(2, 1, ("GPU-a", "GPU-b"))
    yield made
    made.close()


def begin(engine: LocalEngine, folder: Path, key: str, what: str) -> Path:
    file, log = folder / f"{key}.json", folder / f"{key}.txt"
    file.write_text(what)
    engine.start(key, file, log)
    return log


def collect(engine: LocalEngine, count: int) -> list[Ended]:
    found: list[Ended] = []
    end = time.monotonic() + 60
    while len(found) < count and time.monotonic() < end:
        found += engine.ended(0.5)
    return sorted(found)


def wait_for(log: Path, text: str) -> None:
    end = time.monotonic() + 60
    while not (log.exists() and text in log.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_two_stages_at_once_see_a_gpu_each(engine: LocalEngine, tmp_path: Path) -> None:
    logs = [begin(engine, tmp_path, key, "gpus") for key in ("a", "b")]
    assert collect(engine, 2) == [Ended("a", 0), Ended("b", 0)]
    assert {log.read_text() for log in logs} == {"GPU-a\n", "GPU-b\n"}


def test_without_gpus_nothing_is_said_of_them(light: None, tmp_path: Path) -> None:
    engine = LocalEngine(1, 1)
    log = begin(engine, tmp_path, "a", "gpus")
    assert collect(engine, 1) == [Ended("a", 0)]
    assert log.read_text() == os.environ.get("CUDA_VISIBLE_DEVICES", "unset") + "\n"
    engine.close()


def test_a_cancelled_stage_ends_and_the_others_go_on(engine: LocalEngine, tmp_path: Path) -> None:
    wait_for(begin(engine, tmp_path, "long", "wait"), "waits")
    engine.cancel("long")
    engine.cancel("unknown")
    assert collect(engine, 1) == [Ended("long", -signal.SIGKILL)]
    begin(engine, tmp_path, "next", "7")
    assert collect(engine, 1) == [Ended("next", 7)]


def test_a_stage_is_cancelled_that_has_only_just_begun(engine: LocalEngine, tmp_path: Path) -> None:
    begin(engine, tmp_path, "long", "wait")
    engine.cancel("long")
    assert collect(engine, 1) == [Ended("long", -signal.SIGKILL)]


def test_when_the_zygote_is_killed_its_stages_are_lost_and_another_takes_over(
    engine: LocalEngine, tmp_path: Path
) -> None:
    wait_for(begin(engine, tmp_path, "long", "wait"), "waits")
    assert engine._process is not None
    engine._process.kill()
    (lost,) = collect(engine, 1)
    assert lost.key == "long"
    assert "ended" in lost.lost
    begin(engine, tmp_path, "long", "0")
    assert collect(engine, 1) == [Ended("long", 0)]


def test_a_zygote_may_be_killed_any_number_of_times(engine: LocalEngine, tmp_path: Path) -> None:
    for number in range(5):
        log = begin(engine, tmp_path, f"long-{number}", "wait")
        wait_for(log, "waits")
        while not engine._ready:
            engine.ended(0.1)
        assert engine._process is not None
        engine._process.kill()
        assert [lost.key for lost in collect(engine, 1)] == [f"long-{number}"]


def test_a_process_that_waits_for_a_stage_may_be_killed(engine: LocalEngine, tmp_path: Path) -> None:
    wait_for(begin(engine, tmp_path, "long", "wait"), "waits")
    assert engine._process is not None
    zygote, waiting = psutil.Process(engine._process.pid), list[psutil.Process]()
    end = time.monotonic() + 60
    while not waiting:
        assert time.monotonic() < end
        waiting = [each for each in zygote.children() if not any("long" in file.path for file in each.open_files())]
    waiting[0].kill()
    begin(engine, tmp_path, "next", "7")
    assert collect(engine, 1) == [Ended("next", 7)]


def test_a_stop_reaches_what_was_told_to_begin_before_it(engine: LocalEngine, tmp_path: Path) -> None:
    for number in range(5):
        wait_for(begin(engine, tmp_path, f"a{number}", "wait"), "waits")
        begin(engine, tmp_path, f"b{number}", "wait")
        started = time.monotonic()
        engine.stop(patience=60)
        assert time.monotonic() - started < 30 and not engine._running


def test_a_stop_does_not_wait_for_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_python(tmp_path, monkeypatch, "exec sleep 600")
    engine = LocalEngine(1, 1)
    begin(engine, tmp_path, "a", "0")
    engine.stop(patience=60)
    assert not engine._running
    engine.close()


def test_a_zygote_that_cannot_begin_is_an_error_and_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_python(tmp_path, monkeypatch, "exit 3")
    engine = LocalEngine(1, 1)
    begin(engine, tmp_path, "a", "0")
    with pytest.raises(StageFailed, match="status 3"):
        collect(engine, 1)
    engine.close()


def test_stop_has_the_stages_save_and_waits_for_them(engine: LocalEngine, tmp_path: Path) -> None:
    wait_for(begin(engine, tmp_path, "long", "wait"), "waits")
    engine.stop(patience=60)
    assert (tmp_path / "long.checkpoint").exists()
    begin(engine, tmp_path, "long", "wait")
    assert collect(engine, 1) == [Ended("long", 0)]
