"""Figures as inline SVG: text stays text, and colours are the page's own, so that they follow it into the dark.

Matplotlib draws with stand-in colours that are replaced by CSS variables. One unit of a figure is one CSS pixel.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from itertools import accumulate
from math import ceil, floor, isfinite
from typing import TYPE_CHECKING, Literal

from isthmus.report.findings import Direction, Effect
from isthmus.report.words import number, signed
from isthmus.results import CurvePoint, DevPoint

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

Align = Literal["left", "center", "right"]

WIDTH = 320
_ROW = 17.0
_LETTERS = 11.5
#: Letters that fit beside the dots, and across the whole figure.
_LONGEST, _LONGEST_HEADING = 22, 44
#: Matplotlib knows no CSS variables: each stands for one until the SVG is written.
_INK, _MUTED, _LINE, _UP, _DOWN, _UNCLEAR, _PAPER, _BAND = (f"#0{digit}0a0b" for digit in "12345678")
_VARIABLES = dict(
    zip(
        (_INK, _MUTED, _LINE, _UP, _DOWN, _UNCLEAR, _PAPER, _BAND),
        ("ink", "muted", "line", "up", "down", "unclear", "paper", "band"),
        strict=True,
    )
)
_COLOURS: dict[Direction, str] = {"up": _UP, "down": _DOWN, "unclear": _UNCLEAR}
_SHAPES: dict[Direction, str] = {"up": "^", "down": "v", "unclear": "o"}


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


def limits(effects: Sequence[Effect]) -> tuple[float, float]:
    """An axis for all of ``effects`` and zero, so that the plots of one target can be compared."""
    ends = [0.0]
    for effect in effects:
        ends += [end for end in (effect.gain.low, effect.gain.high, effect.gain.estimate) if isfinite(end)]
    margin = 0.04 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def dot_plot(name: str, title: str, rows: Sequence[Row], axis: tuple[float, float], mean: Effect | None = None) -> str:
    """Gains with their intervals, one a line from the top; ``mean`` is a band behind them. ``name``: unique in a page.

    The shape of a dot says what is shown, whatever its colour: up, down, or an empty circle.
    """
    from matplotlib.ticker import MaxNLocator

    # A heading has room above it, but for the first.
    heights = [_ROW + (9.0 if place and row.effect is None else 0.0) for place, row in enumerate(rows)]
    top, bottom, right = 22.0, 22.0 + sum(heights), WIDTH - 14.0
    left = 12 + 6.2 * max(len(_shorten(row.label)) for row in rows if row.effect)
    canvas = _Canvas(WIDTH, bottom + 34)

    def x(value: float) -> float:
        return left + (right - left) * (value - axis[0]) / (axis[1] - axis[0])

    if mean is not None and isfinite(mean.gain.low):
        canvas.box(x(mean.gain.low), top, x(mean.gain.high), bottom, _BAND)
    for tick in MaxNLocator(5).tick_values(*axis):
        if axis[0] <= tick <= axis[1]:
            canvas.line([x(tick)] * 2, [top, bottom], _INK if tick == 0 else _LINE, 1 if tick == 0 else 0.7)
            for y in (top - 7, bottom + 15) if len(rows) > 12 else (bottom + 15,):
                canvas.text(x(tick), y, _tick(tick), "center", _MUTED)
    if mean is not None:
        canvas.line([x(mean.gain.estimate)] * 2, [top, bottom], _MUTED, 1, (3, 3))
    canvas.text(right, bottom + 30, "points gained", "right", _MUTED)
    for row, below in zip(rows, accumulate(heights), strict=True):
        y = top + below - _ROW / 2
        if row.effect is None:
            canvas.text(0, y + 3, _shorten(row.label, _LONGEST_HEADING), "left", _INK, bold=True)
            continue
        gain, direction = row.effect.gain, row.effect.direction
        colour = _COLOURS[direction]
        canvas.text(left - 8, y + 4, _shorten(row.label), "right", _INK, bold=row.strong)
        if isfinite(gain.low):
            canvas.line([x(gain.low), x(gain.high)], [y, y], colour, 1.7)
        canvas.dot(x(gain.estimate), y, _SHAPES[direction], colour, _PAPER if direction == "unclear" else colour)
    return canvas.svg(name, title)


def curves(name: str, title: str, runs: Sequence[Sequence[CurvePoint]], most: float) -> str:
    """The training losses of runs that differ in their seed, on one axis from zero to ``most``."""
    left, right, top, bottom = 26.0, 152.0, 8.0, 70.0
    canvas = _Canvas(160, 92)
    last = max([point.step for run in runs for point in run], default=1)
    canvas.line([left, right], [bottom, bottom], _LINE, 0.8)
    for place, run in enumerate(runs):
        points = [point for point in run if isfinite(point.loss)]
        across = [left + (right - left) * point.step / last for point in points]
        down = [bottom - (bottom - top) * min(point.loss / most, 1) for point in points]
        canvas.line(across, down, _UP, 1.5, (4, 1 + place % 4) if place else None)
    canvas.text(left, bottom + 15, "0", "left", _MUTED)
    canvas.text(right, bottom + 15, f"step {last:,}", "right", _MUTED)
    canvas.text(left - 6, bottom + 1, "0", "right", _MUTED)
    canvas.text(left - 6, top + 6, number(most), "right", _MUTED)
    return canvas.svg(name, title)


def dev_curves(name: str, title: str, runs: Sequence[DevRun]) -> str:
    """The scores on dev rows of runs that differ in their seed; a dot is what each run kept.

    The first run has its intervals. The axis holds all of them, and ends at whole tens.
    """
    left, right, top, bottom = 26.0, 152.0, 8.0, 70.0
    canvas = _Canvas(160, 92)
    points = [[point for point in run.points if isfinite(point.score)] for run in runs]
    last = max([point.step for run in points for point in run], default=1)
    ends = [end for run in points for point in run for end in (point.score, point.low, point.high) if end is not None]
    low, high = 10 * floor(min(ends, default=0) / 10), 10 * ceil(max(ends, default=100) / 10)
    high = max(high, low + 10)

    def x(step: int) -> float:
        return left + (right - left) * step / last

    def y(score: float) -> float:
        return bottom - (bottom - top) * (score - low) / (high - low)

    canvas.line([left, right], [bottom, bottom], _LINE, 0.8)
    for place, (run, own) in enumerate(zip(runs, points, strict=True)):
        for point in own if place == 0 else ():
            if point.low is not None and point.high is not None:
                canvas.line([x(point.step)] * 2, [y(point.low), y(point.high)], _UNCLEAR, 0.8)
        dashes = (4, 1 + place % 4) if place else None
        canvas.line([x(point.step) for point in own], [y(point.score) for point in own], _UP, 1.5, dashes)
        for point in own:
            if point.step == run.kept:
                canvas.dot(x(point.step), y(point.score), "o", _UP, _UP if place == 0 else _PAPER)
    canvas.text(left, bottom + 15, "0", "left", _MUTED)
    canvas.text(right, bottom + 15, f"step {last:,}", "right", _MUTED)
    canvas.text(left - 6, bottom + 1, str(low), "right", _MUTED)
    canvas.text(left - 6, top + 6, str(high), "right", _MUTED)
    return canvas.svg(name, title)


class _Canvas:
    """A Matplotlib figure of ``width`` x ``height`` pixels, y from the top; no axes, which are slow."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self.figure.patch.set_visible(False)

    def line(
        self,
        x: Sequence[float],
        y: Sequence[float],
        colour: str,
        width: float,
        dashes: tuple[float, float] | None = None,
    ) -> None:
        from matplotlib.lines import Line2D

        line = Line2D(x, self._up(y), color=colour, linewidth=width, solid_capstyle="butt")
        if dashes:
            line.set_dashes(dashes)
        self._add(line)

    def dot(self, x: float, y: float, shape: str, colour: str, fill: str) -> None:
        from matplotlib.lines import Line2D

        dot = Line2D(
            [x], self._up([y]), marker=shape, markersize=6.4, color=colour, markerfacecolor=fill, linestyle="none"
        )
        dot.set_markeredgewidth(1.4)
        self._add(dot)

    def box(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        from matplotlib.patches import Rectangle

        self._add(Rectangle((left, self.height - bottom), right - left, bottom - top, color=colour, linewidth=0))

    def text(self, x: float, y: float, text: str, align: Align, colour: str, bold: bool = False) -> None:
        """``y`` is that of the baseline. Dollar signs are dollar signs."""
        from matplotlib.text import Text

        made = Text(x, self.height - y, text, color=colour, horizontalalignment=align, parse_math=False)
        made.set_verticalalignment("baseline")
        made.set_fontsize(_LETTERS)
        made.set_fontweight("bold" if bold else "normal")
        self._add(made)

    def svg(self, name: str, title: str) -> str:
        return _svg(self.figure, name, title, self.width, self.height)

    def _up(self, y: Sequence[float]) -> list[float]:
        return [self.height - value for value in y]

    def _add(self, artist: "Artist") -> None:
        from matplotlib.transforms import IdentityTransform

        artist.set_transform(IdentityTransform())
        self.figure.add_artist(artist)


def _tick(value: float) -> str:
    return signed(value, 0 if float(value).is_integer() else 1)


def _shorten(label: str, longest: int = _LONGEST) -> str:
    label = " ".join(label.split())
    return label if len(label) <= longest else f"{label[: longest - 1].rstrip()}…"


def _svg(figure: "Figure", name: str, title: str, width: float, height: float) -> str:
    """The figure as an element of a page: no prologue, ids of its own, the page's colours and fonts."""
    import matplotlib

    written = StringIO()
    settings = matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "isthmus", "path.simplify": False})
    with settings, warnings.catch_warnings():
        # Text is set by the browser: it does not matter that Matplotlib's own font lacks a letter.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        blank = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", metadata=blank)
    body = written.getvalue()
    body = body[body.index(">", body.index("<svg")) + 1 : body.rindex("</svg>")]
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.S)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', body))
    body = re.sub(r"<[^>]+>", lambda tag: _adapt(tag[0], name, used), body)
    body = re.sub(r"<g ?/>|<defs>\s*</defs>", "", body)
    body = re.sub(r"\s*\n\s*", "\n", body)
    return f'<svg class="plot" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">{body}</svg>'


def _adapt(tag: str, name: str, used: set[str]) -> str:
    """One tag (what is text in the figure is left alone) with the page's colours and font, and ids of its own.

    Ids in ``used`` are referred to and get the figure's name before them, the others go: a page may hold an id once.
    """
    tag = re.sub(r'\sid="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", tag)
    tag = re.sub(r'(?:xlink:)?(href="#|url\(#)', rf"\g<1>{name}-", tag)
    tag = re.sub(r"(?<=[ ;\"])font-family: [^;\"]+;? ?", "", tag)
    tag = re.sub(r' transform="rotate\(-?0 [^"]*"', "", tag)
    return re.sub("#0[1-8]0a0b", lambda found: f"var(--{_VARIABLES[found[0]]})", tag)
