"""Exact nearest-neighbour search in blocks: memory grows with the block, not with queries x index."""

from typing import NamedTuple

import torch
from torch import Tensor


class Neighbours(NamedTuple):
    """For each of q queries, the nearest row of the index (int64) and its similarity (float32)."""

    indices: Tensor
    similarities: Tensor


def nearest_rows(queries: Tensor, index: Tensor, block: int = 4096) -> Neighbours:
    """The row of ``index`` with the largest dot product with each query; of equal ones, the first.

    Args:
        queries: (q, width) float32.
        index: (n, width) float32, n > 0.
        block: rows of each side in one product.
    """
    rows, similarities = [], []
    for left in torch.split(queries, block):
        best = torch.full((len(left),), -torch.inf)
        where = torch.zeros(len(left), dtype=torch.int64)
        for offset in range(0, len(index), block):
            products = left @ index[offset : offset + block].T
            firsts = products.argmax(1)  # of equal maxima, the first
            values = products.gather(1, firsts[:, None])[:, 0]
            better = values > best
            best = torch.where(better, values, best)
            where = torch.where(better, firsts + offset, where)
        rows.append(where)
        similarities.append(best)
    return Neighbours(torch.cat(rows), torch.cat(similarities))
