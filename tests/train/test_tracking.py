"""Trackers that a run asks for are told what comes out, once, and change nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from accelerate import tracking as accelerates
from tests.run.small_study import FIELDS, TASKS

from isthmus.api import Resources, make_plan
from isthmus.errors import MissingPackage, SpecError
from isthmus.planning.plan import Plan
from isthmus.running.execute import execute
from isthmus.stage import Record, Settings, Stage, read_stage
from isthmus.store import Store
from isthmus.study.spec import Study
from isthmus.train import checkpoint

STEPS = 130  # two to a point of the curve
RECIPE = {"batch_size": 4, "learning_rate": 1e-3, "max_length": 32, "steps": STEPS, "evaluate_every": 65}
TOLD = Settings(device="cpu", trackers=("tensorboard",), project="small")


class Killed(BaseException):
    """What nothing in a stage expects."""


def small_plan(store: Store, model: Path, intermediate: str = "none", steps: int = STEPS) -> Plan:
    fields = {**FIELDS, "models": [str(model)], "intermediates": [intermediate], "targets": ["length"]}
    return make_plan(Study.model_validate({**fields, "recipe": {**RECIPE, "steps": steps}}), store, tasks=TASKS)


def trained(store: Store, planned: Plan, settings: Settings = TOLD) -> Stage:
    """Run all up to the first training, that one included."""
    for stage in planned.stages.values():
        execute(store, stage, settings)
        if stage.function == "train":
            return stage
    raise AssertionError


def figures(store: Store, stage: Stage | Record) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard has of a stage, by name: steps and values."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = store.study_folder("small").glob(f"trackers/*{stage.key.partition('-')[2][:6]}")
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def curve_of(store: Store, stage: Stage | Record) -> list[tuple[int, float]]:
    record = store.record(stage.key)
    assert record is not None
    return [(point["step"], pytest.approx(point["loss"])) for point in record.result["curve"]]


@pytest.fixture(scope="module")
def told(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a study that TensorBoard was told of."""
    store = Store.open(tmp_path_factory.mktemp("told") / "store")
    for stage in small_plan(store, tiny_model).stages.values():
        execute(store, stage, TOLD)
    return store


def one(store: Store, function: str) -> Record:
    """The record of the only stage of a function."""
    (key,) = (key for key in store.finished() if key.startswith(function))
    record = store.record(key)
    assert record is not None
    return record


def test_a_training_tells_its_learning_curve_and_its_dev_scores(told: Store) -> None:
    record = one(told, "train")
    found = figures(told, record)
    assert found["loss"] == curve_of(told, record)
    assert len(found["loss"]) == STEPS / 2
    assert [step for step, _ in found["learning_rate"]] == [step for step, _ in found["loss"]]
    dev = [(point["step"], pytest.approx(point["score"])) for point in record.result["dev"]]
    assert found["dev/en/accuracy"] == dev
    assert [step for step, _ in dev] == [65, 130]


def test_a_score_stage_tells_its_scores(told: Store) -> None:
    record = one(told, "score")
    scores = {f"accuracy/{tag}": [(0, pytest.approx(value))] for tag, value in record.result["scores"].items()}
    assert figures(told, record) == scores
    assert set(scores) == {"accuracy/en", "accuracy/de"}


def test_titles_that_have_paths_in_them_name_folders_in_that_of_the_study(told: Store) -> None:
    titles = [one(told, function).title for function in ("train", "score")]
    assert all("/" in title for title in titles)
    folders = list((told.study_folder("small") / "trackers").iterdir())
    assert len(folders) == 2
    assert all(list(folder.glob("events.*")) for folder in folders)


def test_what_was_told_before_an_interruption_is_not_told_twice(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path / "store")
    planned = small_plan(store, tiny_model)
    save = checkpoint.save

    def sometimes(folder: Path, progress: checkpoint.Progress, *state: Any) -> None:
        if progress.step == 31:  # the last that is kept
            save(folder, progress, *state)
        if progress.step == 70:
            raise Killed

    monkeypatch.setattr(checkpoint, "save", sometimes)
    with pytest.raises(Killed):
        trained(store, planned, replace(TOLD, checkpoint_seconds=0))
    stage = next(each for each in planned.stages.values() if each.function == "train")
    before = figures(store, stage)
    assert before["loss"][-1][0] == 70 and len(before["dev/en/accuracy"]) == 1
    monkeypatch.setattr(checkpoint, "save", save)
    trained(store, planned)
    after = figures(store, stage)
    assert after["loss"] == curve_of(store, stage)
    assert [step for step, _ in after["dev/en/accuracy"]] == [65, 130]


