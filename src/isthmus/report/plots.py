"""The figures of a report: gains with their intervals, curves of trainings, gains over sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, floor, isfinite, log10

from isthmus.report.findings import Direction, Effect
from isthmus.report.svg import Canvas, Colour, Shape, ticks
from isthmus.report.words import number, signed
from isthmus.results import CurvePoint, DevPoint

WIDTH = 320
_ROW = 17.0
#: Letters that fit beside the dots, and across the whole figure.
_LONGEST, _LONGEST_HEADING = 22, 44
_COLOURS: dict[Direction, Colour] = {"up": "up", "down": "down", "unclear": "unclear"}
_SHAPES: dict[Direction, Shape] = {"up": "^", "down": "v", "unclear": "o"}


@dataclass(frozen=True)
class Row:
    """One line of a dot plot: a heading where it has no effect. ``strong`` sets the language of the training apart."""

    label: str
    effect: Effect | None = None
    strong: bool = False


@dataclass(frozen=True)
class DevRun:
    """What one run scored on the dev rows of one task in one language, and the step whose weights it kept."""

    points: Sequence[DevPoint]
    kept: int


@dataclass(frozen=True)
class SizePoint:
    """A gain after an intermediate task of so many training rows."""

    rows: int
    effect: Effect


def limits(effects: Sequence[Effect]) -> tuple[float, float]:
    """An axis for all of ``effects`` and zero, so that the plots of one target can be compared."""
    ends = [0.0]
    for effect in effects:
        ends += [end for end in (effect.gain.low, effect.gain.high, effect.gain.estimate) if isfinite(end)]
    margin = 0.04 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def dot_plot(title: str, rows: Sequence[Row], axis: tuple[float, float], mean: Effect | None = None) -> str:
    """Gains with their intervals, one a line from the top; ``mean`` is a band behind them.

    The shape of a dot says what is shown, whatever its colour: up, down, or an empty circle.
    """
    # A heading has room above it, but for the first.
    heights = [_ROW + (9.0 if place and row.effect is None else 0.0) for place, row in enumerate(rows)]
    top, bottom, right = 22.0, 22.0 + sum(heights), WIDTH - 14.0
    left = 12 + 6.2 * max((len(_shorten(row.label)) for row in rows if row.effect), default=0)
    canvas = Canvas(WIDTH, bottom + 34)

    def x(value: float) -> float:
        return left + (right - left) * (value - axis[0]) / (axis[1] - axis[0])

    if mean is not None and isfinite(mean.gain.low):
        canvas.box(x(mean.gain.low), top, x(mean.gain.high), bottom, "band")
    for tick in ticks(*axis):
        canvas.line([x(tick)] * 2, [top, bottom], "ink" if tick == 0 else "line")
        for y in (top - 7, bottom + 15) if len(rows) > 12 else (bottom + 15,):
            canvas.text(x(tick), y, _tick(tick), "center", "muted")
    if mean is not None:
        canvas.line([x(mean.gain.estimate)] * 2, [top, bottom], "muted", 1, (3, 3))
    canvas.text(right, bottom + 30, "points gained", "right", "muted")
    for row, below in zip(rows, accumulate(heights), strict=True):
        y = top + below - _ROW / 2
        if row.effect is None:
            canvas.text(0, y + 3, _shorten(row.label, _LONGEST_HEADING), "left", "ink", bold=True)
            continue
        canvas.text(left - 8, y + 4, _shorten(row.label), "right", "ink", bold=row.strong)
        gain, direction = row.effect.gain, row.effect.direction
        if isfinite(gain.low):
            canvas.line([x(gain.low), x(gain.high)], [y, y], _COLOURS[direction], 1.7)
        canvas.dot(x(gain.estimate), y, _SHAPES[direction], _COLOURS[direction], direction != "unclear")
    return canvas.svg(title)


def size_curve(title: str, points: Sequence[SizePoint], axis: tuple[float, float]) -> str:
    """Gains with their intervals over the number of training rows, on a logarithmic axis."""
    left, right, top, bottom = 40.0, WIDTH - 18.0, 12.0, 132.0
    canvas = Canvas(WIDTH, bottom + 36)
    low, high = (log10(end(point.rows for point in points)) for end in (min, max))

    def x(rows: int) -> float:
        return left + 12 + (right - left - 24) * (log10(rows) - low) / (high - low if high > low else 1)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - axis[0]) / (axis[1] - axis[0])

    for tick in ticks(*axis, most=4):
        canvas.line([left, right], [y(tick)] * 2, "ink" if tick == 0 else "line")
        canvas.text(left - 6, y(tick) + 4, _tick(tick), "right", "muted")
    canvas.line([x(point.rows) for point in points], [y(point.effect.gain.estimate) for point in points], "muted")
    written = -100.0
    for point in points:
        gain, direction, place = point.effect.gain, point.effect.direction, x(point.rows)
        if isfinite(gain.low):
            canvas.line([place] * 2, [y(gain.low), y(gain.high)], _COLOURS[direction], 1.7)
        canvas.dot(place, y(gain.estimate), _SHAPES[direction], _COLOURS[direction], direction != "unclear")
        if place - written > 40:
            canvas.text(place, bottom + 15, f"{point.rows:,}", "center", "muted")
            written = place
    canvas.text(right, bottom + 30, "training rows of the intermediate task", "right", "muted")
    return canvas.svg(title)


def curves(title: str, runs: Sequence[Sequence[CurvePoint]], most: float) -> str:
    """The training losses of runs that differ in their seed, on one axis from zero to ``most``."""
    left, right, top, bottom = 26.0, 152.0, 8.0, 70.0
    canvas = Canvas(160, 92)
    last = max([point.step for run in runs for point in run], default=1)
    canvas.line([left, right], [bottom, bottom], "line")
    for place, run in enumerate(runs):
        points = _thinned([point for point in run if isfinite(point.loss)])
        across = [left + (right - left) * point.step / last for point in points]
        down = [bottom - (bottom - top) * min(point.loss / most, 1) for point in points]
        canvas.line(across, down, "up", 1.5, (4, 1 + place % 4) if place else None)
    canvas.text(left, bottom + 15, "0", "left", "muted")
    canvas.text(right, bottom + 15, f"step {last:,}", "right", "muted")
    canvas.text(left - 6, bottom + 1, "0", "right", "muted")
    canvas.text(left - 6, top + 6, number(most), "right", "muted")
    return canvas.svg(title)


def _thinned(points: Sequence[CurvePoint], most: int = 120) -> list[CurvePoint]:
    """At most about that many of the points, evenly: more than pixels cannot be seen. The last one stays."""
    apart = max(1, len(points) // most)
    return [point for place, point in enumerate(points) if place % apart == 0 or place == len(points) - 1]


def dev_curves(title: str, runs: Sequence[DevRun]) -> str:
    """The scores on dev rows of runs that differ in their seed; a dot is what each run kept.

    The first run has its intervals. The axis holds all of them, and ends at whole tens.
    """
    left, right, top, bottom = 26.0, 152.0, 8.0, 70.0
    canvas = Canvas(160, 92)
    points = [[point for point in run.points if isfinite(point.score)] for run in runs]
    last = max([point.step for run in points for point in run], default=1)
    ends = [end for run in points for point in run for end in (point.score, point.low, point.high) if end is not None]
    low, high = 10 * floor(min(ends, default=0) / 10), 10 * ceil(max(ends, default=100) / 10)
    high = max(high, low + 10)

    def x(step: int) -> float:
        return left + (right - left) * step / last

    def y(score: float) -> float:
        return bottom - (bottom - top) * (score - low) / (high - low)

    canvas.line([left, right], [bottom, bottom], "line")
    for place, (run, own) in enumerate(zip(runs, points, strict=True)):
        for point in own if place == 0 else ():
            if point.low is not None and point.high is not None:
                canvas.line([x(point.step)] * 2, [y(point.low), y(point.high)], "unclear")
        dashes = (4, 1 + place % 4) if place else None
        canvas.line([x(point.step) for point in own], [y(point.score) for point in own], "up", 1.5, dashes)
        for point in own:
            if point.step == run.kept:
                canvas.dot(x(point.step), y(point.score), "o", "up", place == 0)
    canvas.text(left, bottom + 15, "0", "left", "muted")
    canvas.text(right, bottom + 15, f"step {last:,}", "right", "muted")
    canvas.text(left - 6, bottom + 1, str(low), "right", "muted")
    canvas.text(left - 6, top + 6, str(high), "right", "muted")
    return canvas.svg(title)


def _tick(value: float) -> str:
    return signed(value, 0 if float(value).is_integer() else 1 if float(10 * value).is_integer() else 2)


def _shorten(label: str, longest: int = _LONGEST) -> str:
    label = " ".join(label.split())
    return label if len(label) <= longest else f"{label[: longest - 1].rstrip()}…"
