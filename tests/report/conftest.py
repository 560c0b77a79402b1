import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from isthmus.planning.plan import Plan
from isthmus.store import Store
from tests.report.finished_study import run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Store, Plan]:
    """A store with a finished study, and its plan: read-only."""
    return run(tmp_path_factory.mktemp("viewed"), tiny_model)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    if os.environ.get("ISTHMUS_NO_BROWSER") == "1":
        pytest.skip("ISTHMUS_NO_BROWSER=1: the report is not looked at in a browser")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("ISTHMUS_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.fail(
            "The report is tested in Chromium, and there is none: install it (`apt-get install -y chromium`), name it "
            "with ISTHMUS_CHROMIUM, or set ISTHMUS_NO_BROWSER=1 to go without."
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=FLAGS.split())
        yield started
        started.close()
