"""Utterances to a voice assistant, sampled from templates: a balanced split of them in each language.

English templates are divided between train, dev and test, intent by intent, by a hash of their text, and each split is
sampled from its own templates only: a test utterance is never another expansion of a training template. Rooms,
devices and other open slots have values of their own in test. Other languages are test only.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import pyarrow as pa

from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError
from isthmus.tasks.bio import UNSPACED, bio_tags, words
from isthmus.tasks.core import Split
from isthmus.tasks.grammar import PACKAGE, Grammar, Template, Utterance, grammar, intent_domains
from isthmus.tasks.package_files import package_version
from isthmus.tasks.slot_values import SlotValues, slot_values, values_digest

#: Change it when the same package gives other rows.
VERSION = 1
TRAIN_LANGUAGE = "en"
#: Utterances of a split at most, and of one template at most.
SIZES: Mapping[str, int] = {"train": 2500, "dev": 300, "test": 300}
_PER_TEMPLATE: Mapping[Split, int] = {"train": 15, "dev": 8, "test": 6}
#: Which thirds of the English slot values each split uses.
THIRDS: Mapping[Split, tuple[int, ...]] = {"train": (0, 1), "dev": (0, 1), "test": (2,)}
_ATTEMPTS = 3


#: The columns of a table, by name.
Columns = Mapping[str, list[str] | list[list[str]]]


@dataclass(frozen=True)
class AssistantSource:
    """Rows of one kind made from the utterances of a split, by ``build``."""

    kind: Kind
    build: Callable[[Split, str], Columns]

    def identity(self) -> Mapping[str, str]:
        """The versions of the packages and of this code, and what fills the open slots."""
        purpose = "The voice assistant's sentences"
        return {
            PACKAGE: package_version(PACKAGE, purpose),
            "hassil": package_version("hassil", purpose),
            "slot_values": values_digest(),
            "version": str(VERSION),
        }

    def load(self, split: Split, language: str) -> pa.Table:
        """The rows of one split. Raises MissingPackage, or DataError where there is no such split."""
        return to_table(self.kind, self.build(split, language), f"assistant sentences, {split}/{language}")


def intent_rows(split: Split, language: str) -> Columns:
    """Utterances and their intents."""
    rows = utterances(split, language)
    return {**_named(rows, language), "label": [row.template.intent for row in rows]}


def domain_rows(split: Split, language: str) -> Columns:
    """Utterances and the domain under which the package files their intent."""
    rows, domains = utterances(split, language), intent_domains()
    return {**_named(rows, language), "label": [domains[row.template.intent] for row in rows]}


def slot_rows(slots: frozenset[str], split: Split, language: str) -> Columns:
    """The words of the utterances and BIO tags for ``slots``."""
    rows = utterances(split, language)
    cut = [words(row.text, language in UNSPACED) for row in rows]
    named = _named(rows, language)
    return {
        "id": named["id"],
        "group": named["group"],
        "tokens": [[word.text for word in found] for found in cut],
        "tags": [bio_tags(found, row.spans, slots) for found, row in zip(cut, rows, strict=True)],
    }


def _named(rows: Sequence[Utterance], language: str) -> dict[str, list[str]]:
    return {
        "id": [f"{language}-{rank(language, row.text):016x}" for row in rows],
        "group": [row.template.identity for row in rows],
        "text": [row.text for row in rows],
    }


@cache
def utterances(split: Split, language: str) -> tuple[Utterance, ...]:
    """The utterances of one split, in an order whose every prefix has about the whole's distribution of intents.

    No text occurs twice in a language; no text of dev is in train, and none of test, whatever its language, in either.
    A text that two intents can express is left out.

    Raises:
        MissingPackage: a package is not installed.
        DataError: there is no such language or split, or the package's file is damaged.
    """
    if language != TRAIN_LANGUAGE and split != "test":
        raise DataError(f"The assistant's sentences have no {split} split in {language}, only in {TRAIN_LANGUAGE}.")
    values = slot_values(language)
    if language == TRAIN_LANGUAGE:
        values = values.part(THIRDS[split])
    seen = {fold(row.text) for earlier in _before(split) for row in utterances(earlier, TRAIN_LANGUAGE)}
    known = grammar(language)
    chosen = _sample(known, templates(split, language), values, split, seen)
    return tuple(_interleaved(chosen))


def templates(split: Split, language: str) -> list[Template]:
    """The templates of one split, ordered by a hash of their text. English ones are divided, intent by intent."""
    by_intent: dict[str, list[Template]] = {}
    for template in sorted(grammar(language).templates(), key=lambda template: rank(language, template.identity)):
        by_intent.setdefault(template.intent, []).append(template)
    if language != TRAIN_LANGUAGE:
        return [template for intent in sorted(by_intent) for template in by_intent[intent]]
    return [template for intent in sorted(by_intent) for template in _share(by_intent[intent], split)]


def _share(ordered: list[Template], split: Split) -> list[Template]:
    """A fifth of an intent's templates is for test, a tenth for dev; one of two tests, a single one trains."""
    count = len(ordered)
    test = 0 if count == 1 else max(1, round(count / 5))
    dev = 0 if count < 4 else max(1, round(count / 10))
    return {"test": ordered[:test], "dev": ordered[test : test + dev], "train": ordered[test + dev :]}[split]


