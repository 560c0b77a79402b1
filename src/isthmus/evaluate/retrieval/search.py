"""Exact nearest-neighbour search in blocks: memory grows with the block, not with queries x index.

A similarity is the float64 one, rounded to float32; of rows that are equally similar the first is the nearer. Both hold
whatever the block, the threads and the library that multiplies matrices, because these only make a choice: products in
float32 pick a few rows more than are asked for, which are then compared as said. Where the error of float32 could have
lost one, the query is answered again in float64.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

Similarity = Literal["cosine", "dot", "l2"]
Result = TypeVar("Result")

#: Rows of each side in one product: 16 MB of float32.
BLOCK = 2048
#: Workers, each with a block of its own, at the most.
_WORKERS = 16
#: Neighbours that float32 picks beyond those asked for.
_SPARE = 4
#: Products that are compared with the worst neighbour so far as one, by their maximum.
_CHUNK = 64
#: Up to this many similarities, everything is done in float64 at once.
_SMALL = 1 << 22
#: Floats that one gathering of neighbours may take.
_GATHERED = 1 << 20
#: Added and taken away again, it rounds a cosine to multiples of 2**-32: vectors at right angles have 0, not 1e-17.
_COARSE = 2.0**20
_TINY = 1e-60  # the square of what is no length
_EPSILON = 2.0**-24  # rounding to float32 changes a number by at most this part of it


class Neighbours(NamedTuple):
    """For each of q queries its k nearest rows of an index, the nearest first.

    Attributes:
        indices: (q, k) int64.
        similarities: (q, k) float32: the cosine, the dot product, or 1 / (1 + the squared distance).
    """

    indices: Tensor
    similarities: Tensor


class BothWays(NamedTuple):
    """The neighbours of ``x`` in ``y``, and those of ``y`` in ``x``."""

    forward: Neighbours
    backward: Neighbours


def nearest(
    queries: Tensor, index: Tensor, k: int = 1, similarity: Similarity = "cosine", block: int = BLOCK
) -> Neighbours:
    """The k rows of ``index`` most similar to each query.

    Args:
        queries: (q, width) float32, q > 0.
        index: (n, width) float32, n > 0; k is capped at n.
        k: neighbours of each query.
        similarity: of two vectors; a vector of zeros has the cosine 0 with all others.
        block: rows of each side in one product.
    """
    left, right = _Side(queries, similarity), _Side(index, similarity)
    if len(queries) * len(index) <= _SMALL:
        return _exactly(left, right, torch.arange(len(queries)), k, block)
    picked = _Running(len(queries), min(k + _SPARE, len(index)))
    _scan(left, right, picked, None, block)
    return _settled(left, right, picked, k, block)


def nearest_both(x: Tensor, y: Tensor, k: int = 1, similarity: Similarity = "cosine", block: int = BLOCK) -> BothWays:
    """As `nearest` both ways, for little more than the price of one: each product serves both sides."""
    left, right = _Side(x, similarity), _Side(y, similarity)
    if len(x) * len(y) <= _SMALL:
        forward = _exactly(left, right, torch.arange(len(x)), k, block)
        return BothWays(forward, _exactly(right, left, torch.arange(len(y)), k, block))
    rows, columns = _Running(len(x), min(k + _SPARE, len(y))), _Running(len(y), min(k + _SPARE, len(x)))
    _scan(left, right, rows, columns, block)
    return BothWays(_settled(left, right, rows, k, block), _settled(right, left, columns, k, block))


class _Side:
    """Vectors whose similarity to others rises with a product of factors: of unit vectors for the cosine; for l2, minus
    half the squared distance, which is ``x.y - |x|^2 / 2 - |y|^2 / 2``."""

    def __init__(self, vectors: Tensor, similarity: Similarity) -> None:
        self.vectors = vectors
        self.similarity = similarity
        self.squares = torch.cat([part.double().square().sum(1) for part in torch.split(vectors, BLOCK)])

    def __len__(self) -> int:
        return len(self.vectors)

    def factors(self, where: slice, mirrored: bool = False) -> Tensor:
        """Some of the vectors as float32 factors; those of the other side of a product are ``mirrored``."""
        rows, squares = self.vectors[where], self.squares[where, None]
        if self.similarity == "dot":
            return rows
        if self.similarity == "cosine":
            return rows * squares.clamp(min=_TINY).rsqrt().float()
        half = (squares / -2).float()
        more = (torch.ones_like(half), half) if mirrored else (half, torch.ones_like(half))
        return torch.cat((rows, *more), 1)

    def products(self, dots: Tensor, squares: Tensor, others: Tensor) -> Tensor:
        """What the factors' products would be in float64, from the vectors' dot products and squared lengths."""
        if self.similarity == "dot":
            return dots
        if self.similarity == "cosine":
            return dots * squares.clamp(min=_TINY).rsqrt() * others.clamp(min=_TINY).rsqrt()
        return dots - squares / 2 - others / 2

    def similarities(self, products: Tensor) -> Tensor:
        """Products in float64 as similarities in float32."""
        if self.similarity == "l2":
            return (1 / (1 - 2 * products.clamp(max=0))).float()
        if self.similarity == "cosine":
            products = (products + _COARSE) - _COARSE
        return products.float()

    def largest_error(self, rows: Tensor, other: "_Side") -> Tensor:
        """How far the float32 products of some rows with any of the other side's may be off: (rows,)."""
        own, largest = self.squares[rows], other.squares.max()
        size = torch.ones_like(own) if self.similarity == "cosine" else (own * largest).sqrt()
        if self.similarity == "l2":
            size = size + (own + largest) / 2
        return size * (self.vectors.shape[1] + 4) * _EPSILON


