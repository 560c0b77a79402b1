"""What is wrong with a study, in one sentence: the place in the file, the field, and the nearest that would do."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from isthmus.errors import nearest
from isthmus.study.fields import Location, at, bounds, names_in, words, written
from isthmus.study.spec import Study

_SHOWN = 40  # characters of a value in a sentence
#: Of these errors pydantic's words are about Python's types.
_OF_SHAPE = ("model_type", "model_attributes_type", "dict_type", "mapping_type", "tuple_type", "bool_type")


class Fault(NamedTuple):
    """One thing that is wrong: where in the study, the sentence without the place in the file, and is it an absence?"""

    place: Location
    what: str
    missing: bool = False

    def __str__(self) -> str:
        return self.what if self.what.endswith(("?", ".")) else f"{self.what}."


def faults(error: ValidationError, data: Any) -> list[Fault]:
    """What is wrong with ``data``, a fault for each place: the innermost where one thing is wrong in several ways."""
    found: dict[Location, list[Mapping[str, Any]]] = {}
    for problem in error.errors():
        place = problem.get("ctx", {}).get("place") or _place(problem["loc"], data)
        if problem["type"] == "missing" and not isinstance(problem["loc"][-1], int):
            place = (*place, problem["loc"][-1])
        found.setdefault(place, []).append(dict(problem))
    inner = [place for place in found if not any(_inside(other, place) for other in found)]
    return [Fault(place, _what(place, found[place], data), found[place][0]["type"] == "missing") for place in inner]


def _inside(place: Location, outer: Location) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _place(location: Location, data: Any) -> Location:
    """Where in the data an error is: pydantic's location without the names that it gives to alternatives."""
    place, inside = tuple[str | int, ...](), data
    for part in location:
        if _holds(inside, part):
            place, inside = (*place, part), inside[part]
    return place


def _what(place: Location, problems: list[Mapping[str, Any]], data: Any) -> str:
    kind, named = problems[0]["type"], written(place)
    if kind == "missing":
        return f"the field '{named}' is missing"
    if kind == "study":
        return str(problems[0]["msg"])
    known, value = names_in(at(Study, place[:-1])), _value(place, data)
    free = known and place[-1] not in known and not isinstance(value, Mapping)
    if kind == "extra_forbidden" or (free and len(place) > 1):
        return f"there is no field '{named}': {nearest(str(place[-1]), known)}"
    type_ = at(Study, place)
    if (len(problems) > 1 or kind in _OF_SHAPE) and type_ is not None:
        limits = f" {bounds(type_)}" if bounds(type_) else ""
        return f"{named} takes {words(type_)}{limits}, not {_shown(value)}"
    message = str(problems[0]["msg"]).removeprefix("Value error, ")
    return f"{named}: {message}" if named else message


def _value(place: Location, data: Any) -> Any:
    inside: Any = data
    for part in place:
        inside = inside[part] if _holds(inside, part) else inside
    return inside


def _holds(data: Any, part: str | int) -> bool:
    if isinstance(data, list):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, Mapping) and part in data


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "fields"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
