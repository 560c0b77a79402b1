"""The Slurm engine through submitit on a Slurm of one node (`fake_slurm.py`), with stages that cost nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isthmus.engines import Ended
from isthmus.engines.choose import options_of
from isthmus.engines.slurm import SlurmEngine
from isthmus.engines.slurm_queue import fate_of
from isthmus.errors import ResourceError
from isthmus.stage import Settings
from tests.engines import fake_slurm

ROOT = Path(__file__).parents[2]
COMMANDS = ("sbatch", "srun", "squeue", "sacct", "scancel", "scontrol")


class Cluster:
    """The fake Slurm's folder, and a store beside it."""

    def __init__(self, folder: Path) -> None:
        self.home, self.root = folder / "slurm-home", folder / "store"
        self.home.mkdir()
        self.root.mkdir()

    def engine(self, **options: str) -> SlurmEngine:
        options = {"poll": "1", **options}
        made = SlurmEngine(options_of("slurm", options), 8, Settings(1, "cpu"), self.root)
        made._queue.glance = 0.1  # type: ignore[misc]
        return made

    def begin(self, engine: SlurmEngine, key: str, what: str) -> Path:
        work = self.root / "work" / key
        work.mkdir(parents=True, exist_ok=True)
        (work / "stage.json").write_text(what)
        engine.start(key, work / "stage.json", work / "log.txt")
        return work

    def jobs(self) -> dict[str, dict]:
        return {job["id"]: job for job in fake_slurm.jobs()}

    def when_it_waits(self, engine: SlurmEngine, work: Path) -> None:
        """Let the engine submit, until the stage says that it waits."""
        end = time.monotonic() + 120
        while not ((work / "log.txt").exists() and "waits" in (work / "log.txt").read_text()):
            assert engine.ended(0.1) == []
            assert time.monotonic() < end


def collect(engine: SlurmEngine, count: int) -> list[Ended]:
    found: list[Ended] = []
    end = time.monotonic() + 120
    while len(found) < count and time.monotonic() < end:
        found += engine.ended(0.5)
    return sorted(found)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(tmp_path)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in COMMANDS:
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} -S {commands}/.{name}/{name} "$@"\n')
        (commands / name).chmod(0o755)
        (commands / f".{name}").mkdir()
        (commands / f".{name}" / name).symlink_to(Path(fake_slurm.__file__))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys\nif 'isthmus.cli' in sys.orig_argv:\n"
        "    from tests.engines import light_stage\n    light_stage.instead()\n"
    )
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{ROOT}")
    monkeypatch.setenv("FAKE_SLURM", str(made.home))
    monkeypatch.setattr(fake_slurm, "HOME", made.home)
    return made


def test_stages_that_begin_together_are_one_array_and_end_with_their_status(cluster: Cluster) -> None:
    options = {
        "partition": "debug",
        "qos": "low",
        "account": "me",
        "constraint": "a100",
        "time": "5.2m",
        "mem": "1.0001G",
    }
    engine = cluster.engine(**options, gpus="1", cpus="3", setup="module load cuda")
    for key, code in (("a", "0"), ("b", "7"), ("c", "0")):
        cluster.begin(engine, key, code)
    assert collect(engine, 3) == [Ended("a", 0), Ended("b", 7), Ended("c", 0)]
    assert list(cluster.jobs()) == ["100_0", "100_1", "100_2"]
    script = (cluster.root / "slurm" / "100_submission.sh").read_text()
    said = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", script, re.MULTILINE))
    expected = {
        "array": "0-2%3",
        "job-name": "isthmus",
        "partition": "debug",
        "qos": "low",
        "account": "me",
        "constraint": "a100",
        "time": "6",  # never less than was asked for
        "mem": "1001MB",
        "gpus-per-node": "1",
        "cpus-per-task": "3",
        "signal": "USR2@120",
        "requeue": "",
        "open-mode": "append",
    }
    assert {name: said.get(name) for name in expected} == expected
    assert "\nmodule load cuda\n" in script
    assert not list((cluster.root / "slurm").glob("*.pkl"))  # nothing is left of jobs that ended well
    cluster.begin(engine, "d", "0")
    assert collect(engine, 1) == [Ended("d", 0)]  # one alone is no array
    assert "101" in cluster.jobs()


def test_a_job_that_is_warned_saves_is_queued_again_and_goes_on(cluster: Cluster) -> None:
    engine = cluster.engine()
    work = cluster.begin(engine, "long", "wait")
    cluster.when_it_waits(engine, work)
    fake_slurm.tell(cluster.jobs()["100"], signal.SIGUSR2)
    assert collect(engine, 1) == [Ended("long", 0)]
    assert (work / "stage.checkpoint").exists()
    assert cluster.jobs()["100"]["starts"] == 2


def test_a_job_that_is_asked_to_end_saves_and_the_stage_counts_as_lost(cluster: Cluster) -> None:
    engine = cluster.engine()
    work = cluster.begin(engine, "long", "wait")
    cluster.when_it_waits(engine, work)
    fake_slurm.tell(cluster.jobs()["100"], signal.SIGTERM)
    assert collect(engine, 1) == [Ended("long", 130, "Slurm job 100 was pre-empted")]
    cluster.begin(engine, "long", "wait")
    assert collect(engine, 1) == [Ended("long", 0)]


