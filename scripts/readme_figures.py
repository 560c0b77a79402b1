"""Put the quickstart's results into the README: its picture, and the answer as the terminal prints it.

    python scripts/readme_figures.py [STORE]     # after `make quickstart`; STORE is `store` if not given

Writes docs/quickstart.svg, and what stands between the markers in README.md. The same results give the same bytes.
"""

import io
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from task_table import update

from isthmus.api import load_study, results_of
from isthmus.report.findings import Comparison, Direction, Effect, Summary
from isthmus.report.plots import limits
from isthmus.report.summary import render_terminal, summarise
from isthmus.report.words import MARKS, MEANINGS, count, intermediate, points, signed
from isthmus.store import Store

ROOT = Path(__file__).resolve().parent.parent
WIDTH, LEFT, RIGHT, ROW = 600.0, 184.0, 572.0, 92.0
#: Between the middles of dots that touch; and how many stand on one another before a second column is begun.
DOT, HIGHEST = 6.8, 6

#: The page decides whether it is light or dark; the picture paints its own paper, so that it reads on either.
STYLE = """
svg { --paper: #fcfcfa; --ink: #1c2127; --muted: #59616b; --line: #dcdfe3; --up: #1659a8; --down: #a1470a; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #14171b; --ink: #e7e9ec; --muted: #a5adb8; --line: #353b43; --up: #86b9f4; --down: #f0a765; }
}
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: var(--ink); }
.muted { fill: var(--muted); } .bold { font-weight: 600; } .title { font-size: 16px; font-weight: 600; }
.up { fill: var(--up); stroke: var(--up); } .down { fill: var(--down); stroke: var(--down); }
.unclear { fill: var(--paper); stroke: var(--muted); }
.language { opacity: .55; stroke: none; } .language.unclear { fill: var(--muted); }
"""


@dataclass
class Picture:
    """An SVG under way; ``y`` is where the next thing goes."""

    parts: list[str] = field(default_factory=list)
    y: float = 26.0

    def text(self, x: float, y: float, text: str, look: str = "", anchor: str = "start") -> None:
        """``y`` is that of the baseline."""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{look}" text-anchor="{anchor}">{escape(text)}</text>')

    def line(self, x: Sequence[float], y: Sequence[float], colour: str, width: float) -> None:
        """From one point to another."""
        self.parts.append(
            f'<line x1="{x[0]:.1f}" x2="{x[1]:.1f}" y1="{y[0]:.1f}" y2="{y[1]:.1f}" '
            f'style="stroke: var(--{colour}); stroke-width: {width:g}"/>'
        )

    def mark(self, x: float, y: float, direction: Direction, size: float = 6) -> None:
        """A triangle up or down, or an empty circle: the shape says what the colour says."""
        look = f'class="{direction}" stroke-width="1.6"'
        if direction == "unclear":
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size - 1:g}" {look}/>')
            return
        tip = -size if direction == "up" else size
        corners = [(x - size, y - tip * 0.8), (x + size, y - tip * 0.8), (x, y + tip)]
        self.parts.append(f'<path d="M{" L".join(f"{a:.1f} {b:.1f}" for a, b in corners)} Z" {look}/>')

    def svg(self, title: str) -> str:
        """The whole file."""
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {self.y:g}" width="{WIDTH:g}" '
            f'height="{self.y:g}" role="img" aria-label="{escape(title)}">\n<style>{STYLE}</style>\n'
            f'<rect width="100%" height="100%" rx="10" style="fill: var(--paper)"/>\n{body}\n</svg>\n'
        )


def draw(summary: Summary) -> str:
    """A panel for each target, a row for each intermediate task: a dot a language, their mean with its interval."""
    picture = Picture()
    picture.text(24, picture.y + 6, "Points gained over training on the target alone", "title")
    for target in dict.fromkeys(cell.target for cell in summary.comparisons):
        panel(picture, [cell for cell in summary.comparisons if cell.target == target])
    legend(picture)
    picture.y += 22
    return picture.svg(spoken(summary))


def panel(picture: Picture, cells: Sequence[Comparison]) -> None:
    """One target. Its axis holds every language and every interval of a mean."""
    effects = [row.effect for cell in cells for row in cell.languages]
    low, high = min(row.gain.estimate for row in effects), max(row.gain.estimate for row in effects)
    inner = limits([cell.zero_shot.effect for cell in cells if cell.zero_shot])
    low, high = min(low, inner[0]), max(high, inner[1])

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value - low) / (high - low)

    first = cells[0]
    trained = f"trained on {first.training.name}, " if first.training else "not trained, "
    picture.y += 50
    picture.text(24, picture.y, first.target, "bold")
    languages = count(len(first.languages), "language")
    picture.text(LEFT, picture.y, f"{first.metric}, {trained}measured in {languages}", "muted")
    top, picture.y = picture.y + 12, picture.y + 8
    bottom = top + ROW * len(cells)
    for tick in ticks(low, high):
        picture.line([x(tick)] * 2, [top, bottom], "ink" if tick == 0 else "line", 1.2 if tick == 0 else 0.8)
        picture.text(x(tick), bottom + 16, signed(tick, 0), "muted", "middle")
    for cell in cells:
        row(picture, cell, x)
    picture.y = bottom + 14


