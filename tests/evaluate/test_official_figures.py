"""Every figure that the official evaluators of XTREME and XTREME-R give for the published cases, exactly."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from isthmus.errors import DataError
from isthmus.evaluate.official.folder import Pair
from isthmus.evaluate.official.forms import form_of
from isthmus.evaluate.official.output import document
from isthmus.evaluate.official.scoring import score_folders, score_pair
from isthmus.tasks.suites import suite
from tests.evaluate.conftest import assert_same, published

CONVENTIONS = ("1.2.2", "0.0.12")


def _cases() -> list[Any]:
    found = []
    for name, tasks in (published("cases", "expected.json") or {}).items():
        for task, figures in tasks.items():
            by_convention = {key.removeprefix("seqeval_"): value for key, value in figures.items() if "seqeval" in key}
            for convention, expected in (by_convention or {"1.2.2": figures}).items():
                for language, scores in expected["languages"].items():
                    found.append(pytest.param(name, task, language, convention, scores, id=f"{name}-{task}-{language}"))
    return found


@pytest.mark.parametrize(("name", "task", "case", "convention", "expected"), _cases())
def test_a_case(oracle: Path, name: str, task: str, case: str, convention: Any, expected: Any) -> None:
    folder, form = oracle / "cases" / name, form_of(task, convention)
    pair = Pair(*(folder / side / task / f"test-{case}.{form.suffix}" for side in ("predictions", "labels")))
    language = case.partition(".")[0]
    if "error" in expected:
        with pytest.raises(DataError, match=r"test-.*\.$"):
            score_pair(task, language, pair, convention)
        return
    scored = form.read(pair.predictions, pair.labels, language)
    figures = form.figures(scored)
    if "token_accuracy" in expected:
        figures["token_accuracy"] = float(form.beside["token_accuracy"](scored.statistics.sum(axis=0)))
    assert_same(figures, expected)


def test_there_are_cases(oracle: Path) -> None:
    assert len(_cases()) > 120


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_mock_data_of_the_official_repository(oracle: Path, convention: Any) -> None:
    folder = oracle / "xtreme_mock"
    found = document(score_folders(folder / "predictions", folder / "labels", suite("xtreme"), seqeval=convention))
    expected = published("xtreme_mock", "expected.json")[f"xtreme_seqeval_{convention}"]
    found.pop("isthmus")
    assert_same(found, {**expected["overall"], **expected["detailed"]})
    assert f"{found['all_task']:.4f}" == {"1.2.2": "62.1933", "0.0.12": "62.1732"}[convention]


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("version", ["xtreme", "xtreme-r"])
def test_a_complete_folder(full_benchmark: Path, version: str, convention: Any) -> None:
    folders = full_benchmark / "predictions", full_benchmark / "labels"
    found = document(score_folders(*folders, suite(version), seqeval=convention))
    expected = published("full_benchmark", "expected.json")[f"seqeval_{convention}"][version]
    beside = found.pop("isthmus")
    assert_same(found, {**expected["overall"], **expected["detailed"]})
    other = next(name for name in CONVENTIONS if name != convention)
    again = published("full_benchmark", "expected.json")[f"seqeval_{other}"][version]["overall"]
    assert_same({name: beside["averages_by_seqeval"][other][name] for name in again}, again)


def test_tasks_that_neither_folder_has_were_not_handed_in(oracle: Path, tmp_path: Path) -> None:
    tasks = ("xnli", "mewslix", "mlqa", "tydiqa")
    for side in ("predictions", "labels"):
        (tmp_path / side).mkdir()
        for task in tasks:
            (tmp_path / side / task).symlink_to((oracle / "xtreme_mock" / side / task).absolute())
    scored = score_folders(tmp_path / "predictions", tmp_path / "labels", suite("xtreme-r"))
    expected = published("xtreme_mock", "expected.json")["xtreme-r_complete_tasks_only_seqeval_1.2.2"]
    found = document(scored)
    assert set(found.pop("isthmus")["coverage"]["missing"]) == set(suite("xtreme-r").tasks) - set(tasks)
    assert_same(found, {**expected["overall"], **expected["detailed"]})


def test_a_missing_language_is_an_error_unless_a_part_will_do(oracle: Path) -> None:
    folders = oracle / "xtreme_mock/predictions", oracle / "xtreme_mock/labels"
    with pytest.raises(DataError, match=r"panx/test-qu\.tsv.* and 33 more are missing.*--partial"):
        score_folders(*folders, suite("xtreme-r"))
    scored = score_folders(*folders, suite("xtreme-r"), partial=True)
    found = document(scored)
    assert found["isthmus"]["coverage"]["missing"]["udpos"] == ["lt", "pl", "uk", "wo", "ro"]
    assert len(found["isthmus"]["missing_files"]) == 38
    assert "tagging" not in found and "all_task" not in found  # groups that lack anything have no average
    assert len(found["panx"]["f1"]) == 40


def test_scoring_loads_nothing_heavy(oracle: Path, tmp_path: Path) -> None:
    """And its output file is strict JSON with the official keys."""
    folder, output = (oracle / "xtreme_mock").absolute(), tmp_path / "out.json"
    words = ["score", "--predictions", f"{folder}/predictions", "--labels", f"{folder}/labels", "--suite", "xtreme"]
    code = (
        "import sys; from isthmus.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "print([name for name in ('torch', 'transformers', 'pandas', 'scipy', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--output", str(output)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "62.19" in done.stdout
    written = json.loads(output.read_text())
    assert list(written)[:5] == ["all_task", "classification", "tagging", "qa", "retrieval"]
