"""A card tells what a model was trained on, in which order, what was left of it, and under which licences."""

from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard

from isthmus.model.card import CardScore, decides, outcome, told_by_card, tuned_languages, write_card
from isthmus.study.spec import Recipe
from isthmus.tasks.registry import tasks

FOUND = {"model": "org/name", "identity": "hub org/name, revision 1234abcd"}


def told(task: str, kind: str = "pair", language: str = "en", tuned_on: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"task": task, "kind": kind, "language": language, "licence": f"that of {task}", "tuned_on": list(tuned_on)}


def account(steps: int) -> dict[str, Any]:
    return {"steps": steps, "features": 4 * steps, "first_loss": 1.0, "last_loss": 0.5, "dev": {}}


def dev(step: int, score: float, language: str = "en") -> dict[str, Any]:
    place = {"step": step, "member": "sick", "language": language, "metric": "accuracy"}
    return {**place, "score": score, "low": score - 4, "high": score + 4}


def entry(members: list[dict[str, Any]], result: dict[str, Any], recipe: Recipe, **fields: Any) -> dict[str, Any]:
    whole = {
        "task": members[0]["task"],
        "language": members[0]["language"],
        "licence": members[0]["licence"],
        "members": members,
        "kind": members[0]["kind"],
        "seed": 3,
        "examples": 4500,
        "recipe": recipe.model_dump(),
        "key": "train-0",
    }
    return {**whole, **fields, **outcome(result, fields.get("translations", ()))}


def result(members: dict[str, int], planned: int, kept: int, points: list[dict[str, Any]]) -> dict[str, Any]:
    steps = sum(members.values())
    accounts = {name: account(had) for name, had in members.items()}
    return {"steps": steps, "planned_steps": planned, "kept_step": kept, "members": accounts, "dev": points}


BEST = Recipe(evaluate_every=100, patience=2, checkpoint="best", dev_languages=("en", "de"))
SINGLE = entry(
    [told("sick", tuned_on=("de",))],
    result({"sick": 300}, 423, 100, [dev(100, 70), dev(100, 60, "de"), dev(300, 50)]),
    BEST,
)
MIXTURE = entry(
    [told("snli"), told("wnut17", "tagging"), told("the text of xnli", "text", "de, sw")],
    result({"snli": 60, "wnut17": 20, "mlm/de": 15, "mlm/sw": 5}, 100, 100, []),
    Recipe(steps=100),
    task="both",
    kind="mixture",
    language="en, de, sw",
)
TRANSLATED = entry(
    [told("sick-de", language="en, de")],
    result({"sick-de": 50}, 50, 50, []),
    Recipe(head="keep"),
    translations=[
        {"translator": "org/nllb", "language": "de", "rows": 4500, "kept": 4321, "dropped": {"untranslated": 179}}
    ],
)


def card(folder: Path, history: list[dict[str, Any]], scores: list[CardScore] | None = None) -> ModelCard:
    write_card(folder, history, scores or [])
    return ModelCard.load(folder / "README.md")


def test_a_training_says_how_long_it_was_what_was_kept_and_how_good_that_is(tmp_path: Path) -> None:
    text = card(tmp_path, [FOUND, SINGLE]).text
    assert "# org/name > sick" in text
    assert "1. **org/name** as it was found (hub org/name, revision 1234abcd)." in text
    assert (
        "2. **sick** (pair, en): 4,500 examples, 3 epochs, 300 steps of 423 planned, the weights after step 100 kept, "
        "learning rate 1e-05, batch 32, seed 3, a fresh head. Licence of the data: that of sick. Stage `train-0`."
        in text
    )
    assert "   - dev accuracy of sick in en: 70.0 [66.0, 74.0]." in text
    assert "50.0" not in text  # the last evaluation, of weights that were given up


def test_a_mixture_says_what_each_member_had_and_under_which_licence(tmp_path: Path) -> None:
    text = card(tmp_path, [FOUND, MIXTURE]).text
    assert "2. **both** (mixture, en, de, sw): 4,500 examples, 100 steps, " in text and ", fresh heads." in text
    lines = [line for line in text.splitlines() if line.startswith("   - ")]
    assert lines == [
        "   - **snli** (pair, en), 60% of the steps. Licence of the data: that of snli.",
        "   - **wnut17** (tagging, en), 20% of the steps. Licence of the data: that of wnut17.",
        "   - the text of xnli (text, de, sw). Licence of the data: that of the text of xnli.",
        "   - masked language modelling: 20% of the steps (de 15, sw 5).",
    ]


