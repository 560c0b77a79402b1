"""What a row of each kind of task looks like, and a fingerprint over rows.

A split of a task in one language is one Arrow table in its kind's column schema. The fingerprint names the rows, not
the file they came from: the same rows read from a hub, a folder or a file have the same fingerprint.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum

import pyarrow as pa

from isthmus.errors import DataError


class Kind(StrEnum):
    """What one example of a task looks like."""

    SEQUENCE = "sequence"
    PAIR = "pair"
    TAGGING = "tagging"
    BITEXT = "bitext"


_TEXT = pa.string()
_WORDS = pa.list_(pa.string())

#: The columns of each kind, in order. ``id`` is unique within a split. ``group`` names what examples share (the
#: template two utterances were made from, the paragraph two questions are about): intervals resample groups.
SCHEMAS: Mapping[Kind, pa.Schema] = {
    Kind.SEQUENCE: pa.schema([("id", _TEXT), ("group", _TEXT), ("text", _TEXT), ("label", _TEXT)]),
    Kind.PAIR: pa.schema([("id", _TEXT), ("group", _TEXT), ("text", _TEXT), ("text_pair", _TEXT), ("label", _TEXT)]),
    Kind.TAGGING: pa.schema([("id", _TEXT), ("group", _TEXT), ("tokens", _WORDS), ("tags", _WORDS)]),
    # source: the foreign sentence; target: its English counterpart. Row i of one translates row i of the other.
    Kind.BITEXT: pa.schema([("id", _TEXT), ("group", _TEXT), ("source", _TEXT), ("target", _TEXT)]),
}


def to_table(kind: Kind, columns: Mapping[str, list[str] | list[list[str]]], where: str) -> pa.Table:
    """Columns as the table of ``kind``; ``group`` defaults to ``id``. ``where`` names the rows in an error.

    Raises:
        DataError: a column is missing or of another length, an id repeats, or tokens and tags differ in number.
    """
    schema = SCHEMAS[kind]
    columns = dict(columns)
    columns.setdefault("group", columns.get("id", []))
    for name in schema.names:
        if name not in columns:
            raise DataError(f"{where}: a {kind} task needs the column '{name}'; there are {', '.join(columns)}.")
    table = pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names}, schema=schema)
    check_table(kind, table, where)
    return table


def check_table(kind: Kind, table: pa.Table, where: str) -> None:
    """Refuse rows that no stage could use. Raises DataError naming the first bad row."""
    seen: dict[str, int] = {}
    for row, identifier in enumerate(table.column("id").to_pylist()):
        if identifier in seen:
            raise DataError(
                f"{where}: the id {identifier!r} of row {row + 1} is already that of row {seen[identifier] + 1}."
            )
        seen[identifier] = row
    if kind is Kind.TAGGING:
        pairs = zip(table.column("tokens").to_pylist(), table.column("tags").to_pylist(), strict=True)
        for row, (tokens, tags) in enumerate(pairs):
            if len(tokens) != len(tags):
                raise DataError(f"{where}: row {row + 1} has {len(tokens)} tokens but {len(tags)} tags.")


def fingerprint(table: pa.Table) -> str:
    """A SHA-256 over the column names and values of ``table``, whatever its chunks, its file or its Arrow version."""
    digest = hashlib.sha256()
    for name in table.schema.names:
        digest.update(f"{name}\0{len(table)}\0".encode())
        column = table.column(name).combine_chunks()
        for array in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
            _update(digest, array)
    return digest.hexdigest()


def _update(digest: "hashlib._Hash", array: pa.Array) -> None:
    """Feed one array: the lengths of its values, then the values themselves."""
    if pa.types.is_list(array.type):
        digest.update(array.value_lengths().to_numpy(zero_copy_only=False).astype("<i4").tobytes())
        _update(digest, array.flatten())
    elif pa.types.is_string(array.type):
        encoded = [value.encode() for value in array.to_pylist()]
        digest.update(b"".join(len(value).to_bytes(4, "little") for value in encoded))
        digest.update(b"".join(encoded))
    else:
        raise TypeError(f"no fingerprint for columns of {array.type}")
