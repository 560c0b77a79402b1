"""The tasks of the quickstart, made from what Python packages carry: nothing has to be downloaded.

`intents` and `slots` are targets, measured in every language in which the voice assistant knows enough. `slots` serves
in intermediate stages too, as do the tasks in English alone; `emoji-names` only measures.

Of near twins one is taken: of Serbian the Cyrillic, of Portuguese the Brazilian. Bernese German and written Cantonese
go by tags of their own (``gsw``, ``yue``; in the package ``de-CH``, ``zh-HK``). Languages with templates for fewer than
18 intents are left out.
"""

from functools import partial

from isthmus.data.schema import Kind
from isthmus.tasks import assistant, emoji_names, template_pairs
from isthmus.tasks.assistant import AssistantSource
from isthmus.tasks.core import Task
from isthmus.tasks.emoji_names import EmojiSource

_LANGUAGES = """
en af ar bg bn ca cs cy da de el es eu fa fi fr ga gl gsw he hi hr hu is it ko lb lt lv ml nb ne nl pl pt-BR ro ru sk sl
sr sv th uk vi yue zh-CN zh-TW
"""
_INTENTS = """
Broadcast CancelAllTimers CancelTimer ClimateGetTemperature ClimateSetFanMode ClimateSetTemperature DecreaseTimer
FanSetSpeed GetCurrentDate GetCurrentTime GetState GetWeather IncreaseTimer LawnMowerDock LawnMowerStartMowing LightSet
ListAddItem ListCompleteItem ListRemoveItem MediaNext MediaPause MediaPlayerMute MediaPlayerUnmute MediaPrevious
MediaSearchAndPlay MediaUnpause Nevermind PauseTimer Respond SetPosition SetVolume SetVolumeRelative ShoppingListAddItem
ShoppingListCompleteItem StartTimer TimerStatus TurnOff TurnOn UnpauseTimer VacuumCleanArea VacuumReturnToBase
VacuumStart
"""
_SLOTS = """
area brightness color conversation_command device_class fan_mode floor hours item media_class message minutes name
percentage position search_query seconds start_hours start_minutes start_seconds state temperature timer_name
volume_level volume_step zone
"""
_DOMAINS = """
assist_satellite climate fan homeassistant lawn_mower light media_player shopping_list todo vacuum weather
"""

#: English and 46 others.
ASSISTANT_LANGUAGES = tuple(_LANGUAGES.split())
#: Those of English; no other language has more.
INTENTS = tuple(f"Hass{intent}" for intent in _INTENTS.split())
#: Those of English; the few words of another slot (``domain`` in German or Lithuanian) are tagged ``O``.
SLOTS = tuple(_SLOTS.split())
DOMAINS = tuple(_DOMAINS.split())

_ASSISTANT_LICENCE = "Apache-2.0 (home-assistant-intents)"
_ASSISTANT_HOME = "https://github.com/OHF-Voice/intents"
_ASSISTANT_CITATION = "The Home Assistant Authors, Intents for Home Assistant (Python package home-assistant-intents)"

_EMOJI_LICENCE = "BSD-3-Clause (emoji); the names are Unicode CLDR's, under the Unicode License"
_EMOJI_HOME = "https://github.com/carpedm20/emoji/"
_EMOJI_CITATION = "T. Kim and K. Wurster, emoji for Python (Python package emoji); Unicode CLDR short names"

_EMOJI_ROWS = {
    "ar": 934,
    "de": 855,
    "es": 888,
    "fa": 934,
    "fr": 857,
    "id": 847,
    "it": 871,
    "ja": 932,
    "ko": 933,
    "pt": 888,
    "ru": 933,
    "tr": 904,
    "zh": 932,
}

