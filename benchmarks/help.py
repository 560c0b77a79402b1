"""How long `isthmus --help` takes, from the shell's point of view.

    python benchmarks/help.py [--runs 10]

Prints the median of the runs in milliseconds, and that of a Python that does nothing. At most 300 ms are allowed.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("isthmus")


def milliseconds(command: list[str], runs: int) -> list[float]:
    """The time of each run, after one that warms the disk cache."""
    taken = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(1000 * (time.perf_counter() - begun))
    return sorted(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    for name, command in (
        ("isthmus --help", [str(PROGRAM), "--help"]),
        ("python -c pass", [sys.executable, "-c", "pass"]),
    ):
        taken = milliseconds(command, runs)
        median = statistics.median(taken)
        print(f"{name}: {median:.0f} ms (median of {runs}; {taken[0]:.0f} to {taken[-1]:.0f})")


if __name__ == "__main__":
    main()
