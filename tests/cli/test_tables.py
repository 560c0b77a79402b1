"""What the command line says of trainings: what is no longer zero-shot, what a mixture had, how heads begin."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from isthmus.tasks.mixtures import MIXTURES
from tests.cli.conftest import Said, refused
from tests.tiny import SENTENCES

Program = Callable[..., Said]
STUDY = """\
name: NAME
models: [tiny]
intermediates: [none, colours.csv]
targets: [pawsx]
languages: [en, de, fr]
data: [data]
partial: true
recipe: {steps: 6, batch_size: 8, learning_rate: 1e-3, max_length: 32, train_examples: 40}
overrides:
  pawsx: {evaluate_every: 2, dev_examples: 20, dev_languages: LANGUAGES, checkpoint: KEPT}
"""
MIXED = """\
name: mixed
models: [tiny]
intermediates: [both]
targets: [pawsx]
languages: [en]
data: [data]
partial: true
recipe: {steps: 10, batch_size: 4, learning_rate: 1e-3, max_length: 32}
mixtures:
  both: {tasks: [pawsx, colours.csv], sampling: uniform, mlm: {share: 0.2, tasks: [pawsx], split: test, languages: de}}
overrides:
  both: {evaluate_every: 5, dev_examples: 8, checkpoint: best}
"""
NOTE = "† Not zero-shot: dev rows in German decided when a training stopped, or which checkpoint was kept"


def write_files(folder: Path, model: Path) -> None:
    """The model, pairs of sentences (the second is the first, or another) as PAWS-X is published, and a file."""
    (folder / "tiny").symlink_to(model)
    (folder / "data" / "pawsx").mkdir(parents=True)
    places = [("train", "en"), *((split, tag) for split in ("dev", "test") for tag in ("en", "de", "fr"))]
    for split, tag in places:
        lines = []
        for row in range(40):
            text = f"{tag} {split} {SENTENCES[row % 10]} {row}"
            lines.append(f"{text}\t{text if row % 2 else SENTENCES[row % 7]}\t{row % 2}\n")
        (folder / "data" / "pawsx" / f"{split}-{tag}.tsv").write_text("".join(lines))
    colours = [f"{row} {SENTENCES[row % 10]},{'green' if row % 3 else 'none'}\n" for row in range(40)]
    (folder / "colours.csv").write_text("text,label\n" + "".join(colours))


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files, the studies, and a store that all tests share."""
    found = tmp_path_factory.mktemp("tables")
    write_files(found, tiny_model)
    for name, languages, kept in (("tuned", "[en, de]", "best"), ("plain", "[]", "best"), ("seen", "[en, de]", "last")):
        text = STUDY.replace("NAME", name).replace("LANGUAGES", languages).replace("KEPT", kept)
        (found / f"{name}.yaml").write_text(text)
    (found / "mixed.yaml").write_text(MIXED)
    return found


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def words(text: str) -> str:
    return " ".join(text.split())


def test_scores_in_a_language_whose_dev_rows_chose_the_checkpoint_are_marked_in_every_table(
    here: Path, isthmus: Program
) -> None:
    said = isthmus("run", "tuned.yaml", "--quiet")
    assert said.code == 0, said.err
    assert NOTE in words(said.out)
    lines = {line.split("  ")[0]: line for line in said.out.splitlines()}
    marked = {name: "†" in lines[name] for name in ("all zero-shot", "German", "French", "English (trained)")}
    assert marked == {"all zero-shot": True, "German": True, "French": False, "English (trained)": False}
    assert "over 2 languages†" in words(said.out.split("Gains")[0])

    told = isthmus("report", "tuned", "--json").json
    assert told["tuned"] == ["de"] and told["footnote"].startswith(NOTE)
    (cell,) = told["comparisons"]
    assert {row["tag"]: row["tuned"] for row in cell["languages"]} == {"en": False, "de": True, "fr": False}
    assert cell["zero_shot"]["tuned"] and not cell["training"]["tuned"]
    (table,) = told["scores"]
    assert {row["tag"]: row["tuned"] for row in table["rows"]}["de"] == [True, True] and table["tuned"] == [True, True]

    page = (here / "store" / "studies" / "tuned" / "report.html").read_text()
    assert NOTE in words(page)
    assert (
        len(re.findall(r"""<th scope="row">German</th>\s*<td class="number">\d+\.\d<span class="dagger""", page)) == 1
    )
    assert not re.findall(r"""<th scope="row">French</th>\s*<td class="number">\d+\.\d<span class="dagger""", page)
    assert "German†" in page  # in the figure


