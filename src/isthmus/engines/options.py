"""What engines are told by ``--engine-option NAME=VALUE``: each option read strictly, a wrong one in one sentence."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from isthmus.errors import SpecError, nearest

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 10_000 * _SECONDS["d"]
_GIGABYTES = {"M": 1e-3, "G": 1.0, "T": 1e3}
_MOST = 1e6  # gigabytes


class Option(NamedTuple):
    """An option: what it must look like, in words, and what reads it (raising ValueError)."""

    form: str
    read: Callable[[str], Any]


def duration(text: str) -> float:
    """Seconds, from ``90``, ``90s``, ``30m``, ``2h`` or ``1d``.

    Raises:
        ValueError: it is anything else, or none, or more than 10,000 days.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < seconds <= _LONGEST:
        raise ValueError(text)
    return seconds


def _gigabytes(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([MGT])B?", text.strip())
    size = float(match[1]) * _GIGABYTES[match[2]] if match else 0.0
    if not _GIGABYTES["M"] <= size <= _MOST:
        raise ValueError(text)
    return size


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ValueError(text)
    return int(text)


def _from_none(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _share(text: str) -> float:
    value = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else -1.0
    if value < 0 or (value > 1 and not value.is_integer()):
        raise ValueError(text)
    return value


def _text(text: str) -> str:
    text = text.strip()
    if not text or not text.isprintable():  # a line break would end the line of a script that the word is put into
        raise ValueError(text)
    return text


COUNT = Option("a number from 1", _count)
FROM_NONE = Option("a number from 0", _from_none)
SHARE = Option("a number from 0, or a part of one such as 0.5", _share)
TEXT = Option("a word", _text)
LINE = Option("one line of shell", _text)
TIME = Option("a time such as 90, 30m or 2h, at most 10000d", duration)
MEMORY = Option("an amount such as 16GB, from 1M to 1000T", _gigabytes)


def time_from(minutes: int) -> Option:
    """An option that is a time of no less than ``minutes``."""

    def read(text: str) -> float:
        seconds = duration(text)
        if seconds < minutes * 60:
            raise ValueError(text)
        return seconds

    return Option(f"a time such as 90m or 4h, from {minutes}m to 10000d", read)


def one_of(*words: str) -> Option:
    """An option that is one of ``words``."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Option(" or ".join(words), read)


def read_options(engine: str, known: Mapping[str, Option], given: Mapping[str, str]) -> dict[str, Any]:
    """The values of the options that were given.

    Raises:
        SpecError: the engine has no such option, or it cannot have that value.
    """
    values = {}
    for name, text in given.items():
        if name not in known:
            hint = nearest(name, known) if known else "it takes none."
            raise SpecError(f"--engine-option: the {engine} engine has no option {name!r}: {hint}")
        try:
            values[name] = known[name].read(text)
        except ValueError:
            raise SpecError(f"--engine-option {name} is {known[name].form}, not {text!r}.") from None
    return values


def pairs(values: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` as they were given. Raises SpecError on what is no pair, and on a name given twice."""
    found: dict[str, str] = {}
    for part in values:
        name, sign, value = part.partition("=")
        if not sign or not name.strip():
            raise SpecError(f"--engine-option takes NAME=VALUE, such as partition=gpu, not {part!r}.")
        if name.strip() in found:
            raise SpecError(f"--engine-option names {name.strip()} twice.")
        found[name.strip()] = value
    return found


def seconds_of(text: str | None) -> float | None:
    """What ``--timeout`` says. Raises SpecError when it is no time."""
    try:
        return duration(text) if text is not None else None
    except ValueError:
        raise SpecError(f"--timeout is a time such as 90 (seconds), 30m or 2h, at most 10000d, not {text!r}.") from None
