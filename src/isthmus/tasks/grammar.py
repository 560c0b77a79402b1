"""Sentence templates of the Home Assistant voice assistant, and random expansions of them.

The package ``home-assistant-intents`` holds, for each language, templates such as
``<turn> on [<the>] {area} (light|lamp)[s]`` written by speakers of it, filed under the intent that they express;
``hassil`` parses them. A template stands for up to millions of sentences, so it is walked at random here, with a
generator of its own, and never enumerated.
"""

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from isthmus.errors import DataError
from isthmus.tasks.package_files import package_folder
from isthmus.tasks.slot_values import SlotValues

PACKAGE = "home_assistant_intents"
#: Files whose language has a tag of its own: Bernese German and written Cantonese.
_FILES: Mapping[str, str] = {"gsw": "de-CH", "yue": "zh-HK"}
#: Characters of the template language: a sentence that still has one was not expanded properly.
_MARKUP = re.compile(r"[{}\[\]<>|\\]")
#: A question mark inside a word or a hyphen cut off from the next: slips in a few templates of the package.
_SLIP = re.compile(r"[?!]\w|\w- \w")
#: The same word twice, where two optional parts meet ("are the the lights on").
_DOUBLED = re.compile(r"(?<!\S)(\S+) \1(?!\S)", re.IGNORECASE)
#: Spaces before these are an artefact of joining optional parts.
_CLOSING = (" %", " ,", " .", " °")
_DEEPEST = 40

#: Slots that share a name in the package though they hold different things, by the list that fills them.
_SLOT_OF_LIST: Mapping[str, str] = {"timer_name": "timer_name", "zone": "zone"}


class Span(NamedTuple):
    """A stretch of an utterance that fills a slot: ``text[start:end]``, meaning ``value``."""

    slot: str
    start: int
    end: int
    value: str


class Filler(NamedTuple):
    """What fills a slot: the words, and the value they stand for (``shut`` for ``closed``)."""

    words: str
    value: str


@dataclass(frozen=True)
class Template:
    """One sentence template.

    Attributes:
        intent: what it expresses, ``HassTurnOn``.
        text: the template as written.
        command: names what it means apart from its slots: templates of one command are paraphrases.
        combination: which slots it speaks of, ``name_area``; templates of many intents share one.
        domains: the kinds of device that ``{name}`` may stand for.
    """

    intent: str
    text: str
    command: str
    combination: str
    domains: tuple[str, ...]

    @property
    def identity(self) -> str:
        """A short stable name: equal for equal intent and text."""
        return f"{self.intent}-{_digest(self.intent, self.text)}"


@dataclass(frozen=True)
class Utterance:
    """One sentence made from a template."""

    text: str
    template: Template
    spans: tuple[Span, ...]

    @property
    def fillers(self) -> dict[str, Filler]:
        """What fills each slot."""
        return {span.slot: Filler(self.text[span.start : span.end], span.value) for span in self.spans}


class _Piece(NamedTuple):
    text: str
    slot: str = ""
    value: str = ""


class _Unfinished(Exception):
    """A template refers to a list or a rule that is not there, or to itself."""


@dataclass
class Grammar:
    """The templates, lists and rules of one language; expressions are parsed when they are first needed."""

    language: str
    data: Mapping[str, Any]
    _parsed: dict[str, Any] = field(default_factory=dict)

    def templates(self) -> list[Template]:
        """Every distinct template, in the file's order. One written for several kinds of device is one template."""
        merged: dict[tuple[str, str], Template] = {}
        for intent, content in self.data["intents"].items():
            for block in content["data"]:
                for text in block["sentences"]:
                    template = _template(intent, block, text)
                    known = merged.get((intent, text), template)
                    domains = tuple(dict.fromkeys(known.domains + template.domains))
                    merged[intent, text] = Template(intent, text, known.command, known.combination, domains)
        return list(merged.values())

    def expand(
        self, template: Template, values: SlotValues, rng: random.Random, fixed: Mapping[str, Filler] | None = None
    ) -> Utterance | None:
        """A random sentence of ``template``; None where a reference leads nowhere or the result is malformed.

        ``values`` fill the slots that the package leaves open; ``fixed`` says what fills a slot instead.
        """
        walk = _Walk(self, template, values, rng, fixed or {})
        try:
            pieces = walk.pieces(self.parse(template.text))
        except _Unfinished:
            return None
        text, spans = _join(pieces)
        broken = not text or any(pattern.search(text) for pattern in (_MARKUP, _SLIP, _DOUBLED))
        return None if broken else Utterance(text, template, spans)

    def parse(self, text: str) -> Any:
        """The expression of a template, a rule or a list's value.

        Raises:
            DataError: ``hassil`` cannot parse it.
        """
        if text not in self._parsed:
            from hassil.parse_expression import parse_sentence
            from hassil.parser import ParseError

            try:
                self._parsed[text] = parse_sentence(text).expression
            except (ParseError, AssertionError) as error:
                raise DataError(f"{PACKAGE}, language {self.language}: cannot parse {text!r}: {error}.") from error
        return self._parsed[text]


