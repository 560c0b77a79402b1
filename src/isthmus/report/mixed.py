"""All gains of a setting in one mixed model: what they depend on besides the intermediate task, and how surely.

One observation is the gain of an intermediate task on a target in a zero-shot language with a seed. Its sampling
variance is known, from the draws of the test examples, so that a language with few examples weighs less. What several
gains have in common (a target, its baseline in a language, a training run) is a random effect. Without it, forty
languages of one family on nine targets would look like hundreds of independent observations of a resource class.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from math import sqrt
from typing import Literal, NamedTuple

import numpy as np

from isthmus.languages import RESOURCES, Language
from isthmus.report.averages import RETRIEVAL
from isthmus.report.compare import Measured, facts
from isthmus.report.findings import ALPHA, MixedComponent, MixedFinding, MixedTerm
from isthmus.report.words import count, number
from isthmus.stats.mixed import Fit, fit
from isthmus.stats.resampling import Floats, Ints
from isthmus.stats.tests import holm

_LANGUAGES = 5
Kind = Literal["resource", "script", "family"]


class _Gain(NamedTuple):
    """One observation; ``training`` is the language of the target's training data, if any."""

    intermediate: str
    target: str
    tag: str
    seed: int
    training: str | None
    value: float
    sampling: float


class _Class(NamedTuple):
    """A column of the model: is the language of ``kind`` ``name``, and not ``against``?"""

    kind: Kind
    name: str
    against: str
    column: Floats


#: What gains share, beside what is estimated for its own sake.
_SHARED: Mapping[str, Callable[[_Gain], object]] = {
    "target": lambda gain: gain.target,
    "family": lambda gain: facts(gain.tag).family,
    "language": lambda gain: gain.tag,
    "seed": lambda gain: gain.seed,
    "intermediate task on a target": lambda gain: (gain.intermediate, gain.target),
    "language on a target": lambda gain: (gain.tag, gain.target),
    "training run": lambda gain: (gain.intermediate, gain.target, gain.seed),
}


def mixed(measured: Sequence[Measured], kinds: Mapping[str, str]) -> Iterator[MixedFinding]:
    """A model for each setting: over the targets without retrieval, or over these where there are no others."""
    for setting, of_setting in groupby(measured, key=lambda one: one.board.model):
        mine = [one for one in of_setting if one.zero_shot]
        trained = [one for one in mine if kinds.get(one.board.target) not in RETRIEVAL]
        if mine:
            yield _of_setting(setting, list(_gains(trained or mine)))


def _gains(measured: Sequence[Measured]) -> Iterator[_Gain]:
    for one in measured:
        for tag in one.zero_shot:
            draws = one.draws[tag]
            sampling = draws.moved.var(axis=1, ddof=1) + draws.unseen
            for seed, value, variance in zip(draws.seeds, draws.observed, sampling, strict=True):
                training = one.board.training
                yield _Gain(
                    one.intermediate, one.board.target, tag, seed, training, float(value), max(0.0, float(variance))
                )


def _of_setting(setting: str, gains: Sequence[_Gain]) -> MixedFinding:
    targets = tuple(dict.fromkeys(gain.target for gain in gains))
    languages = len({gain.tag for gain in gains})
    if languages < _LANGUAGES:
        how_many = count(languages, "zero-shot language")
        return _without(setting, targets, gains, f"{how_many} cannot tell one class of languages from another")
    y, sampling = np.array([gain.value for gain in gains]), np.array([gain.sampling for gain in gains])
    if float(np.ptp(y)) < 1e-9:
        return _without(setting, targets, gains, "all gains are the same")
    intermediates = _levels([gain.intermediate for gain in gains])
    ones = np.eye(int(intermediates.max()) + 1)[intermediates]
    classes = _independent(ones, _classes(gains))
    x = np.column_stack([ones, *(one.column - one.column.mean() for one in classes)])
    shared = _shared(gains, intermediates)
    if len(gains) < 2 * x.shape[1] or not shared:
        few = f"{count(len(gains), 'gain')} are too few for {count(x.shape[1], 'coefficient')}"
        return _without(setting, targets, gains, few)
    try:
        fitted = fit(y, x, shared, sampling)
    except np.linalg.LinAlgError:
        return _without(setting, targets, gains, "the gains do not determine it")
    names = list(dict.fromkeys(gain.intermediate for gain in gains))
    levels = {name: int(codes.max()) + 1 for name, codes in shared.items()} | {"rest": len(gains)}
    over = levels.get("intermediate task on a target", languages)
    terms = _terms(fitted, names, classes, (max(1, over - len(names)), max(1, languages - 1 - len(classes))))
    components = tuple(MixedComponent(name, levels[name], sqrt(v)) for name, v in fitted.variances.items())
    sentences = tuple(_sentences(terms, components, targets, languages))
    return MixedFinding(setting, targets, len(gains), terms, components, sentences)


