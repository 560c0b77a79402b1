"""Pairs of sentences by a margin over their neighbourhoods (Artetxe and Schwenk, arXiv 1811.01136, section 3)."""

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from isthmus.evaluate.retrieval.search import BothWays, Neighbours, Similarity, nearest, nearest_both

#: ``none`` and ``absolute`` score a pair by its similarity alone.
Margin = Literal["none", "absolute", "distance", "ratio"]
#: Whose best matches are pairs: each source's; each target's; those that agree; or the best of both, one to one.
Direction = Literal["forward", "backward", "intersect", "max"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
Rows = np.ndarray[Any, np.dtype[np.int64]]


class Scoring(NamedTuple):
    """How pairs are scored and chosen; the defaults are XTREME's for BUCC.

    Attributes:
        similarity: of two vectors.
        margin: of a pair's similarity over the mean similarity to the nearest neighbours of both.
        neighbours: of each side; capped at the size of the other side.
        direction: whose best matches are pairs.
        shift: move each side by the difference of the means before it is looked for in the other.
        official: as the official code has it, where that is peculiar: with ``l2`` pairs are scored by their dot
            product, and ``max`` loses pairs that score 0 or less.
    """

    similarity: Similarity = "cosine"
    margin: Margin = "ratio"
    neighbours: int = 4
    direction: Direction = "max"
    shift: bool = False
    official: bool = False


class Pairs(NamedTuple):
    """Pairs of rows and their scores, (m,) each: of ``max`` by falling score, otherwise in the order of the rows."""

    sources: Rows
    targets: Rows
    scores: Floats


class Matches(NamedTuple):
    """For each row of one side the best row of the other, and the score of the pair: (n,) each."""

    rows: Rows
    scores: Floats


class BothMatches(NamedTuple):
    """The best target of each source, and the best source of each target."""

    forward: Matches
    backward: Matches


def find_pairs(x: Tensor, y: Tensor, scoring: Scoring) -> Pairs:
    """The pairs among the sources ``x`` (n, width) and the targets ``y`` (m, width), float32, neither empty."""
    forward, backward = best_matches(x, y, scoring)
    if scoring.direction == "forward":
        return Pairs(np.arange(len(x)), *forward)
    if scoring.direction == "backward":
        return Pairs(backward.rows, np.arange(len(y)), backward.scores)
    if scoring.direction == "intersect":
        mutual = np.flatnonzero(backward.rows[forward.rows] == np.arange(len(x)))
        return Pairs(mutual, forward.rows[mutual], forward.scores[mutual])
    return _one_to_one(forward, backward, 0.0 if scoring.official else -np.inf)


def best_matches(x: Tensor, y: Tensor, scoring: Scoring) -> BothMatches:
    """For each row of either side its best partner among its nearest neighbours; of equal ones, the nearest."""
    similarity, sources, targets = scoring.similarity, x, y
    if scoring.shift:
        if similarity == "cosine":  # unit vectors, but no longer when they have been moved
            x, y, similarity = functional.normalize(x, dim=1), functional.normalize(y, dim=1), "dot"
        delta = (x.double().mean(0) - y.double().mean(0)).float()
        sources, targets = x - delta, y + delta
        forward = nearest(sources, y, scoring.neighbours, similarity)
        found = BothWays(forward, nearest(targets, x, scoring.neighbours, similarity))
    else:
        found = nearest_both(x, y, scoring.neighbours, similarity)
    forward_means, backward_means = (side.similarities.double().mean(1).numpy() for side in found)
    products = scoring.official and similarity == "l2"
    return BothMatches(
        _matches(found.forward, forward_means, backward_means, scoring.margin, (sources, y) if products else None),
        _matches(found.backward, backward_means, forward_means, scoring.margin, (targets, x) if products else None),
    )


def _matches(
    found: Neighbours, means: Floats, others: Floats, margin: Margin, sides: tuple[Tensor, Tensor] | None
) -> Matches:
    """The best of each row's neighbours by the margin; by dot products, where there are the ``sides`` for them."""
    indices = found.indices.numpy()
    scores = found.similarities.double().numpy()
    if sides is not None:
        scores = torch.einsum("qw,qkw->qk", sides[0].double(), sides[1].double()[found.indices]).numpy()
    around = (means[:, None] + others[indices]) / 2
    if margin == "distance":
        scores = scores - around
    elif margin == "ratio":
        scores = np.divide(scores, around, out=np.zeros_like(scores), where=around != 0)
    best = scores.argmax(1)[:, None]
    return Matches(np.take_along_axis(indices, best, 1)[:, 0], np.take_along_axis(scores, best, 1)[:, 0])


def _one_to_one(forward: Matches, backward: Matches, above: float) -> Pairs:
    """The matches of both sides by falling score, each row in the first that has it; those above a score are kept."""
    sources = np.concatenate((np.arange(len(forward.rows)), backward.rows))
    targets = np.concatenate((forward.rows, np.arange(len(backward.rows))))
    scores = np.concatenate((forward.scores, backward.scores))
    free_source, free_target = bytearray(b"\1") * len(forward.rows), bytearray(b"\1") * len(backward.rows)
    kept = []
    order = np.argsort(-scores, kind="stable")
    for number, source, target in zip(order.tolist(), sources[order].tolist(), targets[order].tolist(), strict=True):
        if free_source[source] and free_target[target]:
            free_source[source] = free_target[target] = 0
            kept.append(number)
    chosen = np.asarray(kept, dtype=np.int64)
    chosen = chosen[scores[chosen] > above]
    return Pairs(sources[chosen], targets[chosen], scores[chosen])
