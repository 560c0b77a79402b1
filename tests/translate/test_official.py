"""The files that XTREME released are read into the schema of their kind, and what is wrong with them is told."""

import json
from pathlib import Path

import pytest

from isthmus.data.provenance import provenance
from isthmus.data.schema import Kind
from isthmus.errors import DataError, SpecError
from isthmus.translate.official import OfficialTranslation, official_translation

XNLI = (
    'He said "no".\tHe spoke.\tEr sagte "nein".\tEr sprach.\tentailment\n'
    "It rains.\tIt is dry.\tEs regnet.\tEs ist trocken.\tcontradictory\n"
    "It rains.\tIt is late.\tEs regnet.\tEs ist spät.\tneutral\n"
)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_xnli_has_five_columns_quotation_marks_that_mean_nothing_and_a_label_of_another_spelling(
    tmp_path: Path,
) -> None:
    write(tmp_path / "XNLI/translate-train/en-de-translated.tsv", XNLI)
    table = official_translation(tmp_path, "xnli", Kind.PAIR, "de")
    assert table.column("text").to_pylist() == ['Er sagte "nein".', "Es regnet.", "Es regnet."]
    assert table.column("text_pair").to_pylist() == ["Er sprach.", "Es ist trocken.", "Es ist spät."]
    assert table.column("label").to_pylist() == ["entailment", "contradiction", "neutral"]
    assert table.column("group").to_pylist()[1:] == ["It rains."] * 2
    assert official_translation(tmp_path, "mnli", Kind.PAIR, "deu").equals(table)


def test_it_is_a_source_of_rows_that_is_known_by_the_content_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "XNLI/translate-train/en-de-translated.tsv"
    write(path, XNLI)
    source = OfficialTranslation(tmp_path, "xnli", Kind.PAIR, "de")
    before = source.identity()
    assert source.load("train", "de").equals(official_translation(tmp_path, "xnli", Kind.PAIR, "de"))
    write(path, XNLI + XNLI)
    assert source.identity() != before
    with pytest.raises(DataError, match="training rows in de alone"):
        source.load("test", "de")


def test_lines_of_pawsx_that_were_filled_wrongly_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = ["a\tb\tä\tbé\t1", "c\td\tcé", "e\tf\té\tfé\tNS", "g\th\t\thé\t0", "i\tj\ti2\tj2\t0"]
    write(tmp_path / "en-fr-translated.tsv", "\n".join(rows) + "\n")
    table = official_translation(tmp_path, "pawsx", Kind.PAIR, "fr")
    assert table.column("id").to_pylist() == ["1", "5"]
    assert table.column("label").to_pylist() == ["1", "0"]
    assert provenance(table) == (5, "", ("lines left out, short or without a label or a text: 3",))


def test_the_older_form_that_the_scripts_of_xtreme_read_has_three_columns(tmp_path: Path) -> None:
    write(tmp_path / "XNLI-Translated/en-sw-translated.tsv", "Moja.\tMbili.\tcontradiction\n")
    table = official_translation(tmp_path, "xnli", Kind.PAIR, "sw")
    assert table.select(["text", "text_pair", "label"]).to_pylist() == [
        {"text": "Moja.", "text_pair": "Mbili.", "label": "contradiction"}
    ]


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ("squad", "SQuAD/translate-train/squad.translate.train.en-de.json"),
        ("mlqa", "squad/translate-train/squad.translate.train.en-de.json"),
        ("tydiqa", "TyDiQA-GoldP/translate-train/tydiqa.translate.train.en-de.json"),
    ],
)
def test_questions_are_in_the_layout_of_squad_and_those_whose_answer_was_lost_are_left_out(
    tmp_path: Path, task: str, path: str
) -> None:
    context = "Die Lampe ist grün. Das Boot ist klein."
    questions = [
        {"id": "1", "question": "Was ist grün?", "answers": [{"text": "Die Lampe", "answer_start": 0}]},
        {"id": "2", "question": "Was ist klein?", "answers": [{"text": "Das Schiff", "answer_start": 20}]},
    ]
    articles = [{"title": "t", "paragraphs": [{"context": context, "qas": questions}]}]
    write(tmp_path / path, json.dumps({"version": "1.1", "data": articles}))
    table = official_translation(tmp_path, task, Kind.SPAN, "de")
    assert table.column("id").to_pylist() == ["1"]
    assert table.column("answers").to_pylist() == [["Die Lampe"]]
    assert provenance(table).rows == 2


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no XNLI/translate-train/en-de-translated\.tsv, .* into German"):
        official_translation(tmp_path, "xnli", Kind.PAIR, "de")
    with pytest.raises(SpecError, match="XTREME has no translations of the training rows of udpos"):
        official_translation(tmp_path, "udpos", Kind.TAGGING, "de")
    write(tmp_path / "XNLI/translate-train/en-de-translated.tsv", "one\ttwo\n")
    with pytest.raises(DataError, match="there are 2 columns, not 5"):
        official_translation(tmp_path, "xnli", Kind.PAIR, "de")
