"""A table read by Arrow and one read line by line: the same rows, the same notes, or the same sentence."""

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.data.readers import delimited
from isthmus.data.readers.column import Column, is_utf8, numbers, read_columns
from isthmus.data.readers.options import Options
from isthmus.data.readers.read import read_rows
from isthmus.data.readers.rows import check_labels, labels_of
from isthmus.data.schema import Kind, fingerprint, to_table
from isthmus.errors import IsthmusError

SPACES = [chr(point) for point in range(sys.maxunicode) if chr(point).isspace()]
#: Cells, and what may be between them where it should not be.
TEXTS = st.text(
    st.sampled_from(["a", "é", "e", "\u0301", "水", "😀", "\x00", "\x1c", "\u2028", " ", '"', "\r", *SPACES])
).map(lambda text: text.replace("\t", "").replace("\n", ""))
PLAIN = TEXTS.map(lambda text: f"x{text}".replace("\r", ""))
LABELS = st.sampled_from(["no", "yes"])
ENDS = st.sampled_from(["\n", "\r\n"])
TABLES = st.builds(
    lambda rows, end, last: end.join("\t".join(row) for row in [("sentence1", "sentence2", "label"), *rows]) + last,
    st.lists(st.tuples(PLAIN, PLAIN, LABELS), min_size=1, max_size=8),
    ENDS,
    st.sampled_from(["", "\n", "\r\n"]),
)
ODDITIES = ["", "\n", "\t", "\r", "\n\n", "\r\n\r\n", "\ufeff", '"', " ", "\t\t", "\n\t\t\n", "\t \t", "\u3000"]


def outcome(path: Path, kind: Kind | None, options: Options) -> Any:
    """All that can be told of the rows of a file; or what is wrong with it, in words."""
    try:
        rows = read_rows(path, kind, options)
        table = to_table(rows.kind, rows.values, "here", labelled=options.labelled)
    except IsthmusError as error:
        return str(error)
    values = {role: list(column) for role, column in rows.values.items()}
    found = labels_of(rows)
    check_labels(rows, found)
    return rows.kind, values, list(rows.lines), rows.reading, found, fingerprint(table)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    table=TABLES,
    place=st.integers(0, 200),
    oddity=st.sampled_from(ODDITIES) | TEXTS,
    broken=st.sampled_from([b"", b"", b"", b"\xff", b"\xed\xa0\x80", b"\xc0\x80"]),
    options=st.builds(
        Options,
        quoting=st.sampled_from(["auto", "none", "csv"]),
        labelled=st.booleans(),
        drop=st.sampled_from([{}, {"label": "no"}]),
        labels=st.sampled_from([{}, {"no": "not"}]),
    ),
    kind=st.sampled_from([None, Kind.PAIR, Kind.BITEXT]),
)
def test_both_ways_of_reading_a_table_come_to_the_same(
    tmp_path: Path, table: str, place: int, oddity: str, broken: bytes, options: Options, kind: Kind | None
) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes((table[:place] + oddity).encode() + broken + table[place:].encode())
    fast = outcome(path, kind, options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "read_columns", lambda data, delimiter: None)
        assert fast == outcome(path, kind, options)


@settings(deadline=None)
@given(TABLES)
def test_a_plain_table_is_left_to_arrow(table: str) -> None:
    for mark in ("", "\ufeff"):
        columns = read_columns((mark + table).encode(), "\t")
        lines = table.replace("\r\n", "\n").removesuffix("\n").split("\n")
        assert columns is not None
        assert list(zip(*columns, strict=True)) == [tuple(line.split("\t")) for line in lines]


@pytest.mark.parametrize(
    "data",
    [
        b"a\nb\n",
        b"a\tb\rc\td\n",
        b"a\tb\r\r\n",
        b"a\tb\n\nc\td\n",
        b"a\tb\n\n",
        b"a\tb\r\n\r\n",
        b"a\tb\nc\n",
        b"a\t\xff",
    ],
)
def test_what_is_not_plain_is_not(data: bytes) -> None:
    assert read_columns(data, "\t") is None
    assert is_utf8(data) == (b"\xff" not in data)


def column(*parts: list[str]) -> Column:
    return Column(pa.chunked_array([pa.array(part, pa.string()) for part in parts]))


@given(st.lists(TEXTS, max_size=8), st.lists(TEXTS, max_size=8), st.integers(0, 9), st.integers(0, 17))
def test_a_column_is_a_sequence_of_its_texts(first: list[str], second: list[str], start: int, stop: int) -> None:
    whole, texts = column(first, second), [*first, *second]
    for part, expected in ((whole, texts), (whole[start:stop], texts[start:stop])):
        assert part == expected and len(part) == len(expected)
        assert [part[row] for row in range(len(part))] == expected
        assert part.joined() == "".join(expected)
        assert part.distinct() == set(expected)
        assert part.is_unique() == (len(set(expected)) == len(expected))
        assert part.has_empty() == ("" in expected)
        assert part.has_blank() == any(not text or text.isspace() for text in expected)
        assert pa.array(part, pa.string()).to_pylist() == expected


@pytest.mark.parametrize("space", SPACES)
def test_all_that_python_takes_for_white_space_is_blank(space: str) -> None:
    assert column(["a", space]).has_blank() and column(["a"], [space * 2]).has_blank()
    assert not column([f"{space}a{space}", "a" + space, space + "a"]).has_blank()


def test_numbers_are_those_of_rows() -> None:
    assert numbers(1001) == [str(row) for row in range(1, 1002)]


def test_a_fingerprint_does_not_depend_on_chunks() -> None:
    values = {"id": ["a", "b", "c"], "source": ["é", "水", "x"], "target": ["", "", ""]}
    chunked = {role: column(texts[:1], [], texts[1:]) for role, texts in values.items()}
    assert fingerprint(to_table(Kind.BITEXT, chunked, "here")) == fingerprint(to_table(Kind.BITEXT, values, "here"))
