"""The Slurm engine: a job for each stage, submitted through submitit, those that are ready at once as an array.

Jobs outlive the run: should it die, they finish their stages in the store, and the next run finds them there, running
or still in the queue. A job that is pre-empted or runs out of time saves its checkpoint and is queued again.
"""

import contextlib
import json
import logging
import math
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.disk import write_atomic
from isthmus.engines import Ended
from isthmus.engines.options import COUNT, FROM_NONE, LINE, MEMORY, TEXT, TIME, one_of, time_from
from isthmus.engines.slurm_queue import (
    Fate,
    LocalQueue,
    Queue,
    SlurmQueue,
    check_script,
    folder_of,
    need_slurm,
    refusal,
)
from isthmus.errors import MissingPackage, ResourceError
from isthmus.running.attempts import keep_failure
from isthmus.running.execute import Interrupted
from isthmus.stage import Settings

JOBS = 64  # in the queue at once, where --workers does not say
_CPUS = 4
_TIME = 4 * 3600.0
_LEAST = 5  # minutes: a job must get somewhere before it is told to save
_WARNING = 120  # seconds before its end that a job is told to save
_TIMEOUTS = 100  # times that a job may run out of its time
_KEPT = 10.0  # seconds that the queue is thought to be the same
_SUFFIX = "_0_result.pkl"
_TAKE_ALONG = "slurm.json"
OPTIONS = {
    **dict.fromkeys(("partition", "qos", "account", "constraint", "gres"), TEXT),
    **{"time": time_from(_LEAST), "mem": MEMORY, "cpus": COUNT, "gpus": FROM_NONE, "timeouts": FROM_NONE},
    **{"poll": TIME, "setup": LINE, "cluster": one_of("slurm", "local")},
}


class _Order(NamedTuple):
    key: str
    stage_file: Path
    log: Path


