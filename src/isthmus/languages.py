"""Facts about languages, from any code in common use: name, script, family, resource class, region.

The table (``languages.csv``) has one row a language. Families are the traditional ones (those of WALS, with
Niger-Congo and Nilo-Saharan kept whole and creoles apart); ``region`` is the part of the world a language comes from.

The resource class approximates Joshi et al. 2020, "The State and Fate of Linguistic Diversity and Inclusion in the NLP
World" (arXiv 2004.09095), which counts labelled and unlabelled corpora: their classes 5 and 4 are ``high``, 3 is
``medium``, 2 to 0 and languages they do not list are ``low``. Two consequences surprise: Basque and Catalan are high
while Norwegian is low. Ours was set by hand after their description and is no copy of their list.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType

from isthmus.errors import SpecError, nearest

RESOURCES = ("high", "medium", "low")
REGIONS = ("africa", "americas", "asia", "europe", "international", "oceania")
_FIELDS = ("script", "family", "branch", "resource", "region")

#: English names of the ISO 15924 scripts that a tag may name.
SCRIPTS: Mapping[str, str] = MappingProxyType(
    {
        "Arab": "Arabic",
        "Armn": "Armenian",
        "Beng": "Bengali",
        "Cans": "Canadian Syllabics",
        "Copt": "Coptic",
        "Cyrl": "Cyrillic",
        "Deva": "Devanagari",
        "Ethi": "Ethiopic",
        "Geor": "Georgian",
        "Goth": "Gothic",
        "Grek": "Greek",
        "Gujr": "Gujarati",
        "Guru": "Gurmukhi",
        "Hang": "Hangul",
        "Hani": "Han",
        "Hans": "Simplified",
        "Hant": "Traditional",
        "Hebr": "Hebrew",
        "Jpan": "Japanese",
        "Khmr": "Khmer",
        "Knda": "Kannada",
        "Kore": "Korean",
        "Laoo": "Lao",
        "Latn": "Latin",
        "Mlym": "Malayalam",
        "Mong": "Mongolian",
        "Mtei": "Meitei",
        "Mymr": "Myanmar",
        "Nkoo": "N'Ko",
        "Olck": "Ol Chiki",
        "Orkh": "Old Turkic",
        "Orya": "Odia",
        "Sinh": "Sinhala",
        "Syrc": "Syriac",
        "Taml": "Tamil",
        "Telu": "Telugu",
        "Tfng": "Tifinagh",
        "Thaa": "Thaana",
        "Thai": "Thai",
        "Tibt": "Tibetan",
    }
)

#: Where a region decides the script: Taiwan writes Chinese in traditional characters without saying so in the tag.
_SCRIPT_OF_REGION = {
    ("zh", "TW"): "Hant",
    ("zh", "HK"): "Hant",
    ("zh", "MO"): "Hant",
    ("yue", "CN"): "Hans",
    ("pa", "PK"): "Arab",
    ("az", "IR"): "Arab",
    ("uz", "AF"): "Arab",
}
#: Data sets that name a part of a mixed writing system mean the whole (FLORES: kor_Hang).
_SAME_SCRIPT = {("ko", "Hang"): "Kore", ("zh", "Hani"): "Hans"}

_COUNTRIES = {
    "AT": "Austria",
    "AU": "Australia",
    "BE": "Belgium",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "CN": "China",
    "DE": "Germany",
    "EG": "Egypt",
    "ES": "Spain",
    "FR": "France",
    "GB": "United Kingdom",
    "HK": "Hong Kong",
    "IN": "India",
    "IR": "Iran",
    "JP": "Japan",
    "KR": "South Korea",
    "MO": "Macao",
    "MX": "Mexico",
    "PK": "Pakistan",
    "PT": "Portugal",
    "SG": "Singapore",
    "TW": "Taiwan",
    "US": "United States",
}


@dataclass(frozen=True, slots=True)
class Language:
    """One language as it is written somewhere.

    Attributes:
        tag: the shortest BCP 47 tag: ``sw``, ``pt-BR``, ``sr-Latn``, ``ace-Arab``.
        iso639_3: the three-letter code, that of the macrolanguage where there is one (``swa``, ``zho``).
        name: its name in English, ``Serbian (Latin)`` for a variant.
        script: ISO 15924.
        family, branch: the top of the family tree and the group below it.
        resource: one of `RESOURCES`; region: one of `REGIONS`.
    """

    tag: str
    iso639_3: str
    name: str
    script: str
    family: str
    branch: str
    resource: str
    region: str


def language(code: str) -> Language:
    """The language that ``code`` names: ISO 639-1 or 639-3, with or without script and region, ``-`` or ``_``.

    The codes of an individual language and of the macrolanguage it stands for in data sets are one language
    (``swh``/``swa``/``sw``, ``cmn``/``zho``/``zh``, ``nob``/``no``/``nb``), and so are withdrawn codes (``iw``).

    Raises:
        SpecError: no language is known under this code; the message names the nearest.
    """
    return _parse(code.strip())


def known() -> tuple[Language, ...]:
    """Every language of the table, by tag; variants by script or region (``pt-BR``) are made from these."""
    return _table()[0]


def select(selector: str, among: Iterable[str]) -> list[str]:
    """Those of the languages ``among`` that ``selector`` names, in the order and spelling of ``among``.

    A selector is a comma-separated list of terms, each ``all``, a code (``sw``; where only variants of it are there,
    as ``zh-CN`` and ``zh-TW`` for ``zh``, it names them all), a resource class (``low-resource``), a region
    (``africa``), or ``script=Ethi``, ``family=Turkic``, ``branch=Bantu``, ``resource=low``, ``region=asia``.

    Raises:
        SpecError: a term or a code in ``among`` is unknown, a named code is not there, or nothing at all is selected.
    """
    there = list(dict.fromkeys(among))
    facts = {code: language(code) for code in there}
    chosen: set[str] = set()
    terms = [term.strip() for term in selector.split(",") if term.strip()]
    for term in terms:
        chosen.update(_matches(term, facts))
    if not chosen:
        raise SpecError(f"No language is selected by {selector!r} of these: {_some(there)}; use 'all' for all of them.")
    return [code for code in there if code in chosen]


def _matches(term: str, facts: Mapping[str, Language]) -> list[str]:
    """The codes that one term of a selector names."""
    word = term.casefold()
    if word == "all":
        return list(facts)
    if word in REGIONS:
        return [code for code, fact in facts.items() if fact.region == word]
    if word.endswith("-resource"):
        term = f"resource={word.removesuffix('-resource')}"
    if "=" in term:
        name, _, value = (part.strip() for part in term.partition("="))
        holds = _condition(name.casefold(), value)
        return [code for code, fact in facts.items() if holds(fact)]
    return _named(term, facts)


def _condition(field: str, value: str) -> Callable[[Language], bool]:
    """The test that ``field=value`` stands for. Raises SpecError on an unknown field or value."""
    if field not in _FIELDS:
        raise SpecError(f"Languages cannot be selected by {field!r}: {nearest(field, _FIELDS)}")
    values = {str(getattr(fact, field)) for fact in known()} | (set(SCRIPTS) if field == "script" else set())
    by_folded = {one.casefold(): one for one in values}
    wanted = by_folded.get(value.casefold())
    if wanted is None:
        raise SpecError(f"No language has {field} {value!r}: {nearest(value, values)}")
    return lambda fact: getattr(fact, field) == wanted


def _named(code: str, facts: Mapping[str, Language]) -> list[str]:
    """The codes equal to ``code``, or else its variants. Raises SpecError when there is neither."""
    try:
        wanted = language(code)
    except SpecError as error:
        words = ["all", *REGIONS, *(f"{resource}-resource" for resource in RESOURCES)]
        if close := get_close_matches(code.casefold(), words, n=1, cutoff=0.7):
            raise SpecError(f"Unknown selection of languages {code!r}: did you mean {close[0]}?") from error
        raise
    exact = [there for there, fact in facts.items() if fact.tag == wanted.tag]
    variants = [there for there, fact in facts.items() if fact.tag.startswith(f"{wanted.tag}-")]
    if not exact and not variants:
        raise SpecError(f"The language {code} ({wanted.name}) is not among these: {_some(facts)}.")
    return exact or variants


@cache
def _table() -> tuple[tuple[Language, ...], Mapping[str, Language]]:
    """The languages, and the same by every code that names one of them."""
    languages: list[Language] = []
    by_code: dict[str, Language] = {}
    text = files("isthmus").joinpath("languages.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.split("\n")):
        aliases = row.pop("aliases").split()
        fact = Language(**row)
        languages.append(fact)
        for code in {fact.tag, fact.iso639_3, *aliases}:
            assert by_code.setdefault(code, fact) is fact, f"{code} is both {by_code[code].tag} and {fact.tag}"
    return tuple(languages), MappingProxyType(by_code)


@lru_cache(maxsize=4096)
def _parse(code: str) -> Language:
    """`language`, remembered."""
    first, *rest = code.replace("_", "-").split("-")
    base = _table()[1].get(first.lower())
    if base is None:
        raise SpecError(f"Unknown language {code!r}: {_suggest(first if rest else code)}")
    script = region = ""
    for part in rest:
        if re.fullmatch("[A-Za-z]{4}", part) and not script and not region:
            script = part.title()
        elif re.fullmatch("[A-Za-z]{2}|[0-9]{3}", part) and not region:
            region = part.upper()
        else:
            raise SpecError(
                f"Unknown language {code!r}: after {first!r} a script such as Latn and a region such as BR may follow, "
                f"not {part!r}."
            )
    if script and script not in SCRIPTS:
        raise SpecError(f"Unknown script {script!r} in the language {code!r}: {nearest(script, SCRIPTS)}")
    return _variant(base, _SAME_SCRIPT.get((base.tag, script), script), region)


def _variant(base: Language, script: str, region: str) -> Language:
    """``base`` as written in ``script`` and in ``region``, either of which may be empty."""
    usual = _SCRIPT_OF_REGION.get((base.tag, region), base.script)
    script = script or usual
    subtags = [base.tag]
    qualifiers = []
    if script != usual:
        subtags.append(script)
        qualifiers.append(SCRIPTS[script])
    if region:
        subtags.append(region)
        qualifiers.append(_COUNTRIES.get(region, region))
    name = f"{base.name} ({', '.join(qualifiers)})" if qualifiers else base.name
    return replace(base, tag="-".join(subtags), name=name, script=script)


def _suggest(word: str) -> str:
    """The languages whose code or English name is nearest to ``word``."""
    languages, by_code = _table()
    by_word = {**by_code, **{fact.name.casefold(): fact for fact in languages}}
    close = get_close_matches(word.casefold(), by_word, n=3, cutoff=0.6 if len(word) > 2 else 0.5)
    if not close:
        return "give an ISO 639 code or a BCP 47 tag, such as en, swh or zh-Hant."
    found = [by_word[match] for match in close]
    if by_word.get(word.casefold()) is found[0]:
        found = found[:1]
    return f"did you mean {' or '.join(dict.fromkeys(f'{fact.tag} ({fact.name})' for fact in found))}?"


def _some(codes: Iterable[str]) -> str:
    """The first twelve codes, for a message."""
    shown: Sequence[str] = list(codes)
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "") if shown else "there is none"