@pytest.mark.parametrize("name", ["plain", "seen"])
def test_where_no_other_language_decided_anything_nothing_is_marked(here: Path, isthmus: Program, name: str) -> None:
    said = isthmus("run", f"{name}.yaml", "--quiet")
    assert said.code == 0, said.err
    assert "†" not in said.out
    told = isthmus("report", name, "--json")
    assert "†" not in told.out and told.json["tuned"] == [] and told.json["footnote"] == ""
    assert "†" not in (here / "store" / "studies" / name / "report.html").read_text()


def test_evaluate_marks_what_it_trained_by_other_languages(here: Path, isthmus: Program) -> None:
    options = ["--data", "data", "--partial", "--train", "--languages", "en,de,fr", "-q"]
    for change in ("recipe.steps=6", "recipe.max_length=32", "recipe.evaluate_every=2", "recipe.checkpoint=best"):
        options += ["--set", change]
    options += ["--set", "recipe.dev_languages=[en,de]"]
    said = isthmus("evaluate", "tiny", "--task", "pawsx", *options)
    assert said.code == 0, said.err
    assert NOTE in words(said.out)
    assert re.search(r"^German +\d+\.\d† *$", said.out, re.MULTILINE)
    assert re.search(r"^mean, zero-shot \(2 languages\) +\d+\.\d† *$", said.out, re.MULTILINE)
    told = isthmus("evaluate", "tiny", "--task", "pawsx", *options, "--json").json
    assert told["tasks"]["pawsx"]["tuned"] == ["de"]
    suite = isthmus("evaluate", "tiny", "--suite", "xtreme", *options)
    assert suite.code == 0, suite.err
    assert re.search(r"mean of the tasks measured: \d+\.\d+†", suite.out) and NOTE in words(suite.out)


def test_a_plan_says_how_heads_begin_and_what_mixtures_are_made_of(here: Path, isthmus: Program) -> None:
    said = isthmus("plan", "mixed.yaml")
    assert said.code == 0, said.err
    assert "Every training begins with a fresh head, but those that say otherwise." in said.out
    assert "of the steps, by rows: pawsx 40%, colours.csv 40%, mlm/de 20%" in words(said.out)
    stages = isthmus("plan", "mixed.yaml", "--json").json["stages"]
    heads = {stage["title"]: stage.get("head") for stage in stages}
    assert heads == {
        "get tiny": None,
        "train tiny > both, seed 1": "fresh",
        "train tiny > both > pawsx, seed 1": "fresh",
        "predict tiny > both > pawsx on pawsx, 1 language": None,
        "score tiny > both > pawsx on pawsx": None,
    }
    (members,) = [stage["members"] for stage in stages if "members" in stage]
    assert [(one["name"], one["rows"], one["share"], one["masked"]) for one in members] == [
        ("pawsx", 40, 0.4, False),
        ("colours.csv", 40, 0.4, False),
        ("mlm/de", 40, 0.2, True),
    ]
    changes = ("--set", "intermediates=pawsx", "--set", "recipe.head=fresh")
    kept = isthmus("plan", "plain.yaml", *changes, "--set", "overrides.target.head=keep", "--json").json
    assert [stage["head"] for stage in kept["stages"] if "head" in stage] == ["fresh", "kept"]


def test_train_sums_up_what_each_task_had_and_its_folder_has_a_card(here: Path, isthmus: Program) -> None:
    options = ["--model", "tiny", "--data", "data", "--partial", "-q", "--output", "trained"]
    for change in ("recipe.steps=6", "recipe.max_length=32", "recipe.evaluate_every=3", "recipe.dev_examples=8"):
        options += ["--set", change]
    said = isthmus("train", "--target", "pawsx+colours.csv", *options)
    assert said.code == 0, said.err
    for name, steps in (("pawsx", 3), ("colours.csv", 3)):
        had = rf"^{re.escape(name)} +{steps} +\d\.\d\d to \d\.\d\d +accuracy en \d+\.\d \[\d+\.\d, \d+\.\d\] *$"
        assert re.search(had, said.out, re.MULTILINE), said.out
    card = (here / "trained" / "README.md").read_text()
    assert "   - **pawsx** (pair, en), 50% of the steps. Licence of the data: " in card
    assert "   - **colours.csv** (sequence, en), 50% of the steps. Licence of the data: not stated." in card
    assert re.search(r"   - dev accuracy of pawsx in en: \d+\.\d \[\d+\.\d, \d+\.\d\]\.", card)


