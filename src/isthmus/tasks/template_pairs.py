"""Pairs of English commands: do they ask for the same thing?

The package files its templates under what they mean: an intent, fixed slots, and which slots are spoken of. Two
sentences of one such command with the same values in their slots are the same; others are different. Nobody judged the
pairs: their labels are derived. The pairs of a split come from the templates of the same split only.

Half of the pairs are different, and most of those are hard: one slot has another value ("the *desk* lamp"), or another
intent speaks of the same things ("turn *off* the lamp").
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from isthmus.errors import DataError
from isthmus.tasks.assistant import THIRDS, TRAIN_LANGUAGE, Columns, fold, rank, templates
from isthmus.tasks.core import Split
from isthmus.tasks.grammar import Filler, Grammar, Template, Utterance, grammar
from isthmus.tasks.slot_values import SlotValues, slot_values

DIFFERENT, SAME = LABELS = ("different", "same")
SIZES: Mapping[str, int] = {"train": 2000, "dev": 200, "test": 300}
_ATTEMPTS = 6
_TURNS = 400
#: Among different pairs: another value, another intent; the rest have nothing in common.
_OTHER_VALUE, _OTHER_INTENT = 0.4, 0.4


@dataclass(frozen=True)
class Pair:
    """Two utterances, and whether they ask for the same thing."""

    first: Utterance
    second: Utterance
    label: str


def pair_rows(split: Split, language: str) -> Columns:
    """The pairs as columns; ``group`` is the command that the first asks for."""
    if language != TRAIN_LANGUAGE:
        raise DataError(f"There are pairs of commands in {TRAIN_LANGUAGE} only, not in {language}.")
    rows = pairs(split)
    return {
        "id": [f"{split}-{number:04d}" for number in range(len(rows))],
        "group": [row.first.template.command for row in rows],
        "text": [row.first.text for row in rows],
        "text_pair": [row.second.text for row in rows],
        "label": [row.label for row in rows],
    }


@cache
def pairs(split: Split) -> tuple[Pair, ...]:
    """The pairs of one split: as many of either label, no two alike, shuffled."""
    draw = _Draw.of(split)
    left = dict.fromkeys(LABELS, SIZES[split] // 2)
    chosen: dict[tuple[str, ...], Pair] = {}
    for turn in range(_TURNS):
        for intent in sorted(draw.by_intent):
            rng = random.Random(f"pairs {intent} {turn}")
            label = rng.choice([label for label in LABELS if left[label]])
            pair = draw.same(intent, rng) if label == SAME else draw.different(intent, rng)
            if pair is None:
                continue
            key = tuple(sorted((fold(pair.first.text), fold(pair.second.text))))
            if key not in chosen:
                chosen[key] = pair
                left[label] -= 1
            if not any(left.values()):
                order = sorted(chosen, key=lambda key: rank("pairs", "\n".join(key)))
                return tuple(chosen[key] for key in order)
    raise DataError(f"The English templates give fewer than {SIZES[split]} pairs of commands in {split}.")


@dataclass(frozen=True)
class _Draw:
    """Draws pairs from the templates of one split."""

    known: Grammar
    values: SlotValues
    by_intent: Mapping[str, list[Template]]

    @classmethod
    def of(cls, split: Split) -> "_Draw":
        by_intent: dict[str, list[Template]] = {}
        for template in templates(split, TRAIN_LANGUAGE):
            by_intent.setdefault(template.intent, []).append(template)
        return cls(grammar(TRAIN_LANGUAGE), slot_values(TRAIN_LANGUAGE).part(THIRDS[split]), by_intent)

    def same(self, intent: str, rng: random.Random) -> Pair | None:
        """Two wordings of one command, the same values in its slots."""
        for _ in range(_ATTEMPTS):
            first = self._one(self.by_intent[intent], rng)
            second = first and self._one(self._command(first.template), rng, first.fillers)
            if first and second and _values(first) == _values(second) and fold(first.text) != fold(second.text):
                return Pair(first, second, SAME)
        return None

    def different(self, intent: str, rng: random.Random) -> Pair | None:
        """Two commands that differ in a value, in the intent, or in everything."""
        how = rng.random()
        for attempt in range(2 * _ATTEMPTS):
            first = self._one(self.by_intent[intent], rng)
            if first is None:
                continue
            if attempt >= _ATTEMPTS or how >= _OTHER_VALUE + _OTHER_INTENT:
                second = self._one(self._others(intent), rng)
            elif how < _OTHER_VALUE:
                second = self._other_value(first, rng)
            else:
                second = self._other_intent(first, rng)
            if second is not None and fold(first.text) != fold(second.text):
                return Pair(first, second, DIFFERENT)
        return None

    def _other_value(self, first: Utterance, rng: random.Random) -> Utterance | None:
        if not first.spans:
            return None
        changed = rng.choice(first.spans).slot
        kept = {slot: filler for slot, filler in first.fillers.items() if slot != changed}
        second = self._one(self._command(first.template), rng, kept)
        if second is None or _values(second).keys() != _values(first).keys():
            return None
        return second if _values(second)[changed] != _values(first)[changed] else None

    def _other_intent(self, first: Utterance, rng: random.Random) -> Utterance | None:
        combination = first.template.combination
        others = [other for other in self._others(first.template.intent) if other.combination == combination]
        second = self._one(others, rng, first.fillers) if others else None
        return second if second is not None and _values(second) == _values(first) else None

    def _one(
        self, among: list[Template], rng: random.Random, fixed: Mapping[str, Filler] | None = None
    ) -> Utterance | None:
        return self.known.expand(rng.choice(among), self.values, rng, fixed)

    def _command(self, template: Template) -> list[Template]:
        return [other for other in self.by_intent[template.intent] if other.command == template.command]

    def _others(self, intent: str) -> list[Template]:
        return [template for other, rows in self.by_intent.items() if other != intent for template in rows]


def _values(utterance: Utterance) -> dict[str, str]:
    return {slot: filler.value for slot, filler in utterance.fillers.items()}
