"""The voice assistant's utterances: expanded as hassil would, split by template, balanced, in many languages."""

import random
import re
from collections import Counter
from itertools import pairwise

import pytest

from isthmus.errors import DataError
from isthmus.languages import language as language_facts
from isthmus.tasks import assistant
from isthmus.tasks.assistant import fold, templates, utterances
from isthmus.tasks.grammar import Filler, Grammar, Template, grammar
from isthmus.tasks.quickstart import ASSISTANT_LANGUAGES, INTENTS, SLOTS
from isthmus.tasks.slot_values import slot_values

RULES = {"turn": "(turn|switch)", "the": "(the|my)"}
SMALL = {
    "intents": {
        "HassTurnOn": {
            "data": [
                {
                    "sentences": ["<turn> on [<the>] {color} (light|lamp)[s]", "(<turn>;[right now];on) {level}[ ]%"],
                    "slots": {"domain": "light"},
                    "metadata": {"slot_combination": "name_only"},
                },
                {"sentences": ["[<turn>] {name} on"], "requires_context": {"domain": ["cover", "lock"]}},
            ]
        }
    },
    "lists": {
        "color": {"values": [{"in": "(red|crimson)", "out": "red"}, {"in": "blue", "out": "blue"}]},
        "level": {"range": {"type": "percentage", "from": 0, "to": 20}},
        "name": {"wildcard": True},
    },
    "expansion_rules": RULES,
}


def _enumerate(text: str) -> set[str]:
    """Every sentence of a template of SMALL, by hassil's own sampler."""
    from hassil.intents import RangeSlotList, TextSlotList
    from hassil.parse_expression import parse_sentence
    from hassil.sample import sample_sentence

    lists = {
        "color": TextSlotList.from_strings(["(red|crimson)", "blue"]),
        "level": RangeSlotList("level", 10, 20, 5, words=False),
    }
    rules = {name: parse_sentence(body) for name, body in RULES.items()}
    found = sample_sentence(parse_sentence(text), lists, rules)
    return {" ".join(sentence.split()).replace(" %", "%") for sentence in found}


@pytest.mark.parametrize("number", [0, 1])
def test_random_expansion_reaches_just_what_hassil_enumerates(number: int) -> None:
    known = Grammar("en", SMALL)
    template = known.templates()[number]
    rng = random.Random(3)
    reached = [known.expand(template, slot_values("en"), rng) for _ in range(3000)]
    assert {utterance.text for utterance in reached if utterance} == _enumerate(template.text)


def test_spans_mark_the_words_that_filled_the_slots_and_keep_their_value() -> None:
    known = Grammar("en", SMALL)
    rng = random.Random(1)
    for _ in range(50):
        utterance = known.expand(known.templates()[0], slot_values("en"), rng)
        assert utterance is not None
        filler = utterance.fillers["color"]
        assert filler in (Filler("red", "red"), Filler("crimson", "red"), Filler("blue", "blue"))
        assert f" {filler.words} l" in utterance.text


def test_a_name_is_a_device_of_the_domains_that_the_template_is_for() -> None:
    known, values, rng = Grammar("en", SMALL), slot_values("en"), random.Random(1)
    template = known.templates()[2]
    assert template.domains == ("cover", "lock")
    used = {utterance.fillers["name"].words for _ in range(200) if (utterance := known.expand(template, values, rng))}
    assert used == {*values.by_slot["cover"], *values.by_slot["lock"]}


def test_a_slot_can_be_told_what_to_say() -> None:
    known = Grammar("en", SMALL)
    fixed = {"color": Filler("crimson", "red")}
    for seed in range(20):
        utterance = known.expand(known.templates()[0], slot_values("en"), random.Random(seed), fixed)
        assert utterance is not None and utterance.fillers == fixed


@pytest.mark.parametrize("text", ["turn on {unheard of}", "turn <nothing> on", "go <on>"])
def test_a_template_that_leads_nowhere_gives_no_sentence_or_says_why(text: str) -> None:
    known = Grammar("en", {**SMALL, "expansion_rules": {"on": "<on> and <on>"}})
    template = Template("HassTurnOn", text, "", "", ())
    if "{" in text:
        with pytest.raises(DataError, match=r"slot_values\.tsv has no value of 'unheard of' in language en"):
            known.expand(template, slot_values("en"), random.Random(0))
    else:
        assert known.expand(template, slot_values("en"), random.Random(0)) is None


