import os
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.data.sources.published import Dataset
from isthmus.tasks.core import Where
from isthmus.tasks.registry import task

SHARED = Path(os.environ.get("ISTHMUS_SHARED", "../shared"))
#: Gives the source of a task, looking in a folder.
Sources = Callable[..., Dataset]


@pytest.fixture(scope="session")
def pack() -> Path:
    """The folder of published files."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no shared folder (ISTHMUS_SHARED) with published files")
    return SHARED / "data"


@pytest.fixture(scope="session")
def source() -> Sources:
    def found(name: str, *folders: Path, hub: bool = False, partial: bool = False, labelled: bool = True) -> Dataset:
        it = task(name).source
        assert isinstance(it, Dataset)
        return it.at(Where(folders, hub, partial, labelled))

    return found
