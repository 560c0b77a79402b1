"""Rows of every kind: what is refused, and a fingerprint that names rows and nothing else."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.data.schema import CANDIDATES, GOLD, SCHEMAS, SEARCHING, Kind, fingerprint, schema_of, to_table
from isthmus.errors import DataError

#: One good row of each kind.
ROWS: dict[Kind, dict[str, Any]] = {
    Kind.SEQUENCE: {"text": "rain", "label": "weather"},
    Kind.PAIR: {"text": "rain", "text_pair": "sun", "label": "no"},
    Kind.TAGGING: {"tokens": ["in", "Rome"], "tags": ["O", "B-LOC"]},
    Kind.SPAN: {"question": "where?", "context": "in 𝔯ome now", "answers": ["𝔯ome"], "answer_starts": [3]},
    Kind.CHOICE: {"text": "It rained.", "question": "", "choices": ["wet", "dry"], "answer": 0},
    Kind.BITEXT: {"source": "Regen", "target": "rain"},
    Kind.MINING: {"text": "Regen", "targets": ["en-1"]},
    Kind.RANKING: {"text": "where?", "target": "Rome", "target_context": "", "targets": ["c1"]},
    Kind.TEXT: {"text": "rain"},
}


def columns(kind: Kind, **changed: Any) -> dict[str, list[Any]]:
    return {name: [value] for name, value in {"id": "1", **ROWS[kind], **changed}.items()}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_schema_with_its_gold_among_the_columns(kind: Kind) -> None:
    table = to_table(kind, columns(kind), "rows")
    assert table.schema.names[:2] == ["id", "group"]
    assert set(GOLD[kind]) <= set(SCHEMAS[kind].names)
    assert table.column("group").to_pylist() == ["1"]  # a row shares nothing unless it says so


@pytest.mark.parametrize("kind", [kind for kind in Kind if GOLD[kind]])
def test_rows_without_labels_are_taken_only_where_none_are_needed(kind: Kind) -> None:
    bare = {name: values for name, values in columns(kind).items() if name not in GOLD[kind]}
    with pytest.raises(DataError, match="needs the column"):
        to_table(kind, bare, "rows")
    table = to_table(kind, bare, "rows", labelled=False)
    assert all(table.column(name).null_count == 1 for name in GOLD[kind])
    with pytest.raises(DataError, match="row 1 has no"):
        to_table(kind, {**bare, **{name: [None] for name in GOLD[kind]}}, "rows")


@pytest.mark.parametrize(
    ("kind", "changed", "sentence"),
    [
        (Kind.TAGGING, {"tags": ["O"]}, "row 1 has 2 tokens but 1 tags"),
        (Kind.SPAN, {"answer_starts": [4]}, "does not stand at its place"),
        (Kind.SPAN, {"answer_starts": [-8]}, "does not stand at its place"),
        (Kind.SPAN, {"answer_starts": []}, "1 answers but 0 places"),
        (Kind.CHOICE, {"answer": 2}, "the answer 2, but its choices are 0 to 1"),
        (Kind.CHOICE, {"answer": -1}, "the answer -1"),
        (Kind.CHOICE, {"answer": "first"}, "rows: "),
        (Kind.SEQUENCE, {"text": None}, "row 1 has no text"),
    ],
)
def test_a_row_that_no_stage_could_use_is_refused(kind: Kind, changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        to_table(kind, columns(kind, **changed), "rows")


def test_an_unanswerable_question_has_no_answers() -> None:
    table = to_table(Kind.SPAN, columns(Kind.SPAN, answers=[], answer_starts=[]), "rows")
    assert table.column("answers").to_pylist() == [[]]


def test_candidates_have_columns_of_their_own() -> None:
    candidates = {"id": ["a", "b"], "text": ["Rome", "Bonn"], "context": ["", "On the Rhine."]}
    for kind in SEARCHING:
        assert to_table(kind, candidates, "rows", "candidates").schema == CANDIDATES == schema_of(kind, "candidates")
        assert schema_of(kind, "dev") == SCHEMAS[kind]


def test_two_rows_of_one_id_are_refused() -> None:
    twice = {name: values * 2 for name, values in columns(Kind.TEXT).items()}
    with pytest.raises(DataError, match="the id '1' of row 2 is already that of row 1"):
        to_table(Kind.TEXT, twice, "rows")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)


@given(st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=3)), min_size=1, max_size=6), st.integers(1, 5), st.data())
def test_the_fingerprint_is_that_of_the_values(
    rows: list[tuple[str, list[str]]], cut: int, data: st.DataObject
) -> None:
    def table(values: list[tuple[str, list[str]]]) -> pa.Table:
        texts, targets = zip(*values, strict=True)
        ids = [str(number) for number in range(len(values))]
        return to_table(Kind.MINING, {"id": ids, "text": list(texts), "targets": list(targets)}, "rows")

    whole = table(rows)
    chunked = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    assert fingerprint(chunked) == fingerprint(whole)
    described = whole.replace_schema_metadata({"notes": "2 rows repaired"})
    assert fingerprint(described) == fingerprint(whole)
    row = data.draw(st.integers(0, len(rows) - 1))
    other = [*rows]
    other[row] = (rows[row][0] + "x", rows[row][1])
    assert fingerprint(table(other)) != fingerprint(whole)
    other[row] = (rows[row][0], [*rows[row][1], ""])  # a further, empty text is a difference, too
    assert fingerprint(table(other)) != fingerprint(whole)


def test_a_null_is_not_an_empty_text_and_not_a_zero() -> None:
    for kind in (Kind.SEQUENCE, Kind.CHOICE, Kind.MINING):
        name = GOLD[kind][0]
        empty = {Kind.SEQUENCE: "", Kind.CHOICE: 0, Kind.MINING: []}[kind]
        without = to_table(kind, columns(kind, **{name: None}), "rows", labelled=False)
        assert fingerprint(without) != fingerprint(to_table(kind, columns(kind, **{name: empty}), "rows"))
