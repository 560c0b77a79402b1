"""Words of any script, and tags on them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.tasks.assistant import utterances
from isthmus.tasks.bio import UNSPACED, bio_tags, words
from isthmus.tasks.grammar import Span
from isthmus.tasks.quickstart import ASSISTANT_LANGUAGES, SLOTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("turn the lamp's brightness to 50%", ["turn", "the", "lamp'", "s", "brightness", "to", "50", "%"]),
        ("éteins l'aspirateur", ["éteins", "l'", "aspirateur"]),
        ("5-minute timer", ["5", "-", "minute", "timer"]),
        ("बत्तियाँ बंद करो", ["बत्तियाँ", "बंद", "करो"]),
        ("دمای قهوه‌ساز", ["دمای", "قهوه‌ساز"]),
    ],
)
def test_words_are_letters_or_digits_or_one_mark(text: str, expected: list[str]) -> None:
    assert [word.text for word in words(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("打开TV到50%", ["打", "开", "TV", "到", "50", "%"]), ("เปิดน้ำ", ["เ", "ปิ", "ด", "น้", "ำ"])],
)
def test_letters_are_words_where_nothing_separates_words(text: str, expected: list[str]) -> None:
    assert [word.text for word in words(text, unspaced=True)] == expected


@given(st.text(min_size=1, max_size=40), st.booleans())
def test_words_cover_all_but_space_in_order(text: str, unspaced: bool) -> None:
    found = words(text, unspaced)
    assert "".join("".join(word.text for word in found).split()) == "".join(text.split())
    assert all(text[word.start : word.end] == word.text for word in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8), st.sampled_from(SLOTS)), max_size=4))
def test_tags_are_valid_bio_whatever_the_spans(parts: list[tuple[int, int, str]]) -> None:
    text = "turn on the lamp in 2 rooms, now!"
    spans = [Span(slot, start, min(start + length, len(text)), "") for start, length, slot in parts]
    tags = bio_tags(words(text), spans, frozenset(SLOTS))
    for before, tag in zip(["O", *tags], tags, strict=False):
        assert not tag.startswith("I-") or before[2:] == tag[2:]


def test_the_words_of_a_span_begin_with_b_and_go_on_with_i() -> None:
    text = "living room lamp on"
    spans = [Span("area", 0, 11, ""), Span("name", 12, 16, "")]
    assert bio_tags(words(text), spans, frozenset(SLOTS)) == ["B-area", "I-area", "B-name", "O"]


def test_a_partly_covered_word_is_tagged_whole_and_neighbours_stay_apart() -> None:
    text = "거실의 5분30초 타이머"
    spans = [Span("area", 0, 2, ""), Span("minutes", 4, 5, ""), Span("seconds", 6, 8, "")]
    assert bio_tags(words(text), spans, frozenset(SLOTS)) == ["B-area", "B-minutes", "O", "B-seconds", "O", "O"]


def test_a_slot_that_is_not_among_the_labels_is_outside() -> None:
    assert bio_tags(words("the lamp"), [Span("domain", 4, 8, "")], frozenset(SLOTS)) == ["O", "O"]


@pytest.mark.parametrize("language", ASSISTANT_LANGUAGES)
def test_hardly_any_slot_is_lost_to_the_cut(language: str) -> None:
    wanted = tagged = 0
    for row in utterances("test", language):
        spans = [span for span in row.spans if span.slot in SLOTS]
        tags = bio_tags(words(row.text, language in UNSPACED), spans, frozenset(SLOTS))
        wanted += len(spans)
        tagged += sum(tag.startswith("B-") for tag in tags)
    assert wanted > 150
    assert tagged >= 0.98 * wanted
