"""The table of predictions: a row for each chain, language and test row, read a piece at a time.

A study has millions of them. They come from the files of its predict and score stages as record batches, and no more
than a few batches are in memory at once.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.errors import StoreError
from isthmus.evaluate.metrics import metric
from isthmus.evaluate.metrics.core import Metric
from isthmus.planning.plan import Plan
from isthmus.store import Store
from isthmus.tidy.columns import PREDICTIONS, schema
from isthmus.tidy.table import Measured, chain_columns, intact, measured

_READ = ["id", "group", "gold", "prediction", "confidence"]
#: Rows of a batch, about: languages with fewer are put together.
BATCH = 65_536


def reader_of(plan: Plan, store: Store) -> pa.RecordBatchReader:
    """The predictions of the finished chains of ``plan``, with the columns `PREDICTIONS`, read as they are asked for.

    Raises:
        StoreError: while reading, where a file was altered or is gone.
    """
    return pa.RecordBatchReader.from_batches(schema(PREDICTIONS), _together(_parts(plan, store)))


def _parts(plan: Plan, store: Store) -> Iterator[pa.RecordBatch]:
    """The predictions, a batch a language, or several for one with many rows."""
    for each in measured(plan, store):
        assert each.planned.predictions is not None and each.planned.score is not None
        if store.record(each.planned.predictions) is None:
            raise StoreError(
                f"The predictions of {each.record.title!r} ({each.planned.predictions}) are no longer in the store: "
                "run the study again, which makes them anew."
            )
        intact(each.planned.predictions, store)
        intact(each.planned.score, store)
        yield from _of_chain(each, store)


def _of_chain(of: Measured, store: Store) -> Iterator[pa.RecordBatch]:
    measure = metric(of.record.result["metric"])
    folder = store.stage_folder(str(of.planned.predictions)) / "predictions"
    statistics = pq.ParquetFile(store.stage_folder(str(of.planned.score)) / "statistics.parquet")
    values = _Values(statistics, measure)
    for path in sorted(folder.glob("*.parquet")):  # the order in which they were scored
        for batch in pq.ParquetFile(path).iter_batches(
            BATCH, columns=["id", "group", "gold", "prediction", "confidence"]
        ):
            yield _batch(of, path, measure, batch, values.next(batch.num_rows))


class _Values:
    """The statistics of the rows of a chain, in the order of its predictions."""

    def __init__(self, file: pq.ParquetFile, measure: Metric) -> None:
        self._batches = file.iter_batches(BATCH, columns=list(measure.columns))
        self._left = np.empty((0, len(measure.columns)))

    def next(self, count: int) -> np.ndarray:
        """The statistics of the next rows, float64 (count, k)."""
        parts = [self._left]
        while sum(map(len, parts)) < count:
            batch = next(self._batches)
            parts.append(np.column_stack([column.to_numpy() for column in batch.columns]))
        whole = np.concatenate(parts)
        self._left = whole[count:]
        return whole[:count]


def _batch(of: Measured, path: Path, measure: Metric, rows: pa.RecordBatch, values: np.ndarray) -> pa.RecordBatch:
    """Rows of one language with what names them and what the metric makes of each."""
    same = {**chain_columns(of.chain), "language": path.stem, "metric": measure.name}
    types = {column.name: column.type for column in PREDICTIONS}
    columns = {name: pa.repeat(pa.scalar(value, types[name]), rows.num_rows) for name, value in same.items()}
    columns |= {name: rows.column(name) for name in ("id", "group", "confidence")}
    columns |= {name: _text(rows.column(name)) for name in ("gold", "prediction")}
    columns["score"] = pa.array(np.asarray(measure.reduce(values), float), from_pandas=True)
    ends = pa.array(np.arange(len(values) + 1, dtype="i4") * values.shape[1], pa.int32())
    columns["statistics"] = pa.ListArray.from_arrays(ends, pa.array(values.ravel(), from_pandas=True))
    return pa.RecordBatch.from_arrays([columns[column.name] for column in PREDICTIONS], schema=schema(PREDICTIONS))


def _text(values: pa.Array) -> pa.Array:
    """Texts as they are, numbers in figures, lists as JSON."""
    if not pa.types.is_nested(values.type):
        return values.cast(pa.string())
    said = (None if value is None else json.dumps(value, ensure_ascii=False) for value in values.to_pylist())
    return pa.array(said, pa.string())


def _together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of small batches in batches of some size."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(each.num_rows for each in waiting) >= BATCH:
            yield from _joined(waiting)
            waiting = []
    if waiting:
        yield from _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    joined: list[pa.RecordBatch] = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return joined
