"""The fields of what a person writes, from the types in `isthmus.study.spec`: what they take, and where they are."""

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from isthmus.study.spec import Strict, named_preset, one_or_list, sequence_name

#: Where something stands in a study: names of fields, and numbers of items.
Location = tuple[str | int, ...]


class Hint(NamedTuple):
    """A type: what it is of (``tuple``, ``Literal``, a model, ...), its parts, and what goes with it."""

    of: Any
    parts: tuple[Any, ...]
    limits: tuple[Any, ...]

    def takes(self, shorthand: Any) -> bool:
        """Is ``shorthand``, one of those of `isthmus.study.spec`, understood here?"""
        return any(isinstance(limit, BeforeValidator) and limit.func is shorthand for limit in self.limits)


def hint_of(type_: Any) -> Hint:
    """The type without the annotations around it, which become ``limits``. A field that may be None is as its type."""
    if isinstance(type_, FieldInfo):
        inner = hint_of(type_.annotation)
        return inner._replace(limits=(*inner.limits, *type_.metadata))
    if get_origin(type_) is Annotated:
        inner_type, *around = get_args(type_)
        inner = hint_of(inner_type)
        return inner._replace(limits=(*inner.limits, *_flat(around)))
    if get_origin(type_) in (Union, types.UnionType):
        parts = tuple(part for part in get_args(type_) if part is not types.NoneType)
        return hint_of(parts[0]) if len(parts) == 1 else Hint(Union, parts, ())
    return Hint(get_origin(type_) or type_, get_args(type_), ())


def _flat(around: Sequence[Any]) -> Iterator[Any]:
    """The limits of an annotation: those in a pydantic ``Field`` one by one."""
    for each in around:
        yield from each.metadata if isinstance(each, FieldInfo) else (each,)


def is_model(hint: Hint) -> bool:
    """Are there fields below it?"""
    return isinstance(hint.of, type) and issubclass(hint.of, BaseModel)


def of_others(model: type[Strict]) -> Any:
    """The type of what stands below names that are no fields; None where there may be none."""
    schema = model.model_config.get("extra") == "allow"
    return get_args(model.__annotations__["__pydantic_extra__"])[1] if schema else None


def below(type_: Any, part: str | int) -> Any:
    """The type of what stands below ``part``; None where nothing can."""
    hint = hint_of(type_)
    if hint.of is Union:
        return next((found for each in hint.parts if (found := below(each, part)) is not None), None)
    if is_model(hint):
        return hint.of.model_fields.get(part, of_others(hint.of))
    if hint.of is Mapping:
        return hint.parts[1]
    if hint.of is tuple and isinstance(part, int):
        return hint.parts[0]
    return None


def at(type_: Any, place: Location) -> Any:
    """The type of what stands there; None where nothing can."""
    for part in place:
        if type_ is None:
            return None
        type_ = below(type_, part)
    return type_


def names_in(type_: Any) -> tuple[str, ...]:
    """The fields that may stand below; none where names are free, or nothing has fields."""
    hint = hint_of(type_)
    if hint.of is Union:
        return tuple(name for part in hint.parts for name in names_in(part))
    return tuple(hint.of.model_fields) if is_model(hint) else ()


def _named(hint: Hint) -> str:
    return "preset's name or fields" if hint.takes(named_preset) else "fields"


def words(type_: Any, model: Callable[[Hint], str] = _named) -> str:
    """A type in words: ``whole number``, ``one or a list of texts``, ``fp32 or bf16``; ``model`` says what one is."""
    hint = hint_of(type_)
    if hint.of is Literal:
        return " or ".join(f"`{value}`" for value in hint.parts)
    if hint.of is Union:
        return " or ".join(dict.fromkeys(words(part, model) for part in hint.parts))
    if hint.of is tuple:
        return f"one or a list of {_plural(words(hint.parts[0], model))}" if hint.parts[-1] is Ellipsis else "two texts"
    if hint.of is Mapping:
        return f"mapping to {words(hint.parts[1], model)}"
    if is_model(hint):
        return model(hint)
    said = {bool: "true or false", int: "whole number", float: "number", str: "text"}[hint.of]
    return "text or list of texts" if hint.takes(sequence_name) else said


def _plural(word: str) -> str:
    return " or ".join(
        "lists of texts" if each == "list of texts" else each if each.startswith("`") else f"{each}s"
        for each in word.split(" or ")
    )


def bounds(type_: Any) -> str:
    """What is checked beyond the type: ``above 0``, ``at least 1``."""
    signs = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    known = ((sign, word, limit) for limit in hint_of(type_).limits for sign, word in signs.items())
    found = (f"{word} {getattr(limit, sign):,g}" for sign, word, limit in known if hasattr(limit, sign))
    return ", ".join(found)


def is_list(hint: Hint) -> bool:
    """Is it a list, for which one may stand alone?"""
    return hint.of is tuple and hint.parts[-1] is Ellipsis and hint.takes(one_or_list)


def written(place: Location) -> str:
    """A place as one would write it: ``recipe.epochs``, ``sizes[1]``."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
