"""Nested subsets: the rows of a smaller one are always among those of a larger one, in whatever order rows come."""

import hashlib
from collections.abc import Sequence


def nested_subset(ids: Sequence[str], size: int | None, salt: str) -> list[int]:
    """Positions of ``size`` of the rows named ``ids``, in rising order; all of them when ``size`` is None or larger.

    The choice depends on the ids and the salt alone, so parallel splits that share ids give the same examples.
    """
    if size is None or size >= len(ids):
        return list(range(len(ids)))
    place = {name: row for row, name in enumerate(ids)}
    return sorted(place[name] for name in in_order(ids, salt)[:size])


def in_order(names: Sequence[str], salt: str) -> list[str]:
    """Different names in an order that looks random, and depends on each name and the salt alone."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{salt}\0{name}".encode()).digest())