def _exactly(left: _Side, right: _Side, queries: Tensor, k: int, block: int) -> Neighbours:
    """The neighbours of some rows of ``left`` in ``right``, in float64 throughout."""
    found = [_decoded(_best_keys(left, right, part, min(k, len(right)), block)) for part in torch.split(queries, block)]
    return Neighbours(torch.cat([one.indices for one in found]), torch.cat([one.similarities for one in found]))


def _best_keys(left: _Side, right: _Side, queries: Tensor, k: int, block: int) -> Tensor:
    rows, squares = left.vectors[queries].double(), left.squares[queries, None]
    best = torch.empty(len(rows), 0, dtype=torch.int64)
    for start in range(0, len(right), block):
        part = slice(start, start + block)
        products = left.products(rows @ right.vectors[part].double().T, squares, right.squares[part])
        indices = torch.arange(start, start + products.shape[1]).expand_as(products)
        best = torch.cat((best, _keys(left.similarities(products), indices)), 1)
        best = best.topk(min(k, best.shape[1])).values
    return best


def _keys(similarities: Tensor, indices: Tensor) -> Tensor:
    """Integers that rise with the similarity and, where that is equal, fall with the index."""
    bits = (similarities + 0.0).view(torch.int32)  # -0.0 becomes 0.0
    rising = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # the order of floats is that of their bits; negative ones are flipped
    return (rising.long() << 32) + (0xFFFFFFFF - indices)


def _decoded(keys: Tensor) -> Neighbours:
    rising = (keys >> 32).int()
    bits = rising ^ ((rising >> 31) & 0x7FFFFFFF)
    return Neighbours(0xFFFFFFFF - (keys & 0xFFFFFFFF), bits.view(torch.float32))


