"""The intermediate stage on the command line: several tasks together, recipes by name, translated rows."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said, refused, write
from tests.translate.phrasebook import write_translator

Program = Callable[..., Said]
QUICK = ("--set", "recipe.epochs=1", "--set", "recipe.batch_size=8", "--set", "recipe.max_length=32", "-q")


def test_several_tasks_are_trained_together_and_measured_by_their_own_heads(here: Path, isthmus: Program) -> None:
    together = "reviews.csv+colours.csv"
    said = isthmus("train", "--model", "tiny", "--target", together, *QUICK, "--output", "both")
    assert said.code == 0, said.err
    assert set(json.loads(Path("both/heads.json").read_text())) == {"reviews.csv", "colours.csv"}
    card = Path("both/README.md").read_text()
    assert "reviews.csv" in card and "colours.csv" in card
    told = isthmus("evaluate", "both", "--task", "reviews.csv", *QUICK, "--json").json
    assert set(told["tasks"]) == {"reviews.csv"}
    said = isthmus("evaluate", "both", "--task", "de=de.tsv", *QUICK)
    assert "no head" in refused(said)


def test_a_mixture_stands_wherever_a_task_to_train_on_may(here: Path, isthmus: Program) -> None:
    write("mixed.yaml", Path("study.yaml").read_text().replace("colours.csv]", "colours.csv + reviews.csv]"))
    planned = isthmus("plan", "mixed.yaml", "--json").json
    (train,) = [stage for stage in planned["stages"] if "colours.csv + reviews.csv, seed" in stage["title"]]
    assert train["state"] == "waiting"
    said = isthmus("run", "mixed.yaml", *QUICK)
    assert said.code == 0, said.err
    assert "colours.csv + reviews.csv" in said.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--intermediate", "colours.csv+nope"), "No task is called 'nope'"),
        (("--intermediate", "colours.csv+colours.csv"), "names a task twice"),
        (("--set", "recipe=papier"), "preset"),
        (("--set", "recipe.patience=3"), "patience needs evaluate_every"),
        (("--set", "recipe.precision=fp16", "--device", "cpu"), "fp16 needs a CUDA device"),
        (("--set", "mixtures.sick.tasks=[reviews.csv]", "--intermediate", "sick"), "there is a task of that name"),
        (("--set", "mixtures.unused.tasks=[reviews.csv]"), "the study does not train on it"),
        (("--set", "mixtures.m={tasks: [reviews.csv], mlm: {share: 0.5}}"), "mlm needs text"),
        (("--set", "overrides.target.head=keep", "--intermediate", "colours.csv"), "cannot go on with the head"),
        (("--set", "translations.t={task: reviews.csv, into: [de]}"), "translator and into belong together"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(
    here: Path, isthmus: Program, arguments: tuple[str, ...], sentence: str
) -> None:
    said = isthmus("train", "--model", "tiny", "--target", "reviews.csv", *QUICK, *arguments)
    code = 1 if "fp16" in sentence else 2
    assert sentence in refused(said, said.code), said.err
    assert said.code in (code, 2)


def test_rows_are_translated_with_their_labels_and_can_be_trained_on(here: Path, isthmus: Program) -> None:
    write_translator(here / "nllb", steps=0)  # it knows no words, and says something
    command = ("translate", "--task", "reviews.csv", "--translator", "nllb", *QUICK)
    told = isthmus(*command, "--into", "de", "--output", "out", "--json").json["languages"]["de"]
    assert (told["rows"], told["kept"], told["translated"] + told["reused"]) == (40, 40, told["sentences"])
    rows = [json.loads(line) for line in Path(told["file"]).read_text().splitlines()]
    labels = [line.rsplit(",", 1)[1] for line in Path("reviews.csv").read_text().splitlines()[1:]]
    assert [row["label"] for row in rows] == labels
    assert "'xx'" in refused(isthmus(*command, "--into", "xx"))
    assert "nllb" in refused(isthmus(*command, "--into", "fr"), 2), "a language that this translator has not"
    translation = {"task": "reviews.csv", "translator": "nllb", "into": ["de"]}
    study = Path("study.yaml").read_text().replace("colours.csv]", "german]")
    write("german.yaml", f"{study}translations: {json.dumps({'german': translation})}\n")
    said = isthmus("run", "german.yaml", *QUICK)
    assert said.code == 0, said.err
    assert "german" in said.out


def test_translations_that_xtreme_released_are_read_from_their_folder(here: Path, isthmus: Program) -> None:
    labels = ("neutral", "contradictory", "entailment")
    lines = [f"a {row}\tb {row}\tdie Lampe {row}\tdas Boot {row}\t{labels[row % 3]}\n" for row in range(24)]
    write("released/XNLI/translate-train/en-de-translated.tsv", "".join(lines))
    released = {"task": "xnli", "files": {"de": "released"}, "keep_source": False}
    command = ("train", "--model", "tiny", "--target", "reviews.csv", *QUICK, "--intermediate", "t")
    said = isthmus(*command, "--set", f"translations.t={json.dumps(released)}", "--output", "trained")
    assert said.code == 0, said.err
    card = Path("trained/README.md").read_text()
    assert "24" in card and "de" in card
    lost = {**released, "files": {"fr": "released"}}
    assert "en-fr-translated.tsv" in refused(isthmus(*command, "--set", f"translations.t={json.dumps(lost)}"))


def test_a_translation_without_a_translator_is_a_file_in_the_form_of_the_task(here: Path, isthmus: Program) -> None:
    own = {"task": "reviews.csv", "files": {"sw": "sw.jsonl"}}
    command = ("train", "--model", "tiny", "--target", "colours.csv", *QUICK, "--intermediate", "t")
    said = isthmus(*command, "--set", f"translations.t={json.dumps(own)}", "--json")
    assert said.code == 0, said.err
