"""``isthmus results``, once its arguments are read: tables of a study's results, for people and for other programs."""

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from rich.table import Table
from rich.text import Text

from isthmus import api
from isthmus.commands.inputs import refuse_inputs
from isthmus.commands.studies_kept import kept_or_named, last_run, where_it_was_run
from isthmus.commands.views import existing, output, writing_to
from isthmus.disk import plainly
from isthmus.errors import SpecError, nearest
from isthmus.outside import visible, written
from isthmus.planning.plan import Plan
from isthmus.store import Store
from isthmus.study.spec import Study
from isthmus.tasks.core import Task
from isthmus.tidy import columns, predictions, query, table, writing
from isthmus.tidy.columns import PREDICTIONS, RESULTS, chosen

#: Rows of a table on a terminal, unless more are asked for.
SHOWN = 50
#: The columns of a table for people, and those of these that they see only if they differ between rows.
_FOR_PEOPLE = ("model", "recipe", "intermediate", "target", "seed", "language", "metric", "score", "baseline", "gain")
_IF_DIFFERENT = frozenset({"model", "recipe", "seed"})
_PREDICTIONS_FOR_PEOPLE = ("intermediate", "target", "seed", "language", "id", "gold", "prediction", "score")


@dataclass(frozen=True)
class Wanted:
    """What is asked for: which rows and columns, and in which form."""

    predictions: bool = False
    where: str | None = None
    sql: str | None = None
    columns: Sequence[str] = ()
    sort: Sequence[str] = ()
    limit: int | None = None
    form: str | None = None
    output: Path | None = None

    @property
    def there(self) -> list[str]:
        """The columns that there are."""
        return [column.name for column in (PREDICTIONS if self.predictions else RESULTS)]

    @property
    def names(self) -> list[str]:
        """The columns that are asked for. Raises SpecError where there is none of that name."""
        return chosen(self.columns, self.there, "--columns") if self.columns else self.there

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Column and direction of each name of ``sort``; one with a minus is sorted from the highest down.

        Raises:
            SpecError: there is no column of that name, or it has no order.
        """
        plain = [name.removeprefix("-") for name in self.sort]
        if plain:
            chosen(plain, [name for name in self.there if name != "statistics"], "--sort")
        ways = ("descending" if name.startswith("-") else "ascending" for name in self.sort)
        return list(zip(plain, ways, strict=True))


def results_table(study: Study | str | Path, store: str | Path = "store", tasks: Sequence[Task] = ()) -> pa.Table:
    """The results of the finished chains of a study: a row for each chain, language and metric.

    Args:
        study: a study, a study file, a built-in study, or the name of one that was run in the store.
        store: the store, or its folder.
        tasks: your own, which the study may name beside those of the registry.

    Returns:
        A table with the columns `isthmus.tidy.columns.RESULTS`. ``.to_pandas()`` makes a data frame of it.

    Raises:
        SpecError, StoreError: there is no such study or store, or a file that is read was altered.
    """
    opened = existing(Path(store))
    with _planned(study, opened, tasks) as planned, plainly(opened.root):
        return table.table_of(planned, opened)


def predictions_reader(
    study: Study | str | Path, store: str | Path = "store", tasks: Sequence[Task] = ()
) -> pa.RecordBatchReader:
    """The predictions of the finished chains of a study: a row for each chain, language and test row.

    Arguments and errors are those of `results_table`; the columns are `isthmus.tidy.columns.PREDICTIONS`. The rows are
    read as they are asked for; ``.read_all()`` makes a table of them.
    """
    opened = existing(Path(store))
    with _planned(study, opened, tasks) as planned:
        return predictions.reader_of(planned, opened)


@contextmanager
def _planned(study: Study | str | Path, store: Store, tasks: Sequence[Task] = ()) -> Iterator[Plan]:
    """The plan of a study. While inside, names of files mean what they meant when it was run."""
    with ExitStack() as stack:
        if not isinstance(study, Study):
            name = str(study)
            study = kept_or_named(name, store)
            stack.enter_context(where_it_was_run(name, store))
        yield api.plan_to_look(study, store, tasks)


def show_results(name: str | None, store_path: Path, wanted: Wanted) -> None:
    """``isthmus results``; of the study that was run last if there is no name."""
    form = _form(wanted)
    if not wanted.sql:
        _ = wanted.names, wanted.keys  # before anything takes time
    store = existing(store_path)
    name = name or last_run(store)
    here = Path.cwd()
    with ExitStack() as stack:
        planned = stack.enter_context(_planned(name, store))
        if wanted.output is not None:
            with writing_to(wanted.output):
                refuse_inputs(here / wanted.output.expanduser(), planned.study, here / name, store, wanted.output)
        stack.enter_context(plainly(store.root))
        reader = _rows(planned, store, wanted, stack)
        if wanted.output is not None:
            _write_file(_first(reader, wanted.limit), form, here / wanted.output.expanduser(), wanted.output)
        elif form == "table":
            _show(reader, wanted)
        else:
            sys.stdout.flush()
            writing.write(_first(reader, wanted.limit), form, sys.stdout.buffer)
        _say_unfinished(planned, store)


def _form(wanted: Wanted) -> str:
    """The format: as asked for, by the name of the file, a table on a terminal, or CSV.

    Raises:
        SpecError: there is no such format, or it does not go there.
    """
    known = ("table", *writing.SUFFIXES)
    form = wanted.form
    if form is not None and form not in known:
        raise SpecError(f"--format: there is no format {form!r}: {nearest(form, known)}")
    if wanted.sql is not None and (wanted.where or wanted.columns or wanted.sort or wanted.predictions):
        raise SpecError("--sql says all of it: leave out --where, --columns, --sort and --predictions.")
    if wanted.output is None:
        if form in writing.BINARY:
            raise SpecError(f"{form} is for programs: say with --output which file to write.")
        return form or ("table" if sys.stdout.isatty() else "csv")
    if wanted.output.is_dir():
        raise SpecError(f"--output {wanted.output} is a folder: give the name of a file.")
    suffix = wanted.output.suffix.lower()
    by_name = next((form for form, suffixes in writing.SUFFIXES.items() if suffix in suffixes), None)
    if form is None and by_name is None:
        raise SpecError(f"--output {wanted.output}: its name says no format; add one with --format, such as csv.")
    if form == "table":
        raise SpecError("A table is for reading: --output takes --format csv, json, jsonl, parquet or arrow.")
    return form or str(by_name)


def _say_unfinished(planned: Plan, store: Store) -> None:
    """How many chains are missing from the table, on standard error."""
    finished = set(store.finished())
    missing = sum(chain.score not in finished for chain in planned.chains)
    if missing:
        print(f"{missing:,} of {len(planned.chains):,} chains are not finished, and not in the table.", file=sys.stderr)


def _rows(planned: Plan, store: Store, wanted: Wanted, stack: ExitStack) -> pa.RecordBatchReader:
    """The rows that are asked for, with the columns that are asked for, in the order that is asked for."""
    if wanted.sql is not None:
        return query.select(wanted.sql, _tables(planned, store, wanted.sql, stack))
    there, names, keys = wanted.there, wanted.names, wanted.keys
    reader: pa.RecordBatchReader
    source: Any = predictions.reader_of(planned, store) if wanted.predictions else table.table_of(planned, store)
    if wanted.where is not None:
        reader = query.where(wanted.where, "predictions" if wanted.predictions else "results", source, there)
    else:
        reader = source if wanted.predictions else source.to_reader()
    if keys:
        whole = reader.read_all()
        reader = whole.take(pc.sort_indices(whole, sort_keys=keys)).to_reader()
    if names == there:
        return reader
    picked = (batch.select(names) for batch in reader)
    return pa.RecordBatchReader.from_batches(pa.schema([reader.schema.field(name) for name in names]), picked)


def _tables(planned: Plan, store: Store, sql: str, stack: ExitStack) -> dict[str, Any]:
    """What a query reads: the results and, where it names them, the predictions.

    A query may read these more than once, and they may not fit into memory: they are put into a file for as long as it
    runs.
    """
    found: dict[str, Any] = {"results": table.table_of(planned, store)}
    if re.search(r"\bpredictions\b", sql, re.IGNORECASE):
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="isthmus-"))
        path = Path(folder) / "predictions.parquet"
        with pq.ParquetWriter(path, columns.schema(PREDICTIONS)) as writer:
            for batch in predictions.reader_of(planned, store):
                writer.write_batch(batch)
        found["predictions"] = ds.dataset(path)
    return found


def _first(reader: pa.RecordBatchReader, limit: int | None) -> pa.RecordBatchReader:
    """The first rows, or all."""
    if limit is None:
        return reader

    def batches() -> Iterator[pa.RecordBatch]:
        left = limit
        while left > 0 and (batch := next(reader, None)) is not None:
            yield batch.slice(0, left)
            left -= batch.num_rows

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _write_file(reader: pa.RecordBatchReader, form: str, path: Path, shown: Path) -> None:
    """Write a file, and say so."""
    with writing_to(shown):
        path.parent.mkdir(parents=True, exist_ok=True)
        with written(path) as file:
            rows = writing.write(reader, form, file)
    print(f"{rows:,} rows: {shown}", file=sys.stderr)


def _show(reader: pa.RecordBatchReader, wanted: Wanted) -> None:
    """A table for people: the first rows, and how many more there are."""
    limit = SHOWN if wanted.limit is None else wanted.limit
    kept: list[pa.RecordBatch] = []
    more = 0
    for batch in reader:
        left = max(0, limit - sum(each.num_rows for each in kept))
        kept += [batch.slice(0, left)] if left else []
        more += max(0, batch.num_rows - left)
        if more and wanted.predictions:  # there may be millions: they are not counted
            break
    rows = pa.Table.from_batches(kept, reader.schema)
    if not rows.num_rows:
        output().print("No row." if not more else f"{more:,} rows.")
        return
    output().print(_drawn(rows, wanted))
    if more:
        count = "more" if wanted.predictions else f"{more:,} more"
        output().print(f"... and {count}: --limit N shows N rows, --output FILE writes all.")


def _drawn(rows: pa.Table, wanted: Wanted) -> Table:
    names = rows.column_names
    if wanted.sql is None and not wanted.columns:
        usual = _PREDICTIONS_FOR_PEOPLE if wanted.predictions else _FOR_PEOPLE
        names = [name for name in usual if name not in _IF_DIFFERENT or len(pc.unique(rows.column(name))) > 1]
    drawn = Table(box=None, pad_edge=False)
    for name in names:
        kind = rows.schema.field(name).type
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        drawn.add_column(Text(_shown(name)), justify="right" if number else "left", overflow="ellipsis")
    for row in rows.select(names).to_pylist():
        drawn.add_row(*(Text(_shown(value)) for value in row.values()))
    return drawn


def _shown(value: Any) -> str:
    """A value in a cell."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return visible(str(value))
