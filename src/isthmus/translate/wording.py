"""All sentences of a stage translated: each once, in batches of similar length, from the cache where they are in it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from isthmus.kinds.core import batches
from isthmus.translate.cache import Cache
from isthmus.translate.model import Translator
from isthmus.translate.sentences import Passage, Stretch, put_together, segments, sentences

#: Texts whose tokens are counted together.
_COUNTED = 10_000


class Progress(NamedTuple):
    """How far it is: sentences that are translated, of all that were asked for."""

    done: int
    total: int


def in_words(text: str) -> bool:
    """Is there anything to translate? Numbers, signs and addresses without letters are the same in every language."""
    return any(character.isalpha() for character in text)


def cut(texts: Iterable[str], translator: Translator, max_length: int) -> dict[str, list[Stretch]]:
    """The segments of each distinct text: its sentences, those of more than ``max_length`` tokens in parts."""
    distinct = list(dict.fromkeys(texts))
    counted = _lengths((stretch.of(text) for text in distinct for stretch in sentences(text)), translator)

    def fits(part: str) -> bool:
        if part not in counted:  # half of a sentence that is too long
            counted[part] = translator.lengths([part])[0]
        return counted[part] <= max_length

    return {text: segments(text, fits) for text in distinct}


def _lengths(texts: Iterable[str], translator: Translator) -> dict[str, int]:
    distinct = list(dict.fromkeys(texts))
    found: dict[str, int] = {}
    for start in range(0, len(distinct), _COUNTED):
        part = distinct[start : start + _COUNTED]
        found.update(zip(part, translator.lengths(part), strict=True))
    return found


def translate_all(
    texts: Iterable[str], translator: Translator, cache: Cache, after: Callable[[Progress], None]
) -> Mapping[str, str]:
    """The translation of each distinct text.

    Batches are a function of all the texts, whatever the cache holds, so that a stage that goes on after a crash
    translates the same ones together. ``after`` is called between batches; what it raises ends the work, and what is
    done is kept.
    """
    wanted = sorted({text for text in texts if in_words(text)})
    lengths = _lengths(wanted, translator)

    done = sum(text in cache.known for text in wanted)
    after(Progress(done, len(wanted)))
    for places in batches([lengths[text] for text in wanted], translator.token_budget):
        batch = [wanted[place] for place in places]
        new = sum(text not in cache.known for text in batch)
        if not new:
            continue
        with cache.held(partial(after, Progress(done, len(wanted)))):
            missing = [text for text in batch if text not in cache.known]
            if missing:
                cache.add(dict(zip(missing, translator.translate(missing), strict=True)))
        done += new
        after(Progress(done, len(wanted)))
    return {text: cache.known[text] for text in wanted}


def passage(text: str, stretches: Sequence[Stretch], words: Mapping[str, str], target: str) -> Passage:
    """The text and its translation, out of the translations of its segments; those without letters are as they are."""
    parts = [(stretch, words.get(stretch.of(text), stretch.of(text))) for stretch in stretches]
    return put_together(text, parts, target)
