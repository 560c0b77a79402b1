"""YAML as plain Python, with the line of every field; and dotted changes to it."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from isthmus.errors import SpecError
from isthmus.study.fields import Location

#: Nodes of a file, aliases written out: far more than a study has, and soon counted.
_MOST = 200_000
_YAML = "tag:yaml.org,2002:"
_MERGE = f"{_YAML}merge"


def _bool(text: str) -> bool:
    return text.lower() == "true"


def _int(text: str) -> int:
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _float(text: str) -> int | float:
    """``1e3`` is a whole number: people write it for one."""
    number = float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    return int(number) if "e" in text.lower() and number.is_integer() and abs(number) < 2**53 else number


#: What a scalar is by the core schema of YAML 1.2 (10.3.2): how it is written, and what it stands for. What could be
#: several is the first. (Python refuses to read longer whole numbers.)
_SCALARS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    f"{_YAML}null": (r"~|null|Null|NULL|", lambda _: None),
    f"{_YAML}bool": (r"true|True|TRUE|false|False|FALSE", _bool),
    f"{_YAML}int": (r"[-+]?[0-9]{1,4000}|0o[0-7]+|0x[0-9a-fA-F]+", _int),
    f"{_YAML}float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        _float,
    ),
    f"{_YAML}str": (r"(?s:.*)", str),
}


class _Loader(yaml.SafeLoader):
    """Tells apart what YAML 1.2 does: dates are texts."""


class _Dumper(yaml.SafeDumper):
    """Quotes a text that YAML 1.1 or 1.2 would read as something else."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])
for _tag, (_written, _) in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(_tag, re.compile(rf"({_written})\Z"), None)


