"""A study that was run can be looked at when its files and its model are gone, and in a store that was pulled."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said, refused

Program = Callable[..., Said]
SHOWN = "small is shown as it was when it was run."
LOOKS = (
    ("results", "small"),
    ("results", "small", "--predictions"),
    ("status", "small"),
    ("status", "--json"),
    ("why", "train", "none", "--study", "small"),
    ("logs", "score", "none", "--study", "small"),
)


@pytest.fixture(autouse=True)
def _was_run_here(here: Path) -> None:
    """The folder is a copy of the one that the study was run in."""
    (here / "store/studies/small/folder.txt").write_text(str(here))


def hide(folder: Path) -> None:
    """Files and model are not there any more."""
    for name in ("de.tsv", "sw.jsonl", "reviews.csv", "colours.csv", "tiny"):
        (folder / name).rename(folder / f"{name}.bak")


def looks(isthmus: Program) -> list[tuple[int, str]]:
    """What the commands that look leave with and print."""
    return [(said.code, said.out) for said in (isthmus(*command) for command in LOOKS)]


def page(isthmus: Program) -> str:
    """The report."""
    said = isthmus("report", "small", "--output", "page.html")
    assert said.code == 0, said
    return Path("page.html").read_text()


def test_what_was_run_is_shown_without_its_files_and_its_model(here: Path, isthmus: Program) -> None:
    before, whole = looks(isthmus), page(isthmus)
    hide(here)
    assert looks(isthmus) == before and page(isthmus) == whole
    said = isthmus("results", "small", "--output", "table.csv")
    lines = said.err.splitlines()
    assert said.code == 0 and len(lines) == 2 and lines[0].endswith(SHOWN) and not lines[0].startswith("Error"), said
    (here / "tiny.bak").rename(here / "tiny")
    assert "reviews.csv" in isthmus("results", "small").err and looks(isthmus) == before  # one of them will do


def test_a_study_file_is_known_by_what_it_says(here: Path, isthmus: Program) -> None:
    before = isthmus("results", "study.yaml").out
    hide(here)
    assert isthmus("results", "study.yaml").out == before
    (here / "study.yaml").write_text((here / "study.yaml").read_text().replace("epochs: 20", "epochs: 21"))
    refused(isthmus("results", "study.yaml"))
    assert isthmus("results", "small").out == before


def test_what_plans_or_runs_asks_the_world(here: Path, isthmus: Program) -> None:
    hide(here)
    for command in ("run", "plan"):
        assert "reviews.csv" in refused(isthmus(command, "study.yaml"))


def test_files_that_were_altered_are_noticed(here: Path, isthmus: Program) -> None:
    (here / "de.tsv").write_text((here / "de.tsv").read_text() + "long\tone more\n")
    said = isthmus("results", "small")
    assert SHOWN not in said.err and "chains are not finished" in said.err


def test_a_store_of_before_is_as_before(here: Path, isthmus: Program) -> None:
    (here / "store/studies/small/answers.json").unlink()
    before = looks(isthmus)
    hide(here)
    assert "reviews.csv" in refused(isthmus("results", "small"))
    (here / "reviews.csv.bak").rename(here / "reviews.csv")
    for name in ("de.tsv", "sw.jsonl", "colours.csv", "tiny"):
        (here / f"{name}.bak").rename(here / name)
    assert looks(isthmus) == before


def test_a_store_that_was_pulled_shows_what_the_other_does(
    here: Path, isthmus: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, whole = looks(isthmus), page(isthmus)
    remote = f"file://{tmp_path}/remote"
    hide(here)
    assert isthmus("store", "push", remote, "--study", "small").code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert isthmus("store", "pull", remote, "--study", "small").code == 0
    there = looks(isthmus)
    assert [out for _, out in there] == [out.replace(str(here), str(tmp_path / "elsewhere")) for _, out in before]
    assert page(isthmus) == whole
