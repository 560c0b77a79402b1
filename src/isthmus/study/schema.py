"""The JSON schema of a study (draft 2020-12), by which editors complete and check it: made of `isthmus.study.spec`.

It knows what stands for what: one value for a list of it, a preset's name for a recipe, a list of tasks for a sequence.
What depends on several fields at once, or on which tasks and models there are, is for planning to say.
"""

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from isthmus.study.fields import Hint, hint_of, is_list, is_model, of_others
from isthmus.study.recipes import Preset
from isthmus.study.spec import DISTINCT, NONE, Study, named_preset, sequence_name

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
_LIMITS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum", "pattern": "pattern"}

Node = dict[str, Any]


def study_schema() -> Node:
    """The schema of a study file. Names of tasks and suites are offered, and others allowed: they may be files."""
    models: dict[str, type[BaseModel]] = {}
    _collect(Study, models)
    definitions = {name: _object(model) for name, model in models.items() if model is not Study}
    study = _object(Study)
    for field, names in _known().items():
        _offer(study["properties"][field], names)
    return {"$schema": DIALECT, "title": "Isthmus study", **study, "$defs": definitions}


def _collect(model: type[BaseModel], found: dict[str, type[BaseModel]]) -> None:
    """Every model that fields hold, at any depth."""
    if model.__name__ in found:
        return
    found[model.__name__] = model
    others = of_others(model)  # type: ignore[arg-type]
    waiting: list[Any] = [*model.model_fields.values(), *([others] if others else [])]
    while waiting:
        hint = hint_of(waiting.pop())
        if is_model(hint):
            _collect(hint.of, found)
        elif hint.of is not Literal:
            waiting.extend(part for part in hint.parts if part is not Ellipsis)


def _object(model: type[BaseModel]) -> Node:
    others = of_others(model)  # type: ignore[arg-type]
    found: Node = {
        "type": "object",
        "description": " ".join((model.__doc__ or "").split("\n\n")[0].split()),
        "properties": {name: _field(field) for name, field in model.model_fields.items()},
        "additionalProperties": _node(others) if others else False,
    }
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    return {**found, "required": required} if required else found


def _field(field: FieldInfo) -> Node:
    node = _node(field)
    if _may_be_none(field.annotation):
        node = _any(node, {"type": "null"})
    if field.description:
        node = {**node, "description": field.description}
    default = field.get_default(call_default_factory=True)
    plain = isinstance(default, str | int | float | tuple) and default != ()
    return {**node, "default": list(default) if isinstance(default, tuple) else default} if plain else node


def _may_be_none(type_: Any) -> bool:
    return get_origin(type_) in (Union, types.UnionType) and types.NoneType in get_args(type_)


def _node(type_: Any) -> Node:
    """What may stand where something of that type is expected, shorthand included."""
    hint = hint_of(type_)
    node = _plain(hint)
    if hint.takes(named_preset):
        return _any(node, {"enum": list(get_args(Preset))})
    if hint.takes(sequence_name):
        return _any(node, {"type": "array", "items": {"type": "string"}, "minItems": 1})
    return node


def _plain(hint: Hint) -> Node:
    limits = {
        word: getattr(limit, sign) for sign, word in _LIMITS.items() for limit in hint.limits if _has(limit, sign)
    }
    if hint.of is Literal:
        return {"enum": list(hint.parts)}
    if hint.of is Union:
        return _any(*map(_node, hint.parts))
    if hint.of is Mapping:
        return {"type": "object", "additionalProperties": _node(hint.parts[1])}
    if is_model(hint):
        return {"$ref": f"#/$defs/{hint.of.__name__}"}
    if hint.of is tuple:
        return _list(hint)
    return {"type": _TYPES[hint.of], **limits}


def _list(hint: Hint) -> Node:
    """A list, for which one may stand alone, or so many values in a row."""
    if is_list(hint):
        least = next((limit.min_length for limit in hint.limits if _has(limit, "min_length")), 0)
        items = _node(hint.parts[0])
        distinct = {"uniqueItems": True} if DISTINCT in hint.limits else {}
        return _any({"type": "array", "items": items, "minItems": least, **distinct}, _single(items))
    parts = [_node(part) for part in hint.parts]
    return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}


def _single(items: Node) -> Node:
    """What of the items may stand alone for a list: no list."""
    alone = [each for each in items.get("anyOf", [items]) if each.get("type") != "array"]
    return _any(*alone)


def _has(limit: Any, sign: str) -> bool:
    return getattr(limit, sign, None) is not None


def _any(*nodes: Node) -> Node:
    """One of several; those that are alternatives themselves are taken apart."""
    flat = [each for node in nodes for each in (node["anyOf"] if set(node) == {"anyOf"} else [node])]
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def _known() -> dict[str, list[str]]:
    """Names that editors offer, by field."""
    from isthmus.tasks.mixtures import MIXTURES
    from isthmus.tasks.registry import tasks
    from isthmus.tasks.suites import suites

    trained = [name for name, task in tasks().items() if task.train_language]
    return {
        "models": ["embedded"],
        "targets": [*tasks(), *suites(), "all"],
        "intermediates": [NONE, *trained, *MIXTURES],
    }


def _offer(node: Node, names: list[str]) -> None:
    """Let the texts that a list holds be one of these names, too: editors complete them."""
    array = next(each for each in node["anyOf"] if each.get("type") == "array")
    array["items"] = _any({"enum": names}, array["items"])
