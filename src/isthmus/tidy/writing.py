"""Writing tables: CSV, JSON, JSON Lines, Parquet and Arrow, batch by batch, so that any number of rows fits."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from decimal import Decimal
from functools import cache
from math import isfinite
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from isthmus.errors import SpecError

#: What a file is called in each format, the format's name first.
SUFFIXES = {
    "csv": (".csv",),
    "json": (".json",),
    "jsonl": (".jsonl", ".ndjson"),
    "parquet": (".parquet", ".pq"),
    "arrow": (".arrow", ".feather", ".ipc"),
}
#: Formats that nobody reads on a screen.
BINARY = ("parquet", "arrow")


def write(reader: pa.RecordBatchReader, form: str, to: BinaryIO) -> int:
    """Write all rows in one of the formats of `SUFFIXES`; returns their number.

    ``to`` is written to as soon as a batch is there, and left open.

    Raises:
        SpecError: the format lacks the type of a column.
    """
    if form in BINARY:
        return _binary(reader, form, to)
    rows = 0
    text = _csv(reader) if form == "csv" else _json(reader, form)
    for piece, count in text:
        to.write(piece)
        rows += count
    return rows


def _binary(reader: pa.RecordBatchReader, form: str, to: BinaryIO) -> int:
    begin: Callable[..., AbstractContextManager[Any]] = pq.ParquetWriter if form == "parquet" else pa.ipc.new_file
    rows = 0
    with _sayable(form):
        opened = begin(to, reader.schema)
    with opened as writer:
        for batch in reader:
            with _sayable(form):
                writer.write_batch(batch)
            rows += batch.num_rows
    return rows


@contextmanager
def _sayable(form: str) -> Iterator[None]:
    """Turn what a format cannot say into a sentence."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise SpecError(f"A column cannot be written as {form} ({reason}): give it another type with CAST.") from None


def _csv(reader: pa.RecordBatchReader) -> Iterator[tuple[bytes, int]]:
    """A header, then the rows; lists as JSON."""
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(reader.schema.names)
    yield header.getvalue().encode(), 0
    for batch in reader:
        to = io.BytesIO()
        with _sayable("csv"):
            pc.write_csv(_flat(batch), to, pc.WriteOptions(include_header=False, quoting_style="needed"))
        yield to.getvalue(), batch.num_rows


def _flat(batch: pa.RecordBatch) -> pa.Table:
    """The batch with texts in place of what a cell cannot hold."""
    columns = []
    for column in batch.columns:
        if pa.types.is_nested(column.type):
            said = (None if value is None else _said(value) for value in column.to_pylist())
            columns.append(pa.array(said, pa.string()))
        elif not _castable(column.type):
            texts = (None if value is None else str(value) for value in column.to_pylist())
            columns.append(pa.array(texts, pa.string()))
        else:
            columns.append(column)
    return pa.table(columns, names=batch.schema.names)


@cache
def _castable(kind: pa.DataType) -> bool:
    """Can a cell of this type be written as it is?"""
    try:
        pa.nulls(0, kind).cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return False
    return True


def _json(reader: pa.RecordBatchReader, form: str) -> Iterator[tuple[bytes, int]]:
    """One object a line; ``json`` makes one document of them."""
    lines = form == "jsonl"
    before, between, after = ("", "\n", "\n") if lines else ("[", ",\n ", "]\n")
    rows = 0
    for batch in reader:
        said = between.join(map(_said, batch.to_pylist()))
        if said:
            yield f"{between if rows else before}{said}".encode(), batch.num_rows
        rows += batch.num_rows
    if rows or not lines:
        yield (after if rows else f"{before}{after}").encode(), 0


def _said(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, default=str)


def _plain(value: Any) -> Any:
    """A value that JSON has: numbers that are none are null, a time is ISO 8601."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):  # pairs of a map
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value
