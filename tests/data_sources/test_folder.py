"""Finding the files of data sets in a folder."""

import itertools
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from isthmus.data.sources.folder import folder


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")


@pytest.mark.parametrize("above", ["", "download/", "a/b/"])
def test_a_file_is_found_under_up_to_two_levels_of_subfolders(tmp_path: Path, above: str) -> None:
    touch(tmp_path, f"{above}xnli/test-de.tsv")
    assert folder(tmp_path).find("xnli/test-de.tsv") == (tmp_path / f"{above}xnli/test-de.tsv",)


def test_deeper_files_and_other_names_are_not_found(tmp_path: Path) -> None:
    touch(tmp_path, "a/b/c/xnli/test-de.tsv", "xnli/test-de.tsv.bak", "not-xnli/test-de.tsv")
    assert folder(tmp_path).find("xnli/test-de.tsv") == ()


def test_the_folder_of_one_data_set_will_do(tmp_path: Path) -> None:
    touch(tmp_path, "xnli/test-de.tsv")
    root = tmp_path / "xnli"
    assert folder(root).find("xnli/test-de.tsv") == (root / "test-de.tsv",)


def test_the_shallowest_place_is_taken_then_the_first_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "z/x/f.tsv", "a/b/x/f.tsv", "y/x/f.tsv")
    assert folder(tmp_path).find("x/f.tsv") == (tmp_path / "y/x/f.tsv",)


def test_a_star_finds_all_in_the_order_of_their_names_whatever_the_case_of_their_folders(tmp_path: Path) -> None:
    touch(
        tmp_path, "ud/UD_German-PUD/de_pud-ud-test.conllu", "ud/ud_German-GSD/de_gsd-ud-test.conllu", "ud/x/de_a.conllu"
    )
    found = folder(tmp_path).find("UD_*/de_*-ud-test.conllu")
    assert [path.name for path in found] == ["de_pud-ud-test.conllu", "de_gsd-ud-test.conllu"]


def test_loops_of_links_binaries_and_unreadable_folders_do_no_harm(tmp_path: Path) -> None:
    touch(tmp_path, "xnli/test-de.tsv", "closed/f")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "closed").chmod(0)
    try:
        assert folder(tmp_path).find("xnli/test-de.tsv") == (tmp_path / "xnli/test-de.tsv",)
        assert folder(tmp_path).find("pipe") == ()
    finally:
        (tmp_path / "closed").chmod(0o755)


def test_what_was_seen_of_a_relative_folder_is_not_believed_of_another_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(step=10)  # looking takes long, so that it is believed for long
    monkeypatch.setattr("isthmus.data.sources.folder.time", SimpleNamespace(monotonic=lambda: next(clock)))
    for name in ("one", "two"):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / f"{name}.tsv").touch()
        monkeypatch.chdir(tmp_path / name)
        assert folder(Path("data")).find(f"{name}.tsv") == (Path("data") / f"{name}.tsv",)