def _sample(
    known: Grammar, candidates: list[Template], values: SlotValues, split: Split, seen: set[str]
) -> list[Utterance]:
    """Utterances taken from the intents in turn until there are enough, or until no intent has another."""
    sources = {
        intent: _expansions(known, [template for template in candidates if template.intent == intent], values, split)
        for intent in sorted({template.intent for template in candidates})
    }
    chosen: dict[str, Utterance | None] = {}
    count = 0
    while sources and count < SIZES[split]:
        for intent in list(sources):
            if count == SIZES[split]:
                break
            utterance = next((new for new in sources[intent] if fold(new.text) not in seen), None)
            if utterance is None:
                del sources[intent]
                continue
            key = fold(utterance.text)
            if key not in chosen:
                chosen[key] = utterance
                count += 1
            elif (other := chosen[key]) is not None and other.template.intent != intent:
                chosen[key] = None  # two intents can express it: neither keeps it
                count -= 1
    return [utterance for utterance in chosen.values() if utterance is not None]


def _expansions(
    known: Grammar, candidates: Sequence[Template], values: SlotValues, split: Split
) -> Iterator[Utterance]:
    """Distinct utterances, one of each template, then a second of each, and so on."""
    given: set[str] = set()
    for turn in range(_PER_TEMPLATE[split]):
        for template in candidates:
            rng = random.Random(f"{known.language} {template.identity} {turn}")
            for _ in range(_ATTEMPTS):
                utterance = known.expand(template, values, rng)
                if utterance is not None and fold(utterance.text) not in given:
                    given.add(fold(utterance.text))
                    yield utterance
                    break


def _interleaved(chosen: list[Utterance]) -> list[Utterance]:
    """Row k of an intent's n goes to the fraction (k + u) / n of the whole, with u between 0 and 1 by its hash."""
    by_intent: dict[str, list[Utterance]] = {}
    for utterance in chosen:
        by_intent.setdefault(utterance.template.intent, []).append(utterance)
    places = [
        ((number + rank("place", intent) / 2**64) / len(rows), rank("order", row.text), row)
        for intent, rows in by_intent.items()
        for number, row in enumerate(rows)
    ]
    return [row for _, _, row in sorted(places, key=lambda place: place[:2])]


def _before(split: Split) -> tuple[Split, ...]:
    order: tuple[Split, ...] = ("train", "dev", "test")
    return order[: order.index(split)]


def rank(salt: str, text: str) -> int:
    """64 bits that depend on the text alone, whatever the process."""
    return int.from_bytes(sha256(f"{salt}\n{text}".encode()).digest()[:8], "big")


def fold(text: str) -> str:
    """A text without case or extra space: two texts that fold alike are one."""
    return " ".join(text.casefold().split())
