"""What a reader must know before believing a figure, and why figures are not there. Nothing is dropped in silence."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from isthmus.report.boards import usable
from isthmus.report.compare import facts
from isthmus.report.findings import Comparison, Problem
from isthmus.report.words import count, intermediate, listing
from isthmus.results import Chain, Results, StageSummary
from isthmus.study.spec import NONE

_MOST_LANGUAGES = 12
#: What a stage says of one language.
_OF_A_LANGUAGE = re.compile(r"(?P<language>[a-z]{2,3}(-[A-Za-z]+)?): (?P<text>.+)", re.DOTALL)


def problems(results: Results, unscored: Sequence[Chain], comparisons: Sequence[Comparison]) -> Iterator[Problem]:
    """Failures first, then warnings of stages and scores, then what is missing; ``unscored`` are the chains without.

    What several seeds have in common is said once, with how often it happened.
    """
    found = Counter(
        [*_failures(results.stages), *_warnings(results), *_missing(results, unscored), *_gaps(comparisons)]
    )
    for problem, times in found.items():
        yield replace(problem, text=f"{problem.text} ({times} times)") if times > 1 else problem


def _failures(stages: Sequence[StageSummary]) -> Iterator[Problem]:
    for stage in stages:
        if stage.status == "failed" or stage.error:
            yield Problem("failed", stage.title, stage.error or "failed without saying why")


def _warnings(results: Results) -> Iterator[Problem]:
    for stage in results.stages:
        for warning in _by_text(stage.warnings):
            yield Problem("warning", stage.title, warning)
    for score in results.scores:
        if not usable(score):
            where = f"{_name(score.chain)}: {facts(score.language).name}"
            yield Problem("warning", where, f"the {score.metric} is not a number: left out of every gain and mean")


def _by_text(warnings: Sequence[str]) -> Iterator[str]:
    """What is said of several languages in the same words, once: ``ar, de and en: ...``."""
    languages: dict[str, list[str]] = {}
    for warning in warnings:
        if match := _OF_A_LANGUAGE.fullmatch(warning):
            languages.setdefault(match["text"], []).append(match["language"])
        else:
            languages.setdefault(warning, [])
    for text, of in languages.items():
        yield f"{listing(of, most=_MOST_LANGUAGES)}: {text}" if of else text


def _missing(results: Results, unscored: Sequence[Chain]) -> Iterator[Problem]:
    for chain in unscored:
        yield Problem("missing", _name(chain), "has no scores: it is part of no figure")
    boards = dict.fromkeys((chain.model, chain.target) for chain in results.chains)
    baselines = {(chain.model, chain.target) for chain in results.chains if chain.intermediate == NONE}
    for model, target in boards:
        if (model, target) not in baselines:
            text = "the study has no chain without an intermediate task: add `none` to its intermediates"
            yield Problem("missing", f"{target} with {model}", text)
    statuses = Counter(stage.status for stage in results.stages if stage.status not in ("done", "failed"))
    for status, how_many in statuses.items():
        yield Problem("missing", count(how_many, "stage"), f"without a result: {status}")


def _gaps(comparisons: Sequence[Comparison]) -> Iterator[Problem]:
    for cell in comparisons:
        if cell.left_out:
            where = f"{intermediate(cell.intermediate)} on {cell.target}"
            languages = listing(cell.left_out, most=_MOST_LANGUAGES)
            yield Problem("missing", where, f"not compared in {languages}: not all chains have it")


def _name(chain: Chain) -> str:
    """A chain in words; ``none`` says so."""
    return f"{intermediate(chain.intermediate)}, then {chain.target} ({chain.model}, seed {chain.seed})"
