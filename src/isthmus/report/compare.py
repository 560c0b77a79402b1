"""Every gain of a study with its interval, from one joint redraw of all its test examples."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeVar

from isthmus.errors import SpecError
from isthmus.evaluate.metrics import metric
from isthmus.languages import RESOURCES, Language, language
from isthmus.report.boards import Board
from isthmus.report.collapses import Collapsed, of_cell
from isthmus.report.findings import Comparison, Effect, GroupEffect, LanguageEffect, Lead
from isthmus.results import Score
from isthmus.stats.clusters import linked
from isthmus.stats.intervals import Draws, Exchange, Gain, SeedVariance, exchange, interval, mean_of, paired
from isthmus.stats.permutation import permutation_p
from isthmus.stats.resampling import RESAMPLES, Sample, resample
from isthmus.stats.tests import holm
from isthmus.study.spec import NONE

Key = TypeVar("Key", bound=Hashable)


class Found(NamedTuple):
    """A gain, and what the permutation test needs of it."""

    gain: Gain
    exchange: Exchange

    @classmethod
    def of(cls, draws: Draws, seeds: SeedVariance | None = None, languages: int = 1) -> "Found":
        """The arguments are those of `isthmus.stats.intervals.interval`."""
        return cls(interval(draws, seeds=seeds, languages=languages), exchange(draws, seeds, languages))


@dataclass(frozen=True)
class Measured:
    """One intermediate task on one board, against none."""

    board: Board
    intermediate: str
    seeds: tuple[int, ...]
    draws: Mapping[str, Draws]  # by tag, of the languages that both sides have
    left_out: tuple[str, ...]

    @property
    def name(self) -> tuple[str, str]:
        """Target and intermediate task: which cell of its model's matrix this is."""
        return self.board.target, self.intermediate

    @property
    def training(self) -> str | None:
        """The language of the training data, if both sides have it."""
        return self.board.training if self.board.training in self.draws else None

    @property
    def zero_shot(self) -> tuple[str, ...]:
        """All languages but that of the training data."""
        return tuple(tag for tag in self.draws if tag != self.board.training)

    def tuned(self, tags: Iterable[str]) -> bool:
        """Has one of these languages a score, on either side, that is no longer zero-shot?"""
        return any(self.board.tuned(tag, self.intermediate, NONE) for tag in tags)

    def over(self, tags: Sequence[str]) -> Draws:
        """The mean over some languages."""
        return mean_of([self.draws[tag] for tag in tags])

    @cached_property
    def seed_variance(self) -> SeedVariance | None:
        """What all zero-shot languages together tell of the variance between seeds."""
        zero_shot = [self.draws[tag] for tag in self.zero_shot]
        return SeedVariance.of(zero_shot) if zero_shot else None

    def found(self, *tags: str) -> Found:
        """The mean gain in some languages: all of them zero-shot, or the training language alone."""
        known = None if tags == (self.training,) else self.seed_variance
        return Found.of(self.over(tags), known, len(tags))


def measure(every: Sequence[Board], resamples: int = RESAMPLES) -> list[Measured]:
    """The gains of every intermediate task on the first (the main) metric of each target, seed by seed.

    Raises:
        DataError: chains of one target were scored on different examples.
    """
    main = {(board.model, board.target): board for board in reversed(every)}
    with_gains = [board for board in main.values() if NONE in board.intermediates and len(board.intermediates) > 1]
    with_gains.reverse()
    return _measure([replace(board, scores=_clustered(board.scores)) for board in with_gains], resamples)


def _clustered(scores: Mapping[str, Mapping[tuple[str, int], Score]]) -> Mapping[str, Mapping[tuple[str, int], Score]]:
    """The scores of one target, with groups that are the same across languages where the examples are."""
    firsts = [next(iter(chains.values())).statistics for chains in scores.values()]
    found = {}
    for (tag, chains), first, groups in zip(scores.items(), firsts, linked(firsts), strict=True):
        if groups is first.groups:
            found[tag] = chains
            continue
        found[tag] = {
            chain: replace(score, statistics=replace(score.statistics, groups=groups))
            if score.statistics.groups == first.groups
            else score
            for chain, score in chains.items()
        }
    return found


def _measure(every: Sequence[Board], resamples: int) -> list[Measured]:
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
) -> Measured:
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
    return Measured(board, intermediate, seeds, draws, tuple(left_out))


