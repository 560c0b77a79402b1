"""The stage `score`: predictions in; a figure a language, and the per-example statistics it is made of, out."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isthmus.evaluate.metrics import metric
from isthmus.evaluate.metrics.core import Metric
from isthmus.running.execute import Context
from isthmus.running.tracking import tell_scores
from isthmus.stage import Json

#: Below this many rows, one value everywhere is no sign of a collapse.
_ENOUGH = 20


def run(context: Context) -> dict[str, Json]:
    """Score every language; writes ``statistics.parquet`` (language, id, group, and the metric's columns).

    The figures of the metrics in the identity's ``also`` stand beside, without statistics.
    """
    measure = metric(context.stage.identity["metric"])
    further = [metric(name) for name in context.stage.identity.get("also", ())]
    folder = context.input_folder("predictions") / "predictions"
    scores, tables = {}, []
    also: dict[str, dict[str, float]] = {each.name: {} for each in further}
    for path in sorted(folder.glob("*.parquet")):
        language, table = path.stem, pq.read_table(path)
        golds, predictions = (table.column(name).to_pylist() for name in ("gold", "prediction"))
        statistics = measure.statistics(golds, predictions, language)
        scores[language] = float(measure.reduce(statistics.sum(axis=0)))
        for each in further:
            also[each.name][language] = each.score(golds, predictions, language)
        columns = {name: statistics[:, number] for number, name in enumerate(measure.columns)}
        names = pa.array([language] * len(table), pa.string())
        tables.append(pa.table({"language": names, "id": table["id"], "group": table["group"], **columns}))
        if (collapsed := collapse(measure, golds, predictions)) is not None:
            context.warnings.append(f"{language}: collapsed, every prediction is {collapsed}")
    pq.write_table(pa.concat_tables(tables), context.output / "statistics.parquet")
    result = {"metric": measure.name, "scores": scores, **({"also": also} if also else {})}
    tell_scores(context, result)
    return result


def collapse(measure: Metric, golds: Sequence[Any], predictions: Sequence[Any]) -> str | None:
    """The one value that a collapsed model predicts throughout although the golds differ; else None.

    Of tags, that is one tag for every token; of rankings, one order of the ids for every query. An answer to every
    question that is the same text, or no text, is a collapse, too.
    """
    if len(predictions) < _ENOUGH:
        return None
    if measure.compares == "tags":
        guessed = {tag for tags in predictions for tag in tags}
        right = {tag for tags in golds for tag in tags}
    elif measure.compares == "ranking":
        guessed, right = {tuple(ranking) for ranking in predictions}, {frozenset(targets) for targets in golds}
    else:
        guessed = set(predictions)
        right = {tuple(gold) if isinstance(gold, list) else gold for gold in golds}
    if len(guessed) != 1 or len(right) < 2:
        return None
    (value,) = guessed
    return f"the ranking that begins with {value[0]!r}" if isinstance(value, tuple) and value else repr(value)
