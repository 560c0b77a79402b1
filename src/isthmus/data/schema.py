"""What a row of each kind of task looks like, and a fingerprint over rows.

A split of a task in one language is one Arrow table in its kind's column schema. The fingerprint names the rows, not
the file they came from: the same rows read from a hub, a folder or a file have the same fingerprint.
"""

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from isthmus.errors import DataError


class Kind(StrEnum):
    """What one example of a task looks like."""

    SEQUENCE = "sequence"
    PAIR = "pair"
    TAGGING = "tagging"
    SPAN = "span"
    CHOICE = "choice"
    BITEXT = "bitext"
    MINING = "mining"
    RANKING = "ranking"
    TEXT = "text"


#: The offsets of no texts.
_NOWHERE = np.zeros(1, "<i4")
_TEXT = pa.string()
_LIST = pa.list_(pa.string())


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    """The columns that all kinds have, and those of one. ``id`` is unique within a split. ``group`` names what examples
    share (the template two utterances were made from, the paragraph two questions are about): intervals resample
    groups."""
    return pa.schema([("id", _TEXT), ("group", _TEXT), *columns])


#: The columns of each kind, in order.
SCHEMAS: Mapping[Kind, pa.Schema] = {
    Kind.SEQUENCE: _schema(("text", _TEXT), ("label", _TEXT)),
    Kind.PAIR: _schema(("text", _TEXT), ("text_pair", _TEXT), ("label", _TEXT)),
    Kind.TAGGING: _schema(("tokens", _LIST), ("tags", _LIST)),
    # answers: the right ones, each with the code point of the context it starts at; none where there is no answer.
    Kind.SPAN: _schema(
        ("question", _TEXT), ("context", _TEXT), ("answers", _LIST), ("answer_starts", pa.list_(pa.int32()))
    ),
    # text: what the choice is about; question may be empty; answer: the position of the right choice, from 0.
    Kind.CHOICE: _schema(("text", _TEXT), ("question", _TEXT), ("choices", _LIST), ("answer", pa.int32())),
    # source: the foreign sentence; target: its English counterpart. Row i of one translates row i of the other.
    Kind.BITEXT: _schema(("source", _TEXT), ("target", _TEXT)),
    # text: a foreign sentence; targets: the ids of its translations among the candidates; most have none.
    Kind.MINING: _schema(("text", _TEXT), ("targets", _LIST)),
    # text: a query; targets: the ids of all right candidates; target and target_context: the text of one of them.
    Kind.RANKING: _schema(("text", _TEXT), ("target", _TEXT), ("target_context", _TEXT), ("targets", _LIST)),
    Kind.TEXT: _schema(("text", _TEXT)),
}
#: What queries are compared with, for the kinds that look for something: a text, and the paragraph it stands in, or "".
CANDIDATES: pa.Schema = _schema(("text", _TEXT), ("context", _TEXT))
#: The kinds whose rows are queries among candidates.
SEARCHING = frozenset({Kind.MINING, Kind.RANKING})
#: The kinds that compare vectors of texts, and need no head.
BY_VECTORS = SEARCHING | {Kind.BITEXT}
#: The kinds whose labels are stretches of a text, or stand on its words, and must find their place in a translation.
PROJECTED = frozenset({Kind.SPAN, Kind.TAGGING})
#: The kinds that can be translated: in the others, which text belongs to which is what is to be found.
TRANSLATED = PROJECTED | {Kind.SEQUENCE, Kind.PAIR, Kind.CHOICE}
#: The columns that hold what is to be predicted; they are null where the labels are withheld.
GOLD: Mapping[Kind, tuple[str, ...]] = {
    Kind.SEQUENCE: ("label",),
    Kind.PAIR: ("label",),
    Kind.TAGGING: ("tags",),
    Kind.SPAN: ("answers", "answer_starts"),
    Kind.CHOICE: ("answer",),
    Kind.BITEXT: (),
    Kind.MINING: ("targets",),
    Kind.RANKING: ("target", "target_context", "targets"),
    Kind.TEXT: (),
}


def schema_of(kind: Kind, split: str) -> pa.Schema:
    """The columns of a split: those of the kind, or those of candidates (`isthmus.tasks.core.Split`)."""
    return CANDIDATES if split.endswith("candidates") else SCHEMAS[kind]


