"""Whole suites on a folder of data: what is there is measured, the rest is listed, and submissions score the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said, refused
from tests.tiny import SENTENCES

Program = Callable[..., Said]
NLI = ("entailment", "neutral", "contradiction")
ROWS = 24
QUICK = ("--set", "recipe.epochs=1", "--set", "recipe.max_length=32", "-q")
DATA = ("--data", "data", "--partial")


def label(row: int) -> str:
    return NLI[(row * row) % 3]


def nli(path: Path, labelled: bool = True) -> None:
    texts = [(SENTENCES[row % 10], SENTENCES[(row * 3 + 1) % 10] + f" {row}") for row in range(ROWS)]
    lines = ["\t".join((*pair, label(row)) if labelled else pair) for row, pair in enumerate(texts)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def tags(path: Path, language: str) -> None:
    sentences = []
    for row in range(ROWS):
        words = f"{SENTENCES[row % 10]} {row}".split()
        sentences.append("".join(f"{language}:{word}\t{'B-LOC' if word.istitle() else 'O'}\n" for word in words))
    path.write_text("\n".join(sentences) + "\n", encoding="utf-8")


@pytest.fixture
def data(here: Path) -> Path:
    """A folder as the official download leaves it, with little in it; the test labels of Hindi are taken out."""
    folder = here / "data"
    for name in ("xnli", "panx", "tatoeba"):
        (folder / name).mkdir(parents=True)
    for name in ("train-en", "test-en", "test-de", "dev-hi"):
        nli(folder / "xnli" / f"{name}.tsv")
    nli(folder / "xnli" / "test-hi.tsv", labelled=False)
    for language in ("en", "sw"):
        tags(folder / "panx" / f"test-{language}.tsv", language)
    tags(folder / "panx" / "train-en.tsv", "en")
    for suffix in ("sw", "en"):
        text = "".join(f"{suffix} {SENTENCES[row % 10]} {row}\n" for row in range(ROWS))
        (folder / "tatoeba" / f"sw-en.{suffix}").write_text(text, encoding="utf-8")
    return folder


def test_what_is_missing_is_an_error_that_says_what_and_where(data: Path, isthmus: Program) -> None:
    sentence = refused(isthmus("evaluate", "tiny", "--task", "xnli", "--train", "--data", "data", *QUICK))
    assert "xnli" in sentence and str(ROWS) in sentence and "392702" in sentence.replace(",", "")
    sentence = refused(isthmus("evaluate", "tiny", "--task", "pawsx", "--train", "--data", "data", *QUICK))
    assert "pawsx" in sentence
    sentence = refused(isthmus("evaluate", "tiny", "--task", "pawsx", "--train", *DATA, *QUICK))
    assert sentence.startswith("There are no rows of pawsx")


def test_a_suite_in_part_is_measured_as_far_as_it_goes(data: Path, isthmus: Program) -> None:
    command = ("evaluate", "tiny", "--suite", "xtreme", "--train", *DATA, *QUICK)
    told = isthmus(*command, "--json").json
    assert set(told["tasks"]) == {"xnli", "panx", "tatoeba"}
    assert set(told["tasks"]["xnli"]["languages"]) == {"en", "de", "hi"}
    assert set(told["tasks"]["panx"]["languages"]) == {"en", "sw"}
    assert set(told["tasks"]["panx"]["also"]) == {"span_f1_1.2.2", "token_accuracy"}
    assert any("dev" in note for note in told["tasks"]["xnli"]["notes"])
    assert {"pawsx", "udpos", "xquad", "mlqa", "tydiqa", "bucc2018"} <= set(told["left_out"])
    averages = told["suites"]["xtreme"]
    assert averages["all_task"] is None and averages["groups"] == {}
    assert averages["coverage"]["there"] == 6
    assert averages["tasks"]["xnli"] == pytest.approx(told["tasks"]["xnli"]["mean"])
    said = isthmus(*command)
    assert "6 of" in said.out and "which is no XTREME score" in said.out and "Not measured" in said.out


def test_languages_that_are_not_there_are_listed_beside_those_that_are(data: Path, isthmus: Program) -> None:
    nli(data / "xnli" / "test-sw.tsv", labelled=False)
    command = ("evaluate", "tiny", "--train", "--task", "xnli", *DATA, *QUICK)
    left_out = isthmus(*command, "--languages", "de,sw,ur", "--json").json["left_out"]
    assert left_out == {
        "xnli/sw": "the labels of its test split are withheld, and there is no dev split",
        "xnli/ur": "no files of it are there",
    }
    said = isthmus("evaluate", "tiny", "--train", "--suite", "xtreme", "--languages", "sw,ka,kk", *DATA, *QUICK)
    assert "tatoeba (ka, kk)" in " ".join(said.out.split())


def test_figures_of_a_part_of_the_test_set_are_in_no_average_of_a_benchmark(here: Path, isthmus: Program) -> None:
    folder = here / "data" / "xcopa"
    folder.mkdir(parents=True)
    for language in ("et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi", "zh"):
        rows = [choice(row) for row in range(500)]
        (folder / f"test-{language}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (here / "data" / "train-en.jsonl").write_text("".join(f"{json.dumps(choice(row))}\n" for row in range(8)))
    command = ("evaluate", "tiny", "--suite", "xtreme-r", "--train", "--train-on", "xcopa=copa", *DATA, *QUICK)
    told = isthmus(*command, "--limit", "3", "--json").json
    averages = told["suites"]["xtreme-r"]
    assert averages["groups"] == {} and averages["so_far"] is not None
    assert averages["coverage"]["there"] == len(averages["coverage"]["in_part"]["xcopa"]) == 11
    assert told["tasks"]["xcopa"]["notes"] == ["trained on copa: 8 of 400 rows"]
    assert "0 of 10 tasks complete, 11 of 203" in " ".join(isthmus(*command, "--limit", "3").out.split())


def choice(row: int) -> dict[str, str | int]:
    texts = {f"choice{number}": f"{SENTENCES[(row + number) % 10]} {row}" for number in (1, 2)}
    return {"idx": row, "premise": SENTENCES[row % 10], "question": "cause", **texts, "label": row % 2}


def test_a_model_as_it_is_is_measured_on_what_its_head_fits(data: Path, isthmus: Program) -> None:
    told = isthmus("evaluate", "tiny", "--suite", "xtreme", *DATA, *QUICK, "--json").json
    assert set(told["tasks"]) == {"tatoeba"}
    assert told["left_out"]["xnli"] == "tiny has no head for xnli (pair): train it on xnli first (--train does)"


def test_a_submission_needs_no_labels_and_scores_what_evaluate_says(data: Path, here: Path, isthmus: Program) -> None:
    trained = isthmus("train", "--model", "tiny", "--target", "xnli", *QUICK, "--set", "data=data", "--set",
                      "partial=true", "--output", "nli")  # fmt: skip
    assert trained.code == 0, trained.err
    measured = isthmus("evaluate", "nli", "--task", "xnli", *DATA, *QUICK, "--languages", "de,hi", "--json").json
    said = isthmus(
        "submission", "nli", "--task", "xnli", *DATA, *QUICK, "--languages", "de,hi", "--output", "handed-in"
    )
    assert said.code == 0, said.err
    for language in ("de", "hi"):
        assert len((here / f"handed-in/xnli/test-{language}.tsv").read_text().splitlines()) == ROWS
        labels = here / f"labels/xnli/test-{language}.tsv"
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text("".join(f"{label(row)}\n" for row in range(ROWS)))
    said = isthmus("submission", "nli", "--task", "data/xnli/test-de.tsv", *QUICK, "--output", "handed-in")
    assert "a file of your own" in refused(said)
    score = ("score", "--predictions", "handed-in", "--labels", "labels", "--suite", "xtreme", "--partial")
    scored = isthmus(*score, "--output", "scores.json")
    assert scored.code == 0, scored.err
    official = json.loads((here / "scores.json").read_text())
    assert measured["tasks"]["xnli"]["languages"]["de"] == pytest.approx(_found(official, "xnli")["de"])


def _found(official: object, task: str) -> dict[str, float]:
    """The accuracies by language of a task, wherever they stand in the official file."""
    assert isinstance(official, dict)
    for key, value in official.items():
        if key == task and isinstance(value, dict) and "accuracy" in value:
            return dict(value["accuracy"])
        if isinstance(value, dict) and (found := _found(value, task)):
            return found
    return {}


def test_what_a_model_is_trained_on_may_be_named(data: Path, isthmus: Program) -> None:
    command = ("evaluate", "tiny", "--task", "panx", *DATA, *QUICK, "--train-on")
    assert refused(isthmus(*command, "panx=data/panx/test-en.tsv")).startswith("--intermediate and --train-on train")
    assert refused(isthmus(*command, "panx", "--train")).startswith("--train-on takes TASK,...=TASK or FILE")
    sentence = refused(isthmus(*command, "xnli=mnli", "--train"))
    assert sentence == "--train-on names 'xnli', which is not measured: known: panx."
    told = isthmus(*command, "panx=data/panx/test-en.tsv", "--train", "--json").json
    assert set(told["tasks"]["panx"]["languages"]) == {"en", "sw"}


def test_a_wrong_name_is_answered_with_the_right_one(data: Path, isthmus: Program) -> None:
    assert (
        refused(isthmus("evaluate", "tiny", "--suite", "xtrem"))
        == "No suite is called 'xtrem': did you mean xtreme or xtreme-r?"
    )
    assert refused(isthmus("evaluate", "tiny")).startswith("Nothing to measure: name a --task or a --suite.")
    assert "no folder nowhere" in refused(isthmus("evaluate", "tiny", "--task", "xnli", "--data", "nowhere"))
    assert (
        refused(isthmus("evaluate", "tiny", "--task", "tatoeba", "--data", "data", "--layers", "-1"))
        == "--layers takes a hidden layer (0, 1, ...), last, xtreme, all, not '-1'."
    )


def test_a_sweep_chooses_a_layer_on_one_language_and_measures_the_others(data: Path, isthmus: Program) -> None:
    for suffix in ("de", "en"):
        text = "".join(f"{suffix} {SENTENCES[row % 10]} {row * row}\n" for row in range(ROWS))
        (data / "tatoeba" / f"de-en.{suffix}").write_text(text, encoding="utf-8")
    command = ("evaluate", "tiny", "--task", "tatoeba", *DATA, *QUICK, "--layers", "all")
    assert "needs a dev_language" in refused(isthmus(*command))
    assert "fr is not among the languages" in refused(isthmus(*command, "--dev-language", "fr"))
    told = isthmus(*command, "--dev-language", "de", "--json").json["tasks"]["tatoeba"]
    assert set(told["languages"]) == {"sw"}, "the dev language is not measured by its own choice"
    layers = told["layers"]
    assert layers["accuracy"]["de"][layers["layer"]] == max(layers["accuracy"]["de"])
    assert told["languages"]["sw"] == layers["accuracy"]["sw"][layers["layer"]]
    said = isthmus(*command, "--dev-language", "de")
    assert "de (dev)" in said.out and "chosen" in said.out and "German" not in said.out
