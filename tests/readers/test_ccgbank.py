"""CCGbank in its two forms: derivations, and sentences of ``word|POS|CATEGORY``."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.data.readers.ccgbank import read_ccgbank
from isthmus.errors import DataError

TREES = r"""ID=x_0001.1 PARSER=GOLD NUMPARSE=1
(<T S[dcl] 0 2> (<T S[dcl] 1 2> (<L NP PRP PRP It NP>) (<L S[dcl]\NP VBZ VBZ rains S[dcl]\NP_1>) ) (<L . . . . .>) )
ID=x_0001.2 PARSER=GOLD NUMPARSE=1
(<T NP 0 2> (<L NP[nb]/N DT DT a NP[nb]_1/N_1>) (<L N NN NN (b|c) N>) )
"""
PIPED = "# made by hand\n\nIt|PRP|NP rains|VBZ|S[dcl]\\NP .|.|.\na|DT|NP[nb]/N (b|c)|NN|N\n"
WORDS = [["It", "rains", "."], ["a", "(b|c)"]]
CATEGORIES = [["NP", "S[dcl]\\NP", "."], ["NP[nb]/N", "N"]]

_MARKS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6)
_CATEGORY = st.text(st.sampled_from("SNP[dcl]()/\\"), min_size=1, max_size=9)
_POS = st.sampled_from(["NN", "DT", "''", "#"])
_SENTENCES = st.lists(st.lists(st.tuples(_MARKS, _POS, _CATEGORY), min_size=1, max_size=5), min_size=1, max_size=4)


def written(tmp_path: Path, text: str, name: str = "a.auto") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_both_forms_give_words_and_categories(tmp_path: Path) -> None:
    trees, piped = read_ccgbank(written(tmp_path, TREES)), read_ccgbank(written(tmp_path, PIPED, "b.stagged"))
    assert trees.tokens == piped.tokens == WORDS
    assert trees.tags == piped.tags == CATEGORIES
    assert (trees.ids, trees.lines) == (["x_0001.1", "x_0001.2"], [2, 4])
    assert (piped.ids, piped.lines) == ([], [3, 4])


@given(_SENTENCES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_whatever_the_words_are_both_forms_hold_them(
    tmp_path: Path, sentences: list[list[tuple[str, str, str]]]
) -> None:
    """A word may have bars, brackets and angles, or be a mark alone."""
    words = [[word for word, _, _ in sentence] for sentence in sentences]
    leaves = [" ".join(f"(<L {c} {p} {p} {w} {c}>)" for w, p, c in sentence) for sentence in sentences]
    if not any("(<L" in word or ">)" in word for row in words for word in row):
        trees = "".join(f"ID={number}\n(<T S 0 2> {row} )\n" for number, row in enumerate(leaves))
        assert read_ccgbank(written(tmp_path, trees)).tokens == words
    piped = "".join(" ".join(f"{w}|{p}|{c}" for w, p, c in sentence) + "\n" for sentence in sentences)
    if not piped.startswith(("ID=", "(")):
        found = read_ccgbank(written(tmp_path, piped))
        assert found.tokens == words
        assert found.tags == [[category for _, _, category in sentence] for sentence in sentences]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TREES.replace("(<L NP PRP PRP It NP>)", "(<L NP PRP It NP>)"), r"a\.auto:2: a derivation must have leaves"),
        ("ID=x_1\nno tree\n", r"a\.auto:2: a derivation must have leaves"),
        ("ID=x_1\n", r"a\.auto:1: there is not one derivation"),
        (PIPED.replace("rains|VBZ|", "rains|"), r"a\.auto:3: 'rains\|S\[dcl\]\\\\NP' must be word\|POS\|CATEGORY"),
        ("# nothing\n", r"a\.auto:1: there are only comments"),
        ("\n\n", r"a\.auto is empty"),
    ],
)
def test_what_is_in_neither_form_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_ccgbank(written(tmp_path, text))
