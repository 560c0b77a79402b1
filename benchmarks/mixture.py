"""What training tasks together costs beside training each alone: processor time of the same steps.

python benchmarks/mixture.py --data FOLDER [--tasks sick mrpc ewt-pos ...] [--examples 64] [--threads 1]

Every training is a process of its own: each task alone, then the mixture of all, with the embedded model. Time is of
the loop alone, from the first forward pass to the last step. A task's step costs what it costs alone on average; what
the mixture should cost is the sum of that over the steps that each member had. Batches are drawn anew in a mixture, so
a few percent either way are the lengths of texts: more --examples, fewer of them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TASKS = ["sick", "mrpc", "rte", "scitail", "socialiqa", "copa", "ewt-pos", "wnut17", "cosmosqa"]


def train(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train the task, or the mixture of tasks with + between, in this process; steps and time of each member."""
    import torch
    import transformers  # noqa: F401 - before the clock starts
    from training import Marks

    from isthmus.api import make_plan
    from isthmus.running.execute import execute
    from isthmus.stage import Settings
    from isthmus.store import Store
    from isthmus.study.spec import Study

    torch.set_num_threads(options.threads)
    recipe = {"epochs": 1, "batch_size": 16, "train_examples": options.examples, "learning_rate": 2e-5}
    study = Study(
        intermediates=[name],
        targets=[name.split("+", maxsplit=1)[0]],
        data=[str(options.data)],
        partial=True,
        seeds=[1],
        recipe=recipe,
    )
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "store")
        marks, steps = Marks(), {}
        for stage in make_plan(study, store, goal="models").stages.values():
            execute(store, stage, Settings(options.threads, "cpu", None, 3600.0))
            record = store.record(stage.key)
            if stage.function == "train" and record is not None:  # the next would be the target's
                steps = {member: told["steps"] for member, told in record.result["members"].items()}
                break
    return {"processor": marks.rates().processor, "peak": marks.rates().peak, "steps": steps}


def run(name: str, arguments: list[str]) -> dict[str, Any]:
    """Have a process of its own do it."""
    command = [sys.executable, __file__, *arguments, "--work", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--examples", type=int, default=64, help="of every task")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(train(options.work, options)))
        return
    alone = {}
    for task in options.tasks:
        found = run(task, sys.argv[1:])
        alone[task] = found["processor"] / sum(found["steps"].values())
        print(f"{task}: {alone[task]:.3f} s a step, at most {found['peak'] / 1e9:.2f} GB", flush=True)
    together = run("+".join(options.tasks), sys.argv[1:])
    expected = sum(alone[task] * steps for task, steps in together["steps"].items())
    print(f"together: {together['steps']} steps, at most {together['peak'] / 1e9:.2f} GB")
    print(f"{together['processor']:.1f} s, and {expected:.1f} s for the same steps alone: "
          f"{together['processor'] / expected - 1:+.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
