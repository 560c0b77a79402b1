"""Every gain of a study with its interval, from one joint redraw of all its test examples."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from isthmus.errors import SpecError
from isthmus.evaluate.metrics import metric
from isthmus.languages import RESOURCES, Language, language
from isthmus.report.boards import Board
from isthmus.report.findings import Average, Comparison, Effect, GroupEffect, LanguageEffect, Lead
from isthmus.spec import NONE
from isthmus.stats.intervals import RESAMPLES, Draws, Gain, Sample, SeedVariance, interval, mean_of, paired, resample
from isthmus.stats.tests import holm

Key = TypeVar("Key", bound=Hashable)
#: Kinds that are measured by looking for a counterpart. Their gains dwarf all others (arXiv 2005.13013, table 2).
_RETRIEVAL = ("bitext", "ranking")


@dataclass(frozen=True)
class _Measured:
    """One intermediate task on one board, against none."""

    board: Board
    intermediate: str
    seeds: tuple[int, ...]
    draws: Mapping[str, Draws]  # by tag, of the languages that both sides have
    left_out: tuple[str, ...]

    @property
    def name(self) -> tuple[str, str]:
        return self.board.target, self.intermediate

    @property
    def training(self) -> str | None:
        """The language of the training data, if both sides have it."""
        return self.board.training if self.board.training in self.draws else None

    @property
    def zero_shot(self) -> tuple[str, ...]:
        return tuple(tag for tag in self.draws if tag != self.board.training)

    def tuned(self, tags: Iterable[str]) -> bool:
        """Has one of these languages a score, on either side, that is no longer zero-shot?"""
        return any(self.board.tuned(tag, self.intermediate, NONE) for tag in tags)

    def over(self, tags: Sequence[str]) -> Draws:
        return mean_of([self.draws[tag] for tag in tags])

    @cached_property
    def seed_variance(self) -> SeedVariance | None:
        zero_shot = [self.draws[tag] for tag in self.zero_shot]
        return SeedVariance.of(zero_shot) if zero_shot else None

    def gain(self, *tags: str) -> Gain:
        """The mean gain in some languages: all of them zero-shot, or the training language alone."""
        known = None if tags == (self.training,) else self.seed_variance
        return interval(self.over(tags), seeds=known, languages=len(tags))


def compare(
    every: Sequence[Board], kinds: Mapping[str, str], resamples: int = RESAMPLES
) -> tuple[tuple[Comparison, ...], tuple[Average, ...]]:
    """The gains of every intermediate task on the first (the main) metric of each target; ``kinds`` of the targets.

    Raises:
        DataError: chains of one target were scored on different examples.
    """
    main = {(board.model, board.target): board for board in reversed(every)}
    with_gains = [board for board in main.values() if NONE in board.intermediates and len(board.intermediates) > 1]
    with_gains.reverse()
    measured = _measure(with_gains, resamples)
    comparisons: list[Comparison] = []
    averages: list[Average] = []
    for model in dict.fromkeys(one.board.model for one in measured):
        of_model = [one for one in measured if one.board.model == model]
        comparisons += _comparisons(of_model)
        averages += _averages(of_model, kinds)
    return tuple(comparisons), tuple(averages)


def _measure(every: Sequence[Board], resamples: int) -> list[_Measured]:
    splits = [(board, tag, list(chains)) for board in every for tag, chains in board.scores.items()]
    samples = resample(
        [[board.scores[tag][chain].statistics for chain in chains] for board, tag, chains in splits],
        [metric(board.metric).reduce for board, _, _ in splits],
        [f"{board.target}, {tag}" for board, tag, _ in splits],
        resamples=resamples,
    )
    by_split = {
        (board.model, board.target, tag): (sample, chains)
        for (board, tag, chains), sample in zip(splits, samples, strict=True)
    }
    measured = []
    for board in every:
        mine = {tag: by_split[board.model, board.target, tag] for tag in board.scores}
        measured += [_against_none(board, name, mine) for name in board.intermediates if name != NONE]
    return [one for one in measured if one.draws]


def _against_none(
    board: Board, intermediate: str, samples: Mapping[str, tuple[Sample, list[tuple[str, int]]]]
) -> _Measured:
    """Paired by seed; a language takes part when both sides have it for every seed that both sides have."""
    seeds = tuple(seed for seed in board.seeds(intermediate) if seed in board.seeds(NONE))
    draws, left_out = {}, []
    for tag, (sample, chains) in samples.items():
        above, below = ([(name, seed) for seed in seeds] for name in (intermediate, NONE))
        if seeds and all(chain in chains for chain in above + below):
            with_, without = ([chains.index(chain) for chain in side] for side in (above, below))
            draws[tag] = paired(sample, with_, without, seeds)
        else:
            left_out.append(tag)
    return _Measured(board, intermediate, seeds, draws, tuple(left_out))


def _comparisons(measured: Sequence[_Measured]) -> list[Comparison]:
    """Of one model; p is adjusted over the model's matrix, and over each target's table of languages or groups."""
    zero_shot = _effects({one.name: one.gain(*one.zero_shot) for one in measured if one.zero_shot})
    training = _effects({one.name: one.gain(one.training) for one in measured if one.training})
    leads = _leads([one for one in measured if one.zero_shot])
    comparisons = []
    for target in dict.fromkeys(one.board.target for one in measured):
        of_target = [one for one in measured if one.board.target == target]
        languages = _effects({(*one.name, tag): one.gain(tag) for one in of_target for tag in one.draws})
        families = _groups(of_target, lambda fact: fact.family)
        resources = _groups(of_target, lambda fact: fact.resource)
        for one in of_target:
            rows = [_language(one, tag, languages[*one.name, tag]) for tag in one.draws]
            comparisons.append(
                Comparison(
                    one.board.model,
                    one.intermediate,
                    target,
                    one.board.metric,
                    one.seeds,
                    _everywhere(one, zero_shot.get(one.name)),
                    _language(one, one.training, training[one.name]) if one.training else None,
                    tuple(sorted(rows, key=lambda row: (-row.effect.gain.estimate, row.name))),
                    tuple(sorted(families[one.name], key=lambda group: (-len(group.languages), group.name))),
                    tuple(sorted(resources[one.name], key=lambda group: _resource_order(group.name))),
                    leads.get(one.name),
                    _names(one.left_out),
                )
            )
    return comparisons


def _everywhere(one: _Measured, effect: Effect | None) -> GroupEffect | None:
    """The mean over all languages that count as zero-shot."""
    return GroupEffect("all", _names(one.zero_shot), effect, one.tuned(one.zero_shot)) if effect else None


def _language(one: _Measured, tag: str, effect: Effect) -> LanguageEffect:
    fact = facts(tag)
    score, baseline = (one.board.mean(tag, name, one.seeds) for name in (one.intermediate, NONE))
    assert score is not None and baseline is not None  # a language without both is left out
    training = tag == one.board.training
    tuned, without = one.tuned([tag]), one.board.tuned(tag, NONE)
    return LanguageEffect(tag, fact.name, fact.family, fact.resource, training, effect, score, baseline, tuned, without)


def _groups(
    of_target: Sequence[_Measured], kind: Callable[[Language], str]
) -> dict[tuple[str, str], list[GroupEffect]]:
    """The zero-shot means over languages of one family, or whatever ``kind`` says of a language."""
    members: dict[tuple[str, str, str], list[str]] = {}
    for one in of_target:
        for tag in one.zero_shot:
            members.setdefault((*one.name, kind(facts(tag))), []).append(tag)
    by_name = {one.name: one for one in of_target}
    effects = _effects({key: by_name[key[:2]].gain(*tags) for key, tags in members.items()})
    found: dict[tuple[str, str], list[GroupEffect]] = {one.name: [] for one in of_target}
    for key, effect in effects.items():
        tuned = by_name[key[:2]].tuned(members[key])
        found[key[:2]].append(GroupEffect(key[2], _names(members[key]), effect, tuned))
    return found


def _leads(measured: Sequence[_Measured]) -> dict[tuple[str, str], Lead]:
    """For the best intermediate task of each target, its lead over the next, on the languages and seeds of both."""
    gains: dict[tuple[str, str], Gain] = {}
    others: dict[tuple[str, str], tuple[str, int, bool]] = {}
    for target in dict.fromkeys(one.board.target for one in measured):
        of_target = [one for one in measured if one.board.target == target]
        ranked = sorted(of_target, key=lambda one: -float(one.over(one.zero_shot).observed.mean()))
        if len(ranked) < 2:
            continue
        best, second = ranked[:2]
        tags = [tag for tag in best.zero_shot if tag in second.draws]
        seeds = [seed for seed in best.seeds if seed in second.seeds]
        if tags and seeds:
            ahead = best.over(tags).at(seeds).minus(second.over(tags).at(seeds))
            tuned = best.tuned(tags) or second.tuned(tags)
            gains[best.name], others[best.name] = interval(ahead), (second.intermediate, len(tags), tuned)
    effects = _effects(gains)
    return {name: Lead(over, effects[name], languages, tuned) for name, (over, languages, tuned) in others.items()}


def _averages(measured: Sequence[_Measured], kinds: Mapping[str, str]) -> list[Average]:
    """Means over the targets that every intermediate task was measured on, with and without retrieval."""
    measured = [one for one in measured if one.zero_shot]
    intermediates = list(dict.fromkeys(one.intermediate for one in measured))
    by_name = {one.name: one for one in measured}
    targets = [
        target
        for target in dict.fromkeys(one.board.target for one in measured)
        if all((target, intermediate) in by_name for intermediate in intermediates)
    ]
    trained = [target for target in targets if kinds.get(target) not in _RETRIEVAL]
    averages = []
    for name, of_these in (("all targets", targets), ("without retrieval", trained)):
        if len(of_these) < 2 or (name != "all targets" and of_these == targets):
            continue
        gains, covered, tuned = {}, {}, {}
        for intermediate in intermediates:
            members = [by_name[target, intermediate] for target in of_these]
            seeds = [seed for seed in members[0].seeds if all(seed in one.seeds for one in members)]
            if seeds:
                gains[intermediate] = interval(mean_of([one.over(one.zero_shot).at(seeds) for one in members]))
                covered[intermediate] = len({tag for one in members for tag in one.zero_shot})
                tuned[intermediate] = any(one.tuned(one.zero_shot) for one in members)
        model, these = measured[0].board.model, tuple(of_these)
        averages += [
            Average(model, intermediate, name, these, covered[intermediate], effect, tuned[intermediate])
            for intermediate, effect in _effects(gains).items()
        ]
    return averages


def _effects(gains: Mapping[Key, Gain]) -> dict[Key, Effect]:
    """The gains of one table, with p adjusted for their number."""
    adjusted = holm([gain.p for gain in gains.values()])
    return {key: Effect(gain, float(p)) for (key, gain), p in zip(gains.items(), adjusted, strict=True)}


def facts(tag: str) -> Language:
    """What is known of a language; a tag that is not in the table (a user's own data) stands for itself."""
    try:
        return language(tag)
    except SpecError:
        return Language(tag, "", tag, "", "unknown", "unknown", "unknown", "unknown")


def _names(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(facts(tag).name for tag in tags)


def _resource_order(name: str) -> int:
    return RESOURCES.index(name) if name in RESOURCES else len(RESOURCES)
