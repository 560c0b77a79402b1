"""Write the tables of fields in docs/studies.md and of columns in docs/results.md from the code that sets them.

The fields are those of the models in isthmus.study.spec, the columns those of isthmus.tidy.columns.

python scripts/field_tables.py            # rewrite what stands between the markers
python scripts/field_tables.py --check    # change nothing; exit 1 if the page is out of date
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from task_table import table, update

from isthmus.study import spec
from isthmus.study.fields import Hint, bounds, words
from isthmus.tidy import columns

DOCS = Path(__file__).resolve().parent.parent / "docs"
#: Arrow's types in words.
TYPES = {
    "string": "text",
    "int64": "whole number",
    "double": "number",
    "float": "number",
    "bool": "true or false",
    "timestamp": "time, UTC",
    "list": "list of numbers",
}
#: Where the page tells of the models that fields hold.
SECTIONS = {
    "Recipe": "recipes",
    "Variant": "an-axis-of-recipes",
    "Files": "files-of-your-own",
    "Retrieval": "retrieval",
    "Mixture": "mixtures",
    "MaskedText": "masked-language-modelling-in-between",
    "Translation": "translations",
}


def link(hint: Hint) -> str:
    """Where the page tells of the fields of a model."""
    return f"[{hint.of.__name__.lower()}](#{SECTIONS[hint.of.__name__]})"


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
    lines: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        kind = ", ".join(filter(None, [words(field, link), bounds(field)]))
        lines.append((f"`{name}`", kind, default(field), field.description or ""))
    return table(("field", "type", "default", "meaning"), lines)


def columns_of(every: Iterable[columns.Column]) -> str:
    """The columns of a table of results, as a table."""
    lines: list[tuple[str, ...]] = []
    for column in every:
        kind = str(column.type).partition("[")[0].partition("<")[0]
        lines.append((f"`{column.name}`", TYPES[kind], column.meaning))
    return table(("column", "type", "meaning"), lines)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the page is out of date")
    found = {
        name.lower(): fields(model)
        for name, model in vars(spec).items()
        if isinstance(model, type) and issubclass(model, spec.Strict) and model not in (spec.Strict, spec.Variant)
    }
    check = parser.parse_args().check
    tables = {"results": columns_of(columns.RESULTS), "predictions": columns_of(columns.PREDICTIONS)}
    return update(DOCS / "studies.md", found, check) or update(DOCS / "results.md", tables, check)


if __name__ == "__main__":
    sys.exit(main())