@dataclass
class _Walk:
    """One random walk over the expression tree of a template."""

    grammar: Grammar
    template: Template
    values: SlotValues
    rng: random.Random
    fixed: Mapping[str, Filler]

    def __post_init__(self) -> None:
        from hassil import expression

        self._tree = expression

    def pieces(self, root: Any) -> list[_Piece]:
        """The pieces of a random sentence, spaces and all."""
        found: list[_Piece] = []
        self._visit(root, found, 0)
        return found

    def _visit(self, node: Any, found: list[_Piece], depth: int) -> None:
        tree = self._tree
        if depth > _DEEPEST:
            raise _Unfinished
        if isinstance(node, tree.TextChunk):
            found.append(_Piece(node.original_text))
        elif isinstance(node, tree.ListReference):
            found.append(self._slot(node.list_name, node.slot_name))
        elif isinstance(node, tree.RuleReference):
            rule = self.grammar.data.get("expansion_rules", {}).get(node.rule_name)
            if rule is None:
                raise _Unfinished
            self._visit(self.grammar.parse(rule), found, depth + 1)
        elif isinstance(node, tree.Alternative):
            self._visit(self._choice(node), found, depth + 1)
        else:
            items = list(node.items)
            if isinstance(node, tree.Permutation):
                self.rng.shuffle(items)
            for item in items:
                self._visit(item, found, depth + 1)

    def _choice(self, alternative: Any) -> Any:
        """One branch. An optional part is there half of the time, however many forms it has."""
        items = alternative.items
        if alternative.is_optional and len(items) > 1:
            return items[-1] if self.rng.random() < 0.5 else self.rng.choice(items[:-1])
        return self.rng.choice(items)

    def _slot(self, list_name: str, slot_name: str) -> _Piece:
        slot = _SLOT_OF_LIST.get(list_name, slot_name)
        if slot in self.fixed:
            return _Piece(self.fixed[slot].words, slot, self.fixed[slot].value)
        content = self.grammar.data.get("lists", {}).get(list_name, {})
        if "values" in content:
            entry = self.rng.choice(content["values"])
            text = "".join(piece.text for piece in self.pieces(self.grammar.parse(entry["in"]))).strip()
            return _Piece(text, slot, str(entry.get("out", text)))
        if "range" in content:
            text = str(_number(content["range"], slot, self.rng))
            return _Piece(text, slot, text)
        text = self.rng.choice(self.values.choices(list_name, self.template.domains))
        return _Piece(text, slot, text)


@lru_cache(maxsize=1)
def grammar(language: str) -> Grammar:
    """The grammar of one language. Only the last is kept: a big one is megabytes, and is read in 5 ms.

    Raises:
        MissingPackage: the package, or ``hassil``, is not installed.
        DataError: the package has no such language, or its file is damaged.
    """
    package_folder("hassil", "Reading the voice assistant's sentences")
    folder = package_folder(PACKAGE, "The voice assistant's sentences")
    path = folder / "data" / f"{_FILES.get(language, language)}.json"
    try:
        return Grammar(language, json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise DataError(f"{PACKAGE}: the sentences of language {language} cannot be read: {error}.") from error


def intent_domains() -> dict[str, str]:
    """The domain under which the package files each intent: ``HassLightSet`` is ``light``."""
    path = package_folder(PACKAGE, "The voice assistant's sentences") / "intents.json"
    return {intent: facts["domain"] for intent, facts in json.loads(path.read_bytes()).items()}


def _template(intent: str, block: Mapping[str, Any], text: str) -> Template:
    context = block.get("requires_context", {}).get("domain") or block.get("slots", {}).get("domain") or ()
    domains = (context,) if isinstance(context, str) else tuple(context)
    combination = block.get("metadata", {}).get("slot_combination", "")
    means = json.dumps([intent, combination, block.get("slots"), domains, block.get("response")], sort_keys=True)
    return Template(intent, text, f"{intent}-{_digest(means)}", combination, domains)


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:12]


def _number(range_: Mapping[str, Any], slot: str, rng: random.Random) -> int:
    """A number that people say: a comfortable temperature, a round percentage, a few hours."""
    first, last, step = range_["from"], range_["to"], range_.get("step", 1)
    if range_.get("type") == "temperature":
        first, last = max(first, 16), min(last, 28)
    elif first >= 1000:
        first, last, step = max(first, 2000), min(last, 6500), 500
    elif range_.get("type") == "percentage":
        first, step = first + 10, 5
    elif first < 2 <= last:
        first, last = 2, min(last, 12 if slot.endswith("hours") else 59)
    return int(rng.randrange(first, max(first, last) + 1, step))


def _join(pieces: list[_Piece]) -> tuple[str, tuple[Span, ...]]:
    """The pieces as one sentence, white space collapsed, and where its slots lie."""
    text, spans = "", []
    for piece in pieces:
        words = " ".join(piece.text.split())
        if not words:
            if piece.text and text and not text.endswith(" "):
                text += " "
            continue
        if piece.text[0].isspace():
            words = f" {words}"
        if text.endswith(" ") or not text:
            words = words.lstrip()
        if text.endswith(" ") and f" {words}".startswith(_CLOSING):
            text = text[:-1]
        elif words.startswith(_CLOSING):
            words = words.lstrip()
        text += words
        if piece.slot:  # what fills a slot neither begins nor ends in space
            spans.append(Span(piece.slot, len(text) - len(words), len(text), piece.value))
        if piece.text[-1].isspace():
            text += " "
    return text.strip(), tuple(spans)
