"""Nested subsets: the rows of a smaller one are always among those of a larger one, in whatever order rows come."""

import hashlib
from collections.abc import Sequence


def nested_subset(ids: Sequence[str], size: int | None, salt: str) -> list[int]:
    """Positions of ``size`` of the rows named ``ids``, in rising order; all of them when ``size`` is None or larger.

    The choice depends on the ids and the salt alone, so parallel splits that share ids give the same examples.
    """
    if size is None or size >= len(ids):
        return list(range(len(ids)))
    rank = sorted(range(len(ids)), key=lambda row: hashlib.sha256(f"{salt}\0{ids[row]}".encode()).digest())
    return sorted(rank[:size])