def test_a_template_that_hassil_cannot_parse_is_named() -> None:
    with pytest.raises(DataError, match=r"language en: cannot parse 'turn \(on'"):
        Grammar("en", SMALL).parse("turn (on")


def test_there_are_forty_languages_and_many_have_few_resources() -> None:
    assert len(ASSISTANT_LANGUAGES) >= 40
    low = {tag for tag in ASSISTANT_LANGUAGES if language_facts(tag).resource == "low"}
    assert {"bn", "cy", "ga", "gsw", "is", "lb", "ml", "ne"} <= {*low, "bn"} and len(low) >= 8
    assert len({language_facts(tag).script for tag in ASSISTANT_LANGUAGES}) >= 10


@pytest.mark.parametrize("language", ASSISTANT_LANGUAGES)
def test_a_test_split_is_large_varied_and_fair_from_its_first_rows_on(language: str) -> None:
    rows = utterances("test", language)
    assert len(rows) == 300
    intents = Counter(row.template.intent for row in rows)
    assert len(intents) >= 18 and set(intents) <= set(INTENTS)
    assert max(intents.values()) <= 40
    assert max(Counter(row.template.identity for row in rows).values()) <= 6
    assert len({row.template.identity for row in rows}) >= 60
    assert len({row.template.intent for row in rows[:100]}) >= 0.9 * len(intents)


@pytest.mark.parametrize("language", ASSISTANT_LANGUAGES)
def test_sentences_are_clean_and_their_spans_lie_on_words(language: str) -> None:
    for row in utterances("test", language):
        assert not re.search(r"[{}\[\]<>|\\]|\s\s| [%,]|[?!]\w", row.text), row
        assert not re.search(r"(^| )(\S+) \2( |$)", row.text), row
        for span in row.spans:
            inside = row.text[span.start : span.end]
            assert inside and inside == inside.strip(), row
        for one, other in pairwise(row.spans):
            assert one.end <= other.start


def test_english_templates_and_slot_values_are_apart_in_train_dev_and_test() -> None:
    of = {split: {template.identity for template in templates(split, "en")} for split in ("train", "dev", "test")}
    assert sum(map(len, of.values())) == len(set().union(*of.values())) == len(grammar("en").templates())
    used = {
        split: {f.words for row in utterances(split, "en") for slot, f in row.fillers.items() if slot == "area"}
        for split in ("train", "test")
    }
    assert used["train"] and used["test"] and not used["train"] & used["test"]


def test_the_first_hundred_and_fifty_training_rows_know_most_intents() -> None:
    rows = utterances("train", "en")
    assert len({row.template.intent for row in rows}) == len(INTENTS)
    assert len({row.template.intent for row in rows[:150]}) >= 36
    assert max(Counter(row.template.intent for row in rows[:150]).values()) <= 8


def test_no_text_has_two_intents() -> None:
    for language in ("en", "de", "th"):
        texts = [fold(row.text) for row in utterances("test", language)]
        assert len(set(texts)) == len(texts)


def test_a_text_that_two_intents_can_express_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    twofold = {
        "HassPauseTimer": {"data": [{"sentences": ["(stop|pause) (it|this)"]}]},
        "HassCancelTimer": {"data": [{"sentences": ["(stop|cancel) (it|this)"]}]},
    }
    known = Grammar("en", {"intents": twofold, "lists": {}, "expansion_rules": {}})
    monkeypatch.setattr(assistant, "_PER_TEMPLATE", {"test": 40})
    rows = assistant._sample(known, known.templates(), slot_values("en"), "test", seen=set())
    assert {row.text for row in rows} == {"pause it", "pause this", "cancel it", "cancel this"}


def test_the_labels_are_those_of_english() -> None:
    assert {template.intent for template in grammar("en").templates()} == set(INTENTS)
    used = {span.slot for split in ("train", "dev", "test") for row in utterances(split, "en") for span in row.spans}
    assert used == set(SLOTS)


def test_every_language_has_values_for_every_slot() -> None:
    wanted = slot_values("en").by_slot.keys()
    for language in ASSISTANT_LANGUAGES:
        assert slot_values(language).by_slot.keys() == wanted
    with pytest.raises(DataError, match="no values in language tlh"):
        slot_values("tlh")
