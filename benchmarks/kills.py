"""Kills at random moments over a small study on an engine: stages lost and repeated, and whether results differ.

python benchmarks/kills.py --engine local|ray|slurm [--kills 100] [--seed 1]

Most kills take the process of a stage, every fourth the whole run, all with SIGKILL. A study that got through is begun
again in a new store, until there were enough. *Lost*: a finished stage that was gone later. *Repeated*: one that was
made again. *Different*: scores or weights other than those of a study that nobody killed. Slurm's jobs are submitit's
on this machine.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.tiny import write_tiny_model

from isthmus.disk import sha256
from isthmus.store import Store

ROOT = Path(__file__).parents[1]
OPTIONS = {"local": {}, "ray": {}, "slurm": {"cluster": "local"}}
STUDIES = {"whole": {}, "small": {"intermediates": ["none", "colours"], "targets": ["length"]}}


def start(store: Path, model: Path, engine: str, study: str) -> "subprocess.Popen[str]":
    fields = {"engine": engine, "engine_options": OPTIONS[engine], "workers": 2, "retries": 100}
    command = [sys.executable, "-m", "tests.engines.program", str(store), str(model), json.dumps(fields)]
    command.append(json.dumps(STUDIES[study]))
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)


def finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    printed, _ = process.communicate()
    told: dict[str, Any] = json.loads(printed)
    return told


def weights(store: Path) -> dict[str, str]:
    files = sorted(store.glob("stages/*/model/*.safetensors"))
    return {str(path.relative_to(store)): sha256(path) for path in files}


def finished(store: Path) -> dict[str, int]:
    """The finished stages, and when each was."""
    return {path.parent.name: path.stat().st_mtime_ns for path in store.glob("stages/*/record.json")}


def working(store: Path) -> list[tuple[str, int]]:
    """The stages under way and the processes that work at them."""
    found = []
    for path in store.glob("work/*/process.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            found.append((path.parent.name, int(json.loads(path.read_text())["pid"])))
    return found


class Tally:
    """What was killed, and what came of it."""

    def __init__(self) -> None:
        self.stages = self.runs = self.lost = self.repeated = self.different = 0

    @property
    def kills(self) -> int:
        return self.stages + self.runs

    def look(self, before: dict[str, int], after: dict[str, int]) -> None:
        self.lost += sum(key not in after for key in before)
        self.repeated += sum(after.get(key, at) != at for key, at in before.items())


def torment(process: "subprocess.Popen[str]", store: Path, moment: random.Random, wanted: int, tally: Tally) -> bool:
    """Kill stages of a run, as chance has it, until it ends or there were enough; or the run: then it says True."""
    killed: set[int] = set()
    while process.poll() is None and tally.kills < wanted:
        time.sleep(moment.uniform(0.1, 2.0))
        if not (there := [pid for _, pid in working(store) if pid not in killed]):
            continue
        if moment.random() < 0.25:
            process.kill()
            tally.runs += 1
            return True
        chosen = moment.choice(there)
        with contextlib.suppress(ProcessLookupError):
            os.kill(chosen, signal.SIGKILL)
            killed.add(chosen)
            tally.stages += 1
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", default="local", choices=list(OPTIONS))
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--study", default="whole", choices=list(STUDIES), help="17 stages, or few")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    moment, tally, begun = random.Random(options.seed), Tally(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        model = write_tiny_model(Path(folder) / "model")
        unbroken = Path(folder) / "unbroken"
        expected = finish(start(unbroken, model, "local", options.study))
        studies, before = 1, dict[str, int]()
        while True:
            store = Path(folder) / f"store-{studies}"
            process = start(store, model, options.engine, options.study)
            was_killed = torment(process, store, moment, options.kills, tally)
            told = None
            if was_killed:
                process.communicate()
            else:
                told = finish(process)
            tally.look(before, finished(store))
            before = finished(store)
            if told is None:
                continue
            same = told["scores"] == expected["scores"] and weights(store) == weights(unbroken)
            whole = set(told["states"].values()) == {"done"} and not [bad for _, bad in Store(store).verify() if bad]
            tally.different += not (same and whole)
            if tally.kills >= options.kills:
                break
            studies, before = studies + 1, {}
    took = time.monotonic() - begun
    print(
        f"{options.engine}: {tally.kills} kills ({tally.stages} of stages, {tally.runs} of the run) over {studies} "
        f"studies in {took:.0f} s: stages lost {tally.lost}, repeated {tally.repeated}, studies with other results "
        f"{tally.different} (load {os.getloadavg()[0]:.1f})"
    )
    sys.exit(bool(tally.lost or tally.repeated or tally.different))


if __name__ == "__main__":
    main()
