"""The learning curves of a report: losses while training, and scores on dev rows, a small figure each."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from isthmus.report import plots, words
from isthmus.report.compare import facts
from isthmus.results import CurvePoint, DevPoint, StageSummary

if TYPE_CHECKING:
    from markupsafe import Markup

#: Figures shown; a study with more says how many it leaves out.
_MOST = 24


@dataclass(frozen=True)
class CurveFigure:
    """The runs of one training that differ in their seed, and the figures of the first of them in words."""

    title: str
    figures: str
    runs: int
    plot: "Markup"


@dataclass(frozen=True)
class CurveGroup:
    """What belongs to one training; the first group has no title, and the losses of all that have one curve alone."""

    title: str
    losses: tuple[CurveFigure, ...]
    dev: tuple[CurveFigure, ...] = ()


def curve_groups(stages: Iterable[StageSummary]) -> tuple[tuple[CurveGroup, ...], int]:
    """The figures of all training stages, their seeds together; and the number of figures left out.

    A training on one task without dev scores has one figure; any other has a group: a figure of the loss for each
    member of a mixture, and one for each task and language that was measured on dev rows.
    """
    by_title: dict[str, list[StageSummary]] = {}
    for stage in stages:
        if stage.curve:
            by_title.setdefault(re.sub(r", seed \d+$", "", stage.title), []).append(stage)
    alone = {title: runs for title, runs in by_title.items() if not runs[0].dev and len(_members(runs[0])) == 1}
    most = _highest(run.curve for runs in alone.values() for run in runs)
    drawn, wanted = _Drawn(), 0
    losses = [drawn.loss(title, title, [run.curve for run in runs], most) for title, runs in alone.items()]
    groups = [CurveGroup("", _there(losses))] if alone else []
    wanted += len(losses)
    for title, runs in by_title.items():
        if title not in alone:
            losses, dev = _losses(title, runs, drawn), _dev(title, runs, drawn)
            wanted += len(losses) + len(dev)
            groups.append(CurveGroup(title, _there(losses), _there(dev)))
    return tuple(group for group in groups if group.losses or group.dev), wanted - drawn.count


def _there(figures: Sequence[CurveFigure | None]) -> tuple[CurveFigure, ...]:
    return tuple(figure for figure in figures if figure)


def _members(stage: StageSummary) -> list[str]:
    return list(dict.fromkeys(point.member for point in stage.curve))


def _highest(curves: Iterable[Sequence[CurvePoint]]) -> float:
    """The highest loss that is a number: what an axis for all of the curves ends at."""
    return max((point.loss for curve in curves for point in curve if isfinite(point.loss)), default=1.0) or 1.0


def _losses(title: str, runs: Sequence[StageSummary], drawn: "_Drawn") -> list[CurveFigure | None]:
    """A figure for each member, on a scale of its own: losses of different kinds are not of one size."""
    members, found = _members(runs[0]), []
    for name in members:
        curves = [tuple(point for point in run.curve if point.member == name) for run in runs]
        found.append(drawn.loss(title, name if len(members) > 1 else "loss", curves, _highest(curves)))
    return found


def _dev(title: str, runs: Sequence[StageSummary], drawn: "_Drawn") -> list[CurveFigure | None]:
    """A figure for each member and language that was measured."""
    several = len(_members(runs[0])) > 1
    found = []
    for member, language in dict.fromkeys((point.member, point.language) for point in runs[0].dev):
        scored = [
            plots.DevRun(
                [point for point in run.dev if (point.member, point.language) == (member, language)], run.kept_step
            )
            for run in runs
        ]
        name = f"{member}, {facts(language).name}" if several else facts(language).name
        found.append(drawn.dev(title, name, scored))
    return found


class _Drawn:
    """Draws figures, as many as a page should have; None for those beyond."""

    def __init__(self) -> None:
        self.count = 0

    def loss(self, stage: str, title: str, runs: Sequence[Sequence[CurvePoint]], most: float) -> CurveFigure | None:
        """The loss of one member."""
        first, last = runs[0][0], runs[0][-1]
        of = stage if title == stage else f"{title} in {stage}"
        spoken = f"Training loss of {of}: from {first.loss:.2f} to {last.loss:.2f} in {last.step} steps"
        figures = f"{words.number(first.loss, 2)} to {words.number(last.loss, 2)}"
        return self._figure(title, figures, len(runs), lambda: plots.curves(spoken, runs, most))

    def dev(self, stage: str, title: str, runs: Sequence[plots.DevRun]) -> CurveFigure | None:
        """The dev scores of one member in one language."""
        points, kept = runs[0].points, _kept(runs[0])
        scored = f"{words.number(kept.score)} {interval_of(kept)}".strip()
        spoken = (
            f"Dev {kept.metric} of {title} in {stage}: {words.number(points[0].score)} at step {points[0].step}, "
            f"{scored} at step {kept.step}, which was kept"
        )
        heading, figures = f"{title}, {kept.metric}", f"{scored} at step {kept.step:,}"
        return self._figure(heading, figures, len(runs), lambda: plots.dev_curves(spoken, runs))

    def _figure(self, title: str, figures: str, runs: int, draw: Callable[[], str]) -> CurveFigure | None:
        from markupsafe import Markup

        if self.count == _MOST:
            return None
        self.count += 1
        return CurveFigure(title, figures, runs, Markup(draw()))


def _kept(run: plots.DevRun) -> DevPoint:
    """The evaluation of the weights that were kept; the last one where these were not measured."""
    return next((point for point in run.points if point.step == run.kept), run.points[-1])


def interval_of(point: DevPoint) -> str:
    """``[58.1, 65.9]``, or nothing where it is not known."""
    if point.low is None or point.high is None:
        return ""
    return f"[{words.number(point.low)}, {words.number(point.high)}]"