def row(picture: Picture, cell: Comparison, x: Callable[[float], float]) -> None:
    """One intermediate task."""
    middle = picture.y + ROW - 34
    picture.text(24, middle - 12, intermediate(cell.intermediate), "bold")
    if cell.zero_shot:
        gain = cell.zero_shot.effect.gain
        picture.text(24, middle + 6, f"{points(gain)} {MARKS[cell.zero_shot.effect.direction]}".strip(), "muted")
        picture.line([x(gain.low), x(gain.high)], [middle + 9] * 2, colour(cell.zero_shot.effect), 2.4)
        picture.mark(x(gain.estimate), middle + 9, cell.zero_shot.effect.direction)
    taken: list[tuple[float, int]] = []
    for language in sorted(cell.languages, key=lambda language: (language.effect.gain.estimate, language.name)):
        if language.training:
            continue
        across, level = free(x(language.effect.gain.estimate), taken)
        taken.append((across, level))
        picture.parts.append(
            f'<circle cx="{across:.1f}" cy="{middle - 6 - DOT * level:.1f}" r="{DOT / 2 - 0.4:g}" '
            f'class="language {language.effect.direction}"><title>{escape(language.name)} '
            f"{signed(language.effect.gain.estimate)}</title></circle>"
        )
    if cell.training:
        across = x(cell.training.effect.gain.estimate)
        picture.mark(across, middle + 24, cell.training.effect.direction, 4.5)
        end = across > RIGHT - 80
        picture.text(across + (-10 if end else 10), middle + 28, cell.training.name, "muted", "end" if end else "start")
    picture.y += ROW


def free(across: float, taken: Sequence[tuple[float, int]]) -> tuple[float, int]:
    """The lowest free place for a dot at ``across``: above the others, or in a column beside them."""
    columns = (0.0, DOT, -DOT, 2 * DOT, -2 * DOT)
    places = [(across + aside, level) for aside in columns for level in range(HIGHEST)]
    return next(
        (place for place in places if not any(abs(place[0] - a) < DOT and place[1] == b for a, b in taken)), places[0]
    )


def legend(picture: Picture) -> None:
    """What the shapes mean."""
    picture.y += 34
    across = 24.0
    for direction in MARKS:
        picture.mark(across + 6, picture.y - 4, direction)
        picture.text(across + 20, picture.y, MEANINGS[direction], "muted")
        across += 34 + 7.0 * len(MEANINGS[direction])
    picture.y += 22
    picture.text(24, picture.y, "Small dots are single languages; a line is the 95% interval of their mean.", "muted")


def ticks(low: float, high: float) -> list[float]:
    """Round values on an axis, zero among them."""
    step = next(step for step in (2, 5, 10, 20, 50, 100) if (high - low) / step <= 8)
    return [float(value) for value in range(-100, 101, step) if low <= value <= high]


def colour(effect: Effect) -> str:
    """The variable that a line of this effect has."""
    return "muted" if effect.direction == "unclear" else effect.direction


def spoken(summary: Summary) -> str:
    """The picture in words, figures included."""
    parts = []
    for cell in summary.comparisons:
        if cell.zero_shot is None:
            continue
        where = f"{len(cell.zero_shot.languages)} {'other ' if cell.training else ''}languages"
        english = f", {cell.training.name} {points(cell.training.effect.gain)}" if cell.training else ""
        name = intermediate(cell.intermediate)
        parts.append(f"{name} first, on {cell.target}: {where} {points(cell.zero_shot.effect.gain)}{english}")
    return f"Points gained over training on the target alone, with 95% intervals. {'; '.join(parts)}."


def answer(summary: Summary) -> str:
    """The first screen of what the command prints: the sentence, what goes with it, and the matrix."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=88, color_system=None, force_terminal=False)
    console.print(render_terminal(summary))
    assert isinstance(console.file, io.StringIO)
    printed = re.split(r"\n[^\n]*gains by language", console.file.getvalue())[0]
    return "\n".join(line.rstrip() for line in printed.strip().split("\n"))


def main() -> int:
    """The exit status."""
    store = Store.open(Path(sys.argv[1] if len(sys.argv) > 1 else "store"))
    kept = store.study_folder("quickstart") / "study.yaml"
    summary = summarise(results_of(load_study(str(kept)), store))
    (ROOT / "docs/quickstart.svg").write_text(draw(summary), encoding="utf-8")
    picture = f"![{spoken(summary)}](docs/quickstart.svg)"
    return update(ROOT / "README.md", {"picture": picture, "answer": f"```text\n{answer(summary)}\n```"}, check=False)


if __name__ == "__main__":
    sys.exit(main())
