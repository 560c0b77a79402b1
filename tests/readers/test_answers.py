"""Questions about contexts: layouts, answers and the places where they stand."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.data.readers.options import Options
from isthmus.data.readers.read import read_rows
from isthmus.data.readers.rows import Rows
from isthmus.data.schema import Kind, fingerprint, to_table
from isthmus.errors import DataError

CONTEXT = "Ada wrote it. 𝄞 Bob read it in 1843, 1843 times."


def question(name: str, text: str | None, start: Any = None, **more: Any) -> dict[str, Any]:
    answers = [] if text is None else [{"text": text, "answer_start": start}]
    return {"id": name, "question": f"{name}?", "answers": answers, **more}


def squad(folder: Path, *questions: dict[str, Any], bare: bool = False, indent: int | None = None) -> Path:
    path = folder / "squad.json"
    articles = [{"title": "T", "paragraphs": [{"context": CONTEXT, "qas": list(questions)}]}]
    path.write_text(json.dumps(articles if bare else {"data": articles}, indent=indent), encoding="utf-8")
    return path


def places(rows: Rows) -> list[tuple[list[str], list[int]]]:
    return list(zip(rows.values["answers"], rows.values["answer_starts"], strict=True))


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("indent", [None, 1])
def test_squad_files_are_read_whatever_is_around_the_articles(tmp_path: Path, bare: bool, indent: int | None) -> None:
    rows = read_rows(squad(tmp_path, question("a", "Bob", 16), question("b", "Ada", 0), bare=bare, indent=indent))
    assert (rows.kind, rows.values["id"], rows.values["group"]) == (Kind.SPAN, ["a", "b"], ["paragraph 1"] * 2)
    assert places(rows) == [(["Bob"], [16]), (["Ada"], [0])], "starts count code points"


def test_questions_without_an_answer_are_kept(tmp_path: Path) -> None:
    rows = read_rows(squad(tmp_path, question("a", "Ada", 0), question("b", None, is_impossible=True)))
    assert places(rows) == [(["Ada"], [0]), ([], [])]
    contradictory = question("b", "Ada", 0, is_impossible=True)
    with pytest.raises(DataError, match="question 'b': 'is_impossible' is true, but there are answers"):
        read_rows(squad(tmp_path, contradictory))
    with pytest.raises(DataError, match="question 'b': 'is_impossible' is false, but there is no answer"):
        read_rows(squad(tmp_path, question("a", "Ada", 0), question("b", None, is_impossible=False)))


def test_nested_and_flat_files_of_the_same_questions_are_the_same_rows(tmp_path: Path) -> None:
    nested = read_rows(squad(tmp_path, question("a", "Bob", 16), question("b", "Ada", 0)))
    rows = [("a", "Bob", 16), ("b", "Ada", 0)]
    flat = [
        {"id": i, "context": CONTEXT, "question": f"{i}?", "answers": {"text": [text], "answer_start": [start]}}
        for i, text, start in rows
    ]
    (tmp_path / "lines.json").write_text("".join(json.dumps(row) + "\n" for row in flat), encoding="utf-8")
    (tmp_path / "array.json").write_text(json.dumps(flat, indent=2), encoding="utf-8")
    (tmp_path / "data.json").write_text(json.dumps({"data": flat}), encoding="utf-8")
    table = "".join(f'{i}\t{i}?\t{text}\t{start}\t"{CONTEXT}"\n'.replace('"', "") for i, text, start in rows)
    (tmp_path / "a.tsv").write_text("id\tquestion\tanswer_text\tanswer_start\tcontext\n" + table, encoding="utf-8")
    prints = set()
    for name in ("squad.json", "lines.json", "array.json", "data.json", "a.tsv"):
        found = read_rows(tmp_path / name)
        prints.add(fingerprint(to_table(found.kind, found.values, name)))
    assert prints == {fingerprint(to_table(Kind.SPAN, nested.values, "nested"))}


@pytest.mark.parametrize(
    "text, start, place",
    [
        ("Bob", 15, 16),
        ("Bob", 400, 16),
        ("Bob", 10**30, 16),
        ("read it", None, 20),
        ("1843", 30, None),
        ("ob", 3, None),
    ],
)
def test_a_wrong_place_is_mended_where_there_is_only_one(tmp_path: Path, text: str, start: Any, place: int) -> None:
    path = squad(tmp_path, question("a", "Ada", 0), question("b", text, start))
    if place is None:
        with pytest.raises(DataError, match=f"question 'b': the answer '{text}' does not stand"):
            read_rows(path)
        rows = read_rows(path, options=Options(lost_answers="drop"))
        assert places(rows) == [(["Ada"], [0])]
        assert [note.times for note in rows.notes] == [1, 1]
    else:
        rows = read_rows(path)
        assert places(rows)[1] == ([text], [place])
        assert [note.times for note in rows.notes] == [1] and "the one" in rows.notes[0].what


@pytest.mark.parametrize(
    "qa, said",
    [
        (question("b", "no", -1), "question 'b': the answer 'no' starts at -1, which is no place"),
        (question("b", "", 3), "question 'b': an answer is empty"),
        (question("b", "Ada", "x"), "question 'b': the start of an answer must be a whole number, not 'x'."),
        (question("b", "Ada", 1.5), "question 'b': the start of an answer must be a whole number"),
        ({"id": "b", "question": "?"}, "question 'b': this object has no 'answers'"),
        ({"id": "b", "question": "?", "answers": "Ada wrote naught"}, "question 'b': the answer 'Ada wrote"),
        ({"id": "b", "question": "?", "answers": {"text": ["A"], "answer_start": []}}, "question 'b': there are 1"),
        (question("b", "Ada", 0, question=" "), "question 'b': the question is empty"),
    ],
)  # fmt: skip
def test_a_bad_question_is_named(tmp_path: Path, qa: dict[str, Any], said: str) -> None:
    path = squad(tmp_path, question("a", "Ada", 0), qa)
    with pytest.raises(DataError) as refused:
        read_rows(path)
    assert str(refused.value).startswith(f"{path}, {said}")


def test_withheld_answers_are_refused_where_answers_are_needed(tmp_path: Path) -> None:
    for questions in [(question("a", "", 0), question("b", "", 0)), (question("a", None), question("b", None))]:
        path = squad(tmp_path, *questions)
        with pytest.raises(DataError, match=r"seem to be withheld.*\(labelled=False\)"):
            read_rows(path)
        rows = read_rows(path, options=Options(labelled=False))
        table = to_table(Kind.SPAN, rows.values, "here", labelled=False)
        assert (table.num_rows, table.column("answers").null_count) == (2, 2)


def test_ids_that_repeat_get_numbers(tmp_path: Path) -> None:
    names = ["a", "a#2", "a", "a", "b"]
    rows = read_rows(squad(tmp_path, *(question(name, "Ada", 0) for name in names)))
    assert rows.values["id"] == ["a", "a#2", "a#3", "a#4", "b"]
    assert [str(note) for note in rows.notes] == ["ids that repeat, numbered: 2"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(context=st.text(st.sampled_from("ab𝄞é ."), min_size=1, max_size=20), start=st.integers(-2, 25), data=st.data())
def test_what_is_read_always_stands_at_its_place(tmp_path: Path, context: str, start: int, data: Any) -> None:
    first = data.draw(st.integers(0, len(context) - 1))
    text = context[first : data.draw(st.integers(first + 1, len(context)))]
    path = tmp_path / "a.jsonl"
    row = {"context": context, "question": "?", "answer": text, "answer_start": start}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    try:
        rows = read_rows(path, Kind.SPAN)
    except DataError:
        assert not context.strip() or start < 0 or context[start : start + len(text)] != text
        return
    place = rows.values["answer_starts"][0][0]
    assert context[place : place + len(text)] == text
    assert place == start or context.count(text) == 1