class SlurmEngine:
    """Runs stages as Slurm jobs, at most ``slots`` in the queue at once.

    Raises:
        ResourceError: there is no Slurm here, or it would refuse the jobs.
        MissingPackage: submitit is not installed.
    """

    def __init__(self, options: Mapping[str, Any], slots: int, settings: Settings, root: Path) -> None:
        self.slots = slots
        self.threads: int = options.get("cpus", settings.threads if options.get("cluster") == "local" else _CPUS)
        self._folder = folder_of(root)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._executor = executor_of(options, slots, settings, self._folder)
        self._queue: Queue = SlurmQueue(options.get("poll", 30.0))
        if options.get("cluster") == "local":
            self._queue = LocalQueue()
        else:
            check_script(self._executor._make_submission_file_text("true", "test"))
        self._orders: list[_Order] = []
        self._jobs: dict[str, Any] = {}  # by key
        self._orders_of: dict[str, _Order] = {}
        self._cancelled: set[str] = set()
        self._missing: set[str] = set()  # jobs that were not in the queue when it was last looked at
        self._glanced = self._looked = float("-inf")
        self._stopping = False
        self._waiting: set[str] = set()  # the queue, for stages that begin
        self._asked = float("-inf")

    def start(self, key: str, stage_file: Path, log: Path) -> None:
        """Begin a stage; its job is submitted together with others that begin now."""
        order = self._orders_of[key] = _Order(key, stage_file, log)
        if job := self._left_behind(order):
            self._jobs[key] = job
        else:
            self._orders.append(order)

    def ended(self, timeout: float) -> list[Ended]:
        """The stages that ended since the last call.

        Raises:
            ResourceError: Slurm refuses jobs.
        """
        self._submit()
        end = time.monotonic() + timeout
        while True:
            found = self._finished() or self._gone()
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(left, self._queue.glance))

    def cancel(self, key: str) -> None:
        """End one stage now."""
        if job := self._jobs.get(key):
            self._cancelled.add(key)
            self._queue.cancel([job])
            self._looked = float("-inf")

    def stop(self, patience: float) -> None:
        """Have running stages save and stop, and wait for them; take the others out of the queue."""
        self._stopping = True
        self._orders.clear()
        self._queue.stop(list(self._jobs.values()))
        end = time.monotonic() + patience
        self._queue.look = min(2.0, self._queue.look)
        while self._jobs and time.monotonic() < end:
            self.ended(0.2)

    def close(self) -> None:
        """End the jobs that are left."""
        self._queue.cancel(list(self._jobs.values()))
        self._jobs.clear()

    def _submit(self) -> None:
        if not self._orders:
            return
        from isthmus.engines.slurm_job import StageJob

        orders, self._orders = self._orders, []
        jobs = []
        try:
            with self._executor.batch():
                for order in orders:
                    arguments = (str(order.stage_file), str(order.log), self.threads)
                    jobs.append(self._executor.submit(StageJob(), *arguments))
        except Exception as error:
            raise ResourceError(refusal(str(error))) from None
        for order, job in zip(orders, jobs, strict=True):
            self._jobs[order.key] = job
            if isinstance(self._queue, LocalQueue):
                self._queue.jobs.append(job)
            else:
                note = json.dumps({"job": job.job_id}).encode()
                write_atomic(order.stage_file.with_name(_TAKE_ALONG), note)

    def _left_behind(self, order: _Order) -> Any:
        """The job of an earlier run for this stage, if it is still in the queue."""
        note = order.stage_file.with_name(_TAKE_ALONG)
        if isinstance(self._queue, LocalQueue) or not note.exists():
            return None
        if time.monotonic() - self._asked > _KEPT:
            self._asked, self._waiting = time.monotonic(), self._queue.waiting() or set()
        name = json.loads(note.read_bytes())["job"]
        if name not in self._waiting:
            return None
        import submitit

        return submitit.SlurmJob(folder=self._folder, job_id=name)

    def _finished(self) -> list[Ended]:
        """The stages whose jobs left a result: one listing of the folder tells."""
        if time.monotonic() - self._glanced < self._queue.glance or not self._jobs:
            return []
        self._glanced = time.monotonic()
        with contextlib.suppress(OSError):  # has a network file system look again
            self._folder.chmod(self._folder.stat().st_mode)
        there = {name.removesuffix(_SUFFIX) for name in os.listdir(self._folder) if name.endswith(_SUFFIX)}  # noqa: PTH208
        return [self._result(key) for key, job in list(self._jobs.items()) if job.job_id in there]

    def _result(self, key: str) -> Ended:
        job = self._jobs.pop(key)
        try:
            code = job.result()
        except Exception as error:  # the job failed around the stage
            return self._failed(key, job, str(error))
        finally:
            cancelled = key in self._cancelled
            self._cancelled.discard(key)
        for path in (job.paths.result_pickle, job.paths.submitted_pickle, job.paths.stdout, job.paths.stderr):
            path.unlink(missing_ok=True)
        if cancelled:
            return Ended(key, -signal.SIGKILL)
        if code != Interrupted.exit_code or self._stopping:
            return Ended(key, code)
        fate = self._queue.fate(job)
        if fate.words.startswith("CANCELLED"):
            return self._fail(key, f"its Slurm job {job.job_id} was ended ({fate.words})", fate.code)
        return Ended(key, code, f"Slurm job {job.job_id} was pre-empted")

    def _failed(self, key: str, job: Any, told: str) -> Ended:
        if "timed-out too many times" in told:
            return self._fail(key, "it ran out of time again and again: raise --engine-option time or timeouts", 2)
        return self._fail(key, f"its Slurm job {job.job_id} failed; see {job.paths.stdout}")

    def _fail(self, key: str, reason: str, code: int = 1) -> Ended:
        keep_failure(self._orders_of[key].stage_file.parent, reason)
        return Ended(key, code)

    def _gone(self) -> list[Ended]:
        """The stages whose jobs are in the queue no more, twice in a row, and left no result."""
        if time.monotonic() - self._looked < (2.0 if self._cancelled else self._queue.look) or not self._jobs:
            return []
        self._looked = time.monotonic()
        waiting = self._queue.waiting()
        if waiting is None:
            return []
        missing = {key for key, job in self._jobs.items() if job.job_id not in waiting}
        gone, self._missing = missing & self._missing, missing
        found = []
        for key in sorted(gone):
            if self._jobs[key].paths.result_pickle.exists():
                found.append(self._result(key))
            else:
                found.append(self._fate(key))
        return found

    def _fate(self, key: str) -> Ended:
        job = self._jobs.pop(key)
        if key in self._cancelled:
            self._cancelled.discard(key)
            return Ended(key, -signal.SIGKILL)
        fate: Fate = self._queue.fate(job)
        reason = f"Slurm job {job.job_id} ended without a result ({fate.words})"
        if fate.lost:
            return Ended(key, fate.code, reason)
        if fate.code < 0:
            return Ended(key, fate.code)
        return self._fail(key, f"{reason}; see {job.paths.stdout}", fate.code)


def executor_of(options: Mapping[str, Any], slots: int, settings: Settings, folder: Path) -> Any:
    """submitit's executor with what every job is submitted with."""
    try:
        import submitit
    except ImportError:
        raise MissingPackage("submitit", "--engine slurm", "slurm") from None
    logging.getLogger("submitit").setLevel(logging.ERROR)
    minutes = math.ceil(round(options.get("time", _TIME) / 60, 3))
    gpus = options.get("gpus", settings.processes if settings.device == "cuda" else 0)
    if options.get("cluster") == "local":
        local = submitit.LocalExecutor(folder, max_num_timeout=options.get("timeouts", _TIMEOUTS))
        local.update_parameters(timeout_min=minutes, gpus_per_node=gpus, signal_delay_s=_WARNING, stderr_to_stdout=True)
        return local
    need_slurm()
    slurm = submitit.SlurmExecutor(folder, max_num_timeout=options.get("timeouts", _TIMEOUTS))
    wanted = {name: options[name] for name in ("partition", "qos", "account", "constraint", "gres") if name in options}
    if "mem" in options:
        wanted["mem"] = f"{math.ceil(round(options['mem'] * 1000, 3))}MB"
    if gpus:
        wanted["gpus_per_node"] = gpus
    if "setup" in options:
        wanted["setup"] = [options["setup"]]
    slurm.update_parameters(
        job_name="isthmus",
        time=minutes,
        cpus_per_task=options.get("cpus", _CPUS),
        signal_delay_s=_WARNING,
        stderr_to_stdout=True,
        array_parallelism=slots,
        additional_parameters={"requeue": True},
        **wanted,
    )
    return slurm
