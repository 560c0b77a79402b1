import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from isthmus.results import Statistics


@pytest.fixture
def shared() -> Path:
    """The folder with published figures, where there is one."""
    folder = Path(os.environ.get("ISTHMUS_SHARED", "../shared"))
    if not (folder / "oracle/statistics.json").exists():
        pytest.skip("no shared folder (ISTHMUS_SHARED) with published figures")
    return folder


def means_of(values: Sequence[float], groups: Sequence[str] | None = None) -> Statistics:
    """The statistics of a metric that is the mean of ``values``, one an example."""
    ids = tuple(f"{row}" for row in range(len(values)))
    columns = np.stack([np.asarray(values, dtype=np.float64), np.ones(len(values))], axis=1)
    return Statistics(ids, ids if groups is None else tuple(groups), columns)
