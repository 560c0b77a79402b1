"""MultiCheckList: cases that pass as a whole, by test and language."""

import json
from pathlib import Path
from typing import Any

import pytest

from isthmus.errors import DataError
from isthmus.evaluate.official.multichecklist import clean, error_rates
from isthmus.evaluate.official.output import document, tables
from isthmus.evaluate.official.scoring import score_folders
from isthmus.tasks.suites import suite
from tests.evaluate.conftest import write_tree


def case(test: str, *questions: tuple[str, str]) -> dict[str, Any]:
    asked = [{"id": name, "question": "?", "answers": [{"text": text}]} for name, text in questions]
    return {"title": test, "paragraphs": [{"context": "-", "qas": asked}]}


CASES = [
    case("Animal vs Vehicle v2", ("a", "Ana"), ("b", "Ben")),
    case("Animal vs Vehicle v2", ("c", "Cy")),
    case("Animal vs Vehicle", ("d", "ein Pferd")),
]


def labels(folder: Path, cases: Any = None) -> Path:
    return write_tree(folder, {"l/test-de.json": json.dumps({"data": cases or CASES})}) / "l"


def test_a_case_passes_when_all_its_answers_are_right(tmp_path: Path) -> None:
    golds = labels(tmp_path)
    write_tree(tmp_path, {"p/test-de.json": json.dumps({"a": "Ana", "b": "ben", "c": "Cy. ", "d": "Pferd"})})
    found = error_rates(tmp_path / "p", golds)
    assert found.rates == {"de": {"animal_vehicle_v2": 50.0, "animal_vehicle": 0.0}}
    assert found.cases == {"de": {"animal_vehicle_v2": 2, "animal_vehicle": 1}}
    assert found.mean == 25


def test_the_text_files_of_the_published_script(tmp_path: Path) -> None:
    golds = labels(tmp_path)
    files = {"de_animal_vehicle_v2_xlmr_preds.txt": "Ana\nBen\n\n", "de_animal_vehicle_xlmr_preds.txt": "Pferd\n"}
    write_tree(tmp_path / "p", files)
    assert error_rates(tmp_path / "p", golds).rates["de"] == {"animal_vehicle_v2": 50, "animal_vehicle": 0}
    write_tree(tmp_path / "p", {"de_animal_vehicle_xlmr_preds.txt": "Pferd\nEsel\n"})
    with pytest.raises(DataError, match=r"has 2 lines, but the test animal_vehicle in .* has 1 questions"):
        error_rates(tmp_path / "p", golds)
    write_tree(tmp_path / "p", {"de_animal_vehicle_mbert_preds.txt": "Pferd\n"})
    with pytest.raises(DataError, match="several models"):
        error_rates(tmp_path / "p", golds)


def test_articles_and_punctuation_do_not_count() -> None:
    assert clean("the table.", "en") == "table"
    assert clean("The table", "en") == "The table"
    assert clean("„stół”, ", "pl") == "stół"
    assert clean("ein Pferd", "de") == clean(" Pferd.", "de")
    assert clean("un cheval", "xx") == "un cheval"


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(DataError, match=r"has no predictions for .*: test-de\.json is missing"):
        error_rates(tmp_path / "p", labels(tmp_path))
    with pytest.raises(DataError, match=r"question 1 \(a\) has the id of article 1, .*: ids must differ"):
        error_rates(tmp_path / "p", labels(tmp_path, [CASES[0], CASES[0]]))
    with pytest.raises(DataError, match="article 1 has no title"):
        error_rates(tmp_path / "p", labels(tmp_path, [{"paragraphs": []}]))
    with pytest.raises(DataError, match="holds no file such as"):
        error_rates(tmp_path / "p", tmp_path / "p")


def test_it_stands_beside_the_suite_and_in_no_average(tmp_path: Path) -> None:
    answers = json.dumps({"a": "Ana", "b": "Ben", "c": "Cy", "d": "Esel"})
    content = {"l/multichecklist/test-de.json": json.dumps(CASES), "p/multichecklist/test-de.json": answers}
    write_tree(tmp_path, content)
    scored = score_folders(tmp_path / "p", tmp_path / "l", suite("xtreme-r"), tasks=["multichecklist"])
    found = document(scored)
    assert list(found) == ["isthmus"]
    assert found["isthmus"]["multichecklist"]["by_test"] == {"animal_vehicle_v2": 0, "animal_vehicle": 100}
    assert tables(scored)
