"""A push or pull that is killed at any moment leaves nothing half-done that is believed; the next one goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isthmus.remote.layout import Remote
from isthmus.store import Store
from tests.remote.made_up import publish, pull, push

_MOMENTS = 3  # of the time that a whole transfer takes


@pytest.fixture(params=["file", "s3"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place that other processes reach, too."""
    return f"{request.getfixturevalue('s3')}/lab" if request.param == "s3" else f"file://{tmp_path}/remote"


def killed(what: str, store: Store, url: str, begun: Path, pattern: str, moment: int) -> bool:
    """Run a transfer and kill it after the first files are there, a little later each time; had it not ended before?"""
    command = [sys.executable, "-m", "tests.remote.made_up", what, str(store.root), url]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    before = len(list(begun.glob(pattern)))
    while process.poll() is None and len(list(begun.glob(pattern))) <= before:
        time.sleep(0.001)
    time.sleep(0.02 * moment)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_killed_pushes_and_pulls(shared: str, tmp_path: Path, s3_server: tuple[str, Path]) -> None:
    here, elsewhere = Store.open(tmp_path / "here"), Store.open(tmp_path / "elsewhere")
    keys = []
    for number in range(8):
        files = {f"part-{part}": os.urandom(1_500_000) for part in range(6)}
        link = (keys[0], "part-0") if keys else None
        keys.append(publish(here, f"s{number}", {"own": os.urandom(1000), **files} if number else files, link))
    place = tmp_path / "remote" if shared.startswith("file") else s3_server[1] / shared.split("/")[2] / "lab"
    ended = []
    for moment in range(_MOMENTS):
        ended.append(killed("push", here, shared, place, "blobs/*/*", moment))
        for key in Remote.open(shared).stages() if (place / "ISTHMUS").exists() else ():
            wanted = {fact["sha256"]: fact["size"] for fact in record_at(place, key)["files"].values()}
            assert {blob: size for blob, size in blobs_at(place).items() if blob in wanted} == wanted
    assert any(ended)
    size = sum(blobs_at(place).values())
    moved = push(here, shared)
    assert not moved.failed and size > 0 and moved.bytes <= 72_010_000 - size  # what had arrived was not sent again

    ended = []
    for moment in range(_MOMENTS):
        ended.append(killed("pull", elsewhere, shared, elsewhere.root, "incoming/*[0-9a-f]", moment))
        for key in elsewhere.finished():
            assert elsewhere.damage(key, thorough=True) == []
    assert any(ended)
    assert not pull(elsewhere, shared).failed
    assert elsewhere.finished() == sorted(keys)
    assert not [found for _, found in elsewhere.verify() if found]
    assert not (elsewhere.root / "incoming").exists() and not list((elsewhere.root / "work").iterdir())


def record_at(place: Path, key: str) -> dict[str, dict[str, dict[str, str]]]:
    found: dict[str, dict[str, dict[str, str]]] = json.loads((place / "stages" / f"{key}.json").read_bytes())
    return found


def blobs_at(place: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in place.glob("blobs/*/*") if len(path.name) == 64}
