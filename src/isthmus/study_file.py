"""Reading a study from YAML: every mistake is answered with the file, the line and the field."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from isthmus.errors import SpecError, nearest
from isthmus.spec import Files, Recipe, Strict, Study, first_problem

Location = tuple[str | int, ...]


def read_study(path: Path, changes: tuple[str, ...] = ()) -> Study:
    """The study in the YAML file ``path``, with dotted changes such as ``recipe.epochs=2`` applied.

    Raises:
        SpecError: the file cannot be read or is not a valid study; names the line and the field.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SpecError(f"There is no study file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} cannot be read: {error}.") from None
    return parse_study(text, str(path), changes)


def parse_study(text: str, where: str, changes: tuple[str, ...] = ()) -> Study:
    """As `read_study`, from text; ``where`` names it in errors."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Location, int] = {}
        data = _plain(root, (), lines, where) if root is not None else {}
    except yaml.YAMLError as error:
        raise SpecError(_yaml_sentence(error, where)) from None
    except RecursionError:
        raise SpecError(f"{where}: it nests too deeply, or an alias (*name) stands inside its own anchor.") from None
    if not isinstance(data, dict):
        raise SpecError(
            f"{where}: a study is a mapping of fields such as `targets: [...]`, not a {type(data).__name__}."
        )
    data = apply_changes(changes, data)
    try:
        return Study.model_validate(data)
    except ValidationError as error:
        if change := _blamed(error, changes):
            raise SpecError(_sentence(error, f"--set {change}", {})) from None
        raise SpecError(_sentence(error, where, lines)) from None


def _plain(node: yaml.Node, location: Location, lines: dict[Location, int], where: str) -> Any:
    """The node as plain Python; notes the line of every field on the way. Refuses a key that repeats."""
    lines[location] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in result:
                raise SpecError(f"{where}, line {key_node.start_mark.line + 1}: the field '{key}' is given twice.")
            result[key] = _plain(value_node, (*location, key), lines, where)
            lines[(*location, key)] = key_node.start_mark.line + 1
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*location, index), lines, where) for index, item in enumerate(node.value)]
    loader = yaml.SafeLoader("")
    try:
        return _number_or(loader.construct_object(node))
    finally:
        loader.dispose()


def _number_or(value: Any) -> Any:
    """YAML 1.1 reads ``1e-5`` as text: people mean the number."""
    if isinstance(value, str) and value[:1].isdigit() and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            return value
    return value


def apply_changes(changes: tuple[str, ...], data: dict[str, Any]) -> dict[str, Any]:
    """``data`` with dotted changes such as ``recipe.epochs=2``. Raises SpecError on one that cannot be read."""
    for change in changes:
        _apply(change, data)
    return data


def _apply(change: str, data: dict[str, Any]) -> None:
    """Apply one ``a.b=value``, the value in YAML."""
    path, sign, text = change.partition("=")
    if not sign or not path.strip():
        raise SpecError(f"--set takes field=value, such as recipe.epochs=2, not {change!r}.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise SpecError(f"--set {change}: the value is not YAML.") from None
    *parents, last = path.strip().split(".")
    if parents == ["recipe"] and isinstance(data.get("recipe"), str):
        data["recipe"] = {"preset": data["recipe"]}  # as `isthmus.spec.Study` reads it
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise SpecError(f"--set {change}: {parent!r} holds a value, not fields.")
    data[last] = _number_or(value)


def _yaml_sentence(error: yaml.YAMLError, where: str) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f", line {mark.line + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be parsed"
    return f"{where}{line}: this is not valid YAML: {problem}. Check the indentation and the quotes there."


def _blamed(error: ValidationError, changes: tuple[str, ...]) -> str | None:
    """The change that made the first problem, if one of them did."""
    place = [str(part) for part in error.errors()[0]["loc"]]
    for change in reversed(changes):
        path = change.partition("=")[0].strip().split(".")
        if place[: len(path)] == path:
            return change
    return None


def _sentence(error: ValidationError, where: str, lines: dict[Location, int]) -> str:
    """The first problem, with its line and, for an unknown field, the nearest known one."""
    first = error.errors()[0]
    location: Location = tuple(first["loc"])
    found = location
    while found and found not in lines:
        found = found[:-1]
    line = f", line {lines[found]}" if found in lines and lines else ""
    if first["type"] == "extra_forbidden":
        models: dict[str, type[Strict]] = {"recipe": Recipe, "files": Files}
        known = models.get(str(location[0]), Study).model_fields if len(location) > 1 else Study.model_fields
        return f"{where}{line}: there is no field '{'.'.join(map(str, location))}': {nearest(str(location[-1]), known)}"
    if first["type"] == "missing":
        return f"{where}: the field '{'.'.join(map(str, location))}' is missing."
    return f"{where}{line}: {first_problem(error)}."