def test_members_of_a_mixture_have_curves_of_their_own(tiny_model: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    stage = trained(store, small_plan(store, tiny_model, "colours+places"))
    found, record = figures(store, stage), store.record(stage.key)
    assert record is not None
    for member in ("colours", "places"):
        points = [(p["step"], pytest.approx(p["loss"])) for p in record.result["curve"] if p["member"] == member]
        assert found[f"loss/{member}"] == points
        assert f"dev/{member}/en/{'accuracy' if member == 'colours' else 'span_f1'}" in found


# -- they change nothing


def test_a_tracker_is_in_no_key_and_changes_no_result(told: Store, tiny_model: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    trained(store, small_plan(store, tiny_model), Settings(device="cpu"))
    one_way, other = one(told, "train"), one(store, "train")
    assert (one_way.key, one_way.result, one_way.warnings) == (other.key, other.result, other.warnings)
    assert not list(store.root.glob("studies/*/trackers"))


class Faulty(accelerates.GeneralTracker):
    """Breaks at a moment of its own."""

    name = "faulty"
    requires_logging_directory = False
    moment = "log"
    told: list[int] = []  # noqa: RUF012 - of the class, as accelerate makes the instances

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._reach("__init__")

    @property
    def tracker(self) -> str:
        return self.run

    def _reach(self, moment: str) -> None:
        if moment == self.moment:
            raise OSError(f"no network\nat {moment}")

    def start(self) -> None:
        self._reach("start")

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        assert all(isinstance(value, bool | int | float | str) for value in values.values())

    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        self._reach("log" if step and step > 10 else "")
        self.told.append(step or 0)

    def finish(self) -> None:
        self._reach("finish")


@pytest.mark.parametrize(("moment", "told"), [("start", 0), ("log", 10), ("finish", 12)])
def test_a_tracker_that_fails_is_left_out_with_a_warning_and_the_stage_goes_on(
    moment: str, told: int, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(accelerates.LOGGER_TYPE_TO_CLASS, "faulty", Faulty)
    monkeypatch.setattr(Faulty, "moment", moment)
    monkeypatch.setattr(Faulty, "told", [])
    store = Store.open(tmp_path / "store")
    settings = replace(TOLD, trackers=("faulty", "tensorboard"))
    stage = trained(store, small_plan(store, tiny_model, steps=12), settings)
    record = store.record(stage.key)
    assert record is not None
    assert record.warnings == (f"the tracker faulty was left out: OSError: no network at {moment}",)
    assert len(Faulty.told) == told
    assert figures(store, stage)["loss"] == curve_of(store, stage)  # the other one is told on


# -- what is asked for


def test_a_tracker_that_there_is_not_is_one_sentence() -> None:
    with pytest.raises(SpecError, match=r"there is no tracker 'tensorbord': did you mean tensorboard\?"):
        Resources(trackers=("tensorbord",))


def test_a_tracker_whose_package_is_missing_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.running.tracking.find_spec", lambda _: None)
    with pytest.raises(MissingPackage, match=r"--tracker tensorboard needs .* `pip install 'isthmus\[tracking\]'`"):
        Resources(trackers=("tensorboard",))
    with pytest.raises(MissingPackage, match="run `pip install wandb`"):
        Resources(trackers=("wandb",))


def test_a_stage_file_brings_its_trackers_along(tmp_path: Path, tiny_model: Path) -> None:
    store = Store.open(tmp_path / "store")
    stage = next(iter(small_plan(store, tiny_model).stages.values()))
    file = tmp_path / "stage.json"
    file.write_text(json.dumps(stage.to_json(TOLD)))
    assert list(read_stage(file)[1].trackers) == ["tensorboard"]
    assert read_stage(file)[1].project == "small"
