"""Plain texts, and queries with the candidates they are looked for among."""

import json
from pathlib import Path
from typing import Any

import pytest

from isthmus.data.readers.options import Options
from isthmus.data.readers.read import read_candidates, read_rows
from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError, SpecError


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "content, texts, groups",
    [
        ("eine Zeile\r\nnoch eine\r\n", ["eine Zeile", "noch eine"], None),
        ("a b\nc\n\n\nd", ["a b", "c", "d"], ["document 1", "document 1", "document 2"]),
        ("\ufeffone\u2028line\x0c\n", ["one\u2028line\x0c"], None),
    ],
)
def test_a_text_is_one_a_line_and_empty_lines_set_documents_apart(
    tmp_path: Path, content: str, texts: list[str], groups: list[str] | None
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content.encode())
    rows = read_rows(path)
    assert (rows.kind, rows.values["text"], rows.values.get("group")) == (Kind.TEXT, texts, groups)
    table = to_table(Kind.TEXT, rows.values, "here")
    assert table.column("group").to_pylist() == (groups or table.column("id").to_pylist())


def test_any_column_of_texts_will_do_where_texts_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text\n"a, b"\nc\n', encoding="utf-8")
    (tmp_path / "a.tsv").write_text("label\ttext\nx\ta\ny\tb\n", encoding="utf-8")
    lines(tmp_path / "a.jsonl", {"content": "a", "label": 1})
    (tmp_path / "tokens.txt").write_text("a O\nb O\n\nc O\n", encoding="utf-8")
    found = [read_rows(tmp_path / name, Kind.TEXT).values["text"] for name in ("a.csv", "a.tsv", "a.jsonl")]
    assert found == [["a, b", "c"], ["a", "b"], ["a"]]
    assert read_rows(tmp_path / "tokens.txt").kind is Kind.TAGGING, "tokens and tags are no prose"
    with pytest.raises(SpecError, match="a plain text has no columns and no labels"):
        read_rows(tmp_path / "tokens.txt", Kind.PAIR, Options(form="text"))


def test_queries_and_candidates_are_two_files(tmp_path: Path) -> None:
    queries = lines(
        tmp_path / "q.jsonl",
        {"id": "1", "text": "eins", "targets": ["one"]},
        {"id": "2", "text": "zwei", "targets": ["two", "one"]},
    )
    candidates = lines(
        tmp_path / "c.jsonl", {"id": "one", "text": "One", "context": "One, two."}, {"id": "two", "text": "Two"}
    )
    ranking = read_rows((queries, candidates))
    assert ranking.kind is Kind.RANKING
    assert to_table(Kind.RANKING, ranking.values, "q").select(["target", "target_context"]).to_pylist() == [
        {"target": "One", "target_context": "One, two."},
        {"target": "Two", "target_context": ""},
    ]
    mining = read_rows((queries, candidates), Kind.MINING)
    assert mining.values["targets"] == [["one"], ["two", "one"]]
    table = to_table(Kind.MINING, read_candidates((queries, candidates), Kind.MINING).values, "c", "candidates")
    assert table.select(["id", "text", "context"]).to_pylist() == [
        {"id": "one", "text": "One", "context": "One, two."},
        {"id": "two", "text": "Two", "context": ""},
    ]
    unlabelled = read_rows((queries, candidates), Kind.RANKING, Options(labelled=False))
    assert "targets" not in unlabelled.values


def test_sentences_that_have_no_translation_are_mined_but_not_ranked(tmp_path: Path) -> None:
    queries = lines(tmp_path / "q.jsonl", {"text": "eins", "targets": ["1"]}, {"text": "hm", "targets": []})
    candidates = lines(tmp_path / "c.jsonl", {"id": "1", "text": "one"})
    assert read_rows((queries, candidates)).kind is Kind.MINING
    with pytest.raises(DataError, match=r"q\.jsonl:2: this query has no target"):
        read_rows((queries, candidates), Kind.RANKING)


@pytest.mark.parametrize(
    "query, candidate, said",
    [
        ({"text": "a", "targets": ["3"]}, {"id": "1", "text": "x"}, "q.jsonl:1: the target '3' is the id of no"),
        ({"text": "a", "targets": "1"}, {"id": "1", "text": "x"}, "q.jsonl:1: 'targets' must be a list of"),
        ({"text": "a", "targets": ["1"]}, {"text": "x"}, "c.jsonl:1: a candidate needs 'id'"),
        ({"text": "a", "targets": ["1"]}, {"id": "1", "text": ""}, "c.jsonl:1: the text is empty"),
    ],
)  # fmt: skip
def test_targets_that_are_not_there_are_named(tmp_path: Path, query: Any, candidate: Any, said: str) -> None:
    place = lines(tmp_path / "q.jsonl", query), lines(tmp_path / "c.jsonl", candidate)
    with pytest.raises(DataError) as refused:
        read_rows(place, Kind.MINING)
    assert str(refused.value).startswith(f"{tmp_path}/{said}")


def test_one_file_of_queries_is_not_enough(tmp_path: Path) -> None:
    path = lines(tmp_path / "q.jsonl", {"text": "a", "targets": ["1"]})
    with pytest.raises(SpecError, match="a ranking task needs two files, the queries and their candidates"):
        read_rows(path, Kind.RANKING)
