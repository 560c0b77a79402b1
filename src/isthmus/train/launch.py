"""A training in several processes of this machine: one that leads, and the workers that it starts and looks after.

The leader holds the claim of the stage and computes nothing. A worker ends when the leader does, however that ends.
When a worker fails, the leader ends the others and says what the first that failed had to say. Workers are started
anew rather than forked: a process that has computed cannot be forked safely.

    python -m isthmus.train.launch STAGE.JSON    (a worker; which one, and of how many, is in its environment)
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.disk import plainly, write_atomic
from isthmus.errors import IsthmusError, StageFailed
from isthmus.running.execute import Context, Interrupted, store_of
from isthmus.stage import Json, read_stage
from isthmus.store import Store

_RESULT = "result.json"
_FAILURE = "worker-{}.json"
_LOCK = "workers.lock"
_POLL = 0.05  # seconds between looks at the workers
_PATIENCE = timedelta(hours=1)  # for a process that the others wait for: the first may be writing a large checkpoint


class _Failure(NamedTuple):
    """What a worker said last: when (by the clock since the machine started), the sentence, the exit status."""

    when: float
    error: str
    code: int


def run(context: Context) -> dict[str, Json]:
    """Run the stage's training in ``settings.processes`` workers; returns the result of the first.

    Raises:
        IsthmusError: what the worker that failed first had to say.
        Interrupted: the stage was asked to stop, and saved what it had.
    """
    count = context.settings.processes
    for path in (context.work / _RESULT, *context.work.glob(_FAILURE.format("*"))):
        path.unlink(missing_ok=True)
    with _alone(context) as held:
        import torch.distributed as dist

        meeting: Any = dist.TCPStore(  # type: ignore[attr-defined]
            "127.0.0.1", 0, None, is_master=True, wait_for_workers=False
        )
        workers: list[subprocess.Popen[bytes]] = []
        try:
            workers.extend(_start(context, rank, meeting.port, held) for rank in range(count))
            codes = _wait(context, workers)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    if any(codes):
        raise _problem(context, codes)
    told = json.loads((context.work / _RESULT).read_bytes())
    context.warnings.extend(told["warnings"])
    result: dict[str, Json] = told["result"]
    return result


@contextlib.contextmanager
def _alone(context: Context) -> Iterator[int]:
    """Wait for the workers of an attempt that was killed to end; they hold the lock, which ours inherit."""
    with (context.work / _LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        shutil.rmtree(context.output / "model", ignore_errors=True)
        yield file.fileno()


def _start(context: Context, rank: int, port: int, held: int) -> "subprocess.Popen[bytes]":
    count = context.settings.processes
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    environment = {
        **os.environ,
        **{name: str(value) for name, value in place.items()},
        "MASTER_ADDR": "127.0.0.1",
        "OMP_NUM_THREADS": str(max(1, context.settings.threads // count)),
        "TOKENIZERS_PARALLELISM": "false",
    }
    if sys.platform == "linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    return subprocess.Popen(
        [sys.executable, "-m", "isthmus.train.launch", str(context.work / "stage.json")],
        stdin=subprocess.PIPE,  # its end tells the worker that the leader is gone
        env=environment,
        pass_fds=(held,),
        start_new_session=True,  # Ctrl-C is for the one who started the study
    )


def _wait(context: Context, workers: "Sequence[subprocess.Popen[bytes]]") -> list[int]:
    """Until all have ended or one has failed; returns the status of each, 0 for those that still run.

    A request to stop is passed on.
    """
    told = False
    while True:
        codes = [worker.poll() for worker in workers]
        if None not in codes or any(code not in (None, 0, Interrupted.exit_code) for code in codes):
            return [code or 0 for code in codes]
        if context.stopping() and not told:
            told = True
            for worker in workers:
                worker.terminate()
        time.sleep(_POLL)


def _problem(context: Context, codes: Sequence[int]) -> IsthmusError:
    """Why there is no result. Workers that lose another fail, too: what was killed, or said so first, is the cause."""
    killed = next(((rank, -code) for rank, code in enumerate(codes) if code < 0), None)
    if killed and context.stopping():
        return Interrupted(f"{context.stage.title}: stopped while it was starting.")
    if killed:
        name = signal.Signals(killed[1]).name
        hint = " (the system may have run out of memory)" if name == "SIGKILL" else ""
        return StageFailed(f"Process {killed[0] + 1} of {len(codes)} was ended by {name}{hint}.")
    said = [_Failure(**json.loads(path.read_bytes())) for path in context.work.glob(_FAILURE.format("*"))]
    if not said:
        return StageFailed(f"A process of the training ended with status {max(codes)}: see {context.work / 'log.txt'}.")
    first = min(said)
    problem = Interrupted(first.error) if first.code == Interrupted.exit_code else StageFailed(first.error)
    problem.exit_code = first.code
    return problem


# -- in a worker


def main(file: Path) -> int:
    """Do a worker's part of the stage in ``file``; its exit status."""
    watch_leader()
    stage, settings = read_stage(file)
    store, work = Store.open(store_of(file)), file.parent
    earlier = float(store.progress(stage.key).get("seconds", 0.0))
    context = Context(store, stage, settings, work, work / "output", earlier_seconds=earlier)
    signal.signal(signal.SIGTERM, context.stop)
    rank = int(os.environ["RANK"])
    try:
        with plainly(store.root):
            result = _train(context, rank)
    except Exception as error:
        if not isinstance(error, IsthmusError):
            traceback.print_exc()
        sentence = str(error) if isinstance(error, IsthmusError) else f"{type(error).__name__}: {error}"
        failure = _Failure(time.monotonic(), sentence, error.exit_code if isinstance(error, IsthmusError) else 1)
        with contextlib.suppress(OSError):  # a full disk
            write_atomic(work / _FAILURE.format(rank), json.dumps(failure._asdict()).encode())
        return failure.code
    if rank == 0:
        write_atomic(work / _RESULT, json.dumps({"result": result, "warnings": context.warnings}).encode())
    return 0


def _train(context: Context, rank: int) -> Mapping[str, Json]:
    """Meet the other workers, and train."""
    import torch
    import torch.distributed as dist

    from isthmus.train import arithmetic
    from isthmus.train.stage import work

    count, on_gpu = context.settings.processes, arithmetic.on_gpu(context.settings)
    if on_gpu:
        torch.cuda.set_device(rank)
    meeting: Any = dist.TCPStore(  # type: ignore[attr-defined]
        "127.0.0.1", int(os.environ["MASTER_PORT"]), None, is_master=False, timeout=_PATIENCE
    )
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    dist.init_process_group(backend, store=meeting, rank=rank, world_size=count, timeout=_PATIENCE)
    return work(context)


def watch_leader() -> None:
    """End this process at once when the leader is gone: standard input, which it holds, then ends."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1):
                pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # at once: others may never answer again
