"""The k nearest rows are those of a search by brute force, of equal ones the first, whatever the blocks."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from isthmus.evaluate.retrieval import search
from isthmus.evaluate.retrieval.search import Neighbours, Similarity, nearest, nearest_both

SIMILARITIES: tuple[Similarity, ...] = ("cosine", "dot", "l2")


def brute_force(queries: Tensor, index: Tensor, k: int, similarity: Similarity) -> Neighbours:
    left, right = queries.double().numpy(), index.double().numpy()
    if similarity == "cosine":
        left, right = (side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-30) for side in (left, right))
    if similarity == "l2":
        found = 1 / (1 + ((left[:, None] - right[None]) ** 2).sum(-1))
    else:
        found = (left[:, None] * right[None]).sum(-1)
    if similarity == "cosine":
        found = np.round(found * 2.0**32) / 2.0**32
    rounded = found.astype(np.float32) + np.float32(0)
    order = np.argsort(-rounded, axis=1, kind="stable")[:, :k]
    return Neighbours(torch.from_numpy(order), torch.from_numpy(np.take_along_axis(rounded, order, 1)))


def same(found: Neighbours, expected: Neighbours) -> bool:
    return torch.equal(found.indices, expected.indices) and torch.equal(found.similarities, expected.similarities)


def sides(data: Any) -> tuple[Tensor, Tensor]:
    """Vectors of small whole numbers: many are equal, and many equally far."""
    width = data.draw(st.integers(1, 4))
    whole = st.integers(-2, 2).map(float)
    drawn = [data.draw(arrays(np.float32, (data.draw(st.integers(1, 40)), width), elements=whole)) for _ in range(2)]
    return torch.from_numpy(drawn[0]), torch.from_numpy(drawn[1])


@settings(deadline=None, max_examples=50, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.data(), st.sampled_from(SIMILARITIES), st.integers(1, 50), st.sampled_from([2, 3, 8, 16, 4096]))
def test_ties_go_to_the_first_whatever_the_block(data: Any, similarity: Similarity, k: int, block: int) -> None:
    x, y = sides(data)
    expected = brute_force(x, y, k, similarity), brute_force(y, x, k, similarity)
    for small, spare in ((1 << 22, 4), (0, 4), (0, 0)):  # in float64 at once; picked in float32; picked with no spare
        with patch.multiple(search, _SMALL=small, _SPARE=spare, _CHUNK=4):
            both = nearest_both(x, y, k, similarity, block)
            assert same(both.forward, expected[0]) and same(both.backward, expected[1])
            assert same(nearest(x, y, k, similarity, block), expected[0])


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_real_vectors_too_many_for_one_block(similarity: Similarity) -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(700, 24, generator=generator), torch.randn(900, 24, generator=generator)
    y[300:400], x[600:] = y[:100], y[:100]  # copies
    with patch.object(search, "_SMALL", 0):
        both = nearest_both(x, y, 5, similarity, block=256)
    for found, expected in zip(both, (brute_force(x, y, 5, similarity), brute_force(y, x, 5, similarity)), strict=True):
        torch.testing.assert_close(found.similarities, expected.similarities)
        assert (found.indices == expected.indices).double().mean() > 0.999  # rounding to float32 may differ at its edge


def test_vectors_that_float32_cannot_tell_apart_are_ordered_by_the_exact_similarity() -> None:
    index = torch.full((2000, 8), 1000.0)
    index[:, 0] += torch.randperm(2000, generator=torch.Generator().manual_seed(0)) * 2.0**-13
    with patch.object(search, "_SMALL", 0):
        found = nearest(index[:3], index, 6, "l2", block=512)
    assert same(found, brute_force(index[:3], index, 6, "l2"))
    assert found.indices[:, 0].tolist() == [0, 1, 2]


def test_k_is_capped_and_a_vector_of_zeros_is_like_none() -> None:
    found = nearest(torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0], [2.0, 0.0], [-1.0, 0.0]]), 9)
    assert found.indices.tolist() == [[0, 1, 2], [1, 0, 2]]
    assert found.similarities.tolist() == [[0, 0, 0], [1, 0, -1]]


def test_lower_precision_around_a_search_does_not_reach_it() -> None:
    x = torch.randn(600, 32, generator=torch.Generator().manual_seed(3))
    with patch.object(search, "_SMALL", 0):
        with torch.autocast("cpu", torch.bfloat16):
            low = nearest(x, x, 20)
        assert same(low, nearest(x, x, 20))


def test_memory_is_that_of_a_block_not_of_all_similarities() -> None:
    x = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(0))
    similarities = 4 * 2000 * len(x)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        nearest_both(x[:2000], x, 4, block=1024)
    assert max(event.cpu_memory_usage for event in profiler.events()) < similarities / 4
