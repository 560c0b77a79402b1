"""What the Slurm engine asks of Slurm's own commands, and the same for submitit's jobs on this machine."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from isthmus.errors import ResourceError

#: States of jobs that were taken by something other than the stage; after any other end a stage has failed.
_TAKEN = ("NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED", "REQUEUED", "COMPLETED", "UNKNOWN")
_BY_HAND = 2  # the exit status of what a person has to mend: it is not tried again
_PATIENCE = 120  # seconds that one of Slurm's commands may take


class Fate(NamedTuple):
    """What became of a job that left no result.

    Attributes:
        words: for people, such as ``NODE_FAIL on node7``.
        code: the exit status that the stage has, as far as that can be told (negative: a signal).
        lost: was the job taken from the stage, so that it is to be run again?
    """

    words: str
    code: int
    lost: bool


class Queue(Protocol):
    """Where jobs are."""

    #: seconds between looks for results, and between looks for jobs that are gone
    glance: float
    look: float

    def waiting(self) -> set[str] | None:
        """The jobs that wait or run; None where that cannot be told now."""

    def fate(self, job: Any) -> Fate:
        """What became of a job that is gone and left no result."""

    def cancel(self, jobs: Sequence[Any]) -> None:
        """End jobs now."""

    def stop(self, jobs: Sequence[Any]) -> None:
        """Have the stages of jobs save and stop; jobs that wait are taken out of the queue."""


class SlurmQueue:
    """The queue of a Slurm cluster. One call of ``squeue`` tells of all jobs; ``sacct`` is asked about those gone."""

    glance = 1.0

    def __init__(self, look: float) -> None:
        self.look = look

    def waiting(self) -> set[str] | None:
        """The jobs of this user in the queue."""
        told = _said(["squeue", "--me", "--noheader", "--array", "--format=%i"])
        return None if told is None else {line.strip() for line in told.splitlines()}

    def fate(self, job: Any) -> Fate:
        """What ``sacct`` says; a cluster may have none, and then the job counts as taken."""
        told = _said(["sacct", "-X", "-n", "-P", "-o", "State,ExitCode,NodeList", "-j", job.job_id]) or ""
        state, status, nodes = (told.strip().splitlines() or ["UNKNOWN|0:0|"])[-1].split("|")[:3]
        return fate_of(state, status, nodes)

    def cancel(self, jobs: Sequence[Any]) -> None:
        """``scancel``: the stage is asked to save, and killed half a minute later."""
        if jobs:
            _said(["scancel", *_ids(jobs)])

    def stop(self, jobs: Sequence[Any]) -> None:
        """Those that wait first, so that none of them begins meanwhile."""
        if jobs:
            _said(["scancel", "--state=PENDING", *_ids(jobs)])
            _said(["scancel", "--signal=TERM", *_ids(jobs)])


class LocalQueue:
    """Jobs that submitit runs on this machine, to try out what a cluster would do."""

    glance = look = 0.1

    def __init__(self) -> None:
        self.jobs: list[Any] = []

    def waiting(self) -> set[str] | None:
        """The jobs whose process runs."""
        self.jobs = [job for job in self.jobs if not job.done()]
        return {job.job_id for job in self.jobs}

    def fate(self, job: Any) -> Fate:
        """Somebody killed it: there is no other way to leave no result."""
        return Fate("killed", -signal.SIGKILL, True)

    def cancel(self, jobs: Sequence[Any]) -> None:
        """Kill what the job has started; the job itself ends then."""
        _signal(jobs, signal.SIGKILL)

    def stop(self, jobs: Sequence[Any]) -> None:
        """Tell the stages; the processes of submitit let this signal pass."""
        _signal(jobs, signal.SIGTERM)


def fate_of(state: str, status: str, nodes: str) -> Fate:
    """The fate in the words of ``sacct``: a state, ``code:signal``, and the nodes."""
    word = state.partition(" ")[0] or "UNKNOWN"  # of "CANCELLED by 1000"
    where = f" on {nodes}" if nodes and nodes != "None assigned" else ""
    code, _, number = status.partition(":")
    if word == "CANCELLED":
        return Fate(f"{state}{where}", _BY_HAND, False)
    if word == "OUT_OF_MEMORY":
        return Fate(f"{word}{where}", -signal.SIGKILL, False)
    killed = int(number) if number.isdecimal() else 0
    left = int(code) if code.isdecimal() else 0
    if left > 128:  # as shells tell of a signal
        killed = left - 128
    return Fate(f"{word}{where}", -killed or left or 1, word in _TAKEN)


def need_slurm() -> None:
    """Raises ResourceError where Slurm's commands are not installed."""
    missing = [name for name in ("sbatch", "srun", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        raise ResourceError(
            f"--engine slurm: there is no {missing[0]} on this machine: run this where jobs can be submitted from, or "
            "try it out with --engine-option cluster=local."
        )


def check_script(script: str) -> None:
    """Have Slurm look at the script of a job without taking it. Raises ResourceError when it would refuse the job."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        ended = subprocess.run(
            ["sbatch", "--test-only", file.name], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    if ended.returncode:
        raise ResourceError(refusal(ended.stderr or ended.stdout))


def refusal(told: str) -> str:
    """The sentence for what ``sbatch`` says when it refuses a job."""
    said = re.findall(r"sbatch: (?:error: )?(.+)", told) or [line for line in told.splitlines() if line.strip()]
    return f"Slurm refuses the jobs ({'; '.join(said)[:300].rstrip('.')}): change the --engine-option it names."


def _said(command: Sequence[str]) -> str | None:
    """What a command prints; None when it fails."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout if ended.returncode == 0 else None


def _ids(jobs: Iterable[Any]) -> list[str]:
    return [job.job_id for job in jobs]


def _signal(jobs: Sequence[Any], number: int) -> None:
    import psutil

    for job in jobs:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(int(job.job_id)).children(recursive=True):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)


def folder_of(root: Path) -> Path:
    """Where submitit keeps its scripts and pickles: inside of the store, which the nodes see."""
    return root / "slurm"
