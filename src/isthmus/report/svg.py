"""Small figures written straight as inline SVG: text stays text, colours are classes, so that they follow the page.

One unit of a figure is one CSS pixel, y goes down. A figure has no ids, so any number of them may stand in one page.
"""

from collections.abc import Sequence
from html import escape
from math import floor, isfinite, log10
from typing import Literal

Align = Literal["left", "center", "right"]
#: The colours of the page, by the class that has each (`report.css`).
Colour = Literal["ink", "muted", "line", "up", "down", "unclear", "band"]
Shape = Literal["^", "v", "o"]

_ANCHORS: dict[Align, str] = {"left": "", "center": " mid", "right": " end"}
_SIZE = 3.4  # half of a mark


class Canvas:
    """A figure of ``width`` x ``height`` pixels."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []

    def line(
        self,
        x: Sequence[float],
        y: Sequence[float],
        colour: Colour,
        width: float = 1,
        dashes: tuple[float, float] | None = None,
    ) -> None:
        """A line through points; nothing where there are none."""
        if not x:
            return
        path = "L".join(f"{_short(a)} {_short(b)}" for a, b in zip(x, y, strict=True))
        thick = "" if width == 1 else f' stroke-width="{_short(width)}"'
        broken = f' stroke-dasharray="{_short(dashes[0])} {_short(dashes[1])}"' if dashes else ""
        self._parts.append(f'<path class="{colour}" d="M{path}"{thick}{broken}/>')

    def dot(self, x: float, y: float, shape: Shape, colour: Colour, filled: bool = True) -> None:
        """A triangle that points up or down, or a circle; an empty one has the colour of the page inside."""
        if shape == "o":
            path = f"M{_short(x - _SIZE)} {_short(y)}a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z"
        else:
            tip, foot = (y - 4, "6.8") if shape == "^" else (y + 4, "-6.8")
            path = f"M{_short(x)} {_short(tip)}l3.8 {foot}h-7.6z"
        self._parts.append(f'<path class="{"dot" if filled else "ring"} {colour}" d="{path}"/>')

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """A filled rectangle."""
        sides = f'width="{_short(right - left)}" height="{_short(bottom - top)}"'
        self._parts.append(f'<rect class="{colour}" x="{_short(left)}" y="{_short(top)}" {sides}/>')

    def text(self, x: float, y: float, text: str, align: Align, colour: Colour, bold: bool = False) -> None:
        """``y`` is that of the baseline."""
        classes = f"{colour}{_ANCHORS[align]}{' bold' if bold else ''}"
        self._parts.append(f'<text class="{classes}" x="{_short(x)}" y="{_short(y)}">{escape(text)}</text>')

    def svg(self, title: str) -> str:
        """The figure as an element of a page; ``title`` is what is read aloud in its place."""
        box = f"0 0 {_short(self.width)} {_short(self.height)}"
        body = "".join(self._parts)
        return f'<svg class="plot" viewBox="{box}" role="img" aria-label="{escape(title)}">{body}</svg>'


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values from ``low`` to ``high``: steps of 1, 2 or 5 times a power of ten, at most ``most`` of them."""
    if not (isfinite(low) and isfinite(high)) or high <= low:
        return []
    power = 10 ** floor(log10((high - low) / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if (high - low) / (power * factor) <= most)
    first = -floor(-low / step)
    return [round(place * step, 12) for place in range(first, floor(high / step + 1e-9) + 1)]


def _short(value: float) -> str:
    """A coordinate to a tenth of a pixel, without a zero that says nothing."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
