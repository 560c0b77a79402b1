"""Write the tables of fields in docs/studies.md from the models in isthmus.spec, which are the only place they are set.

python scripts/field_tables.py            # rewrite what stands between the markers
python scripts/field_tables.py --check    # change nothing; exit 1 if the page is out of date
"""

import argparse
import json
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from task_table import table, update

from isthmus import spec

PAGE = Path(__file__).resolve().parent.parent / "docs" / "studies.md"


def words(hint: Any) -> str:
    """A type in words: ``number``, ``text or a list``, ``one of fp32, bf16``."""
    plain = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    origin = get_origin(hint)
    if hint in plain:
        return plain[hint]
    if origin is Annotated:
        return words(get_args(hint)[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(hint))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(words(part) for part in get_args(hint) if part is not type(None)))
    if origin is tuple:
        parts = get_args(hint)
        return f"one or a list of {words(parts[0])}s" if parts[-1] is Ellipsis else "two texts"
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return f"[{hint.__name__.lower()} fields](#{hint.__name__.lower()}-fields)"
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return f"mapping of {words(get_args(hint)[1])}" if get_args(hint)[1] is not Any else "mapping"
    return "any"


def bounds(field: FieldInfo) -> str:
    """What pydantic checks beyond the type: ``> 0``, ``at least 1``."""
    signs = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    found = (
        f"{word} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, word in signs.items()
        if hasattr(limit, name)
    )
    return ", ".join(found)


def default(field: FieldInfo) -> str:
    """The default as a study would write it."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "all defaults"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"`{value:g}`".replace("e-0", "e-")
    return f"`{json.dumps(value, ensure_ascii=False)}`" if value not in ({}, ()) else "none"


def fields(model: type[BaseModel]) -> str:
    """The fields of a model as a table."""
    lines = []
    for name, field in model.model_fields.items():
        kind = ", ".join(filter(None, [words(field.annotation), bounds(field)]))
        lines.append((f"`{name}`", kind, default(field), field.description or ""))
    return table(("field", "type", "default", "meaning"), lines)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the page is out of date")
    found = {
        name.lower(): fields(model)
        for name, model in vars(spec).items()
        if isinstance(model, type) and issubclass(model, spec.Strict) and model is not spec.Strict
    }
    return update(PAGE, found, parser.parse_args().check)


if __name__ == "__main__":
    sys.exit(main())
