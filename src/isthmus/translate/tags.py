"""Tags of words as spans, spans as tags of other words, and tags carried over word by word."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from isthmus.tasks.bio import Word
from isthmus.translate.align import Alignment
from isthmus.translate.sentences import Stretch

_PREFIXED = re.compile(r"O|[BIESLU]-.+")


class Entity(NamedTuple):
    """A type, and the words [first, last] that have it."""

    type: str
    first: int
    last: int


def are_entities(tags: Sequence[Sequence[str]]) -> bool:
    """Do the tags name spans (``B-PER I-PER O``), or is there one on every word (``DET NOUN``)?"""
    return all(_PREFIXED.fullmatch(tag) for sentence in tags for tag in sentence)


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of BIO tags, as seqeval sees them: an I- without its beginning opens one; BIOES and BILOU, too."""
    found: list[Entity] = []
    open_type = ""
    for number, tag in enumerate(tags):
        prefix, _, kind = tag.partition("-")
        if tag == "O":
            open_type = ""
        elif prefix in "BSU" or kind != open_type:
            found.append(Entity(kind, number, number))
            open_type = "" if prefix in "SULE" else kind
        else:
            found[-1] = found[-1]._replace(last=number)
            open_type = "" if prefix in "LE" else kind
    return found


#: What marks a single word, and the last of several, by the scheme of the tags.
SCHEMES = {"BIO": ("B", "I"), "BIOES": ("S", "E"), "BILOU": ("U", "L")}


def scheme_of(tags: Sequence[Sequence[str]]) -> str:
    """The scheme of tags that name spans."""
    prefixes = {tag[0] for sentence in tags for tag in sentence}
    return next((name for name, ends in SCHEMES.items() if name != "BIO" and prefixes & set(ends)), "BIO")


def tagged(words: Sequence[Word], found: Sequence[tuple[str, Stretch]], scheme: str = "BIO") -> list[str] | None:
    """Tags of ``words`` from spans of characters and their types; None where one has no word, or two share one."""
    tags = ["O"] * len(words)
    single, last = SCHEMES[scheme]
    for kind, span in found:
        inside = [number for number, word in enumerate(words) if word.start < span.end and span.start < word.end]
        if not inside or any(tags[number] != "O" for number in inside):
            return None
        prefixes = ["B", *"I" * (len(inside) - 2), last] if len(inside) > 1 else [single]
        for number, prefix in zip(inside, prefixes, strict=True):
            tags[number] = f"{prefix}-{kind}"
    return tags


class Carried(NamedTuple):
    """Tags of the words of a translation, and how sure they are on average, 0 to 1."""

    tags: list[str]
    quality: float


def carried(tags: Sequence[str], found: Alignment) -> Carried:
    """The tag on every word of a translation: the one that its counterparts give it together the most probability.

    A word without a counterpart takes a tag like any other, and lowers the quality: that is the mean, over the words,
    of the probability that the words of the tag and the word are each other's, in both directions.
    """
    if not found.backward.size:
        return Carried([], 0.0)
    kinds = sorted(set(tags))
    of_kind = np.array([[tag == kind for tag in tags] for kind in kinds], np.float32)
    chosen = (of_kind @ found.backward).argmax(0)
    mutual = of_kind @ (found.forward * found.backward)
    quality = float(mutual[chosen, np.arange(len(chosen))].clip(0, 1).mean())
    return Carried([kinds[number] for number in chosen], quality)
