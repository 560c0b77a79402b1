"""Finished stages that nothing computed; and pushes and pulls as programs of their own, to be killed.

python -m tests.remote.made_up push|pull STORE URL
"""

import sys
from pathlib import Path

from isthmus.disk import link_or_copy
from isthmus.remote import pull as pulling
from isthmus.remote import push as pushing
from isthmus.remote.layout import Remote
from isthmus.remote.transfer import Moved
from isthmus.stage import VERSIONS, Record, Stage
from isthmus.store import Store


def publish(store: Store, name: str, files: dict[str, bytes], link: tuple[str, str] | None = None) -> str:
    """Finish a stage with these files; ``link`` is a stage and a file of it that this one has, too."""
    stage = Stage("score", {"metric": name}, {}, f"stage {name}")
    output = store.work_folder(stage.key) / "output"
    output.mkdir(parents=True)
    for file, content in files.items():
        (output / file).parent.mkdir(parents=True, exist_ok=True)
        (output / file).write_bytes(content)
    if link:
        (output / link[1]).parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(store.stage_folder(link[0]) / link[1], output / link[1])
    begun = "2026-01-01T00:00:00+00:00"
    version = VERSIONS["score"]
    record = Record(stage.key, stage.title, "score", version, stage.identity, {}, {}, begun, 1.0, 1, {}, "", (), {}, {})
    store.publish(record, store.known_files(iter([link[0]] if link else [])))
    return stage.key


def push(store: Store, url: str) -> Moved:
    return pushing.push(store, Remote.open(url, create=True), pushing.everything(store, {}))


def pull(store: Store, url: str) -> Moved:
    remote = Remote.open(url)
    return pulling.pull(store, remote, pulling.everything(remote))


if __name__ == "__main__":
    what, folder, address = sys.argv[1:]
    moved = (push if what == "push" else pull)(Store.open(Path(folder)), address)
    sys.exit(1 if moved.failed else 0)