def dump(data: Any) -> str:
    """YAML that `Document` reads as the same ``data``."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


class Document:
    """A YAML file: its content, and the line of everything in it.

    What is true and what is a number is as in YAML 1.2: ``no`` is a text (and Norwegian), ``010`` is ten, ``1e-5`` a
    number.
    """

    def __init__(self, text: str, where: str) -> None:
        """Raises SpecError naming the line: it is not YAML, gives a field twice, or has a tag of its own."""
        self.where = where
        self.lines: dict[Location, int] = {}
        self._nodes = 0
        try:
            root = yaml.compose(text, Loader=_Loader)
            self.data = self._plain(root, ()) if root is not None else {}
        except yaml.YAMLError as error:
            raise SpecError(_sentence(error, where)) from None
        except RecursionError:
            told = "it nests too deeply, or an alias (*name) stands inside its own anchor"
            raise SpecError(f"{where}: {told}.") from None

    def line(self, place: Location) -> int | None:
        """The line of what stands there, or of what it would stand in."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place) if place else None

    def _plain(self, node: yaml.Node, place: Location) -> Any:
        self._nodes += 1
        if self._nodes > _MOST:
            raise SpecError(f"{self.where}: aliases (*name) make it too large: write out what they stand for.")
        self.lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag != f"{_YAML}{'map' if isinstance(node, yaml.MappingNode) else 'seq'}":
            raise self._tag_error(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        return [self._plain(item, (*place, number)) for number, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, place: Location) -> dict[str, Any]:
        """The fields of a mapping; those that it takes over by ``<<`` are there where it has none of its own."""
        own: dict[str, Any] = {}
        merged: dict[str, Any] | None = None
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise SpecError(f"{self.where}, line {line}: the name of a field is a text.")
            key, merges = str(key_node.value), key_node.tag == _MERGE
            if (merged is not None) if merges else (key in own):
                raise SpecError(f"{self.where}, line {line}: the field '{key}' is given twice.")
            if merges:
                merged = {}
                sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for source in reversed(sources):
                    fields = self._plain(source, place)
                    if not isinstance(fields, dict):
                        raise SpecError(f"{self.where}, line {line}: << takes over fields, and these are none.")
                    merged |= fields
                continue
            own[key] = self._plain(value_node, (*place, key))
            self.lines[(*place, key)] = line
        self.lines[place] = node.start_mark.line + 1
        return {**(merged or {}), **own}

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        written, read = _SCALARS.get(node.tag, ("(?!)", str))
        if not re.fullmatch(written, text):
            raise self._tag_error(node)
        return read(text)

    def _tag_error(self, node: yaml.Node) -> SpecError:
        tag = str(node.tag).replace(_YAML, "!!")
        return SpecError(f"{self.where}, line {node.start_mark.line + 1}: the tag {tag} does not fit: leave it out.")


def _sentence(error: yaml.YAMLError, where: str) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f", line {mark.line + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be parsed"
    return f"{where}{line}: this is not valid YAML: {problem}. Check the indentation and the quotes there."


def change(data: dict[str, Any], wanted: str) -> None:
    """Apply one ``a.b=value`` to ``data``, the value in YAML.

    ``seeds[0]`` (or ``seeds.0``) is an item, the one after the last is added. A name with dots is found where it is
    there, and else stands in double quotes: ``files."reviews.csv".kind``.

    Raises:
        SpecError: it is no change, or there is no such place.
    """
    path, sign, text = wanted.partition("=")
    parts = list(_parts(path.strip())) if sign else []
    if not parts:
        raise SpecError(f"--set takes field=value, such as recipe.epochs=2, not {wanted!r}.")
    try:
        value = Document(text, "").data if text.strip() else None
    except SpecError:
        raise SpecError(f"--set {wanted}: the value is not YAML.") from None
    _put(data, parts, value, wanted)


_PART = re.compile(r'"([^"]*)"|\[(\d+)\]|([^.\[\]"]+)|(\.)')


def _parts(path: str) -> Iterator[str | int]:
    """The names and numbers of a path; nothing where it is malformed."""
    found: list[str | int] = []
    end, dotted = 0, True
    for match in _PART.finditer(path):
        quoted, number, name, dot = match.groups()
        if match.start() != end or (dot and dotted) or (not dot and not number and not dotted):
            return
        if not dot:
            found.append(int(number) if number is not None else quoted if quoted is not None else name)
        dotted, end = bool(dot), match.end()
    if end == len(path) and not dotted:
        yield from found


def _put(data: Any, parts: list[str | int], value: Any, wanted: str) -> None:
    """Put the value where the parts lead, making what is not there on the way."""
    place: Location = ()
    while True:
        part, rest = _next(data, parts, wanted)
        place = (*place, part)
        if isinstance(data, list) and part == len(data):
            data.append(None)
        if not rest:
            data[part] = value
            return
        inner = data.get(part) if isinstance(data, dict) else data[part]
        if inner is None:
            inner = [] if isinstance(rest[0], int) else {}
        elif isinstance(inner, str) and place[0] in ("recipe", "recipes", "overrides") and isinstance(rest[0], str):
            inner = {"preset": inner}  # as `isthmus.study.spec.Study` reads it
        elif isinstance(inner, str | int) and not isinstance(inner, bool) and str(rest[0]).isdecimal():
            inner = [inner]
        if not isinstance(inner, dict | list):
            raise SpecError(f"--set {wanted}: {str(part)!r} holds a value, not fields.")
        data[part] = inner
        data, parts = inner, rest


def _next(data: dict[str, Any] | list[Any], parts: list[str | int], wanted: str) -> tuple[Any, list[str | int]]:
    """What the parts name first in ``data``, and those that are left: several are one name where that is there."""
    if isinstance(data, list):
        part = parts[0]
        if not str(part).isdecimal() or int(part) > len(data):
            raise SpecError(f"--set {wanted}: in a list of {len(data)} there is no item {part!r}: [0] is the first.")
        return int(part), parts[1:]
    for count in range(len(parts), 1, -1):
        joined = ".".join(map(str, parts[:count]))
        if joined in data:
            return joined, parts[count:]
    return str(parts[0]), parts[1:]
