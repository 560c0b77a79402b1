"""Training beside the Trainer of transformers: examples a second, memory, and whether the models are as good.

python benchmarks/training.py --data FOLDER [--cases sick tags spans] [--repeats 3] [--threads 2] [--json]

Every contestant is a process of its own with the same model (the embedded one), rows, seed, learning rate, batch size,
weight decay and number of threads, and trains one epoch. They take turns, so that a busy machine is as hard on each.

isthmus          the `train` stage as every study runs it
trainer          the Trainer as the example script of the task configures it: `run_xnli.py` and `run_qa.py` pad every
                 text to the limit unless told otherwise (`pad_to_max_length`), `run_ner.py` to the longest of a batch
trainer-dynamic  the same, padded to the longest of a batch
trainer-tuned    and with texts of similar length in a batch; the fused AdamW is every Trainer's default by now

The rate is of the loop: from the first forward pass to the last step of the optimiser. What comes before and after
(loading, tokenising, saving) is in the wall time. Memory is the largest resident set during the steps that follow the
first. After that each contestant named by --quality trains on --quality-examples rows, and the scores are compared.

What a mixture of tasks costs beside the same tasks alone: benchmarks/mixture.py.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CONTESTANTS = ("isthmus", "trainer", "trainer-dynamic", "trainer-tuned")


@dataclass(frozen=True)
class Case:
    """A task as the benchmark trains it."""

    task: str
    kind: str
    metric: str
    batch_size: int
    max_length: int
    examples: int
    quality_examples: int
    #: does the example script of transformers pad to ``max_length`` unless told otherwise?
    padded: bool


CASES = {
    "sick": Case("sick", "pair", "accuracy", 32, 128, 384, 1920, True),
    "tags": Case("ewt-pos", "tagging", "token_accuracy", 32, 128, 384, 1280, False),
    "spans": Case("squad", "span", "qa_f1", 16, 384, 64, 480, True),
}
#: Training and test rows of the questions: twenty articles of SQuAD, and XQuAD's in English.
SQUAD, XQUAD = "qa/squad_20articles/dev.json", "qa/xquad/xquad.en.json"


@dataclass(frozen=True)
class Job:
    """One run of one contestant; everything it needs to know."""

    contestant: str
    case: str
    model: str
    train: str
    dev: str
    seed: int = 1
    threads: int = 2
    precision: str = "fp32"
    learning_rate: float = 1e-4
    evaluate: bool = False


class Rates(NamedTuple):
    """What the marks say of a training; times in seconds, memory in bytes."""

    seconds: float
    processor: float
    steps: int
    peak: int
    before: int


class Marks:
    """Looks on from outside: when the first forward pass began, when the optimiser stepped, how much memory it took."""

    def __init__(self) -> None:
        from torch.nn.modules.module import register_module_forward_pre_hook
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self.before = memory("VmRSS")
        self.first = self.last = (0.0, 0.0)
        self.steps = self.peak = 0
        self._once = register_module_forward_pre_hook(self._begin)
        register_optimizer_step_post_hook(self._stepped)

    def _begin(self, *_: Any) -> None:
        self._once.remove()
        self.first = (time.perf_counter(), time.process_time())

    def _stepped(self, *_: Any) -> None:
        self.last = (time.perf_counter(), time.process_time())
        self.steps += 1
        self.peak = memory("VmHWM")
        if self.steps == 1:
            forget_peak()

    def rates(self) -> Rates:
        wall, processor = (last - first for first, last in zip(self.first, self.last, strict=True))
        return Rates(wall, processor, self.steps, self.peak, self.before)


def memory(field: str) -> int:
    """A line of this process's status on Linux, in bytes: VmRSS now, or VmHWM, the most there was."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)


def forget_peak() -> None:
    """Have VmHWM begin anew."""
    file = Path("/proc/self/clear_refs")
    if file.exists():
        file.write_text("5")


