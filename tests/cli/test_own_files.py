"""A file on the command line, or in a study, is a task."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus import api
from isthmus.data.files import FileSource
from isthmus.errors import SpecError
from isthmus.planning.facts import file_tasks
from isthmus.results import Example
from isthmus.store import Store
from isthmus.study.file import parse_study
from isthmus.study.spec import Study
from tests.cli.conftest import Said, refused
from tests.tiny import SENTENCES

Program = Callable[..., Said]
QUICK = ["--model", "tiny", "--set", "recipe.max_length=32", "--set", "recipe.epochs=1"]


def test_a_model_is_trained_on_a_file(finished: Path, isthmus: Program) -> None:
    said = isthmus("train", "--target", "reviews.csv", *QUICK)
    assert said.code == 0, said.err
    assert said.out.startswith("train tiny > reviews.csv, seed 1: final loss 0.")
    assert Path(said.out.rpartition("Model: ")[2].strip()).joinpath("model.safetensors.index.json").is_file()
    assert said.err.startswith(
        "train/en: reviews.csv: sequence, CSV with a header, quotation marks as in CSV; "
        "text = 'text', label = 'label', id = row number; 40 rows\n"
    )


def test_it_is_measured_on_the_files_of_other_languages(finished: Path, isthmus: Program) -> None:
    said = isthmus("train", "--target", "reviews.csv", "--test", "deu=de.tsv,sw=sw.jsonl", *QUICK, "--output", "out")
    assert said.code == 0, said.err
    assert "German" in said.out and "Swahili" in said.out and "mean (2 languages)" in said.out
    assert "test/de: de.tsv: sequence, TSV with a header" in said.err
    assert "test/sw: sw.jsonl: sequence, JSON Lines; text = 'sentence'" in said.err
    card = (finished / "out" / "README.md").read_text()
    assert "# tiny > reviews.csv" in card

    told = isthmus("evaluate", "out", "--task", "de=de.tsv,sw=sw.jsonl", *QUICK[2:4], "--json").json
    again = isthmus("train", "--target", "reviews.csv", "--test", "de=de.tsv,sw=sw.jsonl", *QUICK, "--json").json
    scores = again["tasks"]["reviews.csv"]
    mean = sum(scores["languages"].values()) / 2
    assert told == {"model": "out", "tasks": {"de=de.tsv,sw=sw.jsonl": {**scores, "mean": mean}}, "left_out": {}}
    assert again["stages_run"] == 0


def test_intermediate_tasks_may_be_files_too(finished: Path, isthmus: Program) -> None:
    said = isthmus("train", "--intermediate", "colours.csv", "--target", "reviews.csv", *QUICK, "--json")
    assert said.code == 0, said
    card = (Path(said.json["model"]) / "README.md").read_text()
    steps = [line for line in card.splitlines() if line[:2] in ("1.", "2.", "3.")]
    assert [step.split("**")[1] for step in steps] == ["tiny", "colours.csv", "reviews.csv"]
    assert all("Licence of the data: not stated" in step for step in steps[1:])


def test_a_lone_file_is_measured_as_english(finished: Path, isthmus: Program) -> None:
    model = next((finished / "store" / "stages").glob("train-*")) / "model"
    labels = json.loads((model / "config.json").read_text())["id2label"].values()
    task = "reviews.csv" if "long" in labels else "colours.csv"
    said = isthmus("evaluate", model, "--task", task, *QUICK[2:4])
    assert said.code == 0, said.err
    assert said.err.startswith(f"test/en: {task}: sequence")
    assert "English" in said.out


def test_two_texts_that_translate_each_other_are_named_with_a_plus(finished: Path, isthmus: Program) -> None:
    for language in ("sw", "en"):
        (finished / f"{language}.txt").write_text("".join(f"{language} {text}\n" for text in SENTENCES))
    length = ("--set", "recipe.max_length=32", "-q")
    told = isthmus("evaluate", "tiny", "--task", "sw=sw.txt+en.txt", *length, "--json").json
    assert set(told["tasks"]["sw=sw.txt+en.txt"]["languages"]) == {"sw"}
    said = isthmus("train", "--model", "tiny", "--target", "sw.txt+en.txt", "--test", "sw=sw.txt+en.txt", *length)
    assert said.code == 0 and "Swahili" in said.out
    assert refused(isthmus("evaluate", "tiny", "--task", "sw=sw.txt+none.txt")) == "There is no file none.txt."


def test_columns_are_named_where_the_guess_goes_wrong(finished: Path, isthmus: Program) -> None:
    rows = (finished / "reviews.csv").read_text().replace("text,label", "what,how", 1)
    (finished / "odd.csv").write_text(rows)
    refused = isthmus("train", "--target", "odd.csv", *QUICK)
    assert refused.code == 2 and refused.err.startswith("Error: odd.csv:1: it is not clear which of the 2 columns")
    said = isthmus("train", "--target", "odd.csv", "--columns", "text=what,label=how", *QUICK)
    assert said.code == 0, said.err
    assert "text = 'what', label = 'how'" in said.err
    (finished / "bare.csv").write_text(rows.partition("\n")[2])
    assert isthmus("train", "--target", "bare.csv", "--columns", "text=1,label=2", *QUICK).code == 0


def test_the_same_rows_are_the_same_task_whatever_the_file_is_called(finished: Path, isthmus: Program) -> None:
    first = isthmus("train", "--target", "reviews.csv", *QUICK, "--json").json
    (finished / "data").mkdir()
    (finished / "reviews.csv").rename(finished / "data" / "renamed.csv")
    second = isthmus("train", "--target", "data/renamed.csv", *QUICK, "--json").json
    assert second["key"] == first["key"] and (first["stages_run"], second["stages_run"]) == (1, 0)


def test_a_study_names_files_directly_or_says_more_about_them() -> None:
    text = """
    targets: [reviews, plain.csv, measured]
    intermediates: [none, nli.tsv]
    files:
      reviews: {train: data/en.csv, test: {de: data/de.csv}, columns: {text: 1, label: 3}, language: en}
      plain.csv: {test: {no: no.csv, sw: [sw.txt, en.txt]}}
      measured: {test: {de: de.csv}, kind: pair}
    """
    study = parse_study(text, "s.yaml")
    found = file_tasks(study)
    assert {name: files.train for name, files in found.items()} == {
        "reviews": "data/en.csv",
        "plain.csv": "plain.csv",
        "nli.tsv": "nli.tsv",
        "measured": None,
    }
    assert found["plain.csv"].test == {"no": "no.csv", "sw": ("sw.txt", "en.txt")}, "Norwegian is not a truth value"
    assert parse_study(api.study_yaml(study), "again") == study


def test_files_that_are_not_used_change_no_key(finished: Path) -> None:
    plain = Study.model_validate({"targets": ["intents"]})
    assert "files" not in api.study_yaml(plain)
    study = api.load_study("study.yaml")
    keys = api.make_plan(study, Store.open(finished / "store")).stages.keys()
    assert keys == {path.name for path in (finished / "store" / "stages").iterdir()}
    named = study.model_dump(exclude_defaults=True)
    named["targets"] = ["mine"]
    named["files"] = {"mine": {"train": "reviews.csv", "test": {"de": "de.tsv", "sw": "sw.jsonl"}}}
    assert api.make_plan(Study.model_validate(named), Store.open(finished / "store")).stages.keys() == keys


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"targets": ["reviews.csv"]}, "reviews.csv has no files to measure on: name one for each language"),
        ({"targets": ["mine"], "files": {"mine": {}}}, "files.mine names no file"),
        ({"targets": ["intents"], "files": {"mine": {"train": "a.csv"}}}, "files.mine: the study has no such name"),
        ({"targets": ["none.csv"]}, "There is no file none.csv"),
        (
            {"targets": ["reviews.csv"], "files": {"reviews.csv": {"test": {"de": "de.tsv"}, "kind": "pear"}}},
            "There is no kind of task called 'pear': did you mean pair",
        ),
    ],
)
def test_a_study_whose_files_make_no_task_is_refused(finished: Path, fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(Exception, match=sentence.replace(".", r"\.")) as caught:
        api.make_plan(Study.model_validate(fields), Store.open(finished / "store"))
    assert "\n" not in str(caught.value)


def test_an_unknown_task_is_not_taken_for_a_file(finished: Path) -> None:
    with pytest.raises(SpecError, match="No task is called 'intnts': did you mean intents"):
        api.make_plan(Study.model_validate({"targets": ["intnts"]}), Store.open(finished / "store"))
    shutil.copy("reviews.csv", "emoji-names")
    study = Study.model_validate({"targets": ["emoji-names"], "languages": ["de"]})
    task = api.make_plan(study, Store.open(finished / "store")).tasks["emoji-names"]
    assert not isinstance(task.source, FileSource), "a file does not stand before a task of the same name"


def test_status_and_report_find_the_files_from_anywhere(
    finished: Path, isthmus: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert isthmus("run", "study.yaml").code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store = finished / "store"
    assert isthmus("status", "small", "--store", store, "--json").json["stages"]
    assert isthmus("status", "--store", store, "--json").json["studies"]["small"]["done"] == 8
    assert isthmus("report", "--store", store).code == 0


def test_a_run_can_leave_test_examples_out_of_its_report(
    finished: Path, isthmus: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Example(
        "", "colours.csv", "reviews.csv", "de", "1", (("text", "a b"),), "long", "short", "long", 1, 0, 100, 1
    )
    monkeypatch.setattr("isthmus.collect.examples_of", lambda *_: (one,))
    page = finished / "store" / "studies" / "small" / "report.html"
    assert isthmus("run", "study.yaml").code == isthmus("report").code == 0
    assert "examples-note" in page.read_text()
    assert isthmus("run", "study.yaml", "--no-examples", "-q").code == 0
    assert "examples-note" not in page.read_text()


def test_a_name_that_looks_like_markup_is_shown_as_it_is(finished: Path, isthmus: Program) -> None:
    shutil.copy("reviews.csv", "[red]x[bold].csv")
    said = isthmus("train", "--target", "[red]x[bold].csv", "--test", "de=de.tsv", *QUICK)
    assert said.code == 0, said.err
    assert "train tiny > [red]x[bold].csv, seed 1: final loss" in said.out
    assert "[red]x[bold].csv with tiny, accuracy" in said.out