def test_a_model_leaves_the_store_with_all_its_scores_on_its_card(here: Path, isthmus: Program) -> None:
    from huggingface_hub import ModelCard
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    assert isthmus("run", "tuned.yaml", "--quiet").code == 0
    stages = isthmus("plan", "tuned.yaml", "--json").json["stages"]
    key = next(stage["key"] for stage in stages if stage["title"] == "train tiny > pawsx, seed 1")
    told = isthmus("store", "export", key[:14], "out", "--json").json
    assert told["key"] == key and told["folder"] == "out"
    scores = {score["language"]: score for score in told["scores"]}
    assert list(scores) == ["mean of 3", "de", "en", "fr"]
    assert [scores[tag]["tuned"] for tag in scores] == [True, True, False, False]
    for score in scores.values():
        assert 0 <= score["low"] < score["value"] < score["high"] <= 100
        assert score["examples"] == (120 if score["language"] == "mean of 3" else 40)

    assert AutoModelForSequenceClassification.from_pretrained("out").config.num_labels == 2
    assert AutoTokenizer.from_pretrained("out").is_fast
    card = ModelCard.load("out/README.md")
    assert card.data.language == ["en"] and card.data.datasets == ["google-research-datasets/paws-x"]
    found = {result.dataset_config: result for result in card.data.eval_results}
    assert found["de"].metric_value == pytest.approx(scores["de"]["value"], abs=0.005)
    assert found["de"].dataset_type == "google-research-datasets/paws-x"
    shown = f"{scores['de']['value']:.1f} † | {scores['de']['low']:.1f} to {scores['de']['high']:.1f} | 40 |"
    assert f"| pawsx | de | accuracy | {shown}" in card.text and "† Not zero-shot" in card.text
    assert "Not zero-shot in de" in card.text
    quick = ("--data", "data", "--partial", "--languages", "de,fr", "--set", "recipe.max_length=32", "-q", "--json")
    again = isthmus("evaluate", "out", "--task", "pawsx", *quick).json
    assert again["tasks"]["pawsx"]["tuned"] == ["de"]
    inside = (here / "store" / "stages" / key / "model" / "README.md").read_text()
    assert "## Scores" not in inside and "Not zero-shot in de" in inside


def test_what_cannot_leave_the_store_is_said(here: Path, isthmus: Program) -> None:
    assert isthmus("run", "tuned.yaml", "--quiet").code == 0
    keys = [stage["key"] for stage in isthmus("plan", "tuned.yaml", "--json").json["stages"]]
    assert "No finished stage has the key 'trian-" in refused(isthmus("store", "export", "trian-12", "elsewhere"))
    assert "keys that begin with 'train'" in refused(isthmus("store", "export", "train", "elsewhere"))
    score = next(key for key in keys if key.startswith("score"))
    assert f"{score} has no model" in refused(isthmus("store", "export", score, "elsewhere"))
    model = next(key for key in keys if key.startswith("model"))
    assert "not an empty folder" in refused(isthmus("store", "export", model, "data"))
    assert "There is no store at nowhere" in refused(isthmus("store", "export", model, "x", "--store", "nowhere"))
    assert not Path("elsewhere").exists()
    bare = isthmus("store", "export", model, "bare")
    assert bare.code == 0 and "which nothing was measured on" in bare.out
    assert "1. **tiny** as it was found" in Path("bare/README.md").read_text()


def test_mixtures_are_listed_after_the_tasks_and_shown_by_name(isthmus: Program) -> None:
    listed = isthmus("tasks").out
    assert listed.index("anli-plus  snli, mnli, anli") > listed.index("pawsx")
    assert [one["name"] for one in isthmus("tasks", "--mixtures", "--json").json] == list(MIXTURES)
    assert "sequence" in {one["kind"] for one in isthmus("tasks", "--json").json}  # tasks alone
    shown = isthmus("tasks", "nine").out
    assert "a task counting as at most 100,000 rows" in words(shown)
    assert isthmus("tasks", "nine", "--json").json["tasks"] == list(MIXTURES["nine"].tasks)
    assert "did you mean anli-plus" in refused(isthmus("tasks", "anli-plsu"))
