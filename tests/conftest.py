import fcntl
import hashlib
import inspect
import shutil
import signal
from importlib.metadata import version
from pathlib import Path

import pytest

from isthmus.model import charsmap, embedded, q4
from tests.tiny import write_tiny_model

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # begun in the background: what tests start must hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def embedded_model(pytestconfig: pytest.Config) -> Path:
    """The embedded model as a Hugging Face folder: read-only, converted once and kept between runs.

    The folder's name is a hash of the code that writes it, so a change to the converter converts again.
    """
    written_by = [inspect.getsource(module) for module in (charsmap, embedded, q4)] + [version("tokenizers")]
    key = hashlib.sha256("".join(written_by).encode()).hexdigest()[:16]
    cache = pytestconfig.cache.mkdir("embedded-model")
    folder = cache / f"model-{key}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers of pytest-xdist wait here for the first of them
        if not folder.is_dir():
            for stale in cache.glob("model-*"):
                shutil.rmtree(stale)
            unfinished = cache / "model-unfinished"
            unfinished.mkdir()
            embedded.convert(unfinished)
            unfinished.rename(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real model in miniature: read-only."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny-model"))
