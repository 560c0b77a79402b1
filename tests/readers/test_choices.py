"""Files of choices: where the choices are, and what the answers count from."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.data.readers.options import LabelBase, Options
from isthmus.data.readers.read import read_rows
from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError, SpecError


def objects(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def three(*answers: Any, choices: tuple[str, ...] = ("x", "y", "z")) -> list[dict[str, Any]]:
    return [{"context": "c", "question": "q", "choices": list(choices), "label": answer} for answer in answers]


@pytest.mark.parametrize(
    "row, expected",
    [
        ({"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "label": 0}, ("p", "cause", ["a", "b"])),
        ({"context": "c", "question": "q", "answerA": "a", "answerB": "b", "label": "A"}, ("c", "q", ["a", "b"])),
        ({"context": "c", "question": "q", "answer0": "a", "answer1": "b", "label": 0}, ("c", "q", ["a", "b"])),
        ({"question": "q", "A": "a", "B": "b", "C": "c", "answer": "A"}, ("q", "", ["a", "b", "c"])),
        ({"ctx": "c", "endings": ["a", "b"], "label": "0"}, ("c", "", ["a", "b"])),
        ({"goal": "g", "sol1": "a", "sol2": "b", "label": 0}, ("g", "", ["a", "b"])),
        ({"question": {"stem": "s", "choices": [{"label": "A", "text": "a"}, {"label": "B", "text": "b"}]},
          "answerKey": "A"}, ("s", "", ["a", "b"])),
        ({"id": "1", "question": "s", "choices": {"label": ["1", "2"], "text": ["a", "b"]}, "answerKey": "1"},
         ("s", "", ["a", "b"])),
        ({"article": "c", "question": "q", "options": ["a", "b"], "answer": "a"}, ("c", "q", ["a", "b"])),
    ],
)  # fmt: skip
def test_the_layouts_of_published_sets_are_known(tmp_path: Path, row: dict[str, Any], expected: Any) -> None:
    rows = read_rows(objects(tmp_path, row))
    assert rows.kind is Kind.CHOICE
    assert to_table(Kind.CHOICE, rows.values, "here").select(["text", "question", "choices", "answer"]).to_pylist() == [
        {"text": expected[0], "question": expected[1], "choices": expected[2], "answer": 0}
    ]


@pytest.mark.parametrize(
    "answers, positions, base",
    [
        ((0, 2), [0, 2], 0),
        (("1", "3"), [0, 2], 1),
        (("a", "C"), [0, 2], "A"),
        (("y", "z"), [1, 2], "text"),
    ],
)
def test_the_answers_of_a_file_show_what_they_count_from(
    tmp_path: Path, answers: Any, positions: list[int], base: LabelBase
) -> None:
    rows = read_rows(objects(tmp_path, *three(*answers, choices=("xx", "y", "z") if base == "A" else ("x", "y", "z"))))
    assert (rows.values["answer"], rows.label_base) == (positions, base)


@pytest.mark.parametrize(
    "answers, choices, said",
    [
        ((1, 2, 1), "xyz", "a.jsonl:1: the answers (1, 2) may be meant as numbers from 0 or as numbers from 1; say it"),
        ((0, 3), "xyz", "a.jsonl:2: the answer 3 counts 3 choices from 1, but the answer 0 (line 1) counts from 0."),
        ((0, 4), "xyz", "a.jsonl:2: the answer '4' is none of the 3 choices; they are read as numbers from 0."),
        ((3, 4), "xyz", "a.jsonl:2: the answer '4' is none of the 3 choices; they are read as numbers from 1."),
        (("b", "c"), "bca", "a.jsonl:1: the answers (b, c) may be meant as letters or as the words of the choice"),
        (
            (2, 2),
            "123",
            "a.jsonl:1: the answers (2) may be meant as numbers from 0 or as numbers from 1 or as the words",
        ),
        ((-1, -1), "xyz", "a.jsonl:1: every answer is '-1': they seem to be withheld"),
        (
            (1, 2.5),
            "xyz",
            "a.jsonl:2: 'label' must be a whole number, a letter or a text, not a number with a fraction.",
        ),
        (("x", "none"), "xyz", "a.jsonl:2: the answer 'none' is none of the 3 choices"),
    ],
)
def test_answers_that_could_be_misread_are_refused(tmp_path: Path, answers: Any, choices: str, said: str) -> None:
    with pytest.raises(DataError) as refused:
        read_rows(objects(tmp_path, *three(*answers, choices=tuple(choices))))
    assert str(refused.value).removeprefix(f"{tmp_path}/").startswith(said)


@pytest.mark.parametrize(
    "base, positions", [(0, [1, 1]), (1, [0, 0]), ("text", [2, 2]), ("1", [0, 0])]
)  # "1": as the command line gives it
def test_what_they_count_from_can_be_said_among_the_columns(tmp_path: Path, base: Any, positions: list[int]) -> None:
    path = objects(tmp_path, *three(1, 1, choices=("2", "3", "1")))
    assert read_rows(path, options=Options(columns={"label_base": base})).values["answer"] == positions
    with pytest.raises(SpecError, match="label_base is 'zero': give 0, 1, 'A' or 'text'"):
        read_rows(path, options=Options(columns={"label_base": "zero"}))


def test_choices_may_be_columns_of_a_table_and_labels_lines_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frage,eins,zwei\nwas?,ja,nein\nwie?,so,anders\n", encoding="utf-8")
    (tmp_path / "a-labels.lst").write_text("2\n1\n", encoding="utf-8")
    columns: dict[str, str | int] = {"text": "frage", "choice1": "eins", "choice2": "zwei"}
    rows = read_rows((tmp_path / "a.csv", tmp_path / "a-labels.lst"), Kind.CHOICE, Options(columns=columns))
    assert (rows.values["choices"], rows.values["answer"]) == ([["ja", "nein"], ["so", "anders"]], [1, 0])
    (tmp_path / "a-labels.lst").write_text("2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.csv has 2 rows but .*a-labels\.lst has 1 labels, one a line"):
        read_rows((tmp_path / "a.csv", tmp_path / "a-labels.lst"), Kind.CHOICE, Options(columns=columns))


def test_a_choice_needs_choices(tmp_path: Path) -> None:
    for choices, said in [(["x"], "two choices or more, not 1"), ([], "not 0"), (["x", ""], "the choice 2 is empty")]:
        with pytest.raises(DataError, match=said):
            read_rows(objects(tmp_path, {"question": "q", "choices": choices, "label": 0}), Kind.CHOICE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(2, 5), min_size=1, max_size=8), base=st.sampled_from([0, 1, "A", "text"]), data=st.data()
)
def test_answers_are_read_as_written_or_refused(tmp_path: Path, sizes: list[int], base: LabelBase, data: Any) -> None:
    positions = [data.draw(st.integers(0, size - 1)) for size in sizes]
    texts = [[f"word {n}" for n in range(size)] for size in sizes]
    spell = {0: str, 1: lambda n: str(n + 1), "A": lambda n: "ABCDE"[n], "text": lambda n: f"word {n}"}[base]
    rows = [
        {"question": "q", "choices": row, "answer": spell(position)}
        for row, position in zip(texts, positions, strict=True)
    ]
    path = objects(tmp_path, *rows)
    assert read_rows(path, options=Options(label_base=base)).values["answer"] == positions
    try:
        assert read_rows(path).values["answer"] == positions
    except DataError as error:
        assert "may be meant" in str(error) and base in (0, 1)
