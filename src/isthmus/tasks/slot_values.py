"""Words for the slots that the voice assistant's templates leave open: rooms, devices, shopping, messages.

``slot_values.tsv`` was written for this purpose, in each language: language, slot, values separated by ``|``.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from isthmus.errors import DataError

_SEPARATOR = "|"
#: Lists that are filled with the values of another name.
_LISTS: Mapping[str, str] = {
    "timer_name": "food",
    "shopping_list_item": "food",
    "todo_list_item": "chore",
    "timer_command": "command",
    "search_query": "query",
}
#: What ``{name}`` is called when it stands for a device of some domain.
_DOMAINS: Mapping[str, str] = {
    "light": "light",
    "fan": "fan",
    "cover": "cover",
    "valve": "valve",
    "lock": "lock",
    "media_player": "media",
    "climate": "climate",
    "vacuum": "vacuum",
    "lawn_mower": "mower",
    "scene": "scene",
    "script": "scene",
    "binary_sensor": "sensor",
    "sensor": "sensor",
    "person": "person",
    "weather": "city",
    "todo": "list",
}
_ANY_DEVICE = "device"


@dataclass(frozen=True)
class SlotValues:
    """The values of one language (or a part of them), by slot."""

    language: str
    by_slot: Mapping[str, tuple[str, ...]]

    def choices(self, list_name: str, domains: Sequence[str] = ()) -> tuple[str, ...]:
        """What may stand for ``{list_name}``; ``{name}`` is a device of one of ``domains``.

        Raises:
            DataError: the language has no value for it.
        """
        slots = [_LISTS.get(list_name, list_name)]
        if list_name == "name":
            slots = list(dict.fromkeys(_DOMAINS.get(domain, _ANY_DEVICE) for domain in domains)) or [_ANY_DEVICE]
        found = tuple(value for slot in slots for value in self.by_slot.get(slot, ()))
        if not found:
            raise DataError(f"slot_values.tsv has no value of {slots[0]!r} in language {self.language}.")
        return found

    def part(self, of_three: Sequence[int]) -> "SlotValues":
        """Only every third value, counted from each of ``of_three``: disjoint parts for training and for testing."""
        kept = {
            slot: tuple(value for number, value in enumerate(values) if number % 3 in of_three)
            for slot, values in self.by_slot.items()
        }
        return SlotValues(self.language, MappingProxyType(kept))


def _file() -> Traversable:
    return files("isthmus.tasks") / "slot_values.tsv"


def values_digest() -> str:
    """A hash of the file: other values, other rows."""
    return sha256(_file().read_bytes()).hexdigest()[:16]


@cache
def _table() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    text = _file().read_text(encoding="utf-8")
    for row in csv.DictReader(text.split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE):
        found.setdefault(row["language"], {})[row["slot"]] = tuple(row["values"].split(_SEPARATOR))
    return MappingProxyType({language: MappingProxyType(slots) for language, slots in found.items()})


def slot_values(language: str) -> SlotValues:
    """The values of ``language``. Raises DataError where there are none."""
    if language not in _table():
        raise DataError(f"slot_values.tsv has no values in language {language}.")
    return SlotValues(language, _table()[language])
