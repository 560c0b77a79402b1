"""What is known of a table of rows beside the rows: kept in its metadata, which is no part of its fingerprint."""

import json
from typing import NamedTuple

import pyarrow as pa

_KEY = b"isthmus"


class Provenance(NamedTuple):
    """How a table came about.

    Attributes:
        rows: how many were read, before any were left out.
        split: the one they are of, which is dev where it stands in for test; "" where it is the one asked for.
        notes: what was seen, mended or left out, in words.
    """

    rows: int
    split: str
    notes: tuple[str, ...]


def provenance(table: pa.Table) -> Provenance:
    """How ``table`` came about; of one that says nothing, how many rows there are."""
    told = (table.schema.metadata or {}).get(_KEY)
    if told is None:
        return Provenance(len(table), "", ())
    rows, split, notes = json.loads(told)
    return Provenance(rows, split, tuple(notes))


def stamped(table: pa.Table, told: Provenance) -> pa.Table:
    """The table, telling how it came about."""
    return table.replace_schema_metadata({_KEY: json.dumps(told).encode()})
