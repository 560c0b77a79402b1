"""The cache gives back what it was given, whatever a crash or another process did to its file."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.translate.cache import Cache
from isthmus.translate.wording import Progress, in_words, translate_all

BATCHES = [{"a": "ä", 'with "marks"\nand lines': "b"}, {"c": ""}, {"d\u2028e": "d e"}]


class Shouting:
    """A translator that shouts, and remembers what it was given."""

    token_budget = 30

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def lengths(self, texts: list[str]) -> list[int]:
        return [len(text) for text in texts]

    def translate(self, texts: list[str]) -> list[str]:
        self.batches.append(list(texts))
        return [text.upper() for text in texts]


class Stop(Exception):
    """Raised between batches, as a request to stop ends them."""


def written(path: Path) -> Cache:
    cache = Cache(path)
    for batch in BATCHES:
        cache.add(batch)
    return cache


def test_what_was_added_is_known_to_whoever_opens_the_file(tmp_path: Path) -> None:
    everything = {source: target for batch in BATCHES for source, target in batch.items()}
    assert written(tmp_path / "x.jsonl").known == Cache(tmp_path / "x.jsonl").known == everything


def test_a_file_cut_anywhere_has_the_batches_before_the_cut_and_takes_new_ones(tmp_path: Path) -> None:
    written(tmp_path / "whole.jsonl")
    data = (tmp_path / "whole.jsonl").read_bytes()
    ends = [place + 1 for place, byte in enumerate(data) if byte == ord("\n")]
    for length in range(len(data)):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(data[:length])
        whole = sum(end <= length for end in ends)
        expected = {source: target for batch in BATCHES[:whole] for source, target in batch.items()}
        cache = Cache(path)
        assert cache.known == expected
        cache.add({"new": "neu"})
        # a line that lacked only its end is whole now
        again = Cache(path).known
        assert again["new"] == "neu" and {**expected, "new": "neu"}.items() <= again.items()
        path.unlink()


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_never_gives_another_translation(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    path = tmp_path_factory.mktemp("cache") / "x.jsonl"
    known = written(path).known
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    assert Cache(path).known.items() <= known.items()


def test_two_caches_on_one_file_see_what_the_other_wrote(tmp_path: Path) -> None:
    one, other = Cache(tmp_path / "x.jsonl"), Cache(tmp_path / "x.jsonl")
    with one.held(lambda: None):
        one.add({"a": "b"})
    with other.held(lambda: None):
        assert other.known == {"a": "b"}
        other.add({"c": "d"})
    one.refresh()
    assert one.known == {"a": "b", "c": "d"}


def test_waiting_for_the_lock_can_be_given_up(tmp_path: Path) -> None:
    one, other = Cache(tmp_path / "x.jsonl"), Cache(tmp_path / "x.jsonl")

    def give_up() -> None:
        raise Stop

    with one.held(lambda: None), pytest.raises(Stop), other.held(give_up):
        pass


@given(st.lists(st.text("ab ", min_size=1, max_size=12), min_size=1, max_size=30), st.integers(0, 6))
def test_work_that_was_stopped_goes_on_with_the_same_batches(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], stop_after: int
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    unbroken, broken = Shouting(), Shouting()
    wanted = translate_all(texts, unbroken, Cache(folder / "unbroken.jsonl"), lambda _: None)

    def stop(progress: Progress) -> None:
        if len(broken.batches) > stop_after:
            raise Stop

    with suppress(Stop):
        translate_all(texts, broken, Cache(folder / "broken.jsonl"), stop)
    assert translate_all(texts, broken, Cache(folder / "broken.jsonl"), lambda _: None) == wanted
    assert broken.batches == unbroken.batches
    assert wanted == {text: text.upper() for text in texts if in_words(text)}
    assert all(sum(map(len, batch)) <= 30 or len(batch) == 1 for batch in broken.batches)


def test_texts_without_letters_are_not_given_to_the_translator(tmp_path: Path) -> None:
    translator = Shouting()
    words = translate_all(["1931", "...", "x"], translator, Cache(tmp_path / "x.jsonl"), lambda _: None)
    assert (words, translator.batches) == ({"x": "X"}, [["x"]])
    lines = (tmp_path / "x.jsonl").read_bytes().split(b"\n")
    assert json.loads(lines[0][9:]) == [["x", "X"]]
