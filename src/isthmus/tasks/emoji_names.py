"""Names of emoji: from 13 languages to English, and from English names to other English names.

The package ``emoji`` holds the names that Unicode's CLDR gives each emoji in each language, and short names in use
before those (``:coffee:`` for ``hot beverage``). An emoji whose English alias differs from its name belongs to the
English task; every other one tests the foreign names, so that no emoji tested there was ever trained on.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import pyarrow as pa

from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError
from isthmus.tasks.core import Split
from isthmus.tasks.package_files import package_folder, package_version

PACKAGE = "emoji"
#: Change it when the same package gives other rows.
VERSION = 1
LANGUAGES = ("ar", "de", "es", "fa", "fr", "id", "it", "ja", "ko", "pt", "ru", "tr", "zh")
ENGLISH = "en"
_PURPOSE = "Reading the names of emoji"
_FULLY_QUALIFIED = 2
#: Of the emoji that have an alias, the part that each split has, by a hash.
_SHARES: Mapping[Split, tuple[float, float]] = {"test": (0.0, 0.15), "dev": (0.15, 0.25), "train": (0.25, 1.0)}
#: Skin tones, regional letters, joiners and tags: variants and flags, whose names repeat a word for each.
_NOT_BASE = re.compile("[\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff\u200d\U000e0020-\U000e007f]")
#: Squares with an ideograph, whose "name" in Chinese, Japanese or Korean is the ideograph.
_IDEOGRAPHS = re.compile("[\U0001f200-\U0001f2ff\u3297\u3299]")
#: Codes rather than words: ``u7533``, ``clock1130``, ``cat2``.
_CODE = re.compile(r"\d")


class Named(NamedTuple):
    """One pair of names of one emoji. ``code``: its code points in hexadecimal."""

    code: str
    source: str
    target: str


@dataclass(frozen=True)
class EmojiSource:
    """Pairs of names, by ``build``."""

    build: Callable[[Split, str], list[Named]]

    def identity(self) -> Mapping[str, str]:
        """The versions of the package and of this code."""
        return {PACKAGE: package_version(PACKAGE, _PURPOSE), "version": str(VERSION)}

    def load(self, split: Split, language: str) -> pa.Table:
        """The rows of one split. Raises MissingPackage, or DataError where there is no such split."""
        rows = self.build(split, language)
        if not rows:
            raise DataError(f"There are no names of emoji in split {split} of language {language}.")
        columns = {
            "id": [row.code for row in rows],  # shared by all languages: intervals resample emoji, not rows
            "source": [row.source for row in rows],
            "target": [row.target for row in rows],
        }
        return to_table(Kind.BITEXT, columns, f"names of emoji, {split}/{language}")


def foreign_names(split: Split, language: str) -> list[Named]:
    """Emoji without a usable English alias: their name in ``language``, and in English. There is only a test split."""
    if split != "test" or language not in LANGUAGES:
        return []
    trained = {row.code for row in _aliases()}
    names = {_code(emoji): clean(name) for emoji, name in _file(language).items() if _is_base(emoji)}
    tested = [(code, names[code], english) for code, english in _english().items() if code in names]
    tested = [row for row in tested if row[0] not in trained and row[1].casefold() != row[2].casefold()]
    uses = Counter(side.casefold() for _, *sides in tested for side in sides)
    return _shuffled([Named(*row) for row in tested if uses[row[1].casefold()] == uses[row[2].casefold()] == 1])


def english_aliases(split: Split, language: str) -> list[Named]:
    """English names and another of the same emoji. One row an emoji: rows of a batch are each other's negatives."""
    if language != ENGLISH:
        return []
    low, high = _SHARES[split]
    return _shuffled([row for row in _aliases() if low <= _fraction(row.code) < high])


def clean(name: str) -> str:
    """A short name as words: ``:money-mouth_face:`` is ``money-mouth face``."""
    return " ".join(name.strip(":").replace("_", " ").split())


@cache
def _aliases() -> tuple[Named, ...]:
    """The first alias of each emoji that is words, is not its name, and is no other emoji's name or alias."""
    english = _english()
    entries = {_code(emoji): entry for emoji, entry in _file(None).items() if _is_base(emoji)}
    pairs = [
        Named(code, name, alias)
        for code, name in english.items()
        for alias in dict.fromkeys(clean(alias) for alias in entries[code].get("alias", ()))
        if len(alias) > 2 and not _CODE.search(alias) and _letters(alias) != _letters(name)
    ]
    uses = Counter(alias.casefold() for _, _, alias in pairs) + Counter(name.casefold() for name in english.values())
    usable = [pair for pair in pairs if uses[pair.target.casefold()] == 1]
    return tuple({pair.code: pair for pair in reversed(usable)}.values())


@cache
def _english() -> dict[str, str]:
    return {_code(emoji): clean(entry["en"]) for emoji, entry in _file(None).items() if _is_base(emoji)}


def _is_base(emoji: str) -> bool:
    """Fully qualified, and neither a variant, nor a sequence, nor a flag, nor an ideograph."""
    qualified = _file(None).get(emoji, {}).get("status") == _FULLY_QUALIFIED
    return qualified and not _NOT_BASE.search(emoji) and not _IDEOGRAPHS.search(emoji)


@lru_cache(maxsize=2)
def _file(language: str | None) -> dict[str, Any]:
    """Short names by emoji; for None the English ones, with aliases and status."""
    name = f"emoji_{language}.json" if language else "emoji.json"
    path = package_folder(PACKAGE, _PURPOSE) / "unicode_codes" / name
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{PACKAGE}: the names in {name} cannot be read: {error}.") from error
    return content


def _letters(name: str) -> str:
    """A name without case, space or punctuation: ``money bag`` and ``moneybag`` are one name."""
    return re.sub(r"[\W_]", "", name.casefold())


def _code(emoji: str) -> str:
    return "-".join(f"{ord(character):04X}" for character in emoji)


def _fraction(text: str) -> float:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") / 2**64


def _shuffled(rows: list[Named]) -> list[Named]:
    return sorted(rows, key=lambda row: _fraction(row.code))
