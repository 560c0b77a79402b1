"""The stage `score`: predictions in; a figure a language, and the per-example statistics it is made of, out."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.evaluate.metrics import metric
from isthmus.execute import Context
from isthmus.stage import Json

#: Below this many rows, one value everywhere is no sign of a collapse.
_ENOUGH = 20


def run(context: Context) -> dict[str, Json]:
    """Score every language; writes ``statistics.parquet`` (language, id, group, and the metric's columns)."""
    measure = metric(context.stage.identity["metric"])
    folder = context.input_folder("predictions") / "predictions"
    scores, tables = {}, []
    for path in sorted(folder.glob("*.parquet")):
        language, table = path.stem, pq.read_table(path)
        golds, predictions = (table.column(name).to_pylist() for name in ("gold", "prediction"))
        statistics = measure.statistics(golds, predictions)
        scores[language] = float(measure.reduce(statistics.sum(axis=0)))
        columns = {name: statistics[:, number] for number, name in enumerate(measure.columns)}
        names = pa.array([language] * len(table), pa.string())
        tables.append(pa.table({"language": names, "id": table["id"], "group": table["group"], **columns}))
        if (collapsed := collapse(golds, predictions)) is not None:
            context.warnings.append(f"{language}: collapsed, every prediction is {collapsed}")
    pq.write_table(pa.concat_tables(tables), context.output / "statistics.parquet")
    return {"metric": measure.name, "scores": scores}


def collapse(golds: list[Any], predictions: list[Any]) -> str | None:
    """The one value that a collapsed model predicts throughout although the golds differ; else None."""
    if len(predictions) < _ENOUGH:
        return None
    guessed = {tag for value in predictions for tag in (value if isinstance(value, list) else [value])}
    right = {tag for value in golds for tag in (value if isinstance(value, list) else [value])}
    return repr(guessed.pop()) if len(guessed) == 1 and len(right) > 1 else None
