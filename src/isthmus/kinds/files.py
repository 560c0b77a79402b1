"""Features in one Arrow file, written once and mapped into memory from then on: nothing is read that is not used.

The file's metadata hold what all features share, what the caller has to say, and a checksum over all numbers, so that
a file that was cut off or altered is never believed.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from isthmus.errors import DataError
from isthmus.kinds.features import Features, Form, Ints, Ragged, Vocabulary

_ABOUT, _CHECKSUM = b"about", b"checksum"
_RAGGED = ("words", "second", "places")


class Stored(NamedTuple):
    """Features as read from a file, and what was said when they were written."""

    features: Features
    said: Mapping[str, Any]


def write_features(path: Path, features: Features, said: Mapping[str, Any]) -> None:
    """Write ``features`` with ``said``, which JSON can hold. Raises OSError when there is no room."""
    columns: dict[str, pa.Array] = {"example": pa.array(features.example)}
    texts = _list(features.texts)
    if features.several is not None:
        texts = pa.LargeListArray.from_arrays(pa.array(features.several), texts)
    columns["texts"] = texts
    for number, column in enumerate(features.target):
        columns[f"target{number}"] = _list(column) if isinstance(column, Ragged) else pa.array(column)
    for name in ("first_word", *_RAGGED):
        column = getattr(features, name)
        if column is not None:
            columns[name] = _list(column) if isinstance(column, Ragged) else pa.array(column)
    vocabulary = _packed(features.vocabulary) if features.vocabulary else None
    about = json.dumps({"form": features.form, "vocabulary": vocabulary, "said": dict(said)}).encode()
    metadata = {_ABOUT: about, _CHECKSUM: str(_checksum(features, about)).encode()}
    table = pa.table(columns).replace_schema_metadata(metadata)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read_features(path: Path) -> Stored:
    """The features in a file, mapped.

    Raises:
        DataError: it was cut off or altered.
        FileNotFoundError: it is not there.
    """
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        table.validate()  # no buffer is shorter than it has to be
        metadata = table.schema.metadata
        about = json.loads(metadata[_ABOUT])
        features = _features(table, about["form"], about["vocabulary"])
        intact = _checksum(features, metadata[_ABOUT]) == int(metadata[_CHECKSUM])
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever a broken file makes the reader say, it is broken
        raise DataError(f"{path} is damaged ({error!r}).") from error
    if not intact:
        raise DataError(f"{path} is damaged: it has other numbers than were written.")
    return Stored(features, about["said"])


def _features(table: pa.Table, form: Form, vocabulary: Mapping[str, Any] | None) -> Features:
    columns = {name: _chunk(table.column(name)) for name in table.column_names}
    texts, several = columns["texts"], None
    if pa.types.is_large_list(texts.type.value_type):
        texts, several = texts.values, texts.offsets.to_numpy()
    return Features(
        columns["example"].to_numpy(),
        _ragged(texts),
        form,
        tuple(_column(columns[name]) for name in sorted(columns) if name.startswith("target")),
        _unpacked(vocabulary) if vocabulary else None,
        several,
        first_word=columns["first_word"].to_numpy() if "first_word" in columns else None,
        **{name: _ragged(columns[name]) for name in _RAGGED if name in columns},
    )


def _list(rows: Ragged) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array(rows.bounds), pa.array(rows.values))


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _ragged(array: pa.Array) -> Ragged:
    return Ragged(array.values.to_numpy(), array.offsets.to_numpy())


def _column(array: pa.Array) -> Ints | Ragged:
    return _ragged(array) if pa.types.is_large_list(array.type) else array.to_numpy()


def _checksum(features: Features, about: bytes) -> int:
    """A CRC-32 over what is said and over all numbers."""
    found = zlib.crc32(about)
    for array in _arrays(features):
        found = zlib.crc32(np.ascontiguousarray(array).view(np.uint8), found)  # type: ignore[arg-type]
    return found


def _arrays(features: Features) -> Iterator[NDArray[np.integer[Any]]]:
    columns = (features.example, features.texts, *features.target, features.several, features.first_word)
    for column in (*columns, *(getattr(features, name) for name in _RAGGED)):
        if column is not None:
            yield from column if isinstance(column, Ragged) else (column,)


def _packed(vocabulary: Vocabulary) -> dict[str, Any]:
    """The tokens as stretches [first, last): those that are not special are few stretches."""
    ordinary = vocabulary.ordinary
    breaks = np.flatnonzero(np.diff(ordinary) != 1) + 1
    stretches = [(int(part[0]), int(part[-1]) + 1) for part in np.split(ordinary, breaks) if len(part)]
    return {"mask": vocabulary.mask, "special": vocabulary.special.tolist(), "ordinary": stretches}


def _unpacked(packed: Mapping[str, Any]) -> Vocabulary:
    stretches: Iterable[NDArray[np.int64]] = (np.arange(first, last) for first, last in packed["ordinary"])
    special = np.asarray(packed["special"], dtype=np.int64)
    return Vocabulary(packed["mask"], special, np.concatenate([np.empty(0, np.int64), *stretches]))