def write_rows(case: Case, data: Path, folder: Path, examples: int, dev: int) -> tuple[str, str]:
    """The rows that all contestants read, as JSON lines: part of the training rows, drawn at random, and of the dev
    rows. Isthmus reads them from the data sets' own files, so that everybody gets the same."""
    from isthmus.data.files import file_task
    from isthmus.planning.facts import bound
    from isthmus.tasks import registry
    from isthmus.tasks.core import Where

    if case.kind == "span":
        source = file_task(str(data / SQUAD), test={"en": str(data / XQUAD)}, kind="span").source
    else:
        source = bound(registry.task(case.task), Where((data,), hub=False, partial=True)).source
    paths = []
    for split, count in (("train", examples), ("test" if case.kind == "span" else "dev", dev)):
        table = source.load(split, "en")
        chosen = sorted(np.random.default_rng(0).permutation(len(table))[:count].tolist())
        path = folder / f"{case.task}-{split}-{count}.jsonl"
        lines = [json.dumps(row, ensure_ascii=False) for row in table.take(chosen).to_pylist()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        paths.append(str(path))
    return paths[0], paths[1]


def read(path: str, kind: str) -> Any:
    """The table of rows that `write_rows` wrote."""
    from isthmus.data.schema import Kind, to_table

    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return to_table(Kind(kind), {name: [row[name] for row in rows] for name in rows[0]}, path)


def labels_of(table: Any, kind: str) -> list[str]:
    """The labels that a table has, sorted; none for kinds without labels."""
    column = {"pair": "label", "tagging": "tags"}.get(kind)
    if column is None:
        return []
    values = table.column(column).combine_chunks()
    return sorted((values.flatten() if column == "tags" else values).unique().to_pylist())


def run_isthmus(job: Job, case: Case, folder: Path) -> tuple[Any, float]:
    """Train as `isthmus train` does, in this process; returns the trained model and the seconds of the stage."""
    from isthmus.api import make_plan
    from isthmus.kinds import method
    from isthmus.model.folder import load_model
    from isthmus.running.execute import execute
    from isthmus.stage import Settings
    from isthmus.store import Store
    from isthmus.study.spec import Study

    recipe = {
        "epochs": 1, "batch_size": case.batch_size, "max_length": case.max_length, "precision": job.precision,
        "learning_rate": job.learning_rate, "weight_decay": 0.01, "warmup_ratio": 0.1,
    }  # fmt: skip
    files = {case.task + "-rows": {"kind": case.kind, "train": job.train, "test": {"en": job.dev}}}
    study = Study(models=[job.model], targets=list(files), files=files, seeds=[job.seed], recipe=recipe)
    store = Store.open(folder / "store")
    planned = make_plan(study, store, goal="models")
    settings = Settings(job.threads, "cpu", None, 3600.0)
    seconds = 0.0
    for stage in planned.stages.values():
        begun = time.perf_counter()
        execute(store, stage, settings)
        seconds, key, labels = time.perf_counter() - begun, stage.key, stage.identity.get("labels", [])
    trained = store.stage_folder(key) / "model"
    return load_model(trained, method(case.kind).auto_class, labels, fresh_head=False), seconds


def work(job: Job, result: Path) -> None:
    """What a contestant's process does."""
    import torch
    import transformers  # noqa: F401 - before the clock starts

    torch.set_num_threads(job.threads)
    case, marks = CASES[job.case], Marks()
    with tempfile.TemporaryDirectory() as name:
        if job.contestant == "isthmus":
            model, seconds = run_isthmus(job, case, Path(name))
        else:
            from trainer_peer import run_trainer

            table = read(job.train, case.kind)
            model, seconds = run_trainer(job, case, table, labels_of(table, case.kind), Path(name))
    found = {**marks.rates()._asdict(), "wall": seconds}
    if job.evaluate:
        found["statistics"] = evaluate(model, job, case)
    result.write_text(json.dumps(found))


def evaluate(model: Any, job: Job, case: Case) -> list[list[float]]:
    """The statistics of the case's metric, by dev row: the same code for every contestant's model."""
    import torch

    from isthmus.evaluate.metrics import METRICS
    from isthmus.kinds import method
    from isthmus.kinds.core import Batcher, Limits, Search
    from isthmus.model.folder import load_tokenizer
    from isthmus.study.spec import Retrieval

    how, tokenizer, dev = method(case.kind), load_tokenizer(Path(job.model)), read(job.dev, case.kind)
    search = Search("en", Retrieval(), tokenizer, Limits(case.max_length))
    labels = labels_of(read(job.train, case.kind), case.kind)
    with torch.inference_mode():
        features = how.encode(dev, tokenizer, None, search.limits)
        batcher = Batcher(tokenizer.pad_token_id, 1024, {})
        predicted = how.predict(model.eval(), features, dev, labels, batcher, search)
    values = [one.value for one in predicted]
    return METRICS[case.metric].statistics(how.golds(dev), values, "en").tolist()


def run(job: Job, folder: Path) -> dict[str, Any]:
    """Have a process of its own do the job."""
    asked, answer = folder / "job.json", folder / "result.json"
    asked.write_text(json.dumps(asdict(job)))
    answer.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--work", str(asked), str(answer)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(job.threads), "TOKENIZERS_PARALLELISM": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode or not answer.exists():
        sys.exit(f"{job.contestant} failed:\n{done.stderr[-4000:]}")
    return json.loads(answer.read_text())


def interval(score: Callable[[np.ndarray], Any], *statistics_of: np.ndarray) -> tuple[float, float]:
    """95% of the Bayesian bootstrap over rows, of a function of the weighted sums of each argument."""
    generator = np.random.default_rng(0)
    weights = generator.exponential(size=(2000, len(statistics_of[0])))
    low, high = np.percentile(score(*(weights @ one for one in statistics_of)), [2.5, 97.5])
    return float(low), float(high)


def contestants(case: Case, wanted: list[str]) -> list[str]:
    """Without those that are another under a second name."""
    return [name for name in wanted if case.padded or name != "trainer-dynamic"]


def speed(case: Case, job: Job, names: list[str], repeats: int, folder: Path) -> dict[str, Any]:
    """Rates and memory of every contestant, in turns; ratios are those of one turn."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(repeats):
        for name in names:
            runs[name].append(run(replace(job, contestant=name), folder))
            rate = case.examples / runs[name][-1]["seconds"]
            print(f"  turn {turn + 1}, {name}: {rate:.1f} examples/s", file=sys.stderr, flush=True)
    found: dict[str, Any] = {}
    for name, done in runs.items():
        middle = {field: statistics.median(one[field] for one in done) for field in done[0]}
        ratios = [other["seconds"] / mine["seconds"] for other, mine in zip(done, runs["isthmus"], strict=True)]
        processor = [other["processor"] / mine["processor"] for other, mine in zip(done, runs["isthmus"], strict=True)]
        found[name] = {
            "examples_per_second": case.examples / middle["seconds"],
            "processor_seconds": middle["processor"], "wall_seconds": middle["wall"], "steps": middle["steps"],
            "peak_bytes": middle["peak"], "over_imports_bytes": middle["peak"] - middle["before"],
            "ratio": statistics.median(ratios), "ratios": ratios, "processor_ratio": statistics.median(processor),
        }  # fmt: skip
    return found


def quality(case: Case, job: Job, names: list[str], folder: Path) -> dict[str, Any]:
    """Dev scores after an epoch of more rows, with intervals, and each one's difference from isthmus."""
    from isthmus.evaluate.metrics import METRICS

    reduce = METRICS[case.metric].reduce
    found: dict[str, Any] = {}
    own = None
    for name in names:
        done = np.asarray(run(replace(job, contestant=name, evaluate=True), folder)["statistics"])
        own = done if own is None else own
        found[name] = {"score": float(reduce(done.sum(axis=0))), "interval": interval(reduce, done)}
        if name != names[0]:
            found[name]["difference"] = found[names[0]]["score"] - found[name]["score"]
            found[name]["difference_interval"] = interval(lambda a, b: reduce(a) - reduce(b), own, done)
    return found


def show(name: str, case: Case, found: dict[str, Any]) -> None:
    """A table for people."""
    print(f"\n{name}: {case.examples} rows, batch {case.batch_size}, at most {case.max_length} tokens")
    print("| | examples/s | ratio (each turn) | of processor time | peak, GB | over imports | wall time of all |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for who, row in found["speed"].items():
        turns = ", ".join(f"{ratio:.2f}" for ratio in row["ratios"])
        print(
            f"| {who} | {row['examples_per_second']:.1f} | {row['ratio']:.2f} ({turns}) | {row['processor_ratio']:.2f} "
            f"| {row['peak_bytes'] / 1e9:.2f} | {row['over_imports_bytes'] / 1e9:.2f} | {row['wall_seconds']:.1f} s |"
        )
    for who, row in found.get("quality", {}).items():
        low, high = row["interval"]
        text = f"{who}: {case.metric} {row['score']:.1f} [{low:.1f}, {high:.1f}]"
        if "difference" in row:
            low, high = row["difference_interval"]
            text += f"; isthmus {row['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"
        print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--quality", nargs="*", choices=CONTESTANTS, default=["isthmus", "trainer-tuned"])
    parser.add_argument("--examples", type=int, help="rows a run trains on; by the case if not given")
    parser.add_argument("--quality-examples", type=int)
    parser.add_argument("--dev", type=int, default=300, help="rows the scores are measured on")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(Job(**json.loads(options.work[0].read_text())), options.work[1])
        return
    from isthmus.model.embedded import convert

    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        convert(folder / "model")
        for key in options.cases:
            case = CASES[key]
            case = replace(case, examples=options.examples or case.examples,
                           quality_examples=options.quality_examples or case.quality_examples)  # fmt: skip
            train, dev = write_rows(case, options.data, folder, case.examples, options.dev)
            job = Job("", key, str(folder / "model"), train, dev, options.seed, options.threads, options.precision,
                      options.learning_rate)  # fmt: skip
            names = contestants(case, options.contestants)
            told[key] = {"speed": speed(case, job, names, options.repeats, folder)}
            if options.quality:
                more, _ = write_rows(case, options.data, folder, case.quality_examples, options.dev)
                longer, names = replace(job, train=more), contestants(case, options.quality)
                told[key]["quality"] = quality(case, longer, names, folder)
            if not options.json:
                show(key, case, told[key])
    if options.json:
        print(json.dumps({"options": {k: str(v) for k, v in vars(options).items()}, "cases": told}, indent=1))


if __name__ == "__main__":
    main()
