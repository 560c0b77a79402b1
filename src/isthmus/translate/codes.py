"""How a translation model is told the languages: each family has codes of its own, which its vocabulary holds.

============  ===================  ======================================================================
family        code of German       how it is told
============  ===================  ======================================================================
NLLB          ``deu_Latn``         source before the text, target as the first token that is written
M2M-100       ``__de__``           the same
mBART-50      ``de_DE``            the same
MADLAD-400    ``<2de>``            target before the text
OPUS-MT       ``>>deu<<`` or none  target before the text; a model of one pair needs no code
============  ===================  ======================================================================
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from isthmus.errors import ModelError, SpecError
from isthmus.languages import Language, language

_FLORES = re.compile(r"([a-z]{3}_[A-Z][a-z]{3})")
_M2M = re.compile(r"__([a-z]{2,3})__")
_MBART = re.compile(r"([a-z]{2}_[A-Z]{2})")
_MADLAD = re.compile(r"<2([A-Za-z_-]{2,12})>")
_OPUS = re.compile(r">>([A-Za-z_-]{2,12})<<")
#: transformers' model type -> the forms that codes may have in its vocabulary.
_FORMS: Mapping[str, tuple[re.Pattern[str], ...]] = {
    "m2m_100": (_FLORES, _M2M),
    "mbart": (_MBART,),
    "t5": (_MADLAD,),
    "marian": (_OPUS,),
}
_KNOWN = "NLLB, M2M-100, mBART-50, MADLAD-400 and OPUS-MT"


class Address(NamedTuple):
    """What a model is told of the languages.

    Attributes:
        source: the tokenizer's ``src_lang``; "" where the model does not ask.
        prefix: what stands before every text.
        first_token: the code that every translation begins with, as a token; "" for none.
    """

    source: str = ""
    prefix: str = ""
    first_token: str = ""


def address(name: str, model_type: str, tokenizer: Any, source: str, target: str) -> Address:
    """What the model called ``name`` is told to translate from ``source`` into ``target`` (BCP 47 tags).

    Raises:
        ModelError: it is not of a family that is known here, or has not got one of the languages.
    """
    forms = _FORMS.get(model_type)
    if forms is None:
        raise ModelError(f"{name} is a {model_type} model, not a translator that Isthmus can address: take {_KNOWN}.")
    tokens = {*tokenizer.get_vocab(), *getattr(tokenizer, "lang_code_to_token", {}).values()}
    for form in forms:
        codes = {match[1]: token for token in tokens if (match := form.fullmatch(token))}
        if codes:
            into = _code(name, codes, target)
            if form in (_MADLAD, _OPUS):
                return Address(prefix=f"{codes[into]} ")
            said = _code(name, codes, source)
            return Address(source=said, first_token=codes[into])
    if model_type != "marian":
        raise ModelError(f"{name} has no codes of languages in its vocabulary: take a translator, such as {_KNOWN}.")
    for wanted, role in ((source, "source_lang"), (target, "target_lang")):
        _check_pair(name, getattr(tokenizer, role, None), wanted)
    return Address()


def _code(name: str, codes: Iterable[str], wanted: str) -> str:
    """The code of a language among ``codes``: of the same tag, or else of the same language in the same script."""
    fact = language(wanted)
    known = dict(_parsed(codes))
    for match in (
        lambda other: other.tag == fact.tag,
        lambda other: (other.iso639_3, other.script) == (fact.iso639_3, fact.script),
    ):
        found = sorted(code for code, other in known.items() if match(other))
        if found:
            return found[0]
    raise ModelError(f"The translator {name} has no {fact.name} ({fact.tag}): {_nearest(fact, known.values())}")


def _parsed(codes: Iterable[str]) -> Iterable[tuple[str, Language]]:
    """Codes with the languages they name; those that name none that is known here are passed over."""
    for code in sorted(codes):
        try:
            yield code, language(code)
        except SpecError:
            continue


def _nearest(wanted: Language, known: Iterable[Language]) -> str:
    """The languages most like the one that is wanted."""
    there = sorted({fact.tag: fact for fact in known}.values(), key=lambda fact: fact.tag)
    closest = max((_likeness(wanted, fact) for fact in there), default=0)
    near = [fact for fact in there if _likeness(wanted, fact) == closest][:3]
    if not near or not closest:
        shown = ", ".join(fact.tag for fact in there[:12]) + (", ..." if len(there) > 12 else "")
        return f"it has {shown}." if there else "it names no language that is known."
    return (
        f"the nearest it has {'are' if len(near) > 1 else 'is'} "
        + ", ".join(f"{fact.name} ({fact.tag})" for fact in near)
        + "."
    )


def _likeness(one: Language, other: Language) -> int:
    if one.iso639_3 == other.iso639_3:
        return 3
    return (one.family == other.family) + (one.family == other.family and one.branch == other.branch)


def _check_pair(name: str, has: str | None, wanted: str) -> None:
    """Refuse a model of one pair for another one, where its tokenizer says which it is of."""
    try:
        fact = language(has or "")
    except SpecError:  # nothing is said, or a group of languages, such as ``roa``
        return
    if fact.iso639_3 != language(wanted).iso639_3:
        asked = language(wanted)
        raise ModelError(f"The translator {name} is of {fact.name} ({fact.tag}), not of {asked.name} ({asked.tag}).")
