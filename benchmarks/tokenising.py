"""How fast rows become tokens, the first time and from the store, beside `datasets` as its users call it.

    python benchmarks/tokenising.py [--shared ../shared] [--rounds 3]

On the embedded model's tokenizer: SICK (pairs), SNLI (the share of it that is there), XQuAD in English (windows of 384
tokens), PAN-X in English (tags). Every measurement is a process of its own, so that peak memory is its own, and the
sides take turns. Isthmus: `tokens_of` from rows to features, with the fingerprint of the rows and, cold, with writing
the file. `datasets`: `Dataset.map(batched=True)` with the functions of the examples of transformers (run_xnli, run_qa,
run_ner), into an empty cache, and once more with the same function. Loading the tokenizer is shown apart: the first
time both need it, from the store Isthmus does not, and `map` does since its function holds it.
"""

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TASKS = {"sick": "pair", "snli": "pair", "xquad": "span", "panx": "tagging"}
LENGTH = {"pair": 128, "span": 384, "tagging": 128}


def columns(task: str, data: Path) -> dict[str, list[Any]]:
    if task == "sick":
        cells = [line.split("\t") for line in (data / "nli/sick/SICK_train.txt").read_text("utf-8").split("\n")[1:-1]]
        found = {"text": [c[1] for c in cells], "text_pair": [c[2] for c in cells], "label": [c[4] for c in cells]}
    elif task == "snli":
        found = snli(data / "nli/nli_datasets/snli")
    elif task == "xquad":
        articles = json.loads((data / "qa/xquad/xquad.en.json").read_text("utf-8"))["data"]
        asked = [(p["context"], q) for article in articles for p in article["paragraphs"] for q in p["qas"]]
        found = {
            "question": [q["question"] for _, q in asked],
            "context": [context for context, _ in asked],
            "answers": [[a["text"] for a in q["answers"]] for _, q in asked],
            "answer_starts": [[a["answer_start"] for a in q["answers"]] for _, q in asked],
        }
    else:
        sentences = (data / "ner/panx/train-en.tsv").read_text("utf-8").split("\n\n")
        rows = [[line.split("\t") for line in one.split("\n") if "\t" in line] for one in sentences]
        found = {"tokens": [[r[0] for r in row] for row in rows], "tags": [[r[1] for r in row] for row in rows]}
    return {"id": [str(row) for row in range(len(next(iter(found.values()))))], **found}


def snli(folder: Path) -> dict[str, list[Any]]:
    rows: list[dict[str, str]] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows += list(csv.DictReader(file))
    return {
        "text": [row["premise"] for row in rows],
        "text_pair": [row["hypothesis"] for row in rows],
        "label": [row["label"] for row in rows],
    }


def isthmus(task: str, told: dict[str, list[Any]], model: Path, cache: Path) -> dict[str, float]:
    from isthmus.data.schema import Kind, to_table
    from isthmus.kinds import method
    from isthmus.kinds.core import Limits
    from isthmus.model.tokens import LazyTokenizer, tokens_of
    from isthmus.store import Store

    kind = Kind(TASKS[task])
    method(kind)  # imported before the clock starts
    if not (cache / "tokens").exists():
        from transformers import AutoTokenizer  # noqa: F401
    table, store, tokenizer = to_table(kind, told, task), Store.open(cache), LazyTokenizer(model)
    started = time.perf_counter()
    cached = (cache / "tokens").exists()
    if not cached:
        _ = tokenizer.loaded
    loaded = time.perf_counter()
    features, _ = tokens_of(store, table, kind, tokenizer, labels(told), Limits(LENGTH[kind]))
    return {"load": loaded - started, "all": time.perf_counter() - loaded, "features": len(features)}


def labels(told: dict[str, list[Any]]) -> list[str]:
    if "label" in told:
        return sorted(set(told["label"]))
    return sorted({tag for row in told.get("tags", []) for tag in row})


def datasets(task: str, told: dict[str, list[Any]], model: Path, cache: Path) -> dict[str, float]:
    from datasets import Dataset, disable_progress_bars, load_from_disk
    from transformers import AutoTokenizer

    disable_progress_bars()
    if not (cache / "rows").exists():  # as `load_dataset` leaves it: a data set that lies on disk
        Dataset.from_dict(told).save_to_disk(cache / "rows")
    rows = load_from_disk(cache / "rows")
    started = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(model)
    loaded = time.perf_counter()
    function = FUNCTIONS[TASKS[task]](tokenizer, {label: number for number, label in enumerate(labels(told))})
    found = rows.map(function, batched=True, remove_columns=rows.column_names)
    return {"load": loaded - started, "all": time.perf_counter() - loaded, "features": len(found)}


