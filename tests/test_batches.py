"""The order of training is a function of the seed, and subsets are nested."""

from hypothesis import given
from hypothesis import strategies as st

from isthmus.data.batch import epoch_batches
from isthmus.data.subset import nested_subset
from isthmus.kinds.core import Batcher

lengths = st.lists(st.integers(1, 60), min_size=1, max_size=300)


@given(lengths, st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_an_epoch_visits_every_example_once_and_is_reproducible(
    sizes: list[int], batch: int, seed: int, epoch: int
) -> None:
    batches = epoch_batches(sizes, batch, seed, epoch)
    assert sorted(position for one in batches for position in one) == list(range(len(sizes)))
    assert sum(len(one) < batch for one in batches) <= 1, "only the last batch drawn may be small"
    assert batches == epoch_batches(sizes, batch, seed, epoch)


def test_epochs_and_seeds_differ_in_order() -> None:
    sizes = list(range(1, 101))
    assert epoch_batches(sizes, 8, 1, 0) != epoch_batches(sizes, 8, 1, 1)
    assert epoch_batches(sizes, 8, 1, 0) != epoch_batches(sizes, 8, 2, 0)


def test_batches_hold_texts_of_similar_length() -> None:
    sizes = [5, 50] * 200
    batches = epoch_batches(sizes, 10, 1, 0)
    assert sum(len({sizes[position] for position in one}) == 1 for one in batches) == len(batches)


@given(st.lists(st.text(max_size=5), unique=True, max_size=60), st.integers(0, 60), st.integers(0, 60), st.randoms())
def test_a_smaller_subset_lies_within_a_larger_one_whatever_the_order_of_rows(ids, small, large, random) -> None:
    small, large = sorted((small, large))
    few = {ids[row] for row in nested_subset(ids, small, "s")}
    many = {ids[row] for row in nested_subset(ids, large, "s")}
    assert few <= many
    assert len(few) == min(small, len(ids))
    shuffled = list(ids)
    random.shuffle(shuffled)
    assert {shuffled[row] for row in nested_subset(shuffled, small, "s")} == few


@given(lengths, st.integers(1, 500))
def test_prediction_batches_keep_within_the_budget_and_miss_nothing(sizes: list[int], budget: int) -> None:
    batches = list(Batcher(0, budget, {}).batches(sizes))
    assert sorted(position for one in batches for position in one) == list(range(len(sizes)))
    assert all(len(one) == 1 or len(one) * max(sizes[position] for position in one) <= budget for one in batches)
