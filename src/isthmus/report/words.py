"""Figures and lists as a reader wants them."""

from collections.abc import Sequence
from math import isfinite, isnan

from isthmus.report.findings import Direction
from isthmus.stats.intervals import Gain
from isthmus.study.spec import NONE, THEN

MINUS = "\N{MINUS SIGN}"
#: What a direction is called and drawn as: the shape and the word say it, colour only repeats it.
MARKS: dict[Direction, str] = {"up": "▲", "down": "▼", "unclear": ""}
#: Beside scores, and means of scores, that are not zero-shot although their language is not that of the training.
DAGGER = "†"
MEANINGS: dict[Direction, str] = {"up": "gain shown", "down": "loss shown", "unclear": "no difference shown"}


def number(value: float, digits: int = 1) -> str:
    """``2.1``, ``−0.4``, never ``−0.0``; ``not a number`` for NaN."""
    if isnan(value):
        return "not a number"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        return text.removeprefix("-")
    return text.replace("-", MINUS)


def signed(value: float, digits: int = 1) -> str:
    """``+2.1``, ``−0.4``, ``0.0``."""
    text = number(value, digits)
    return f"+{text}" if value > 0 and float(text) != 0 else text


def span(gain: Gain) -> str:
    """``[1.4, 2.8]``."""
    if not (isfinite(gain.low) and isfinite(gain.high)):
        return "[no interval]"
    return f"[{number(gain.low)}, {number(gain.high)}]"


def points(gain: Gain) -> str:
    """``+2.1 [1.4, 2.8]``."""
    return f"{signed(gain.estimate)} {span(gain)}"


def dagger(tuned: bool) -> str:
    """The mark of what is no longer zero-shot, or nothing."""
    return DAGGER if tuned else ""


def listing(names: Sequence[str], most: int = 4, conjunction: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``, ``a, b, c and 5 more``."""
    shown = list(names) if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {conjunction} {shown[-1]}"


def count(how_many: int, what: str, plural: str = "") -> str:
    """``1 language``, ``41 languages``."""
    return f"{how_many:,} {what if how_many == 1 else plural or what + 's'}"


def intermediate(name: str) -> str:
    """The tasks of an intermediate in the order they are trained, as words."""
    return "no intermediate task" if name == NONE else name.replace(THEN, ", then ")


def duration(seconds: float) -> str:
    """``0.4 s``, ``42 s``, ``3 min 5 s``, ``2 h 7 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def memory(size: int) -> str:
    """``1.9 GB``, ``340 MB``; nothing for zero, which means that it was not measured."""
    if size <= 0:
        return ""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def size(count: int) -> str:
    """Bytes: ``1.9 GB``, ``340 MB``, ``12 kB``."""
    return memory(count) if count >= 1e6 else f"{count / 1e3:.0f} kB"


def p_value(p: float) -> str:
    """``0.012``, ``<0.001``."""
    return "<0.001" if p < 0.001 else number(p, 3)
