"""Where the time of a training step goes, and how near it comes to the matrix products it is made of.

python benchmarks/profile_training.py --data FOLDER [--case sick] [--steps 10] [--threads 1] [--precision bf16]

The `train` stage runs as in every study, with PyTorch's profiler on from the second step. The limit is a bare matrix
product of the model's shapes, in the same process, directly before and after. The share of the limit is of
processor time on both sides, so that other work on the machine counts on neither; the parts are shares of elapsed time.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from training import CASES, Job, run_isthmus, write_rows

#: What each operator's own time counts as; the first that the name begins with. Names are the profiler's.
PARTS: dict[str, tuple[str, ...]] = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::linear", "aten::matmul"),
    "fused attention": ("aten::_scaled_dot_product_flash",),
    "dropout": ("aten::bernoulli_", "aten::dropout", "aten::native_dropout", "_Dropped", "aten::rand", "aten::div_"),
    "attention, beside its products": (
        "_Attended", "aten::_softmax", "aten::softmax", "aten::where", "aten::masked_fill", "aten::_scaled_dot",
        "aten::scaled_dot", "aten::isneginf", "aten::all", "aten::logical_not",
    ),
    "gelu": ("aten::gelu",),
    "layer norm": ("aten::native_layer_norm", "aten::layer_norm"),
    "optimiser and clipping": (
        "aten::_fused_adam", "Optimizer.", "aten::linalg_vector_norm", "aten::_foreach", "aten::zero_",
    ),
    "embeddings": ("aten::embedding", "aten::index"),
    "sums of bias gradients": ("aten::sum",),
    "copies": ("aten::copy_", "aten::clone", "aten::contiguous", "aten::_to_copy", "aten::cat"),
    "elementwise": ("aten::add", "aten::mul", "aten::sub", "aten::div", "aten::tanh"),
}  # fmt: skip
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def limit(precision: str, seconds: float = 1.0) -> float:
    """Operations in a second of one core's time, of a bare product of 512 tokens with a matrix of 384 x 1536."""
    left, right = torch.randn(512, 384, dtype=DTYPES[precision]), torch.randn(384, 1536, dtype=DTYPES[precision])
    begun, products = time.process_time(), 0
    while time.process_time() - begun < seconds:
        left @ right
        products += 1
    return products * 2 * 512 * 384 * 1536 / (time.process_time() - begun)


class Window:
    """The profiler, on from the end of the second step to the end of the last one wanted."""

    def __init__(self, steps: int) -> None:
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self.profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], with_flops=True)
        self.steps, self.done, self.elapsed, self.processor = steps, 0, 0.0, 0.0
        register_optimizer_step_post_hook(self._stepped)

    def _stepped(self, *_: Any) -> None:
        self.done += 1
        if self.done == 2:
            self.profiler.start()
            self._begun = time.perf_counter(), time.process_time()
        elif self.done == self.steps + 2:
            self.elapsed, self.processor = time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]
            self.profiler.stop()


def parts_of(profiler: Any) -> tuple[dict[str, float], float]:
    """Seconds of each part, and the floating-point operations of the matrix products."""
    seconds: Counter[str] = Counter()
    flops = 0
    for event in profiler.key_averages():
        part = next((part for part, names in PARTS.items() if event.key.startswith(names)), "other operators")
        seconds[part] += event.self_cpu_time_total / 1e6
        flops += event.flops if part == "matrix products" else 0
    return dict(seconds), float(flops)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--case", choices=CASES, default="sick")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=list(DTYPES), default="fp32")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    from isthmus.model.embedded import convert

    torch.set_num_threads(options.threads)
    case = CASES[options.case]
    case = replace(case, examples=case.batch_size * (options.steps + 2))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").mkdir()
        convert(folder / "model")
        train, dev = write_rows(case, options.data, folder, case.examples, 10)
        job = Job("isthmus", options.case, str(folder / "model"), train, dev, 1, options.threads, options.precision)
        before, window = limit(options.precision), Window(options.steps)
        run_isthmus(job, case, folder)
        best = max(before, limit(options.precision))
    seconds, flops = parts_of(window.profiler)
    seconds["Python, the dispatcher and waiting"] = max(0.0, window.elapsed - sum(seconds.values()))
    told = {
        "seconds_per_step": window.elapsed / options.steps,
        "processor_seconds_per_step": window.processor / options.steps,
        "gflop_per_step": flops / options.steps / 1e9,
        "limit_gflops": best / 1e9,
        "share_of_limit": flops / window.processor / best,
        "parts": {part: value / window.elapsed for part, value in sorted(seconds.items(), key=lambda one: -one[1])},
    }
    print(json.dumps(told, indent=1) if options.json else table(options.case, told))


def table(case: str, told: dict[str, Any]) -> str:
    lines = [
        f"{case}: {told['seconds_per_step']:.3f} s a step, {told['processor_seconds_per_step']:.3f} s of processor "
        f"time, for {told['gflop_per_step']:.0f} GFLOP; the limit is {told['limit_gflops']:.0f} GFLOP/s a core, and "
        f"{told['share_of_limit']:.0%} of it is reached.",
        "",
        "| part of a step | share of the time |",
        "| --- | --- |",
    ]
    return "\n".join([*lines, *(f"| {part} | {share:.1%} |" for part, share in told["parts"].items() if share > 0.001)])


if __name__ == "__main__":
    main()
