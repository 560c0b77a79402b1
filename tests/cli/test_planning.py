"""Before a run: a study to begin with, its schema, and a plan with what it will take and what a budget leaves of it."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from typer.main import get_command

from isthmus.cli.apps import app
from isthmus.commands.planning_views import grid
from isthmus.commands.starting import SCHEMA, examples
from isthmus.study.file import read_study
from isthmus.study.yaml_lines import Document
from tests.cli.conftest import Said, refused

Program = Callable[..., Said]
MANY = ("plan", "study.yaml", "--set", "seeds=[1,2,3,4,5,6]", "--workers", "2")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- init, schema


@pytest.mark.parametrize("name", examples())
def test_init_writes_a_study_and_the_schema_that_it_keeps_to(empty: Path, isthmus: Program, name: str) -> None:
    said = isthmus("init", "mine.yaml", "--example", name)
    assert (said.code, said.out) == (0, "")
    assert said.err.endswith("isthmus plan mine.yaml\n")
    assert read_study(Path("mine.yaml")).targets
    first, *_ = Path("mine.yaml").read_text().splitlines()
    assert first == f"# yaml-language-server: $schema={SCHEMA}"
    jsonschema.validate(Document(Path("mine.yaml").read_text(), "").data, json.loads(Path(SCHEMA).read_text()))
    assert " FILE" not in Path("mine.yaml").read_text()


@pytest.mark.parametrize("name", ["minimal", "sizes", "recipes", "mixture"])
def test_an_example_that_needs_nothing_of_the_hub_can_be_planned(empty: Path, isthmus: Program, name: str) -> None:
    isthmus("init", "--example", name)
    assert isthmus("plan", "study.yaml", "--json").json["chains"] > 1


def test_the_help_of_init_names_the_examples_that_there_are(isthmus: Program) -> None:
    (option,) = (each for each in get_command(app).commands["init"].params if each.name == "example")
    assert sorted(re.findall(r"\w+", option.help.replace(" or ", " "))) == list(examples())


def test_init_never_writes_over_a_file_unless_told_to(empty: Path, isthmus: Program) -> None:
    Path("study.yaml").write_text("mine")
    assert refused(isthmus("init")).startswith("There is a study.yaml already: name another file, or write over it")
    assert Path("study.yaml").read_text() == "mine" and not Path(SCHEMA).exists()
    assert isthmus("init", "--force").code == 0
    assert read_study(Path("study.yaml")).models == ("embedded",)


def test_init_of_a_folder_has_the_tasks_that_are_in_it(empty: Path, isthmus: Program) -> None:
    for split, code in (("train", "eng_Latn"), ("test", "deu_Latn")):
        path = empty / "data" / code / f"{split}.tsv"
        path.parent.mkdir(parents=True)
        path.write_text("index_id\tcategory\ttext\n0\tsports\tA goal.\n1\ttravel\tA train.\n")
    assert isthmus("init", "--data", "data").code == 0
    study = read_study(Path("study.yaml"))
    assert (study.targets, study.intermediates) == (("sib200",), ("none", "sib200"))
    assert (study.data, study.partial) == (("data",), True)
    planned = isthmus("plan", "study.yaml", "--json", "--store", "new").json
    assert planned["chains"] == 2
    assert any("on sib200, 1 language" in stage["title"] for stage in planned["stages"])


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("init --example minimum", "--example: there is none called 'minimum': did you mean minimal"),
        ("init --data none", "--data: there is no folder none."),
        ("init --data .", "--data: no task that can be measured is in .: isthmus data check . shows what is there."),
        ("init --data . --example suite", "--data makes a study of what is in a folder: leave --example out."),
        ("plan quickstart --budget soon", "--budget takes a time such as 6h, 30m or 90s, or money where --price"),
        ("plan quickstart --budget 20", "--budget takes a time such as 6h, 30m or 90s, or money where --price"),
        ("plan quickstart --price 0", "--price is of an hour of one worker, above 0."),
        ("plan quickstart --price nan", "--price is of an hour of one worker, above 0."),
        ("plan quickstart --price inf", "--price is of an hour of one worker, above 0."),
        ("plan quickstart --device gpu", "--device is auto, cpu or cuda, not 'gpu'."),
    ],
)
def test_what_cannot_be_begun_or_planned_is_answered_with_a_sentence(
    empty: Path, isthmus: Program, typed: str, sentence: str
) -> None:
    assert refused(isthmus(*typed.split())).startswith(sentence)
    assert not Path("study.yaml").exists()


def test_the_schema_is_printed_or_written(empty: Path, isthmus: Program) -> None:
    assert isthmus("schema", "--output", "deep/s.json").code == 0
    assert json.loads(Path("deep/s.json").read_text()) == isthmus("schema").json


# -- plan


def _unwrapped(text: str) -> str:
    """Sentences whose lines end where the terminal does, as one line."""
    return " ".join(text.split())


def test_a_plan_says_what_is_shared_what_is_done_and_what_the_time_rests_on(finished: Path, isthmus: Program) -> None:
    out = _unwrapped(isthmus(*MANY).out)
    assert "12 chains in 43 stages; one by one they would take 54 (" in out
    assert "35 to do, 8 finished: about " in out and " with 2 workers, and " in out
    assert "a guess (--calibrate measures this machine) and on what has finished" in out
    nothing = isthmus("plan", "study.yaml").out
    assert "Nothing to do: every stage is finished." in nothing and "The time rests" not in nothing


def test_a_plan_as_json_has_all_of_it(finished: Path, isthmus: Program) -> None:
    said = isthmus(*MANY, "--price", "2", "--budget", "0.001s", "--json").json
    assert (said["chains"], said["alone"], said["to_do"], said["workers"]) == (12, 54, 35, 2)
    assert {each["axis"] for each in said["shared"]} == {"intermediates", "seeds"}
    assert said["worker_seconds"] / 2 <= said["seconds"] <= said["worker_seconds"]
    assert said["cost"] == pytest.approx(said["seconds"] / 3600 * 2 * 2, rel=0.01)
    assert said["budget"] == {"seconds": 0.001, "chains": 2, "fits": False, "offer": {
        "changes": ["seeds=[1]"], "dropped": ["all seeds but one"], "chains": 2, "seconds": 0.0}}  # fmt: skip
    ends = {stage["key"]: stage["ends"] for stage in said["stages"]}
    assert sum(end is None for end in ends.values()) == 8 and max(filter(None, ends.values())) == said["seconds"]
    assert said["finished"]["stages"] == 8 or said["finished"] is None


def test_a_budget_says_what_fits_and_how_to_make_the_study_fit(finished: Path, isthmus: Program) -> None:
    out = isthmus(*MANY, "--budget", "0.001s").out
    assert "Within 0.001s: 2 of 12 chains, in the order in which a run takes them." in out
    assert "drop all seeds but one: 2 chains" in out
    assert "isthmus run study.yaml --set 'seeds=[1,2,3,4,5,6]' --set 'seeds=[1]' --workers 2\n" in out
    assert "Within 9d: all 12 chains." in isthmus(*MANY, "--budget", "9d").out
    shutil.copy("study.yaml", "my study.yaml")
    shutil.copytree("store", "of others")
    mine = ("plan", "my study.yaml", "--set", "seeds=[1,2]", "--set", "name=small", "--store", "of others")
    said = isthmus(*mine, "--device", "cpu", "--budget", "0.001s").out
    (command,) = (line for line in said.splitlines() if line.startswith("  isthmus run"))
    told = ["--set", "seeds=[1,2]", "--set", "name=small", "--set", "seeds=[1]"]
    assert shlex.split(command)[:9] == ["isthmus", "run", "my study.yaml", *told]
    assert shlex.split(command)[-4:] == ["--device", "cpu", "--store", "of others"]
    money = _unwrapped(isthmus(*MANY, "--price", "3", "--budget", "1000").out)
    assert re.search(r"of disk, \d+\.\d\d at 3 an hour of a worker\.", money) and "Within 1000 (" in money


def test_the_grid_keeps_to_the_width_and_names_all(finished: Path) -> None:
    from isthmus import api
    from isthmus.running.runner import states_of
    from isthmus.store import Store

    changes = ("recipes={a: {}, b: {epochs: 2}}", "seeds=[1,2]")
    store = Store.open(finished / "store")
    planned = api.make_plan(api.load_study("study.yaml", changes), store)
    for width in (30, 200):
        lines = grid(planned, states_of(planned, store), width)
        assert max(map(len, lines)) <= width
        assert "\n".join(lines).count("reviews.csv") == 2, "a grid for each recipe"
        assert "tiny, a:" in lines and sum(line.endswith("1/2") for line in lines) == 2


@pytest.mark.slow
def test_a_calibration_runs_real_stages_and_is_kept(finished: Path, isthmus: Program) -> None:
    before = sorted(path.name for path in (finished / "store" / "stages").iterdir())
    said = isthmus("plan", "study.yaml", "--calibrate", "--workers", "1", "--json").json
    assert said["calibration"]["model"] == "tiny" and said["calibrated"]
    assert said["calibration"]["predict"] > 0 and said["calibration"]["write"] > 0
    (entry,) = json.loads((finished / "store" / "calibration.json").read_text())
    assert entry["rates"] == said["calibration"]["rates"]
    assert sorted(path.name for path in (finished / "store" / "stages").iterdir()) == before
    assert not list((finished / "store").glob(".calibration*"))
    assert "a calibration of this machine" in isthmus(*MANY, "--workers", "1").out
