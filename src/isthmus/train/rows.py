"""What a training stage reads: the rows, dev rows and recipe of each of its members, as its identity says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from isthmus.data.catalog import read_rows
from isthmus.data.schema import Kind
from isthmus.data.subset import nested_subset
from isthmus.data.texts import texts_of
from isthmus.execute import Context
from isthmus.kinds import method
from isthmus.kinds.core import Method
from isthmus.plan_training import INPUT
from isthmus.spec import Recipe
from isthmus.stage import Json
from isthmus.train.dev import held_out


@dataclass(frozen=True)
class Part:
    """One member of a training, before it is encoded. ``dev`` has rows by language; none where nothing is measured."""

    name: str
    kind: Kind
    method: Method
    labels: list[str]
    recipe: Recipe
    table: pa.Table
    dev: Mapping[str, pa.Table] = field(default_factory=dict)
    metric: str = ""
    masked: bool = False


def parts_of(context: Context, recipe: Recipe) -> list[Part]:
    """The members of the stage; a single task is the only one."""
    identity = context.stage.identity
    if "members" not in identity:
        return [_part(context, {"name": str(context.stage.hints.get("task", "")), **identity}, recipe)]
    return [
        _part(context, member, Recipe.model_validate({**recipe.model_dump(), **member.get("recipe", {})}))
        for member in identity["members"]
    ]


def _part(context: Context, told: Mapping[str, Json], recipe: Recipe) -> Part:
    kind = Kind(told["kind"])
    sources = told["train"] if isinstance(told["train"], list) else [told["train"]]
    tables = [_read(context, source) for source in sources]
    if "text_of" in told:
        tables = [texts_of(Kind(of), table) for of, table in zip(told["text_of"], tables, strict=True)]
    dev, tables = _dev(context, told, recipe, tables)
    salt = f"train/{context.stage.identity['seed']}"
    tables = [_subset(table, recipe.train_examples, salt) for table in tables]
    return Part(
        told["name"],
        kind,
        method(kind),
        list(told.get("labels", ())),
        recipe,
        _joined(tables),
        dev,
        told.get("metric", ""),
        "text_of" in told,
    )


def _read(context: Context, source: str) -> pa.Table:
    """Rows of the store by their fingerprint, or those that a stage before has made."""
    if source.startswith(INPUT):
        return read_rows(context.input_folder(source.removeprefix(INPUT)) / "rows.arrow")
    return read_rows(context.store.data_file(source))


def _dev(
    context: Context, told: Mapping[str, Json], recipe: Recipe, tables: list[pa.Table]
) -> tuple[dict[str, pa.Table], list[pa.Table]]:
    """The dev rows by language, and the training rows without them: of translations, too, by their ids."""
    dev: dict[str, Any] = told.get("dev", {})
    if "held_out" not in dev:
        found = {language: _read(context, rows) for language, rows in dev.items()}
        return {language: _subset(table, recipe.dev_examples, "dev") for language, table in found.items()}, tables
    _, out = held_out(tables[0], dev["held_out"])
    taken = set(out.column("group").to_pylist())
    left = [
        table.filter(pa.array([group not in taken for group in table.column("group").to_pylist()])) for table in tables
    ]
    return {dev["language"]: out}, left


def _subset(table: pa.Table, size: int | None, salt: str) -> pa.Table:
    return table.take(nested_subset(table.column("id").to_pylist(), size, salt))


def _joined(tables: list[pa.Table]) -> pa.Table:
    """The rows of all tables: in each language the same ids."""
    return (
        tables[0] if len(tables) == 1 else pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    )
