"""Texts are cut into sentences and put together again, and no place is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.translate.sentences import put_together, segments, sentences
from isthmus.translate.words import join_tokens, words_of

TEXTS = st.text(alphabet=st.sampled_from('ab Aé.!?…。，,;:\n "”)]0。।؟'), max_size=60) | st.text(max_size=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rains. It is late.", ["It rains.", "It is late."]),
        ('He said "no." She left!  Why? (He knew.) End', ['He said "no."', "She left!", "Why?", "(He knew.)", "End"]),
        ("J. R. Smith met Dr. Hall, e.g. on 3. May.", ["J. R. Smith met Dr. Hall, e.g. on 3. May."]),
        ("The U.S. Army won. It cost $3.5 million.", ["The U.S. Army won.", "It cost $3.5 million."]),
        ("One line\nand another\n\n Third.", ["One line", "and another", "Third."]),
        ("他来了。她走了！“为什么？”没人知道", ["他来了。", "她走了！", "“为什么？”", "没人知道"]),
        ("वह आया। वह गया।", ["वह आया।", "वह गया।"]),
        ("هل جاء؟ نعم.", ["هل جاء؟", "نعم."]),
        ("... wait. 5", ["... wait.", "5"]),
        (" \n ", []),
    ],
)
def test_sentences_end_where_people_end_them(text: str, expected: list[str]) -> None:
    assert [stretch.of(text) for stretch in sentences(text)] == expected


@given(TEXTS)
def test_nothing_but_white_space_is_outside_sentences(text: str) -> None:
    found = sentences(text)
    assert "".join("".join(stretch.of(text).split()) for stretch in found) == "".join(text.split())
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(stretch.of(text) == stretch.of(text).strip() != "" for stretch in found)


@given(TEXTS, st.integers(1, 20))
def test_sentences_that_do_not_fit_are_cut_until_they_do(text: str, limit: int) -> None:
    found = segments(text, lambda part: len(part) <= limit)
    assert all(0 < stretch.end - stretch.start <= limit for stretch in found)
    assert "".join("".join(stretch.of(text).split()) for stretch in found) == "".join(text.split())


def test_a_long_sentence_is_cut_at_a_comma_near_its_middle() -> None:
    text = "the boat was small and old, but the river was wide and deep"
    assert [stretch.of(text) for stretch in segments(text, lambda part: len(part) < 40)] == [
        "the boat was small and old,",
        "but the river was wide and deep",
    ]


@given(TEXTS, st.sampled_from(["de", "zh"]), st.data())
def test_a_passage_knows_where_each_sentence_stands_in_the_translation(
    text: str, code: str, data: st.DataObject
) -> None:
    parts = [(stretch, data.draw(st.text("xyz", min_size=1, max_size=5))) for stretch in sentences(text)]
    passage = put_together(text, parts, code)
    assert [segment.target.of(passage.target) for segment in passage.segments] == [words for _, words in parts]
    assert [segment.source for segment in passage.segments] == [stretch for stretch, _ in parts]


def test_paragraphs_stay_apart_and_chinese_has_no_spaces() -> None:
    text = "It rains. It is late.\n\nGo."
    parts = [(stretch, f"<{number}>") for number, stretch in enumerate(sentences(text))]
    assert put_together(text, parts, "de").target == "<0> <1>\n\n<2>"
    assert put_together(text, parts, "zh").target == "<0><1>\n\n<2>"


@pytest.mark.parametrize(
    ("tokens", "code", "expected"),
    [
        (["He", "said", '"', "no", '"', "(", "twice", ")", "."], "en", 'He said "no" (twice).'),
        (["I", "do", "n't", "know", ",", "Anna", "'s", "boat", "?"], "en", "I don't know, Anna's boat?"),
        (["他", "在", "IBM", "Labs", "工", "作", "。"], "zh", "他在IBM Labs工作。"),
        (["a", "", "b"], "en", "a b"),
    ],
)
def test_tokens_are_joined_as_one_writes(tokens: list[str], code: str, expected: str) -> None:
    joined = join_tokens(tokens, code)
    assert joined.text == expected
    assert [place.of(joined.text) for place in joined.places] == tokens


@given(st.lists(st.text("ab.\"'(,", min_size=1, max_size=4), max_size=12), st.sampled_from(["en", "th"]))
def test_every_token_stands_where_it_is_said_to(tokens: list[str], code: str) -> None:
    joined = join_tokens(tokens, code)
    assert [place.of(joined.text) for place in joined.places] == [token.strip() for token in tokens]


def test_words_are_letters_where_no_spaces_are_written() -> None:
    assert [word.text for word in words_of("他在IBM工作。", "zh")] == ["他", "在", "IBM", "工", "作", "。"]
    assert [word.text for word in words_of("Anna's Boot ist klein.", "de")] == [
        "Anna'",
        "s",
        "Boot",
        "ist",
        "klein",
        ".",
    ]
