#!/usr/bin/env python3
"""A Slurm of one node without limits: enough of its commands to run what submitit submits, arrays included.

Linked as sbatch, srun, squeue, sacct, scancel and scontrol. Keeps a file for each job in the folder FAKE_SLURM: its
state, what runs it, and the exit status. Takes what its partitions allow: `debug`, and one GPU a node.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(os.environ.get("FAKE_SLURM", "."))


def jobs() -> list[dict]:
    found = []
    for path in sorted(HOME.glob("*.json")):
        try:
            found.append(json.loads(path.read_text()))
        except ValueError:  # being written
            time.sleep(0.05)
            found.append(json.loads(path.read_text()))
    return found


def keep(job: dict) -> None:
    path = HOME / f"{job['id']}.json"
    path.with_suffix(".tmp").write_text(json.dumps(job))
    path.with_suffix(".tmp").replace(path)


def named(names: list[str]) -> list[dict]:
    return [job for job in jobs() if job["id"] in names or job["id"].split("_")[0] in names]


def sbatch(arguments: list[str]) -> None:
    script = Path(arguments[-1])
    flags = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", script.read_text(), re.MULTILINE))
    if flags.get("partition", "debug") != "debug":
        sys.exit("sbatch: error: invalid partition specified: " + flags["partition"])
    if int(flags.get("gpus-per-node", 0)) > 1:
        sys.exit("sbatch: error: Batch job submission failed: Requested node configuration is not available")
    if "--test-only" in arguments:
        return
    number = str(100 + len({job["id"].split("_")[0] for job in jobs()}))
    array = re.match(r"0-(\d+)", flags.get("array", ""))
    ids = [f"{number}_{task}" for task in range(int(array[1]) + 1)] if array else [number]
    for name in ids:
        keep({"id": name, "script": str(script.resolve()), "state": "PENDING", "pid": 0, "code": 0, "starts": 0})
    if not (HOME / "full").exists():
        for job in named(ids):
            run(job)
    print(f"Submitted batch job {number}")


def run(job: dict) -> None:
    """Start the job, and one who waits for it."""
    job |= {"state": "RUNNING", "starts": job["starts"] + 1}
    keep(job)
    main, _, task = job["id"].partition("_")
    places = {"SLURM_JOB_ID": main, "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    if task:
        places |= {"SLURM_ARRAY_JOB_ID": main, "SLURM_ARRAY_TASK_ID": task, "SLURM_JOB_ID": f"9{main}{task}"}
    if os.fork():
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    process = subprocess.Popen(["bash", job["script"]], env={**os.environ, **places}, start_new_session=True)
    keep({**job, "pid": process.pid})
    code = process.wait()
    (now,) = named([job["id"]])
    if now["state"] == "REQUEUE":
        run({**now, "pid": 0})
    elif now["state"] == "RUNNING":
        keep({**now, "state": "COMPLETED" if code == 0 else "FAILED", "code": code})
    os._exit(0)


def srun(arguments: list[str]) -> None:
    place = arguments.index("--output")
    output = arguments[place + 1]
    job = os.environ.get("SLURM_ARRAY_JOB_ID", os.environ["SLURM_JOB_ID"])
    task = os.environ.get("SLURM_ARRAY_TASK_ID", "")
    for mark, value in (("%A", job), ("%a", task), ("%j", job), ("%t", "0")):
        output = output.replace(mark, value)
    with Path(output).open("ab") as log:
        sys.exit(subprocess.run(arguments[place + 2 :], stdout=log, stderr=log, check=False).returncode)


def squeue(arguments: list[str]) -> None:
    for job in jobs():
        if job["state"] in ("PENDING", "RUNNING", "REQUEUE"):
            print(job["id"])


def sacct(arguments: list[str]) -> None:
    for job in named([arguments[-1]]):
        code, number = (0, 0) if job["state"] != "FAILED" else (max(0, job["code"]), max(0, -job["code"]))
        print(f"{job['state']}|{code}:{number}|node1")


def scancel(arguments: list[str]) -> None:
    flags = [argument for argument in arguments if argument.startswith("--")]
    for job in named([argument for argument in arguments if argument not in flags]):
        if "--signal=TERM" in flags:
            tell(job, signal.SIGTERM)
        elif job["state"] == "PENDING" or (job["state"] == "RUNNING" and not flags):
            keep({**job, "state": "CANCELLED"})
            tell(job, signal.SIGKILL)


def tell(job: dict, number: int) -> None:
    """Signal the step of a job: all but the shell and srun, or everything with SIGKILL."""
    if not job["pid"]:
        return
    told = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "-s", str(job["pid"])], capture_output=True, text=True, check=False
    )
    for line in told.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if number == signal.SIGKILL or ("srun" not in command and not command.startswith("bash")):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), number)


def scontrol(arguments: list[str]) -> None:
    assert arguments[0] == "requeue"
    (job,) = named([arguments[1]])
    keep({**job, "state": "REQUEUE"})


if __name__ == "__main__":
    {each.__name__: each for each in (sbatch, srun, squeue, sacct, scancel, scontrol)}[Path(sys.argv[0]).name](
        sys.argv[1:]
    )
