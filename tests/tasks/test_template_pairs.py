"""Pairs of commands: same means the same command with the same values, different means it not."""

from collections import Counter

import pytest

from isthmus.tasks.assistant import templates, utterances
from isthmus.tasks.core import Split
from isthmus.tasks.template_pairs import DIFFERENT, SAME, Pair, pairs

SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def _values(pair: Pair) -> list[dict[str, str]]:
    return [{slot: f.value for slot, f in side.fillers.items()} for side in (pair.first, pair.second)]


@pytest.mark.parametrize("split", SPLITS)
def test_half_are_the_same_and_the_order_mixes_them(split: Split) -> None:
    rows = pairs(split)
    assert Counter(pair.label for pair in rows) == {SAME: len(rows) // 2, DIFFERENT: len(rows) // 2}
    assert 0.35 < sum(pair.label == SAME for pair in rows[:100]) / 100 < 0.65


@pytest.mark.parametrize("split", SPLITS)
def test_the_label_follows_from_command_and_values(split: Split) -> None:
    for pair in pairs(split):
        one, other = _values(pair)
        same = pair.first.template.command == pair.second.template.command and one == other
        assert same == (pair.label == SAME), pair
        assert pair.first.text != pair.second.text


def test_most_different_pairs_are_hard() -> None:
    different = [pair for pair in pairs("train") if pair.label == DIFFERENT]
    value = intent = 0
    for pair in different:
        one, other = _values(pair)
        same_command = pair.first.template.command == pair.second.template.command
        value += same_command and sum(one[slot] != other.get(slot) for slot in one) == 1
        intent += pair.first.template.intent != pair.second.template.intent and one == other
    assert value >= 0.25 * len(different)
    assert value + intent >= 0.6 * len(different)


def test_pairs_come_from_their_own_split_only() -> None:
    for split in SPLITS:
        own = {template.identity for template in templates(split, "en")}
        assert {side.template.identity for pair in pairs(split) for side in (pair.first, pair.second)} <= own


def test_training_pairs_hold_no_test_utterance() -> None:
    tested = {row.text.casefold() for row in utterances("test", "en")}
    trained = {side.text.casefold() for pair in pairs("train") for side in (pair.first, pair.second)}
    assert not tested & trained
