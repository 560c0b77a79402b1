"""How fast a plain file becomes a fingerprinted split, beside what pandas and `datasets` do with it.

    python benchmarks/loading.py [--rows 1000000]

Writes a TSV of made-up sentence pairs, then reads it in processes of their own, so that peak memory is that of one
reader. Isthmus: `read_rows` (cells, quoting, labels, ids, Unicode), `to_table` (checks), `fingerprint`. Its peers do
less: pandas' C parser, and the CSV loader of `datasets` from an empty cache, with no check and no fingerprint of rows.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

WORDS = [
    "the",
    "a",
    "river",
    "town",
    "bread",
    "música",
    "straße",
    "дом",
    "вода",
    "水",
    "山",
    "maji",
    "old",
    "'s",
    "seen",
]
LABELS = ("entailment", "neutral", "contradiction")


def write(path: Path, rows: int) -> None:
    chance = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        file.write("premise\thypothesis\tlabel\n")
        for row in range(rows):
            premise, hypothesis = (" ".join(chance.choices(WORDS, k=chance.randint(5, 20))) for _ in range(2))
            file.write(f"{premise} {row}\t{hypothesis}\t{LABELS[row % 3]}\n")


def isthmus(path: Path) -> dict[str, float]:
    from isthmus.data.readers.read import read_rows
    from isthmus.data.schema import Kind, fingerprint, to_table

    started = time.perf_counter()
    rows = read_rows(path, Kind.PAIR)
    read = time.perf_counter()
    table = to_table(rows.kind, rows.values, path.name)
    made = time.perf_counter()
    fingerprint(table)
    done = time.perf_counter()
    return {
        "rows": len(table),
        "read_rows": read - started,
        "to_table": made - read,
        "fingerprint": done - made,
        "all": done - started,
    }


def pandas(path: Path) -> dict[str, float]:
    import pandas

    started = time.perf_counter()
    frame = pandas.read_csv(path, sep="\t", quoting=3)
    return {"rows": len(frame), "all": time.perf_counter() - started}


def datasets(path: Path) -> dict[str, float]:
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as cache:
        started = time.perf_counter()
        loaded = load_dataset("csv", data_files=str(path), sep="\t", quoting=3, split="train", cache_dir=cache)
        return {"rows": len(loaded), "all": time.perf_counter() - started}


READERS = {"isthmus": isthmus, "pandas": pandas, "datasets": datasets}


def measured(reader: str, path: Path) -> None:
    found = READERS[reader](path)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({**found, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.reader:
        measured(args.reader, args.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.tsv"
        write(path, args.rows)
        print(f"{args.rows:,} rows, {path.stat().st_size / 2**20:.0f} MiB")
        for reader in READERS:
            if reader != "isthmus" and find_spec(reader) is None:
                print(f"{reader:<10} is not installed")
                continue
            command = [sys.executable, __file__, "--reader", reader, "--file", str(path)]
            said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
            found = json.loads(said.stdout.strip().rpartition("\n")[2])
            parts = ", ".join(
                f"{name} {found[name]:.2f} s" for name in ("read_rows", "to_table", "fingerprint") if name in found
            )
            speed = found["rows"] / found["all"]
            used = f"CPU {found['cpu']:.1f} s with imports, {found['memory']:.0f} MiB"
            print(f"{reader:<10} {found['all']:6.2f} s  {speed:10,.0f} rows/s  {used}  {parts}")


if __name__ == "__main__":
    main()
