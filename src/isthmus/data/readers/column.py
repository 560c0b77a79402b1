"""Columns of texts as Arrow keeps them, and tables whose cells need nothing but to be cut apart.

A row becomes Arrow in the end. On the way there a Python string for each of its cells would cost most of the time and
of the memory, though most are never looked at. So plain tables are cut by Arrow's own parser, what is checked in every
row is checked on the bytes, and a text is made a string when someone asks for it. Whatever is out of the ordinary is
left to `isthmus.data.readers.delimited`, which knows what to say about it: both must agree on every file.
"""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

#: Bytes that are parsed in one go; no row may be longer.
_BLOCK = 1 << 22
#: The texts that are made strings in one go.
_CHUNK = 1000
_SPACES = [chr(point).encode() for point in range(0x3001) if chr(point).isspace()]
#: By byte: may white space begin with it, or end?
_OPENS, _CLOSES = (np.isin(np.arange(256), [space[end] for space in _SPACES]) for end in (0, -1))


class Column(Sequence[str]):
    """Texts, one a row, as an Arrow array in chunks, without nulls; `pyarrow.array` takes it as it is."""

    def __init__(self, array: pa.ChunkedArray) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "Column": ...
    def __getitem__(self, place: int | slice) -> "str | Column":
        found = self.array[place]
        return Column(found) if isinstance(place, slice) else found.as_py()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _CHUNK):
            yield from self.array.slice(start, _CHUNK).to_pylist()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Column({list(self)!r})"

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.ChunkedArray:
        return self.array if type is None else self.array.cast(type)

    def distinct(self) -> set[str]:
        """The texts that occur."""
        return set(self.array.unique().to_pylist())

    def is_unique(self) -> bool:
        """Does no text occur twice?"""
        return len(self.array.unique()) == len(self)

    def has_empty(self) -> bool:
        """Is any text empty?"""
        return any((np.diff(offsets) == 0).any() for offsets, _ in map(_buffers, self.array.chunks))

    def has_blank(self) -> bool:
        """Is any text empty, or nothing but white space?"""
        return self.has_empty() or any(map(_has_space, self.array.chunks))

    def joined(self) -> str:
        """All texts in one."""
        parts = map(_buffers, self.array.chunks)
        return "".join(str(data[offsets[0] : offsets[-1]].data, "utf-8") for offsets, data in parts)


def _buffers(array: pa.StringArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Where each text begins in the bytes, and the last one ends; the bytes."""
    _, places, data = array.buffers()
    offsets = np.frombuffer(places, np.int32)[array.offset : array.offset + len(array) + 1]
    return offsets, np.frombuffer(b"" if data is None else data, np.uint8)


def _has_space(array: pa.StringArray) -> bool:
    """Is any of these texts, of which none is empty, nothing but white space?"""
    offsets, data = _buffers(array)
    candidates = np.flatnonzero(_OPENS[data[offsets[:-1]]] & _CLOSES[data[offsets[1:] - 1]])
    return any(array[int(row)].as_py().isspace() for row in candidates)


def numbers(count: int) -> Column:
    """1, 2, 3, ... in decimal."""
    return Column(pa.chunked_array([np.arange(1, count + 1, dtype=np.int32)]).cast(pa.string()))


def is_utf8(data: bytes) -> bool:
    """Are the bytes a text? No text is made of them."""
    ends = pa.py_buffer(np.array([0, len(data)], np.int64))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def read_columns(data: bytes, delimiter: str) -> list[Column] | None:
    """The cells of a table without quoting, by column; a byte order mark is none of theirs.

    None where it is not plain: there is one column only, lines differ in width, one is empty, carriage returns stand
    elsewhere than before line feeds, or a byte is not UTF-8.
    """
    first = data.find(b"\n")
    width = data.count(delimiter.encode(), 0, first if first >= 0 else len(data)) + 1
    stray = b"\r" in data and data.count(b"\r") != data.count(b"\r\n")
    if width == 1 or stray or len(data) >= 2**31:
        return None
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(use_threads=False, block_size=_BLOCK, autogenerate_column_names=True),
            csv.ParseOptions(delimiter=delimiter, quote_char=False, double_quote=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types={f"f{number}": pa.string() for number in range(width)}),
        )
    except pa.ArrowInvalid:
        return None
    columns = [Column(column) for column in table.columns]
    if all(column.has_empty() for column in columns) and (b"\n\n" in data or b"\n\r\n" in data):
        return None  # Arrow takes an empty line for a row of empty cells
    return columns
