"""The summary for scripts: plain JSON whose layout has a version."""

from dataclasses import fields, is_dataclass
from math import isfinite

from isthmus.report.findings import Comparison, Effect, Summary

#: Raised when a field changes its name or its meaning; a new field does not raise it.
LAYOUT = 1

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def to_json(summary: Summary) -> dict[str, Json]:
    """Every field of the summary by its name, figures in full; what is not a number (NaN) is null."""
    plain = _plain(summary)
    assert isinstance(plain, dict)
    return {"layout": LAYOUT, **plain, "versions": dict(summary.versions)}


def _plain(value: object) -> Json:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    assert is_dataclass(value), type(value)
    plain = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Effect):
        plain["direction"] = value.direction
    if isinstance(value, Comparison):
        plain["negative"] = value.negative
    return plain