TASKS = (
    Task(
        name="intents",
        kind=Kind.SEQUENCE,
        description="What does a person want of the voice assistant at home?",
        languages=ASSISTANT_LANGUAGES,
        metric="accuracy",
        source=AssistantSource(Kind.SEQUENCE, assistant.intent_rows),
        licence=_ASSISTANT_LICENCE,
        labels_are="annotated",
        labels=INTENTS,
        expected_rows=assistant.SIZES,
        derivation=(
            "Speakers of each language wrote sentence templates for each intent; the utterances are random expansions "
            "of them, split by template. Rooms, devices and messages were filled in from lists, uninflected."
        ),
        homepage=_ASSISTANT_HOME,
        citation=_ASSISTANT_CITATION,
    ),
    Task(
        name="slots",
        kind=Kind.TAGGING,
        description="Which words of the utterance name the room, the device, the time, ...?",
        languages=ASSISTANT_LANGUAGES,
        metric="span_f1",
        source=AssistantSource(Kind.TAGGING, partial(assistant.slot_rows, frozenset(SLOTS))),
        licence=_ASSISTANT_LICENCE,
        labels_are="derived",
        labels=("O", *(f"{prefix}-{slot}" for slot in SLOTS for prefix in "BI")),
        expected_rows=assistant.SIZES,
        derivation=(
            "A tag says which slot of a template the word came from. A word that is only partly a slot is tagged "
            "whole; in Thai and Chinese each letter is a word, as in PAN-X."
        ),
        homepage=_ASSISTANT_HOME,
        citation=_ASSISTANT_CITATION,
    ),
    Task(
        name="domains",
        kind=Kind.SEQUENCE,
        description="Which part of the house is an utterance about: light, media, climate, ...?",
        languages=("en",),
        metric="accuracy",
        source=AssistantSource(Kind.SEQUENCE, assistant.domain_rows),
        licence=_ASSISTANT_LICENCE,
        labels_are="derived",
        labels=DOMAINS,
        expected_rows=assistant.SIZES,
        derivation="The domain under which the package files the utterance's intent: a coarser label of `intents`.",
        homepage=_ASSISTANT_HOME,
        citation=_ASSISTANT_CITATION,
    ),
    Task(
        name="template-pairs",
        kind=Kind.PAIR,
        description="Do two utterances ask the voice assistant for the same thing?",
        languages=("en",),
        metric="accuracy",
        source=AssistantSource(Kind.PAIR, template_pairs.pair_rows),
        licence=_ASSISTANT_LICENCE,
        labels_are="derived",
        labels=template_pairs.LABELS,
        expected_rows=template_pairs.SIZES,
        derivation=(
            "Same: made from templates of one command, with the same values in their slots. Different: another value, "
            "another intent, or nothing in common. Nobody judged the pairs."
        ),
        homepage=_ASSISTANT_HOME,
        citation=_ASSISTANT_CITATION,
    ),
    Task(
        name="emoji-names",
        kind=Kind.BITEXT,
        description="Find the English name of an emoji by its name in another language.",
        languages=emoji_names.LANGUAGES,
        metric="accuracy",
        source=EmojiSource(emoji_names.foreign_names),
        licence=_EMOJI_LICENCE,
        labels_are="annotated",
        train_language=None,
        expected_rows={f"test/{language}": rows for language, rows in _EMOJI_ROWS.items()},
        derivation="Two names match when they name the same emoji. Names equal to the English one are left out.",
        homepage=_EMOJI_HOME,
        citation=_EMOJI_CITATION,
    ),
    Task(
        name="emoji-aliases",
        kind=Kind.BITEXT,
        description="Match the English name of an emoji with another English name of it.",
        languages=("en",),
        metric="accuracy",
        source=EmojiSource(emoji_names.english_aliases),
        licence=_EMOJI_LICENCE,
        labels_are="derived",
        expected_rows={"train": 368, "dev": 35, "test": 58},
        derivation="Two names match when the package lists them for one emoji; none of `emoji-names` is among them.",
        homepage=_EMOJI_HOME,
        citation=_EMOJI_CITATION,
    ),
)
