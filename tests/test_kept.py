"""What planning was told is enough to plan again: the same plan, from a file, without the world."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from isthmus import api
from isthmus.data.catalog import SplitFacts
from isthmus.errors import DataError, IsthmusError, StoreError
from isthmus.planning import kept
from isthmus.planning.plan import Facts, ModelSource, Plan, plan
from isthmus.store import Store
from isthmus.study.spec import Mixture, Study
from isthmus.tasks.core import Split, Task
from isthmus.tasks.mixtures import MIXTURES
from isthmus.tasks.registry import tasks
from isthmus.tasks.suites import suites
from tests.run.small_study import FIELDS, TASKS


def split(task: Task, split: Split, language: str) -> SplitFacts:
    if task.name == "squad-v2" and split == "test":
        raise DataError("test labels are withheld")
    rows = kept._digest((task.name, split, language)).ljust(64, "0")
    return SplitFacts(rows, 100, 5000, ("2 rows are left out",), split == "dev")


WORLD = Facts(
    task=lambda name: tasks()[name],
    model=lambda name: ModelSource(name, {"folder": name}, {"path": f"/{name}", "tuned_on": ["de"]}),
    split=split,
    languages=lambda _, task: task.languages,
    suite=lambda name: suites()[name].languages if name in suites() else None,
    mixture=lambda name: MIXTURES.get(name) or (Mixture(tasks=("mnli", "qqp")) if name == "both" else None),
    offers=lambda *_: True,
)


def again(study: Study) -> tuple[Plan, Plan]:
    """The plan of a study, and that from what was kept of the first one, as a file has it."""
    answers: dict[str, object] = {}
    first = plan(study, kept.remembering(WORLD, answers))
    return first, plan(study, kept.remembered(json.loads(json.dumps(kept.to_json(answers)))))


def without_source(made: Plan) -> Plan:
    return replace(made, tasks={name: replace(task, source=None) for name, task in made.tasks.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"targets": ["xtreme"], "intermediates": ["none", "mnli", "both", ["squad-v2", "mnli@50"]], "seeds": [1, 2]},
        {"targets": ["xnli", "tatoeba"], "train_on": {"xnli": ["mnli"]}, "test_examples": {"xnli": 20}},
        {"targets": ["xquad"], "recipe": {"evaluate_every": 10}, "overrides": {"target": {"dev_languages": ["en"]}}},
        {"targets": ["xcopa"], "intermediates": ["none", "ccg"]},
    ],
)
def test_the_same_plan_comes_from_what_was_kept(fields: dict[str, object]) -> None:
    first, second = again(Study.model_validate({"models": ["m"], "languages": ["*"], **fields}))
    assert without_source(first) == without_source(second)


def test_rows_that_were_not_there_are_not_there_again() -> None:
    """Planning goes on where dev rows cannot be compared with test rows: then, and now."""
    study = Study.model_validate(
        {"targets": ["xquad"], "recipe": {"evaluate_every": 10}, "intermediates": ["squad-v2"]}
    )
    first, second = again(study)
    assert without_source(first) == without_source(second)


def test_what_was_not_asked_is_not_made_up() -> None:
    with pytest.raises(StoreError, match="It was not kept"):
        kept.remembered({}).model("m")
    with pytest.raises(DataError):  # a fingerprint is the name of a file
        question = json.dumps(["split", ["a", kept._digest(())], "test", "de"])
        facts = {"fingerprint": "../../elsewhere", "rows": 1, "characters": 1}
        kept.remembered({question: facts}).split(replace(tasks()["xnli"], name="a", languages=()), "test", "de")


@pytest.fixture
def store(tmp_path: Path, tiny_model: Path) -> tuple[Study, Store, Plan]:
    """A study of tasks that come with a package, planned and kept."""
    study = Study.model_validate({**FIELDS, "models": [str(tiny_model)]})
    store = Store.open(tmp_path / "store")
    planned = api.make_plan(study, store, tasks=TASKS)
    api.keep_study(study, store, planned)
    return study, store, planned


def test_tasks_that_are_not_installed_are_known_from_the_run(
    store: tuple[Study, Store, Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    study, there, planned = store
    with pytest.raises(IsthmusError):
        api.make_plan(study, there)
    assert without_source(api.plan_to_look(study, there)) == without_source(planned)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("small is shown as it was when it was run.")
    assert len(api.results_of(study, there).stages) == len(planned.stages)


def test_another_study_of_the_name_is_not_shown_as_that_one(store: tuple[Study, Store, Plan]) -> None:
    study, there, _ = store
    with pytest.raises(IsthmusError):
        api.plan_to_look(study.model_copy(update={"targets": ("length",)}), there)


@pytest.mark.parametrize("content", [b"", b"\xff{", b"[]", b"7", b'{"study": 3, "answers": {}}', b"null"])
def test_garbage_is_as_if_nothing_was_kept(store: tuple[Study, Store, Plan], content: bytes) -> None:
    study, there, _ = store
    (there.study_folder("small") / "answers.json").write_bytes(content)
    with pytest.raises(IsthmusError, match="No task is called"):
        api.plan_to_look(study, there)


@pytest.mark.parametrize("answer", [None, 3, "x", [], {}, {"fingerprint": "x"}])
def test_answers_that_are_none_are_as_if_nothing_was_kept(store: tuple[Study, Store, Plan], answer: object) -> None:
    study, there, _ = store
    file = there.study_folder("small") / "answers.json"
    data = json.loads(file.read_text())
    for name in ("task", "model", "split"):
        altered = {key: answer if key.startswith(f'["{name}"') else value for key, value in data["answers"].items()}
        file.write_text(json.dumps({**data, "answers": altered}))
        with pytest.raises(IsthmusError, match="No task is called"):
            api.plan_to_look(study, there)
