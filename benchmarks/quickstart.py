"""The main job on this machine: wall time, peak memory, the second run, the disk it takes.

python benchmarks/quickstart.py [--runs 1] [STUDY OPTIONS ...]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds, and the largest sum of memory over the command's processes at one time (shared pages once, bytes)."""
    begun = time.perf_counter()
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.25):
            total = 0
            for one in [process, *children(process)]:
                try:
                    total += one.memory_full_info().pss
                except psutil.Error:
                    continue
            peak[0] = max(peak[0], total)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    seconds = time.perf_counter() - begun
    over.set()
    watcher.join()
    if code:
        sys.exit(f"{' '.join(command)} ended with status {code}")
    return seconds, peak[0]


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def disk(folder: Path) -> int:
    """Bytes on disk, files with several names counted once."""
    seen = {}
    for path in folder.rglob("*"):
        if path.is_file():
            status = path.stat()
            seen[(status.st_dev, status.st_ino)] = status.st_blocks * 512
    return sum(seen.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=1)
    arguments, options = parser.parse_known_args()
    isthmus = str(Path(sys.executable).with_name("isthmus"))
    rows = []
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "store"
            command = [isthmus, "run", "quickstart", "--store", str(store), "--quiet", *options]
            seconds, peak = timed(command)
            again, _ = timed(command)
            rows.append({"seconds": seconds, "peak_gb": peak / 1e9, "again_s": again, "disk_gb": disk(store) / 1e9})
            print(json.dumps({name: round(value, 2) for name, value in rows[-1].items()}), flush=True)
    middle = {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}
    print(f"quickstart, median of {len(rows)}: {middle}")


if __name__ == "__main__":
    main()
