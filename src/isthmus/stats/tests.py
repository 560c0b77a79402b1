"""What to do about having made many tests: p-values adjusted for their number."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import DataError

Floats = NDArray[np.float64]


def holm(p: Sequence[float]) -> Floats:
    """The p-values of one table, adjusted for their number so that the chance of any false find stays below alpha.

    Holm (1979), "A simple sequentially rejective multiple test procedure". Any shape is flattened.

    Raises:
        DataError: a p is not between 0 and 1.
    """
    values = np.asarray(p, dtype=np.float64).ravel()
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError("A p-value lies between 0 and 1; one of those to adjust does not.")
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted
