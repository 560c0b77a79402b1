"""The order of training: a pure function of seed and epoch, so that a resumed run needs no sampler state."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Batches whose examples are drawn together and then sorted by length among themselves.
_POOL = 50


def epoch_batches(
    lengths: Sequence[int] | NDArray[np.int32], batch_size: int, seed: int, epoch: int
) -> list[list[int]]:
    """Every position once, in batches of ``batch_size`` (the last may be smaller) of similar length.

    Examples are shuffled, sorted by length within pools of 50 batches, and the batches shuffled: little padding, and
    still another order in every epoch.
    """
    generator = np.random.Generator(np.random.PCG64([seed, epoch]))
    order = generator.permutation(len(lengths))
    size = np.asarray(lengths)
    batches: list[list[int]] = []
    for start in range(0, len(order), _POOL * batch_size):
        pool = order[start : start + _POOL * batch_size]
        pool = pool[np.argsort(size[pool], kind="stable")]
        batches.extend(pool[i : i + batch_size].tolist() for i in range(0, len(pool), batch_size))
    return [batches[i] for i in generator.permutation(len(batches))]
