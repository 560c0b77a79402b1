"""Ends a `translate` stage with SIGKILL at every fourth of its disk operations, resumes it, and says what came out.

    python -m tests.translate.crash_everywhere STORE KEY OTHER-KEY

As `tests.run.crash_everywhere`, whose parts it uses; the cache of translations begins empty each time, and after every
other kill the last line of it is cut in two. In the end both stages, which share sentences, run at once from nothing.
"""

import importlib
import json
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

from isthmus.engines.zygote import HEAVY
from isthmus.store import Store
from isthmus.translate import model
from tests.run.crash_everywhere import attempt, content


def empty(store: Store, *keys: str) -> None:
    for folder in (store.root / "translations", *map(store.stage_folder, keys), *map(store.work_folder, keys)):
        shutil.rmtree(folder, ignore_errors=True)


def cut_last_line(store: Store) -> bool:
    """What a machine that lost power may leave."""
    for path in (store.root / "translations").glob("*/*.jsonl"):
        data = path.read_bytes()
        begin = data.rstrip(b"\n").rfind(b"\n") + 1
        path.write_bytes(data[: (begin + len(data)) // 2])
        return True
    return False


def translated(store: Store) -> dict[str, int]:
    """How often each sentence stands in the cache."""
    (path,) = (store.root / "translations").glob("*/*.jsonl")
    lines = [json.loads(line[9:]) for line in path.read_bytes().split(b"\n") if line]
    return dict(Counter(source for line in lines for source, _ in line))


def main(root: str, key: str, other: str) -> None:
    store = Store.open(Path(root))
    for module in (*HEAVY, "isthmus.translate.stage", "transformers.models.m2m_100.modeling_m2m_100"):
        importlib.import_module(module)
    model.TOKEN_BUDGET = {"cpu": 40, "cuda": 40}  # several batches
    files = {}
    for one in (key, other):
        files[one] = store.root / f"{one}.json"
        shutil.copyfile(store.stage_folder(one) / "stage.json", files[one])
    log = store.root / "operations"
    empty(store, key)
    assert attempt(store, files[key], None, log) == 0
    expected = content(store, key)
    operations = log.read_text().split("\n")[:-1]
    for number, name in list(enumerate(operations, 1))[1::4]:
        empty(store, key)
        killed = attempt(store, files[key], number, log)
        cut = number % 8 < 4 and cut_last_line(store)
        resumed = attempt(store, files[key], 10**9, log)
        line = {"operation": name, "killed": os.WTERMSIG(killed) == signal.SIGKILL, "cut": cut}
        print(json.dumps({**line, "resumed": resumed == 0, "identical": content(store, key) == expected}), flush=True)
    empty(store, key, other)
    children = []
    for one in (key, other):
        child = os.fork()
        if child == 0:
            os._exit(0 if attempt(store, files[one], 10**9, log) == 0 else 1)
        children.append(child)
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(json.dumps({"ended": ended, "translated": translated(store)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