def to_table(
    kind: Kind, columns: Mapping[str, Sequence[Any]], where: str, split: str = "test", labelled: bool = True
) -> pa.Table:
    """Columns as the table of ``kind``; ``group`` defaults to ``id``. ``where`` names the rows in an error.

    With ``labelled`` off the columns of `GOLD` may be missing: they are null.

    Raises:
        DataError: a column is missing or of another length, holds a null or another type, an id repeats, tokens and
            tags differ in number, an answer does not stand where it is said to, or there is no choice of that number.
    """
    schema = schema_of(kind, split)
    columns = dict(columns)
    columns.setdefault("group", columns.get("id", []))
    for name in schema.names:
        if name not in columns and not labelled and name in GOLD[kind]:
            columns[name] = [None] * len(columns["id"])
        if name not in columns:
            raise DataError(f"{where}: a {kind} task needs the column '{name}'; there are {', '.join(columns)}.")
    try:
        arrays = {name: pa.array(columns[name], schema.field(name).type) for name in schema.names if name != "group"}
        own = columns["group"] is columns["id"]
        arrays["group"] = arrays["id"] if own else pa.array(columns["group"], schema.field("group").type)
        table = pa.table({name: arrays[name] for name in schema.names}, schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{where}: {' '.join(str(error).split())}.") from error
    check_table(kind, table, where, labelled)
    return table


def check_table(kind: Kind, table: pa.Table, where: str, labelled: bool = True) -> None:
    """Refuse rows that no stage could use. Raises DataError naming the first bad row."""
    for name in table.schema.names:
        if table.column(name).null_count and (labelled or name not in GOLD[kind]):
            row = table.column(name).is_null().to_pylist().index(True)
            raise DataError(f"{where}: row {row + 1} has no {name}.")
    if len(table.column("id").unique()) < len(table):
        seen: dict[str, int] = {}
        for row, identifier in enumerate(table.column("id").to_pylist()):
            if identifier in seen:
                raise DataError(
                    f"{where}: the id {identifier!r} of row {row + 1} is already that of row {seen[identifier] + 1}."
                )
            seen[identifier] = row
    if table.schema.names == CANDIDATES.names or not labelled:
        return
    problem = _PROBLEMS.get(kind)
    if problem is not None:
        for row, values in enumerate(zip(*(table.column(name).to_pylist() for name in problem[0]), strict=True)):
            if what := problem[1](*values):
                raise DataError(f"{where}: row {row + 1} has {what}.")


def _tags_problem(tokens: list[str], tags: list[str]) -> str:
    return f"{len(tokens)} tokens but {len(tags)} tags" if len(tokens) != len(tags) else ""


def _answers_problem(context: str, answers: list[str], starts: list[int]) -> str:
    if len(answers) != len(starts):
        return f"{len(answers)} answers but {len(starts)} places where they start"
    wrong = next((a for a, s in zip(answers, starts, strict=True) if s < 0 or context[s : s + len(a)] != a), None)
    return "" if wrong is None else f"the answer {wrong[:40]!r}, which does not stand at its place in the context"


def _choice_problem(choices: list[str], answer: int) -> str:
    return "" if 0 <= answer < len(choices) else f"the answer {answer}, but its choices are 0 to {len(choices) - 1}"


#: What else can be wrong with a row of a kind: the columns to look at, and what says what is wrong with their values.
_PROBLEMS: Mapping[Kind, tuple[tuple[str, ...], Any]] = {
    Kind.TAGGING: (("tokens", "tags"), _tags_problem),
    Kind.SPAN: (("context", "answers", "answer_starts"), _answers_problem),
    Kind.CHOICE: (("choices", "answer"), _choice_problem),
}


def fingerprint(table: pa.Table) -> str:
    """A SHA-256 over the column names and values of ``table``, whatever its chunks, its file or its Arrow version."""
    digest = hashlib.sha256()
    for name in table.schema.names:
        digest.update(f"{name}\0{len(table)}\0".encode())
        _update(digest, table.schema.field(name).type, table.column(name).chunks)
    return digest.hexdigest()


def _update(digest: "hashlib._Hash", type: pa.DataType, chunks: Sequence[pa.Array]) -> None:
    """Feed a column: which values are null where some are, the lengths of the values, then the values themselves."""
    if any(chunk.null_count for chunk in chunks):
        digest.update(b"null")
        for chunk in chunks:
            digest.update(chunk.is_null().to_numpy(zero_copy_only=False).tobytes())
    if pa.types.is_list(type):
        for chunk in chunks:
            _numbers(digest, chunk.value_lengths())
        _update(digest, type.value_type, [chunk.flatten() for chunk in chunks])
    elif pa.types.is_integer(type):
        for chunk in chunks:
            _numbers(digest, chunk)
    elif pa.types.is_string(type):
        parts = [_texts(chunk.fill_null("")) for chunk in chunks]
        for offsets, _ in parts:
            digest.update(np.diff(offsets).astype("<i4").tobytes())
        for offsets, data in parts:
            digest.update(data[offsets[0] : offsets[-1]])
    else:
        raise TypeError(f"no fingerprint for columns of {type}")


def _numbers(digest: "hashlib._Hash", array: pa.Array) -> None:
    digest.update(array.fill_null(0).to_numpy(zero_copy_only=False).astype("<i4").tobytes())


def _texts(array: pa.StringArray) -> tuple[npt.NDArray[np.int32], memoryview]:
    """Where each text begins in the bytes, and the last one ends; the bytes."""
    _, places, data = array.buffers()
    offsets = np.frombuffer(places, "<i4")[array.offset : array.offset + len(array) + 1] if places else _NOWHERE
    return offsets, memoryview(b"" if data is None else data)
