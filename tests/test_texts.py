"""The unlabelled text of rows of every kind: each text once, whole, and named by its content."""

import json
from typing import Any

import pyarrow as pa
import pytest

from isthmus.data.readers.read import read_rows
from isthmus.data.schema import SCHEMAS, Kind, check_table, to_table
from isthmus.data.spacing import sentence
from isthmus.data.texts import texts_of
from tests.questions import QA, real, squad

DATA = QA.parent


def rows(kind: Kind, path: str) -> pa.Table:
    found = read_rows(DATA / path, kind)
    return to_table(kind, found.values, path)


def texts(kind: Kind, table: pa.Table) -> list[str]:
    """Checked against what holds of all kinds."""
    found = texts_of(kind, table)
    assert found.schema.equals(SCHEMAS[Kind.TEXT])
    check_table(Kind.TEXT, found, "test")
    values: list[str] = found.column("text").to_pylist()
    assert len(set(values)) == len(values) and all(map(str.strip, values))
    assert set(found.column("group").to_pylist()) <= set(table.column("group").to_pylist())
    half = texts_of(kind, table.take(list(range(len(table)))[::-2]))
    assert set(map(tuple, zip(half.column("id").to_pylist(), half.column("text").to_pylist(), strict=True))) <= set(
        zip(found.column("id").to_pylist(), values, strict=True)
    ), "a text has the same id whatever it comes with"
    return values


@real
def test_premises_and_hypotheses_are_texts_of_their_own() -> None:
    lines = (DATA / "nli/sick/SICK_train.txt").read_text(encoding="utf-8").split("\n")[1:-1]
    cells = [line.split("\t") for line in lines]
    columns = {
        "id": [cell[0] for cell in cells],
        "text": [cell[1] for cell in cells],
        "text_pair": [cell[2] for cell in cells],
        "label": [cell[4] for cell in cells],
    }
    found = texts(Kind.PAIR, to_table(Kind.PAIR, columns, "test"))
    assert set(found) == {*columns["text"], *columns["text_pair"]}
    assert found[0] == cells[0][1]
    assert len(found) < 1.5 * len(cells), "most sentences of SICK are in several pairs"


@real
def test_a_context_is_there_once_however_many_questions_it_has() -> None:
    table = squad("xquad/xquad.zh.json")
    found = texts(Kind.SPAN, table)
    contexts = list(dict.fromkeys(table.column("context").to_pylist()))
    assert found[: len(contexts)] == contexts and len(contexts) == 240
    assert set(found[len(contexts) :]) == set(table.column("question").to_pylist())


@real
@pytest.mark.parametrize(("language", "share"), [("en", 1.0), ("zh", 0.1), ("ja", 0.1)])
def test_tokens_are_joined_as_their_script_is_written(language: str, share: float) -> None:
    table = rows(Kind.TAGGING, f"ner/panx/dev-{language}.tsv")
    found = texts(Kind.TAGGING, table)
    words = table.column("tokens").to_pylist()
    assert "".join(found[0].split()) == "".join(words[0]).replace(" ", "")
    gaps = sum(len(row) - 1 for row in words)
    assert sum(text.count(" ") for text in found) <= share * gaps
    if language == "en":
        assert found[0] == " ".join(words[0])


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("die Lampe ist grün .", "die Lampe ist grün ."),
        ("한국어 문장", "한국어 문장"),
        ("他 在 1 9 9 8 年", "他在1998年"),
        ("彼 は New York に いる 。", "彼はNew Yorkにいる。"),
        ("แมว สี ดำ", "แมวสีดำ"),
    ],
)
def test_only_scripts_with_spaces_have_them(tokens: str, text: str) -> None:
    assert sentence(tokens.split(" ")) == text
    assert sentence(["", *tokens.split(" "), ""]) == text


@real
def test_choices_and_what_they_are_about_are_texts_and_empty_questions_are_not() -> None:
    lines = (DATA / "mc/copa_en/val-en.jsonl").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    columns: dict[str, list[Any]] = {
        "id": [str(row) for row in range(len(told))],
        "text": [one["premise"] for one in told],
        "question": [""] * len(told),
        "choices": [[one["choice1"], one["choice2"]] for one in told],
        "answer": [one["label"] for one in told],
    }
    found = texts(Kind.CHOICE, to_table(Kind.CHOICE, columns, "test"))
    assert set(found) == set(columns["text"]).union(*columns["choices"])


@real
def test_of_sentence_pairs_and_queries_the_text_in_the_language_of_the_rows() -> None:
    folder = DATA / "retrieval/tatoeba_v1"
    foreign, english = (
        (folder / f"tatoeba.swh-eng.{side}").read_text(encoding="utf-8").split("\n")[:-1] for side in ("swh", "eng")
    )
    ids = list(map(str, range(len(foreign))))
    table = to_table(Kind.BITEXT, {"id": ids, "source": foreign, "target": english}, "test")
    assert texts(Kind.BITEXT, table) == list(dict.fromkeys(foreign))
    queries = to_table(Kind.MINING, {"id": ids, "text": foreign, "targets": [[] for _ in ids]}, "test")
    assert texts(Kind.MINING, queries) == list(dict.fromkeys(foreign))
    questions = squad("xquad/xquad.de.json")
    asked = {"text": questions.column("question").to_pylist(), "id": questions.column("id").to_pylist()}
    ranked = {**asked, "target": asked["text"], "target_context": asked["text"], "targets": [[] for _ in asked["id"]]}
    table = to_table(Kind.RANKING, ranked, "test")
    assert texts(Kind.RANKING, table) == list(dict.fromkeys(asked["text"]))


@real
def test_texts_with_or_without_a_label_are_texts() -> None:
    contexts = list(dict.fromkeys(squad("xquad/xquad.tr.json").column("context").to_pylist()))
    columns = {"id": list(map(str, range(len(contexts) + 2))), "text": [*contexts, contexts[0], " \u3000\n"]}
    assert texts(Kind.TEXT, to_table(Kind.TEXT, columns, "test")) == contexts
    labelled = to_table(Kind.SEQUENCE, {**columns, "label": ["x"] * len(columns["id"])}, "test")
    assert texts(Kind.SEQUENCE, labelled) == contexts


@pytest.mark.parametrize("kind", list(Kind))
def test_no_rows_have_no_texts(kind: Kind) -> None:
    assert len(texts_of(kind, SCHEMAS[kind].empty_table())) == 0
