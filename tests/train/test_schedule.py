"""The shares of a mixture are exact, its order is the seed's, and nothing has to be remembered to go on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.study.spec import MaskedText, Mixture, Recipe
from isthmus.train.schedule import Size, make_schedule, steps_of, task_shares

NAMES = ("a", "b", "c", "d")
sizes = st.lists(st.builds(Size, st.integers(1, 3000), st.integers(1, 64), st.just(False)), min_size=1, max_size=4)


def mixture(count: int, **fields: object) -> Mixture:
    return Mixture.model_validate({"tasks": NAMES[:count], **fields})


def test_one_task_has_as_many_steps_as_its_epochs_have_batches() -> None:
    assert steps_of([Size(100, 32)], Recipe(epochs=3), None) == [12]
    assert steps_of([Size(100, 32)], Recipe(epochs=3, steps=7), None) == [7]


@given(sizes, st.integers(1, 3))
def test_proportional_sampling_gives_every_task_its_epochs(parts: list[Size], epochs: int) -> None:
    steps = steps_of(parts, Recipe(epochs=epochs), mixture(len(parts)))
    for size, count in zip(parts, steps, strict=True):
        assert abs(count - epochs * size.features / size.batch_size) <= len(parts)


def test_how_often_each_task_has_its_turn() -> None:
    counts = [8000, 1000]
    assert task_shares(counts, mixture(2)) == pytest.approx([8 / 9, 1 / 9])
    assert task_shares(counts, mixture(2, sampling="uniform")) == pytest.approx([0.5, 0.5])
    root = task_shares(counts, mixture(2, sampling="temperature", temperature=3))
    assert root == pytest.approx([2 / 3, 1 / 3])
    tasks = [Size(8000, 10), Size(1000, 10)]
    assert steps_of(tasks, Recipe(epochs=1), mixture(2, cap=2000)) == [200, 100]
    assert steps_of(tasks, Recipe(epochs=1, steps=90), mixture(2, cap=2000)) == [60, 30]
    assert steps_of([Size(1000, 10), Size(1000, 5)], Recipe(epochs=2), mixture(2)) == [200, 400], "examples, not steps"


@given(sizes, st.floats(0.05, 0.9), st.integers(1, 3))
def test_masked_language_modelling_has_its_share_of_all_steps(tasks: list[Size], share: float, languages: int) -> None:
    texts = [Size(10 ** (place + 1), 8, True) for place in range(languages)]
    mixed = mixture(len(tasks), mlm=MaskedText(share=share, tasks=("text",), temperature=2))
    steps = steps_of([*tasks, *texts], Recipe(epochs=1), mixed)
    masked, rest = steps[len(tasks) :], steps[: len(tasks)]
    wanted = share / (1 - share) * sum(rest)
    assert all(count >= 1 for count in steps)
    assert abs(sum(masked) - wanted) <= 2 * languages
    assert masked == sorted(masked), "the larger text comes at least as often"


@given(sizes, st.integers(0, 2**32))
def test_the_order_is_a_function_of_the_seed_and_counts_every_turn(parts: list[Size], seed: int) -> None:
    mixed = mixture(len(parts))
    one, other = (make_schedule(parts, Recipe(epochs=1), mixed, seed) for _ in range(2))
    assert np.array_equal(one.member, other.member) and np.array_equal(one.turn, other.turn)
    assert np.bincount(one.member, minlength=len(parts)).tolist() == steps_of(parts, Recipe(epochs=1), mixed)
    for number in range(len(parts)):
        assert one.turn[one.member == number].tolist() == list(range(int((one.member == number).sum())))


def test_another_seed_is_another_order() -> None:
    parts = [Size(1000, 10), Size(1000, 10)]
    orders = [make_schedule(parts, Recipe(epochs=1), mixture(2), seed).member for seed in (1, 2)]
    assert not np.array_equal(*orders)
