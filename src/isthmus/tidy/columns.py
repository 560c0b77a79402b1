"""The columns of the table of results and of that of predictions: names, types, and what they mean.

A text that does not apply is empty, so that grouping by it loses no row; a number that does not apply is null.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from isthmus.errors import SpecError, nearest

_TEXT, _WHOLE, _NUMBER, _TRUTH = pa.string(), pa.int64(), pa.float64(), pa.bool_()


class Column(NamedTuple):
    """A column; its type is Arrow's."""

    name: str
    type: pa.DataType
    meaning: str


#: What names a chain, in both tables.
_CHAIN = (
    Column("model", _TEXT, "as the study names it"),
    Column("recipe", _TEXT, "which of the study's recipes; empty where it has but one"),
    Column("intermediate", _TEXT, "as the study names it, with its size (`task@1000`); `none` for the baseline"),
    Column("size", _WHOLE, "the training rows asked for of each intermediate task; null where no one size was"),
    Column("target", _TEXT, "the task that is measured"),
    Column("seed", _WHOLE, "of the chain's trainings"),
)

#: A row for each chain, language and metric.
RESULTS = (
    Column("study", _TEXT, "its name"),
    *_CHAIN,
    Column("kind", _TEXT, "of the target"),
    Column("language", _TEXT, "tag of the language that is measured"),
    Column("language_name", _TEXT, "in English"),
    Column("family", _TEXT, "of the language"),
    Column("script", _TEXT, "of the language, as in ISO 15924"),
    Column("resource", _TEXT, "class of the language: `high`, `medium` or `low`"),
    Column("metric", _TEXT, "what the score is"),
    Column("main", _TRUTH, "is it the target's main metric?"),
    Column("score", _NUMBER, "0 to 100; null over no examples"),
    Column("baseline", _NUMBER, "the score of the same chain with `none`; null in a baseline's own rows"),
    Column("gain", _NUMBER, "score less baseline"),
    Column("examples", _WHOLE, "test rows that the score is over"),
    Column("groups", _WHOLE, "groups of rows that share a source: what intervals resample"),
    Column("zero_shot", _TRUTH, "no labelled rows in the language were trained on, and no dev rows in it decided"),
    Column("tuned", _TRUTH, "did dev rows in the language decide when a training stopped, or what it kept?"),
    Column("collapsed", _TRUTH, "is every prediction the same?"),
    Column("intermediate_rows", _WHOLE, "rows that the intermediate stages trained on"),
    Column("target_rows", _WHOLE, "rows that the stages for the target trained on"),
    Column("own_seconds", _NUMBER, "of the chain's stages that no other chain of the study needs"),
    Column("shared_seconds", _NUMBER, "of the chain's stages that others need, too: in full, in each of these chains"),
    Column("peak_memory", _WHOLE, "bytes, the most that a stage of the chain took"),
    Column("model_stage", _TEXT, "key of the stage that the measured model comes from"),
    Column("predictions_stage", _TEXT, "key of the stage that predicted"),
    Column("score_stage", _TEXT, "key of the stage that scored"),
    Column("finished", pa.timestamp("s", "UTC"), "when the score was made"),
)

#: A row for each chain, language and test row.
PREDICTIONS = (
    *_CHAIN,
    Column("language", _TEXT, "tag of the language"),
    Column("id", _TEXT, "of the test row"),
    Column("group", _TEXT, "what the row shares with others: its paragraph, its template"),
    Column("gold", _TEXT, "what is right; several tags, answers or ids as a JSON list"),
    Column("prediction", _TEXT, "what the model says; several tags or ids as a JSON list"),
    Column("confidence", pa.float32(), "the model's, where the kind of task has one"),
    Column("metric", _TEXT, "the target's main metric"),
    Column("score", _NUMBER, "what the metric gives this row alone, 0 to 100; null where one row has no score"),
    Column("statistics", pa.list_(_NUMBER), "the metric's statistics of the row: a score is made of their sums"),
)


def schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a table with these columns."""
    return pa.schema([(column.name, column.type) for column in columns])


def chosen(names: Iterable[str], there: Sequence[str], option: str) -> list[str]:
    """The names, each of which must be a column that is there. Raises SpecError."""
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        if name not in there:
            raise SpecError(f"{option}: there is no column {name!r}: {nearest(name, there)}")
    if not wanted:
        raise SpecError(f"{option} names no column: give some of {', '.join(there)}.")
    return wanted