def test_a_translation_says_who_made_it_and_what_became_of_its_rows(tmp_path: Path) -> None:
    text = card(tmp_path, [FOUND, TRANSLATED]).text
    assert "   - translated into de by org/nllb: 4,321 of 4,500 rows kept (dropped: 179 untranslated)." in text
    assert ", the head kept. " in text


def test_the_hub_learns_the_languages_the_data_sets_and_the_base_model(tmp_path: Path) -> None:
    data = card(tmp_path, [FOUND, MIXTURE, SINGLE]).data
    assert data.language == ["de", "en", "sw"]
    assert data.datasets == ["stanfordnlp/snli", tasks()["wnut17"].source.hub.id]
    assert data.base_model == "org/name" and data.library_name == "transformers"
    own = card(tmp_path, [{"model": "a folder: {odd}", "identity": "folder 12"}]).data
    assert own.base_model is None and own.language is None


def test_only_dev_rows_that_decided_something_end_zero_shot(tmp_path: Path) -> None:
    assert tuned_languages([FOUND, MIXTURE, SINGLE]) == ("de",)
    assert "Not zero-shot in de: " in card(tmp_path, [FOUND, SINGLE]).text
    measured = {**SINGLE, "recipe": Recipe(evaluate_every=100, dev_languages=("en", "de")).model_dump()}
    assert tuned_languages([FOUND, measured]) == ()
    assert (
        "No training stopped or chose its checkpoint on dev rows of other languages" in card(tmp_path, [measured]).text
    )
    assert decides({"patience": 1}) and decides({"checkpoint": "best"}) and not decides({"evaluate_every": 5})


def test_a_folder_says_itself_what_it_is_no_longer_zero_shot_in(tmp_path: Path) -> None:
    assert told_by_card(tmp_path) == ()
    write_card(tmp_path, [FOUND, SINGLE])
    assert told_by_card(tmp_path) == ("de",)
    again = {"model": "out", "identity": "folder 12", "tuned_on": ["de"]}
    assert "Not zero-shot in de: " in card(tmp_path, [again, MIXTURE]).text
    for other in ("", "# A model", "---\n[1, 2]\n---\n", "---\na: [\n---\n", "---\nnot_zero_shot: 5\n---\n", "---\n"):
        (tmp_path / "README.md").write_text(other)
        assert told_by_card(tmp_path) == ()


def test_scores_are_a_table_for_people_and_an_index_for_the_hub(tmp_path: Path) -> None:
    scores = [
        CardScore("xnli", "pair", "mean of 2", "accuracy", 61.04, 58.0, 64.1, 80, True),
        CardScore("xnli", "pair", "de", "accuracy", 60.0, 55.0, 65.0, 40, True),
        CardScore("my|file.csv", "bitext", "sw", "accuracy", 62.08, None, None, 40, False),
    ]
    found = card(tmp_path, [FOUND, SINGLE], scores)
    assert "| xnli | mean of 2 | accuracy | 61.0 † | 58.0 to 64.1 | 80 |" in found.text
    assert "| my\\|file.csv | sw | accuracy | 62.1 | - | 40 |" in found.text
    (mean, german) = found.data.eval_results  # searching is no task that the hub knows
    assert (german.dataset_type, german.dataset_config, german.metric_value) == ("facebook/xnli", "de", 60.0)
    assert mean.metric_name == "accuracy, 95% interval 58.0 to 64.1"


def test_names_cannot_break_out_of_the_metadata(tmp_path: Path) -> None:
    hostile = "x\n---\nlicense: mit\n# "
    write_card(tmp_path, [{"model": hostile, "identity": hostile}, {**SINGLE, "members": [told(hostile)]}])
    head = (tmp_path / "README.md").read_text().split("---\n")[1]
    assert yaml.safe_load(head).keys() == {"library_name", "tags", "language"}
