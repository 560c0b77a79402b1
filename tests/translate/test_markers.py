"""Marks are put around a stretch, survive, and come off; what is between them is found in the plain translation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.translate.markers import Marked, locate, mark, unmark
from isthmus.translate.sentences import Stretch

WORDS = st.lists(st.text("abé", min_size=1, max_size=5), min_size=1, max_size=8)


@given(WORDS, st.data())
def test_what_was_marked_is_found_by_a_translator_that_copies(words: list[str], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    text = " ".join(words)
    start = len(" ".join([*words[:first], ""]))
    span = Stretch(start, start + len(" ".join(words[first : last + 1])))
    sent = mark(text, span)
    assert sent is not None and sent.count("[") == sent.count("]") == 1
    assert unmark(sent) == Marked(text, span)


@pytest.mark.parametrize(
    ("translation", "expected"),
    [
        ("Das [ kleine Boot ] fährt.", ("Das kleine Boot fährt.", "kleine Boot")),
        ("Anna zog nach [Bremen ] .", ("Anna zog nach Bremen.", "Bremen")),
        ("[ Anna ] zog.", ("Anna zog.", "Anna")),
        ("他住在【不来梅】。", ("他住在不来梅。", "不来梅")),
        ("他住在［不来梅］。", ("他住在不来梅。", "不来梅")),
    ],
)
def test_marks_come_off_with_the_spaces_that_belong_to_them(translation: str, expected: tuple[str, str]) -> None:
    found = unmark(translation)
    assert found is not None
    assert (found.text, found.span.of(found.text)) == expected


@pytest.mark.parametrize("text", ["kein Paar", "[offen", "zu]", "] verkehrt [", "[]", "[ ]", "[a] und [b]", ""])
def test_without_exactly_one_pair_nothing_was_marked(text: str) -> None:
    assert unmark(text) is None


@given(st.text("ab .", max_size=8), st.text("ab .", max_size=8), st.text("ab .", max_size=8))
def test_whatever_comes_back_the_span_stands_in_the_text(before: str, inside: str, after: str) -> None:
    found = unmark(f"{before}[{inside}]{after}")
    assert (found is None) == (not inside.strip())
    if found is not None:
        assert found.span.of(found.text) == inside.strip()
        assert "".join(found.text.split()) == "".join((before + inside + after).split())


def test_a_text_with_brackets_of_its_own_is_not_marked() -> None:
    assert mark("see [1]", Stretch(0, 3)) is None


def test_the_place_in_the_plain_translation_is_that_of_the_same_words() -> None:
    plain = "Das Boot fährt, und das Boot sinkt."
    same = unmark("Das Boot fährt, und das [Boot] sinkt.")
    assert same is not None
    assert locate(same, plain, "de") == (Stretch(24, 28), 1.0)
    other = unmark("Ein Boot fährt und das [Boot] sinkt.")
    assert other is not None
    found = locate(other, plain, "de")
    assert found.span == Stretch(24, 28)
    assert 0.7 < found.likeness < 1.0
    lost = unmark("Ein [Schiff] fährt.")
    assert lost is not None
    assert locate(lost, plain, "de").span is None
