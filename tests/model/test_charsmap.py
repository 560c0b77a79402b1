from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import NormalizedString

from isthmus.model.charsmap import codepoint_normalizer, compile_charsmap

# Bases of one to four bytes and marks that join them in one grapheme cluster; some of each are replaced below.
BASES = "ab é\u0600کＡﬁ㎏が한\u1112𝒜🏴\r\n\x01\x7f"
MARKS = "\u0301\u0340\u064b\u093e\u0e33\u1161\u200d\ufe0f🏽\U000e0067"
CHARACTERS = st.sampled_from(BASES + MARKS)
TEXTS = st.text(CHARACTERS)
REPLACEMENTS = st.dictionaries(
    CHARACTERS.map(ord), st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1), max_size=4), min_size=5
)


@given(REPLACEMENTS, TEXTS)
def test_every_code_point_is_replaced_by_itself_whatever_stands_beside_it(
    replacements: dict[int, str], text: str
) -> None:
    replacements[0x02] = ""
    # The mark that the normaliser puts between clusters must not come out of a replacement.
    unmarked = {codepoint: new.translate(dict.fromkeys(range(0x20))) for codepoint, new in replacements.items()}
    assert codepoint_normalizer(unmarked).normalize_str(text) == text.translate(unmarked)


@pytest.mark.parametrize(
    ("text", "normalised", "sources"),
    [
        ("xＡ\u0301y", "xA\u0301y", ["x", "Ａ", "\u0301", "y"]),
        ("\x01\x01ab", "ab", ["a", "b"]),
        ("㎏ｂ", "kgb", ["㎏", "㎏", "ｂ"]),
        ("a\x01\u3000b", "a b", ["a", "\u3000", "b"]),
    ],
)
def test_each_character_keeps_its_place_in_the_original(text: str, normalised: str, sources: list[str]) -> None:
    replacements = {1: "", 0x3000: " ", ord("Ａ"): "A", ord("ｂ"): "b", ord("㎏"): "kg"}
    string = NormalizedString(text)
    codepoint_normalizer(replacements).normalize(string)
    assert string.normalized == normalised
    assert [string.slice((i, i + 1)).original.strip("\x01") for i in range(len(normalised))] == sources


def test_the_same_map_compiles_to_the_same_bytes_in_any_order() -> None:
    pairs = [(0x41, "x"), (0x3000, " "), (0x1D400, "A"), (0xC0, "A")]
    assert compile_charsmap(dict(pairs)) == compile_charsmap(dict(reversed(pairs)))


def test_something_must_be_deleted_that_can_end_a_cluster() -> None:
    with pytest.raises(ValueError, match="no control character"):
        codepoint_normalizer({0x41: "", 0x42: "b"})


@pytest.mark.parametrize("replacements", [{0: "a"}, {65: ""}, {65: "a\0b"}])
def test_what_the_format_cannot_hold_is_refused(replacements: dict[int, Any]) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        compile_charsmap(replacements)
