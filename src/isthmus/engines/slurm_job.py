"""What a Slurm job does: run one stage, and be queued again where it is pre-empted or runs out of time.

The stage is a process of its own, `isthmus stage run stage.json`. Slurm warns the job with a signal of submitit's
choice; the stage is then asked to save and stop, and submitit has the job queued again, which goes on from there.
"""

import os
import signal
import subprocess
import sys
import time

from submitit.core.job_environment import JobEnvironment
from submitit.helpers import DelayedSubmission

from isthmus.engines.process import die_with_parent, variables

_POLL = 0.05


class StageJob:
    """Called with the stage; submitit calls `checkpoint` while it runs."""

    def __init__(self) -> None:
        self._process = 0

    def __call__(self, stage_file: str, log: str, threads: int) -> int:
        """Run the stage in the file ``stage_file``, what it prints going to ``log``; returns its exit status."""
        with open(log, "ab") as output:  # noqa: PTH123
            process = subprocess.Popen(
                [sys.executable, "-m", "isthmus.cli", "stage", "run", stage_file],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **variables(threads)},
                preexec_fn=_begin,  # noqa: PLW1509 - there are no other threads here
            )
        self._process = process.pid
        while not self._is_over():
            time.sleep(_POLL)
        return process.wait()

    def checkpoint(self, stage_file: str, log: str, threads: int) -> DelayedSubmission:
        """Have the stage save and stop; returns the job that goes on."""
        if self._process and not self._is_over():
            os.kill(self._process, signal.SIGTERM)
            while not self._is_over():
                time.sleep(_POLL)
        return DelayedSubmission(StageJob(), stage_file, log, threads)

    def _is_over(self) -> bool:
        """Has the process ended? Leaves it to be waited for: this is asked in the middle of a wait, too."""
        return os.waitid(os.P_PID, self._process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _begin() -> None:
    """In the process of the stage, before it begins: Slurm signals all processes of a job, and this one is for ours."""
    die_with_parent()
    signal.signal(getattr(signal, f"SIG{JobEnvironment.USR_SIG}"), signal.SIG_IGN)
