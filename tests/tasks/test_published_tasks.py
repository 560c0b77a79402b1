"""What holds for every task whose rows are published: its metadata, its length, and the files it reads."""

import ast
import os
from pathlib import Path

import pytest

from isthmus import tasks as package
from isthmus.data.schema import Kind
from isthmus.data.sources.published import Dataset
from isthmus.errors import SpecError
from isthmus.evaluate.metrics import METRICS
from isthmus.tasks.core import Published, Task, Where
from isthmus.tasks.registry import task, tasks
from isthmus.tasks.suites import suites

DATA = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "data"
ALL = [each for each in tasks().values() if isinstance(each.source, Dataset)]
EACH = pytest.mark.parametrize("each", ALL, ids=[each.name for each in ALL])
#: The tasks of the suites, those a model is trained on for them, and those that are neither small nor distant.
_LONG = {name for suite in suites().values() for name in suite.tasks} | {
    "squad",
    "squad-v2",
    "mnli",
    "socialiqa",
    "copa",
}
#: Files that no task reads, and why.
UNREAD = {
    "qa/mlqa/dev/dev-context-es-question-de.json": "the question is in another language than the paragraph",
    "topic/sib200/eng_Latn/labels.txt": "the labels are in the metadata",
}


@EACH
def test_the_metadata_say_all_that_a_reader_needs(each: Task) -> None:
    assert each.description and each.licence and each.citation and each.metric in METRICS
    assert all(name in METRICS for name in each.also)
    assert each.homepage.startswith("https://")
    assert all(name in tasks() for name in each.trains_on or ())
    assert each.train_language or each.trains_on is not None or each.kind in (Kind.BITEXT, Kind.MINING, Kind.RANKING)
    if each.kind in (Kind.SEQUENCE, Kind.PAIR, Kind.TAGGING) and not each.name.startswith("ccg"):  # hundreds
        assert each.labels


@EACH
def test_building_a_source_touches_nothing_and_keeps_what_it_is(each: Task) -> None:
    assert isinstance(each.source, Published)
    moved = each.source.at(Where((Path("/nowhere"),), hub=False))
    assert isinstance(moved, Dataset) and (moved.name, moved.codes) == (each.name, each.source.codes)  # type: ignore[attr-defined]
    assert moved.languages() == ()


@EACH
def test_expected_rows_are_those_of_splits_and_languages_that_there_are(each: Task) -> None:
    assert isinstance(each.source, Dataset)
    for name in each.expected_rows:
        split, _, language = name.partition("/")
        assert split in ("train", "dev", "test", "candidates", "dev_candidates")
        assert not language or language in each.source.codes, name


def test_suites_measure_languages_that_their_tasks_have() -> None:
    for suite in suites().values():
        for name, languages in suite.languages.items():
            assert set(languages) <= set(task(name).languages), (suite.name, name)


def test_sib_has_205_languages_and_ntrex_all_but_its_own_english() -> None:
    assert len(task("sib200").languages) == 205
    assert len(task("ntrex").languages) == 127
    assert len(task("tatoeba").languages) == 112


def test_a_low_resource_task_takes_at_most_eight_lines() -> None:
    lengths = {}
    for path in Path(package.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "published"
            if called and isinstance(node.args[0], ast.Constant):
                lengths[node.args[0].value] = (node.end_lineno or 0) - node.lineno + 1 - (2 if _braced(node) else 0)
    assert set(lengths) == {each.name for each in ALL}
    long = {name: lines for name, lines in lengths.items() if lines > 8 and name not in _LONG}
    assert not long


def _braced(node: ast.Call) -> bool:
    """Do the arguments begin below the name, as they do between the lines of a pair of brackets?"""
    return node.args[0].lineno > node.lineno and node.keywords[-1].value.end_lineno != node.end_lineno


def test_treebanks_are_tasks_by_their_names() -> None:
    found = task("ud-Faroese-OFT")
    assert (found.languages, found.metric, found.trains_on) == (("fo",), "token_accuracy", ("udpos",))
    assert task("ud-English-ParTUT").train_language == "en"
    assert task("ud-Kurmanji-MG").languages == ("ku",)
    with pytest.raises(SpecError, match="no language is called Dothraki"):
        task("ud-Dothraki-XYZ")
    assert task("ud-Old_Church_Slavonic-PROIEL").languages == ("cu",)
    written = {
        name: task(f"ud-{name}").languages[0] for name in ("Norwegian-Nynorsk", "Norwegian-Bokmaal", "Chinese-PUD")
    }
    assert written == {"Norwegian-Nynorsk": "nn", "Norwegian-Bokmaal": "nb", "Chinese-PUD": "zh-Hant"}
    with pytest.raises(SpecError, match="is no treebank: name one as in ud-Faroese-OFT"):
        task("ud-nothing")
    assert "ud-Faroese-OFT" not in tasks()


def test_every_file_of_the_pack_is_read_by_some_task() -> None:
    if not DATA.is_dir():
        pytest.skip("no shared folder (ISTHMUS_SHARED) with published files")
    names = [path.parent.name.replace("ud_", "ud-") for path in DATA.glob("pos/ud_*/*.conllu")]
    every = [*ALL, *(task(name) for name in set(names) - {"ud-pud"})]
    where = Where((DATA,), hub=False)
    read = set()
    for each in every:
        assert isinstance(each.source, Dataset)
        source = each.source.at(where)
        for split in ("train", "dev", "test"):
            for language in source.codes:
                read |= {path for place in source.places(split, language) for path in place.files}
    left = {str(path.relative_to(DATA)) for path in DATA.rglob("*") if path.is_file() and path not in read}
    own = {"MANIFEST.md", "MANIFEST.tsv", "SHA256SUMS"}
    assert {name for name in left - own if name not in UNREAD} == set()
    assert set(UNREAD) <= left, "a file that is read needs no excuse"
