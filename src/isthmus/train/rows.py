"""What a training stage reads: the rows, dev rows and recipe of each of its members, as its identity says."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from isthmus.data.catalog import read_rows
from isthmus.data.schema import Kind
from isthmus.data.subset import nested_subset
from isthmus.data.texts import texts_of
from isthmus.errors import DataError
from isthmus.kinds import method
from isthmus.kinds.core import Limits, Method
from isthmus.planning.training import INPUT
from isthmus.running.execute import Context
from isthmus.stage import Json
from isthmus.study.spec import Recipe
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

    @property
    def limits(self) -> Limits:
        """How long its inputs may be."""
        return Limits(self.recipe.max_length, self.recipe.stride, self.recipe.whole_words)


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
    """The dev rows by language, and the training rows without those of them that are held out, and their translations.

    Raises:
        DataError: a translation has neither the ids nor the groups of the rows that it translates.
    """
    found: dict[str, pa.Table] = {}
    for language, rows in dict(told.get("dev", {})).items():
        if isinstance(rows, str):
            found[language] = _subset(_read(context, rows), recipe.dev_examples, "dev")
            continue
        whole = _read(context, rows["of"])
        _, out = held_out(whole, rows["held_out"])
        if any(not pc.any(_shares(table, whole)).as_py() for table in tables):
            raise DataError(
                "Rows are held out for dev, and a translation cannot be told to be of them: it has other ids and other "
                "groups. Leave evaluate_every out, or train on a task that has a dev split."
            )
        found[language] = tables[0].filter(_shares(tables[0], out))
        tables = [table.filter(pc.invert(_shares(table, out))) for table in tables]
    return found, tables


def _shares(table: pa.Table, other: pa.Table) -> pa.ChunkedArray:
    """Which rows of ``table`` have an id or a group of the ``other``."""
    same = [pc.is_in(table.column(name), other.column(name)) for name in ("id", "group")]
    return pc.or_(*same)


def _subset(table: pa.Table, size: int | None, salt: str) -> pa.Table:
    return table.take(nested_subset(table.column("id").to_pylist(), size, salt))


def _joined(tables: list[pa.Table]) -> pa.Table:
    """The rows of all tables: in each language the same ids."""
    return (
        tables[0] if len(tables) == 1 else pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    )