def pair(tokenizer: Any, number: dict[str, int]) -> Callable[[Any], Any]:
    def encode(batch: Any) -> Any:
        found = tokenizer(batch["text"], batch["text_pair"], truncation=True, max_length=LENGTH["pair"])
        return {**found, "label": [number[label] for label in batch["label"]]}

    return encode


def tagging(tokenizer: Any, number: dict[str, int]) -> Callable[[Any], Any]:
    def encode(batch: Any) -> Any:
        found = tokenizer(batch["tokens"], truncation=True, max_length=LENGTH["tagging"], is_split_into_words=True)
        found["labels"] = []
        for row, tags in enumerate(batch["tags"]):
            before, row_labels = None, []
            for word in found.word_ids(row):
                row_labels.append(-100 if word is None or word == before else number[tags[word]])
                before = word
            found["labels"].append(row_labels)
        return found

    return encode


def span(tokenizer: Any, _: dict[str, int]) -> Callable[[Any], Any]:
    def encode(batch: Any) -> Any:
        found = tokenizer(
            batch["question"],
            batch["context"],
            truncation="only_second",
            max_length=LENGTH["span"],
            stride=LENGTH["span"] - 128 - 100,  # transformers counts what windows share
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        rows, offsets = found.pop("overflow_to_sample_mapping"), found.pop("offset_mapping")
        found["start_positions"], found["end_positions"] = [], []
        for window, places in enumerate(offsets):
            start = batch["answer_starts"][rows[window]][0]
            end = start + len(batch["answers"][rows[window]][0])
            texts = found.sequence_ids(window)
            first, last = texts.index(1), len(texts) - 1 - texts[::-1].index(1)
            if not (places[first][0] <= start and places[last][1] >= end):
                first = last = 0
            else:
                while first < len(places) and places[first][0] <= start:
                    first += 1
                while places[last][1] >= end:
                    last -= 1
                first, last = first - 1, last + 1
            found["start_positions"].append(first)
            found["end_positions"].append(last)
        return found

    return encode


FUNCTIONS = {"pair": pair, "tagging": tagging, "span": span}
SIDES = {"isthmus": isthmus, "datasets": datasets}


def measured(side: str, task: str, args: argparse.Namespace) -> None:
    told = columns(task, args.shared / "data")
    before = resource.getrusage(resource.RUSAGE_SELF)
    found = SIDES[side](task, told, args.model, args.cache)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({**found, "rows": len(told["id"]), "cpu": cpu, "memory": used.ru_maxrss / 1024}))


def once(side: str, task: str, model: Path, shared: Path, cache: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--side", side, "--task", task, "--cache", str(cache)]
    command += ["--model", str(model), "--shared", str(shared)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(said.stdout.strip().rpartition("\n")[2])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--model", type=Path, help="a model folder; the embedded model is converted if not given")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        measured(args.side, args.task, args)
        return
    with tempfile.TemporaryDirectory() as folder:
        model = args.model
        if model is None:
            from isthmus.model import embedded

            model = Path(folder) / "model"
            model.mkdir()
            embedded.convert(model)
        for task in args.tasks:
            compared(task, model, args.shared, Path(folder), args.rounds)


def compared(task: str, model: Path, shared: Path, folder: Path, rounds: int) -> None:
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for number in range(rounds):
        for side in SIDES:
            cache = folder / f"{task}-{side}-{number}"
            for when in ("cold", "cached"):
                found.setdefault((when, side), []).append(once(side, task, model, shared, cache))
    rows = found["cold", "isthmus"][0]["rows"]
    print(f"{task}: {rows:,} rows")
    for when in ("cold", "cached"):
        speeds, whole = {}, {}
        for side in SIDES:
            runs = found[when, side]
            whole[side] = statistics.median(run["all"] + run["load"] for run in runs)
            speeds[side] = statistics.median(rows / run["all"] for run in runs)
            wall, load, memory = (statistics.median(run[name] for run in runs) for name in ("all", "load", "memory"))
            print(
                f"  {when:<7} {side:<9} {speeds[side]:12,.0f} rows/s  {wall:7.2f} s, and {load:.2f} s for the "
                f"tokenizer; peak {memory:,.0f} MiB; {runs[0]['features']:,} features"
            )
        ratio, with_loading = speeds["isthmus"] / speeds["datasets"], whole["datasets"] / whole["isthmus"]
        print(f"  {when:<7} ratio     {ratio:12.1f}, and {with_loading:.1f} with the tokenizer's loading")


if __name__ == "__main__":
    main()