def _without(setting: str, targets: tuple[str, ...], gains: Sequence[_Gain], why: str) -> MixedFinding:
    return MixedFinding(setting, targets, len(gains), reason=f"No mixed model: {why}.")


def _levels(values: Sequence[object]) -> Ints:
    """Numbers from 0, in the order of the first appearance."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)


def _shared(gains: Sequence[_Gain], intermediates: Ints) -> dict[str, Ints]:
    """The random effects that can be told apart: not one level alone, one a gain, or the same levels twice."""
    found: dict[str, Ints] = {}
    known = {intermediates.tobytes()}
    for name, of in _SHARED.items():
        levels = _levels([of(gain) for gain in gains])
        if 1 < levels.max() + 1 < len(gains) and levels.tobytes() not in known:
            known.add(levels.tobytes())
            found[name] = levels
    return found


def _classes(gains: Sequence[_Gain]) -> Iterator[_Class]:
    """Those with two languages or more on both sides."""
    of = [facts(gain.tag) for gain in gains]
    resources = [name for name in RESOURCES if len({fact.tag for fact in of if fact.resource == name}) > 1]
    for name in resources[1:]:
        yield _Class("resource", name, resources[0], _column([fact.resource == name for fact in of]))
    if any(gain.training is None for gain in gains):
        return
    trained = [facts(gain.training or "") for gain in gains]
    kinds: tuple[tuple[Kind, Callable[[Language], str]], ...] = (
        ("script", lambda fact: fact.script),
        ("family", lambda fact: fact.family),
    )
    for kind, what in kinds:
        same = [what(fact) == what(other) for fact, other in zip(of, trained, strict=True)]
        like = {fact.tag for fact, is_same in zip(of, same, strict=True) if is_same}
        if len(like) > 1 and len({fact.tag for fact in of} - like) > 1:
            yield _Class(kind, "same", "another", _column(same))


def _column(values: Sequence[bool]) -> Floats:
    return np.array(values, dtype=np.float64)


def _independent(ones: Floats, classes: Iterator[_Class]) -> list[_Class]:
    """Those that say something that the ones before them do not."""
    kept: list[_Class] = []
    for one in classes:
        columns = np.column_stack([ones, *(each.column for each in kept), one.column])
        if np.linalg.matrix_rank(columns) == columns.shape[1]:
            kept.append(one)
    return kept


def _terms(
    fitted: Fit, intermediates: Sequence[str], classes: Sequence[_Class], most: tuple[int, int]
) -> tuple[MixedTerm, ...]:
    """p is adjusted (Holm) over the intermediate tasks, and over the classes, which have ``most`` degrees of freedom.

    A task is known by the targets that it was tried on, a class by its languages.
    """
    contrasts = np.eye(len(fitted.coefficients))
    own = [fitted.estimate(contrast, most[0]) for contrast in contrasts[: len(intermediates)]]
    others = [fitted.estimate(contrast, most[1]) for contrast in contrasts[len(intermediates) :]]
    adjusted = [*holm([one.p for one in own]), *holm([one.p for one in others])]
    named: list[tuple[Literal["intermediate", "resource", "script", "family"], str, str]] = [
        *(("intermediate", name, "") for name in intermediates),
        *((one.kind, one.name, one.against) for one in classes),
    ]
    return tuple(
        MixedTerm(*name, one.value, one.low, one.high, float(p), one.df)
        for name, one, p in zip(named, [*own, *others], adjusted, strict=True)
    )


def _sentences(
    terms: Sequence[MixedTerm], components: Sequence[MixedComponent], targets: Sequence[str], languages: int
) -> Iterator[str]:
    where = f"Over {count(len(targets), 'target')} and {count(languages, 'language')}, "
    for term in terms:
        if term.kind == "intermediate":
            continue
        less = term.estimate < 0
        low, high = (-term.high, -term.low) if less else (term.low, term.high)
        gain = f"gain {number(abs(term.estimate))} points [{number(low)}, {number(high)}]"
        shown = "" if term.p < ALPHA else ": no difference shown"
        sentence = f"{where}{_who(term)} {gain} {'less' if less else 'more'} than {_others(term)}{shown}."
        yield sentence[0].upper() + sentence[1:]
        where = ""
    varying = sorted(components[:-1], key=lambda one: -one.deviation)[:2]
    if varying and varying[0].deviation > 0:
        told = " and ".join(f"{one.name} ({number(one.deviation)} points)" for one in varying if one.deviation > 0)
        yield f"Beyond the choice of test examples, gains differ most by {told}; standard deviations."


def _who(term: MixedTerm) -> str:
    if term.kind == "resource":
        return f"{term.name}-resource languages"
    return f"languages in the {term.kind} of the training language"


def _others(term: MixedTerm) -> str:
    return f"{term.against}-resource ones" if term.kind == "resource" else "the others"
