"""The embedded model on every data set in a folder, by one command: wall time, and a table for the documentation.

python benchmarks/everything.py --data FOLDER [--store STORE] [OPTIONS OF isthmus evaluate ...]

Runs ``isthmus evaluate embedded --suite all --partial --train``, where what has no English training rows of its own in
the folder is trained on what resembles it there: natural language inference on SICK, questions on twenty articles of
SQuAD, parts of speech on the English Web Treebank. Prints Markdown. The second time nothing is run again.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

INFERENCE = "xnli,americasnli,cxnli,kornli,indonli,snli,mnli"
QUESTIONS = "xquad,mlqa,afriqa"
PARTS_OF_SPEECH = "ud-pud,masakhapos"
SMALL = {"train_examples": 300, "epochs": 2, "learning_rate": 1e-4, "batch_size": 16, "freeze_embeddings": "true"}


def command(data: Path, store: str, more: list[str]) -> list[str]:
    squad = data / "qa" / "squad_20articles" / "dev.json"
    training = (f"{INFERENCE}=sick", f"{PARTS_OF_SPEECH}=ewt-pos", f"{QUESTIONS}={squad}")
    given = [part for option in training for part in ("--train-on", option)]
    recipe = [part for name, value in SMALL.items() for part in ("--set", f"recipe.{name}={value}")]
    program = [str(Path(sys.executable).with_name("isthmus")), "evaluate", "embedded", "--suite", "all"]
    return [*program, "--data", str(data), "--partial", "--train", "--store", store, *given, *recipe, *more, "--json"]


def table(told: dict[str, Any]) -> str:
    lines = [
        "| task | metric | languages | en | mean | lowest | highest |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, task in told["tasks"].items():
        scores = task["languages"]
        ordered = sorted(scores, key=lambda language: scores[language])
        english = f"{scores['en']:.1f}" if "en" in scores else ""
        ends = (
            [f"{language} {scores[language]:.1f}" for language in (ordered[0], ordered[-1])]
            if len(scores) > 1
            else ["", ""]
        )
        lines.append(
            f"| {name} | {task['metric']} | {len(scores)} | {english} | {task['mean']:.1f} | {ends[0]} | {ends[1]} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", default="store")
    options, more = parser.parse_known_args()
    begun = time.perf_counter()
    done = subprocess.run(command(options.data, options.store, more), stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - begun
    told = json.loads(done.stdout)
    if "tasks" not in told:
        sys.exit(told["error"])
    pairs = sum(len(task["languages"]) for task in told["tasks"].values())
    print(f"{len(told['tasks'])} tasks, {pairs} pairs of a task and a language, {seconds / 60:.0f} minutes.\n")
    print(table(told))
    for name, reason in told["left_out"].items():
        print(f"\nNot measured: {name}: {reason}")


if __name__ == "__main__":
    main()
