"""What a plan will cost, before it is spent: seconds and bytes, from the rows it reads and this machine's speed.

An estimate has three parts. What a stage does is reckoned from its identity and the rows it reads: tokens, optimiser
steps, bytes to write. How long that takes is what a calibration of this machine has measured
(`isthmus.planning.calibration`), or, without one, what a matrix product suggests. And the finished stages of the plan
that ran on this machine correct that: those of the same function, of the same kind, and most of all those that did the
same for another seed or another model.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from isthmus.data.catalog import SplitFacts
from isthmus.data.schema import Kind
from isthmus.planning.plan import Plan
from isthmus.planning.rates import Rates, rates_of
from isthmus.planning.shares import shares_of
from isthmus.stage import Json, Record, Settings, Stage, canonical
from isthmus.store import Store
from isthmus.study.spec import Recipe

_CHARACTERS_PER_TOKEN = 3.5
_SPECIAL_TOKENS = 2
#: Inputs that a row of choices becomes, and the share of its characters that stands in each of them.
_CHOICES, _IN_EACH = 4, 0.8
_MASKED = 0.15  # of the tokens of a text, which go through the whole vocabulary
_BACKWARD = 2.0  # a backward pass costs about two forward passes
_GENERATION = 12.0  # a translated token: a small batch, a decoder besides, and a softmax over the vocabulary
_TRIMMED = 4_000  # rows of the vocabulary that a training uses
_PREDICTION = 120  # bytes
#: Of how many records the estimate without any is worth one.
_PRIOR = 0.5


class Estimate(NamedTuple):
    """The cost of one stage."""

    seconds: float
    bytes: int


class Size(NamedTuple):
    """How large a model is: its parameters besides the word embeddings, its layers, and the rows and width of these."""

    body: int
    layers: int
    vocabulary: int
    width: int

    @property
    def embeddings(self) -> int:
        """Parameters of the word embeddings."""
        return self.vocabulary * self.width


#: The embedded model's, and that of a model not seen yet: a base model's.
_EMBEDDED = Size(21_300_000, 12, 250_037, 384)
_UNKNOWN = Size(85_000_000, 12, 250_002, 768)


@dataclass
class _Correction:
    """Seconds that stages took, against what was expected of them."""

    seconds: float = 0.0
    expected: float = 0.0
    count: int = 0

    def add(self, seconds: float, expected: float) -> None:
        self.seconds, self.expected, self.count = self.seconds + seconds, self.expected + expected, self.count + 1

    def factor(self, before: float) -> float:
        """What to multiply an estimate by; ``before`` is what it would be without these records."""
        if not self.count:
            return before
        prior = _PRIOR * self.expected / self.count
        return (self.seconds + before * prior) / (self.expected + prior)


@dataclass
class Corrections:
    """What records say of estimates: by function, by kind, and by what the stage does, whatever its seed."""

    known: dict[tuple[str, ...], _Correction] = field(default_factory=dict)

    def add(self, stage: Stage, seconds: float, expected: float) -> None:
        """A stage that was expected to take so long took ``seconds``."""
        for level in _levels(stage):
            self.known.setdefault(level, _Correction()).add(seconds, expected)

    def factor(self, stage: Stage) -> float:
        """What to multiply the estimate of a stage by."""
        factor = 1.0
        for level in _levels(stage):
            if level in self.known:
                factor = self.known[level].factor(factor)
        return factor


def _levels(stage: Stage) -> list[tuple[str, ...]]:
    kind = str(stage.identity.get("kind", ""))
    same = {name: value for name, value in stage.identity.items() if name != "seed"}
    return [(stage.function,), (stage.function, kind), (stage.function, kind, str(canonical(same)))]


def estimates(plan: Plan, store: Store, settings: Settings) -> dict[str, Estimate]:
    """An estimate for every stage of ``plan``: what a finished one took, what another one is expected to take.

    ``settings`` say how the stages will run: on how many threads, on which device.
    """
    return estimates_and_error(plan, store, settings)[0]


class Fit(NamedTuple):
    """How near the uncorrected estimates of finished stages are: seconds they took and were expected to, and spread.

    The spread is the factor within which two thirds of the single estimates lie; 1 where there is but one record.
    """

    stages: int
    seconds: float
    expected: float
    spread: float


def estimates_and_error(plan: Plan, store: Store, settings: Settings) -> tuple[dict[str, Estimate], Fit | None]:
    """As `estimates`, and how near they would have been for the stages that are finished."""
    rates = rates_of(store, settings)
    sizes = {key: _size(key, store) for key, stage in plan.stages.items() if stage.function == "model"}
    corrections, found = Corrections(), dict[str, Estimate]()
    pairs: list[tuple[float, float]] = []
    finished = set(store.finished())
    for key, stage in plan.stages.items():
        if stage.function != "model":
            sizes[key] = sizes[next(iter(stage.inputs.values()))]
        expected = _expected(plan, key, sizes[key], rates)
        record = store.record(key) if key in finished else None
        found[key] = expected if record is None else _spent(record)
        if record is not None and _alike(record, rates, settings):
            corrections.add(stage, record.seconds, expected.seconds)
            pairs.append((record.seconds, expected.seconds))
    for key, stage in plan.stages.items():
        if key not in finished:
            found[key] = found[key]._replace(seconds=found[key].seconds * corrections.factor(stage))
    return found, fit(pairs)


def fit(pairs: list[tuple[float, float]]) -> Fit | None:
    """How near estimates are; ``pairs`` are of seconds taken and expected, for one stage each."""
    import numpy as np

    if not pairs:
        return None
    taken, expected = np.array(pairs, dtype=np.float64).T
    logs = np.log(np.maximum(taken, 1e-3) / np.maximum(expected, 1e-3))
    spread = float(np.exp(np.std(logs - np.log(taken.sum() / expected.sum()), ddof=1))) if len(pairs) > 1 else 1.0
    return Fit(len(pairs), float(taken.sum()), float(expected.sum()), spread)


def _alike(record: Record, rates: Rates, settings: Settings) -> bool:
    """Was the stage run as stages will be: on a machine of this kind, with so many threads, on the same device?"""
    how = (record.settings.get("threads"), record.settings.get("device"), record.settings.get("processes", 1))
    return record.machine == rates.machine and how == (settings.threads, settings.device, settings.processes)


def _spent(record: Record) -> Estimate:
    return Estimate(record.seconds, sum(fact.size for fact in record.files.values()))


def _expected(plan: Plan, key: str, size: Size, rates: Rates) -> Estimate:
    stage = plan.stages[key]
    if stage.function == "train":
        return _training(plan, key, size, rates)
    if stage.function == "translate":
        tokens = sum(_tokens(fact, stage.identity["kind"], Recipe(max_length=512)) for fact in plan.reads[key])
        seconds = rates.predict_overhead(size) + _GENERATION * tokens * rates.predict_token(size)
        return Estimate(seconds, int(2 * sum(fact.characters for fact in plan.reads[key])))
    if stage.function == "predict":
        tokens, rows = _predicted(stage, plan.reads[key])
        seconds = rates.predict_overhead(size) + tokens * rates.predict_token(size)
        return Estimate(seconds, 4_000 * len(stage.identity["test"]) + _PREDICTION * rows)
    bytes_ = 4 * (size.body + size.embeddings) if stage.function == "model" else 20_000
    return Estimate(rates.overhead[stage.function], bytes_)


def _training(plan: Plan, key: str, size: Size, rates: Rates) -> Estimate:
    """Of a training: tokens forwards and backwards, optimiser steps, evaluations on dev rows, and a model to write."""
    identity, reads = plan.stages[key].identity, plan.reads[key]
    recipe = Recipe.model_validate(identity["recipe"])
    members = identity.get("members") or [identity]
    tokens = steps = outputs = 0.0
    start = 0
    own_steps = [share.steps for share in shares_of(plan, key)]
    for number, member in enumerate(members):
        own = Recipe.model_validate({**recipe.model_dump(), **member.get("recipe", {})}) if own_steps else recipe
        count = len(member["train"]) if isinstance(member["train"], list) else 1
        facts, start = reads[start : start + count], start + count
        rows = sum(min(fact.rows, own.train_examples or fact.rows) for fact in facts)
        each = sum(_tokens(fact, member["kind"], own, own.train_examples) for fact in facts) / max(1, rows)
        inputs = 1.0 if own_steps else _inputs(facts, member["kind"], own)
        taken = (
            own_steps[number] if own_steps else recipe.steps or max(1.0, recipe.epochs * rows * inputs / own.batch_size)
        )
        steps += taken
        seen = taken * own.batch_size * each / inputs
        tokens += seen
        outputs += _MASKED * seen if "text_of" in member else 0.0
        if own.evaluate_every and member.get("dev"):
            rounds = max(1.0, (recipe.steps or taken) / (recipe.evaluate_every or own.evaluate_every))
            tokens += rounds * own.dev_examples * len(member["dev"]) * each / (1 + _BACKWARD)
    trained = 1 - min(recipe.freeze_layers, size.layers) / size.layers
    passes = (1 + _BACKWARD * trained) / (1 + _BACKWARD)
    learnt = size.body * trained + (0 if recipe.freeze_embeddings else _TRIMMED * size.width)
    seconds = rates.train_overhead(size) + tokens * passes * rates.train_token(size) + steps * rates.train_step(learnt)
    seconds += outputs * rates.train_token(size) * size.embeddings / size.body
    return Estimate(seconds, 4 * (size.body + (0 if recipe.freeze_embeddings else size.embeddings)))


def _predicted(stage: Stage, reads: tuple[SplitFacts, ...]) -> tuple[float, int]:
    """Tokens and rows of a prediction. What many languages are looked for among is embedded once."""
    identity = stage.identity
    recipe = Recipe.model_validate({name: identity[name] for name in ("max_length", "stride") if name in identity})
    test, limit = len(identity["test"]), identity.get("limit")
    rows = sum(min(fact.rows, limit or fact.rows) for fact in reads[:test])
    tokens = sum(_tokens(fact, identity["kind"], recipe, limit) for fact in reads[:test])
    others = {fact.fingerprint: fact for fact in reads[test:]}
    return tokens + sum(_tokens(fact, identity["kind"], recipe) for fact in others.values()), rows


def _tokens(fact: SplitFacts, kind: str, recipe: Recipe, limit: int | None = None) -> float:
    """Tokens of the inputs that the rows of a split become, or ``limit`` of them."""
    rows = min(fact.rows, limit or fact.rows)
    length = _length(fact, kind)
    inputs = _inputs((fact,), kind, recipe)
    if kind == Kind.SPAN and length > recipe.max_length:
        return rows * (length + (inputs - 1) * max(0, recipe.max_length - recipe.stride))
    texts = 2 if kind == Kind.BITEXT else 1
    return rows * inputs * min(length, texts * recipe.max_length)


def _length(fact: SplitFacts, kind: str) -> float:
    """Tokens of one input, before it is cut."""
    share = _IN_EACH if kind == Kind.CHOICE else 1.0
    return share * fact.characters / max(1, fact.rows) / _CHARACTERS_PER_TOKEN + _SPECIAL_TOKENS


def _inputs(facts: tuple[SplitFacts, ...], kind: str, recipe: Recipe) -> float:
    """Inputs that a row becomes: windows of a long context. (All choices of a row are one input of several parts.)"""
    if kind == Kind.CHOICE:
        return float(_CHOICES)
    if kind != Kind.SPAN or not facts:
        return 1.0
    length = sum(fact.rows * _length(fact, kind) for fact in facts) / max(1, sum(fact.rows for fact in facts))
    return 1.0 + max(0.0, length - recipe.max_length) / recipe.stride


def _size(key: str, store: Store) -> Size:
    """The size of a model, from its configuration where it is in the store already."""
    try:
        config: Mapping[str, Json] = json.loads(
            (store.stage_folder(key) / "model" / "config.json").read_text(encoding="utf-8")
        )
        return size_of(config)
    except (OSError, ValueError, KeyError, TypeError):
        return _EMBEDDED if _is_embedded(key) else _UNKNOWN


def size_of(config: Mapping[str, Any]) -> Size:
    """The size of a model with that configuration. Raises KeyError where it is of a kind without such fields."""
    width, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    return Size(int(layers * (4 * width * width + 2 * width * inner)), layers, config.get("vocab_size", 0), width)


@cache
def _is_embedded(key: str) -> bool:
    from isthmus.model import embedded

    return key == Stage("model", {"package": embedded.PACKAGE, "sha256": embedded.SHA256}).key