class _Running:
    """The largest products so far of each of q rows: (q, size), in no order."""

    def __init__(self, rows: int, size: int) -> None:
        self.products = torch.full((rows, size), -torch.inf)
        self.indices = torch.zeros(rows, size, dtype=torch.int64)

    def offer(self, products: Tensor, start: int, offset: int) -> None:
        """Consider ``products`` (r, c) of the rows from ``start`` with what is numbered from ``offset``."""
        rows, columns = products.shape
        whole, size = columns - columns % _CHUNK, self.products.shape[1]
        own = slice(start, start + rows)
        if whole < columns:
            kept = products[:, whole:].topk(min(size, columns - whole))
            self._merge(own, kept.values, kept.indices + offset + whole)
        if not whole:
            return
        chunks = _chunked(products[:, :whole])
        # torch is quick along memory, and across it, but only where dimensions are in the order of memory.
        largest = chunks.amax(2) if products.stride(1) == 1 else chunks.permute(1, 2, 0).amax(1).T
        worst = self.products[own].amin(1)
        if bool((worst == -torch.inf).any()):
            # The largest products are in the chunks of the largest maxima.
            chosen = largest.topk(min(size, largest.shape[1])).indices
            values = chunks.gather(1, chosen[:, :, None].expand(-1, -1, _CHUNK)).reshape(rows, -1)
            kept = values.topk(min(size, values.shape[1]))
            place = chosen.gather(1, kept.indices // _CHUNK) * _CHUNK + kept.indices % _CHUNK
            self._merge(own, kept.values, place + offset)
            return
        row, chunk = (largest > worst[:, None]).nonzero(as_tuple=True)
        values = chunks[row, chunk]
        hit, column = (values > worst[row][:, None]).nonzero(as_tuple=True)
        if len(hit):
            self._insert(row[hit] + start, chunk[hit] * _CHUNK + column + offset, values[hit, column])

    def merge(self, other: "_Running") -> None:
        """Consider what another has seen."""
        self._merge(slice(None), other.products, other.indices)

    def _insert(self, rows: Tensor, indices: Tensor, products: Tensor) -> None:
        """Merge single products; ``rows`` is rising."""
        unique, place, counts = torch.unique_consecutive(rows, return_inverse=True, return_counts=True)
        position = torch.arange(len(rows)) - (counts.cumsum(0) - counts)[place]
        more = torch.full((len(unique), int(counts.max())), -torch.inf)
        where = torch.zeros(more.shape, dtype=torch.int64)
        more[place, position] = products
        where[place, position] = indices
        self._merge(unique, more, where)

    def _merge(self, rows: Tensor | slice, products: Tensor, indices: Tensor) -> None:
        size = self.products.shape[1]
        kept = torch.cat((self.products[rows], products), 1).topk(size)
        self.products[rows] = kept.values
        self.indices[rows] = torch.cat((self.indices[rows], indices), 1).gather(1, kept.indices)


def _chunked(products: Tensor) -> Tensor:
    """(r, c) as (r, c / chunk, chunk), without a copy, whichever of the two lies one after another in memory."""
    rows, columns = products.shape
    return products.as_strided(
        (rows, columns // _CHUNK, _CHUNK),
        (products.stride(0), products.stride(1) * _CHUNK, products.stride(1)),
        products.storage_offset(),
    )


def _shared(rows: int, work: Callable[[range], Result]) -> list[Result]:
    """What ``work`` makes of consecutive parts of so many rows, a part for each worker.

    A worker uses one thread throughout: many short operations that are each shared among threads would have these wait
    for each other, and for what else the machine does.
    """
    threads = torch.get_num_threads()
    share = -(-rows // min(threads, _WORKERS))

    def alone(first: int) -> Result:
        torch.set_num_threads(1)  # in this thread, and in those to come
        with torch.inference_mode():  # which a thread does not inherit
            return work(range(first, min(first + share, rows)))

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(alone, range(0, rows, share)))
    torch.set_num_threads(threads)
    return found


def _scan(left: _Side, right: _Side, rows: _Running, columns: _Running | None, block: int) -> None:
    """Offer every product of a row of ``left`` and one of ``right`` to the row's and the column's largest."""

    def scan(part: range) -> _Running | None:
        own = None if columns is None else _Running(*columns.products.shape)
        buffer = torch.empty(min(block, len(part)) * min(block, len(right)))
        for start in range(part.start, part.stop, block):
            factors = left.factors(slice(start, min(start + block, part.stop)))
            for offset in range(0, len(right), block):
                others = right.factors(slice(offset, offset + block), mirrored=True)
                products = buffer[: len(factors) * len(others)].view(len(factors), len(others))
                torch.mm(factors, others.T, out=products)  # autocast leaves alone what has a place to go to
                rows.offer(products, start, offset)
                if own is not None:
                    own.offer(products.T, offset, start)
        return own

    for own in _shared(len(left), scan):
        if columns is not None and own is not None:
            columns.merge(own)


def _settled(left: _Side, right: _Side, picked: _Running, k: int, block: int) -> Neighbours:
    """The k nearest among what float32 picked; in float64 from the beginning where it may have missed one."""
    k = min(k, len(right))
    size, width = picked.indices.shape[1], left.vectors.shape[1]
    step = max(1, _GATHERED // (size * width))
    keys = torch.empty(len(left), k, dtype=torch.int64)

    def settle(part: range) -> list[Tensor]:
        uncertain = []
        for rows in torch.split(torch.arange(part.start, part.stop), step):
            indices = picked.indices[rows]
            dots = (right.vectors[indices].double() @ left.vectors[rows].double().unsqueeze(2)).squeeze(2)
            products = left.products(dots, left.squares[rows, None], right.squares[indices])
            keys[rows] = _keys(left.similarities(products), indices).topk(k).values
            if size < len(right):
                last = products.topk(k).values[:, -1]
                slack = left.largest_error(rows, right) + 4 * _EPSILON * last.abs()
                uncertain.append(rows[picked.products[rows].amin(1) >= last - slack])
        return uncertain

    again = [rows for part in _shared(len(left), settle) for rows in part if len(rows)]
    found = _decoded(keys)
    if again:
        rows = torch.cat(again)
        better = _exactly(left, right, rows, k, block)
        found.indices[rows] = better.indices
        found.similarities[rows] = better.similarities
    return found