def test_a_job_that_somebody_cancels_is_not_begun_again(cluster: Cluster) -> None:
    engine = cluster.engine()
    work = cluster.begin(engine, "long", "wait")
    cluster.when_it_waits(engine, work)
    job = cluster.jobs()["100"]
    fake_slurm.keep({**job, "state": "CANCELLED by 1000"})
    fake_slurm.tell(job, signal.SIGTERM)
    assert collect(engine, 1) == [Ended("long", 2)]
    assert "CANCELLED by 1000" in json.loads((work / "failure.json").read_text())["error"]


def test_a_job_that_goes_with_its_node_is_lost_in_the_words_of_slurm(cluster: Cluster) -> None:
    engine = cluster.engine()
    work = cluster.begin(engine, "long", "wait")
    cluster.when_it_waits(engine, work)
    job = cluster.jobs()["100"]
    fake_slurm.keep({**job, "state": "NODE_FAIL"})
    fake_slurm.tell(job, signal.SIGKILL)
    assert collect(engine, 1) == [Ended("long", 1, "Slurm job 100 ended without a result (NODE_FAIL on node1)")]


def test_a_job_that_fails_around_its_stage_says_where_to_look(cluster: Cluster) -> None:
    engine = cluster.engine(setup="exit 4")
    work = cluster.begin(engine, "a", "0")
    (ended,) = collect(engine, 1)
    assert (ended.code, ended.lost) == (4, "")
    assert "FAILED on node1" in json.loads((work / "failure.json").read_text())["error"]


def test_a_cancelled_job_ends(cluster: Cluster) -> None:
    engine = cluster.engine()
    work = cluster.begin(engine, "long", "wait")
    cluster.when_it_waits(engine, work)
    engine.cancel("long")
    assert collect(engine, 1) == [Ended("long", -signal.SIGKILL)]
    assert cluster.jobs()["100"]["state"] == "CANCELLED"


def test_jobs_left_in_the_queue_by_a_run_that_died_are_taken_over(cluster: Cluster) -> None:
    (cluster.home / "full").touch()
    engine = cluster.engine()
    cluster.begin(engine, "a", "0")
    assert engine.ended(0.1) == []
    del engine
    again = cluster.engine()
    cluster.begin(again, "a", "0")
    assert again.ended(0.1) == []
    assert list(cluster.jobs()) == ["100"]
    fake_slurm.run(cluster.jobs()["100"])
    assert collect(again, 1) == [Ended("a", 0)]


def test_stop_has_what_runs_save_and_takes_the_rest_out_of_the_queue(cluster: Cluster) -> None:
    engine = cluster.engine()
    work = cluster.begin(engine, "runs", "wait")
    cluster.when_it_waits(engine, work)
    (cluster.home / "full").touch()
    cluster.begin(engine, "waits", "0")
    engine.ended(0.1)
    engine.stop(patience=60)
    engine.close()
    assert (work / "stage.checkpoint").exists()
    assert {job["id"]: job["state"] for job in cluster.jobs().values()}["101"] == "CANCELLED"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"partition": "gpu"}, "invalid partition specified: gpu"), ({"gpus": "4"}, "configuration is not available")],
)
def test_what_slurm_would_refuse_is_said_before_anything_is_submitted(
    cluster: Cluster, options: dict[str, str], words: str
) -> None:
    with pytest.raises(ResourceError, match=words):
        cluster.engine(**options)
    assert cluster.jobs() == {}


def test_where_there_is_no_slurm_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ResourceError, match="no sbatch on this machine"):
        Cluster(tmp_path).engine()


@pytest.mark.parametrize(
    ("told", "code", "lost"),
    [
        (("NODE_FAIL", "0:0", "n1"), 1, True),
        (("PREEMPTED", "0:15", "n1"), -15, True),
        (("OUT_OF_MEMORY", "0:125", "n1"), -9, False),
        (("FAILED", "137:0", "n1"), -9, False),
        (("FAILED", "3:0", "n1"), 3, False),
        (("CANCELLED by 1000", "0:0", "None assigned"), 2, False),
        (("TIMEOUT", "0:0", "n1"), 1, False),
        (("", "", ""), 1, True),
    ],
)
def test_only_what_was_taken_from_a_stage_is_lost(told: tuple[str, str, str], code: int, lost: bool) -> None:
    fate = fate_of(*told)
    assert (fate.code, fate.lost) == (code, lost)


@pytest.mark.slow
def test_a_real_stage_runs_as_a_job_of_submitits_on_this_machine(tmp_path: Path, tiny_model: Path) -> None:
    """One chain of the small study, without a Slurm: what a job does is the same."""
    study = {"intermediates": ["none"], "targets": ["length"], "recipe": {"epochs": 1, "max_length": 32}}
    fields = {"engine": "slurm", "engine_options": {"cluster": "local"}, "workers": 2}
    command = [sys.executable, "-m", "tests.engines.program", str(tmp_path / "store"), str(tiny_model)]
    command += [json.dumps(fields), json.dumps(study)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert set(told["states"].values()) == {"done"}
    assert sorted(told["here"]) == sorted(told["states"])
    assert set(told["begun"].values()) == {1}
