"""Names of emoji: 13 languages to English, and English to English, never of the same emoji."""

import pytest

from isthmus.tasks.core import Split
from isthmus.tasks.emoji_names import LANGUAGES, clean, english_aliases, foreign_names

SPLITS: tuple[Split, ...] = ("train", "dev", "test")


@pytest.mark.parametrize(
    ("name", "words"),
    [(":money-mouth_face:", "money-mouth face"), (":großbuchstaben_ab:", "großbuchstaben ab"), (":_odd__:", "odd")],
)
def test_names_are_words(name: str, words: str) -> None:
    assert clean(name) == words


@pytest.mark.parametrize("language", LANGUAGES)
def test_pairs_are_of_base_emoji_one_to_one_and_not_spelled_alike(language: str) -> None:
    rows = foreign_names("test", language)
    assert len(rows) > 800
    names = [side.casefold() for row in rows for side in (row.source, row.target)]
    assert len(set(names)) == len(names)
    for row in rows:
        assert ":" not in row.source + row.target and "_" not in row.source + row.target
        points = [int(point, 16) for point in row.code.split("-")]
        assert not any(
            0x1F1E6 <= point <= 0x1F1FF or 0x1F3FB <= point <= 0x1F3FF or point == 0x200D for point in points
        )


def test_the_english_name_of_an_emoji_is_the_same_in_every_language() -> None:
    english: dict[str, set[str]] = {}
    for language in LANGUAGES:
        for row in foreign_names("test", language):
            english.setdefault(row.code, set()).add(row.target)
    assert all(len(names) == 1 for names in english.values())
    assert english["1F499"] == {"blue heart"}
    translated = {language: {row.code: row.source for row in foreign_names("test", language)} for language in LANGUAGES}
    assert translated["de"]["1F499"] == "blaues herz" and translated["tr"]["1F499"] == "mavi kalp"


def test_no_emoji_of_the_english_task_is_measured_abroad() -> None:
    english = [row for split in SPLITS for row in english_aliases(split, "en")]
    codes = {row.code for row in english}
    assert len(codes) == len(english) > 400
    for language in LANGUAGES:
        rows = foreign_names("test", language)
        assert not codes & {row.code for row in rows}
        assert not {row.target.casefold() for row in english} & {row.target.casefold() for row in rows}


def test_an_alias_says_something_else_than_the_name_and_no_code() -> None:
    for row in english_aliases("train", "en"):
        assert "".join(row.source.casefold().split()) != "".join(row.target.casefold().split())
        assert not any(character.isdigit() for character in row.target)