def compare(measured: Sequence[Measured], collapsed: Collapsed) -> list[Comparison]:
    """The cells of the gain matrix, model by model, and the runs that ``collapsed``."""
    models = dict.fromkeys(one.board.model for one in measured)
    return [cell for model in models for cell in _of_model([m for m in measured if m.board.model == model], collapsed)]


def _of_model(measured: Sequence[Measured], collapsed: Collapsed) -> list[Comparison]:
    """p is adjusted over the model's matrix, and over each target's table of languages or groups."""
    zero_shot = effects({one.name: one.found(*one.zero_shot) for one in measured if one.zero_shot})
    training = effects({one.name: one.found(one.training) for one in measured if one.training})
    leads = _leads([one for one in measured if one.zero_shot])
    comparisons = []
    for target in dict.fromkeys(one.board.target for one in measured):
        of_target = [one for one in measured if one.board.target == target]
        languages = effects({(*one.name, tag): one.found(tag) for one in of_target for tag in one.draws})
        families = _groups(of_target, lambda fact: fact.family)
        resources = _groups(of_target, lambda fact: fact.resource)
        scripts = _groups(of_target, lambda fact: fact.script)
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
                    _largest_first(families[one.name]),
                    tuple(sorted(resources[one.name], key=lambda group: _resource_order(group.name))),
                    leads.get(one.name),
                    _names(one.left_out),
                    _largest_first(scripts[one.name]),
                    of_cell(one.board.model, one.intermediate, target, collapsed),
                )
            )
    return comparisons


def _largest_first(groups: Iterable[GroupEffect]) -> tuple[GroupEffect, ...]:
    return tuple(sorted(groups, key=lambda group: (-len(group.languages), group.name)))


def _everywhere(one: Measured, effect: Effect | None) -> GroupEffect | None:
    """The mean over all languages that count as zero-shot."""
    return GroupEffect("all", _names(one.zero_shot), effect, one.tuned(one.zero_shot)) if effect else None


def _language(one: Measured, tag: str, effect: Effect) -> LanguageEffect:
    fact = facts(tag)
    score, baseline = (one.board.mean(tag, name, one.seeds) for name in (one.intermediate, NONE))
    assert score is not None and baseline is not None  # a language without both is left out
    training = tag == one.board.training
    tuned, without = one.tuned([tag]), one.board.tuned(tag, NONE)
    return LanguageEffect(tag, fact.name, fact.family, fact.resource, training, effect, score, baseline, tuned, without)


def _groups(of_target: Sequence[Measured], kind: Callable[[Language], str]) -> dict[tuple[str, str], list[GroupEffect]]:
    """The zero-shot means over languages of one family, or whatever ``kind`` says of a language."""
    members: dict[tuple[str, str, str], list[str]] = {}
    for one in of_target:
        for tag in one.zero_shot:
            members.setdefault((*one.name, kind(facts(tag))), []).append(tag)
    by_name = {one.name: one for one in of_target}
    of_groups = effects({key: by_name[key[:2]].found(*tags) for key, tags in members.items()})
    found: dict[tuple[str, str], list[GroupEffect]] = {one.name: [] for one in of_target}
    for key, effect in of_groups.items():
        tuned = by_name[key[:2]].tuned(members[key])
        found[key[:2]].append(GroupEffect(key[2], _names(members[key]), effect, tuned))
    return found


def _leads(measured: Sequence[Measured]) -> dict[tuple[str, str], Lead]:
    """For the best intermediate task of each target, its lead over the next, on the languages and seeds of both."""
    gains: dict[tuple[str, str], Found] = {}
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
            gains[best.name], others[best.name] = Found.of(ahead), (second.intermediate, len(tags), tuned)
    ahead_by = effects(gains)
    return {name: Lead(over, ahead_by[name], languages, tuned) for name, (over, languages, tuned) in others.items()}


def effects(found: Mapping[Key, Found]) -> dict[Key, Effect]:
    """The gains of one table, with both p adjusted for their number."""
    adjusted = holm([one.gain.p for one in found.values()])
    exchanged = holm([float(p) for p in permutation_p([one.exchange for one in found.values()])])
    return {
        key: Effect(one.gain, float(p), float(other))
        for (key, one), p, other in zip(found.items(), adjusted, exchanged, strict=True)
    }


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
