"""Bitext mining beside faiss: time, peak memory and the pairs, each in a process of its own.

    python benchmarks/mining.py [--size 150000] [--width 384] [--threads 2]

Both sides are made-up unit vectors, one a noisy shuffle of the other. Ratio margin over 4 nearest neighbours,
best matches both ways, one to one. faiss searches its exact index (IndexFlatIP) once for each side; the margins are
taken from what it finds in the same way. Needs `faiss-cpu`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

NEIGHBOURS = 4


def write_sides(folder: Path, size: int, width: int) -> None:
    """Two files of vectors that are translations of each other, more or less."""
    random = np.random.default_rng(0)
    meaning = random.standard_normal((size, width), dtype=np.float32)
    for name, order in (("x", np.arange(size)), ("y", random.permutation(size))):
        side = meaning[order]
        side += random.standard_normal((size, width), dtype=np.float32)
        side /= np.linalg.norm(side, axis=1, keepdims=True)
        np.save(folder / f"{name}.npy", side)


class Peak:
    """The largest resident memory while it watches; loading a library may have taken more before."""

    def __init__(self) -> None:
        self.begun = self.largest = resident()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.largest = max(self.largest, resident())


def resident() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def ours(x: Any, y: Any, threads: int) -> Any:
    import torch

    from isthmus.evaluate.retrieval.margins import Scoring, find_pairs

    torch.set_num_threads(threads)
    return lambda: find_pairs(torch.from_numpy(x), torch.from_numpy(y), Scoring(neighbours=NEIGHBOURS))


def with_faiss(x: Any, y: Any, threads: int) -> Any:
    import faiss

    from isthmus.evaluate.retrieval.margins import Pairs

    faiss.omp_set_num_threads(threads)

    def search(queries: Any, rows: Any) -> tuple[Any, Any]:
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)
        return index.search(queries, NEIGHBOURS)

    def best(similarities: Any, indices: Any, means: Any, others: Any) -> tuple[Any, Any]:
        scores = similarities.astype(np.float64) / ((means[:, None] + others[indices]) / 2)
        where = scores.argmax(1)[:, None]
        return np.take_along_axis(indices, where, 1)[:, 0], np.take_along_axis(scores, where, 1)[:, 0]

    def mine() -> Pairs:
        (forward, forward_rows), (backward, backward_rows) = search(x, y), search(y, x)
        means = forward.mean(1, dtype=np.float64), backward.mean(1, dtype=np.float64)
        targets, scores = best(forward, forward_rows, *means)
        sources, more = best(backward, backward_rows, *reversed(means))
        pairs = np.stack((np.r_[np.arange(len(x)), sources], np.r_[targets, np.arange(len(y))]), 1)
        scores = np.r_[scores, more]
        taken: tuple[set[int], set[int]] = (set(), set())
        kept = []
        for number in np.argsort(-scores, kind="stable").tolist():
            source, target = pairs[number].tolist()
            if source not in taken[0] and target not in taken[1]:
                taken[0].add(source)
                taken[1].add(target)
                kept.append(number)
        return Pairs(pairs[kept, 0], pairs[kept, 1], scores[kept])

    return mine


SYSTEMS = {"isthmus": ours, "faiss": with_faiss}


def one(system: str, folder: Path, threads: int) -> None:
    """Mine with one system; what it took goes to standard output, the pairs into the folder."""
    x, y = (np.load(folder / f"{name}.npy") for name in ("x", "y"))
    mine = SYSTEMS[system](x, y, threads)
    with Peak() as peak:
        begun, busy = time.perf_counter(), time.process_time()
        pairs = mine()
        took, spent = time.perf_counter() - begun, time.process_time() - busy
    np.savez(folder / f"{system}.npz", **pairs._asdict())
    print(json.dumps({"seconds": took, "cpu_seconds": spent, "bytes_above_inputs": peak.largest - peak.begun}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=150_000, help="sentences on each side")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", nargs=2, metavar=("SYSTEM", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one[0], Path(options.one[1]), options.threads)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sides(folder, options.size, options.width)
        print(f"{options.size:,} x {options.size:,} x {options.width} float32, {options.threads} threads")
        took = {}
        for system in SYSTEMS:
            command = [sys.executable, __file__, "--one", system, name, "--threads", str(options.threads)]
            took[system] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            found = took[system]
            print(
                f"{system:8} {found['seconds']:8.1f} s, {found['cpu_seconds']:8.1f} s of CPU, "
                f"{found['bytes_above_inputs'] / 1e9:.2f} GB above the inputs",
                flush=True,
            )
        compare(folder, took)


def compare(folder: Path, took: dict[str, dict[str, float]]) -> None:
    """Print the ratio of the times, and how many pairs are the same."""
    mined = [np.load(folder / f"{system}.npz") for system in SYSTEMS]
    pairs = [dict(zip(zip(one["sources"], one["targets"], strict=True), one["scores"], strict=True)) for one in mined]
    both = pairs[0].keys() & pairs[1].keys()
    furthest = max(abs(pairs[0][pair] - pairs[1][pair]) for pair in both)
    print(f"pairs: {len(pairs[0]):,} and {len(pairs[1]):,}, {len(both):,} the same; scores differ by {furthest:.1e}")
    for clock in ("seconds", "cpu_seconds"):
        print(f"faiss / isthmus, {clock}: {took['faiss'][clock] / took['isthmus'][clock]:.2f}")


if __name__ == "__main__":
    main()
