"""The English tasks to train on first: how their authors' files are read, what is held out, and mixtures of them."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from isthmus.data.catalog import check_rows
from isthmus.data.provenance import provenance
from isthmus.data.schema import Kind
from isthmus.data.sources.published import Dataset
from isthmus.errors import DataError, SpecError
from isthmus.planning.facts import bound
from isthmus.tasks.core import Task, Where
from isthmus.tasks.mixtures import MIXTURES, description
from isthmus.tasks.registry import task
from tests.readers.test_ccgbank import CATEGORIES, PIPED, TREES, WORDS

SHARED = Path(os.environ.get("ISTHMUS_SHARED", "../shared"))
COMMIT = 40
#: Rows to train on, as published.
SIZES = {
    "snli": 550152, "mnli": 392702, "anli": 162865, "qqp": 363846, "squad": 87599, "squad-v2": 130319,
    "hellaswag": 39905, "cosmosqa": 25262, "commonsenseqa": 9741, "socialiqa": 33410, "copa": 400, "sick": 4500,
    "rte": 2490, "mrpc": 4076, "scitail": 23596, "wnut17": 3394, "ewt-pos": 12544,
}  # fmt: skip
#: Those whose authors publish labels of a dev set and of a test set.
WITH_BOTH = ("snli", "anli", "scitail", "sick", "wnut17", "ewt-pos", "ccg", "ccg-pmb", "wikipedia")


def here(name: str, folder: Path, partial: bool = False) -> Task:
    return bound(task(name), Where((folder,), hub=False, partial=partial))


def lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def source(name: str) -> Dataset:
    found = task(name).source
    assert isinstance(found, Dataset)
    return found


def test_each_knows_how_many_rows_it_has_to_train_on() -> None:
    assert {name: task(name).expected_rows["train"] for name in SIZES} == SIZES
    assert task("tydiqa").expected_rows["train/en"] == 3696
    plus = [task(name).expected_rows["train"] for name in MIXTURES["anli-plus"].tasks]
    assert sum(plus) - 785 == 1104934, "less the rows of SNLI on which the judges did not agree: those of the paper"


def test_what_is_on_the_hub_is_pinned_to_a_commit_or_to_the_parquet_of_a_script() -> None:
    for name in SIZES:
        hub = source(name).hub
        assert hub is None or len(hub.revision) == COMMIT or hub.revision == "refs/convert/parquet", name


@pytest.mark.parametrize("name", [*SIZES, "ccg", "ccg-pmb", "wikipedia"])
def test_dev_is_offered_where_there_is_one_beside_the_rows_that_are_measured(name: str) -> None:
    assert source(name).has("dev", "en") is (name in WITH_BOTH)
    assert source(name).has("train", "en") and source(name).has("test", "en")


def test_the_rounds_of_anli_are_one_split(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        rows = [{"uid": f"{number}-{label}", "context": f"c{number}", "hypothesis": label, "label": label,
                 "model_label": "n", "reason": ""} for label in "nec"]  # fmt: skip
        lines(tmp_path / f"anli_v1.0/R{number}/dev.jsonl", rows)
    anli = here("anli", tmp_path, partial=True)
    table = anli.source.load("dev", "en")
    assert table.column("id").to_pylist() == [f"{number}-{label}" for number in (1, 2, 3) for label in "nec"]
    assert table.column("label").to_pylist() == ["neutral", "entailment", "contradiction"] * 3
    assert table.column("group").unique().to_pylist() == ["text 1", "text 2", "text 3"]
    with pytest.raises(DataError, match="9 rows, but 3200 are expected"):
        check_rows(task("anli"), "dev", "en", table)
    lines(tmp_path / "anli_v1.0/R2/dev.jsonl", [{"uid": "a", "context": "c", "hypothesis": "h", "label": "x"}])
    with pytest.raises(DataError, match="the label 'x' is not one of the task's"):
        check_rows(anli, "dev", "en", anli.source.load("dev", "en"))


def test_rows_that_a_line_feed_broke_are_passed_over_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    """As GLUE has QQP: the halves of a broken row have fewer columns. On the hub such rows are missing, too."""
    rows = ["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", "7\t1\t2\tA?\tB?\t0", '8\t3\t4\tA "B?',
            '"\tC?\t0', "9\t5\t6\tD?\tE?\t1", "10\t7\t8\t\tF?\t0"]  # fmt: skip
    (tmp_path / "QQP").mkdir()
    (tmp_path / "QQP/dev.tsv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    table = here("qqp", tmp_path).source.load("test", "en")
    assert table.column("id").to_pylist() == ["0", "3"]
    assert table.column("label").to_pylist() == ["not_duplicate", "duplicate"]
    told = provenance(table)
    assert told.rows == 3, "of them one has no question"
    assert "lines passed over that have fewer columns than the first: 2" in told.notes


def test_both_dev_sets_of_mnli_are_joined_in_glues_order(tmp_path: Path) -> None:
    head = "index\tpromptID\tsentence1\tsentence2\tlabel1\tgold_label"
    for name, label in (("mismatched", "neutral"), ("matched", "contradiction")):
        path = tmp_path / f"glue/MNLI/dev_{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{head}\n0\t31\tA "quote.\t{name}\tneutral\t{label}\n', encoding="utf-8")
    table = here("mnli", tmp_path).source.load("test", "en")
    assert table.column("text_pair").to_pylist() == ["matched", "mismatched"]
    assert table.column("id").to_pylist() == ["1", "2"]
    assert table.column("label").to_pylist() == ["contradiction", "neutral"]


def test_snlis_own_files_leave_out_what_judges_did_not_agree_on(tmp_path: Path) -> None:
    rows = [{"sentence1": "p", "sentence2": f"h{row}", "gold_label": label, "pairID": f"x{row}"}
            for row, label in enumerate(["neutral", "-", "entailment"])]  # fmt: skip
    lines(tmp_path / "snli_1.0/snli_1.0_test.jsonl", rows)
    table = here("snli", tmp_path).source.load("test", "en")
    assert table.column("id").to_pylist() == ["1", "3"]
    assert provenance(table).rows == 3


def test_scitails_own_files_call_one_label_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "SciTailV1.1/snli_format/scitail_1.0_dev.txt"
    lines(path, [{"sentence1": "p", "sentence2": label, "gold_label": label} for label in ("neutral", "entailment")])
    table = here("scitail", tmp_path).source.load("dev", "en")
    assert table.column("label").to_pylist() == ["not_entailment", "entailment"]


def test_hellaswag_and_commonsenseqa_are_choices(tmp_path: Path) -> None:
    endings = ["a", "b", "c", "d"]
    lines(tmp_path / "hellaswag_val.jsonl", [
        {"ind": ind, "activity_label": "x", "ctx_a": "A.", "ctx_b": "b", "ctx": "A. b", "split": "val",
         "label": label, "endings": endings, "source_id": "x~1"} for ind, label in ((24, 3), (92, 0))])  # fmt: skip
    swag = here("hellaswag", tmp_path).source.load("test", "en").to_pylist()
    assert [(row["id"], row["text"], row["choices"], row["answer"]) for row in swag] == [
        ("1", "A. b", endings, 3),
        ("2", "A. b", endings, 0),
    ]
    choices = [{"label": letter, "text": letter.lower()} for letter in "ABCDE"]
    question = {"question_concept": "x", "choices": choices, "stem": "Which?"}
    lines(tmp_path / "dev_rand_split.jsonl", [{"answerKey": "C", "id": "1afa", "question": question}])
    (row,) = here("commonsenseqa", tmp_path).source.load("test", "en").to_pylist()
    assert (row["id"], row["text"], row["question"], row["answer"]) == ("1afa", "Which?", "", 2)
    assert row["choices"] == list("abcde")


def test_sections_of_ccgbank_are_splits(tmp_path: Path) -> None:
    """Whatever the cut: how many sentences its owner has is no error."""
    for section in ("00", "01", "02", "13", "21", "22", "23"):
        path = tmp_path / f"ccgbank_1_1/data/AUTO/{section}/wsj_{section}00.auto"
        path.parent.mkdir(parents=True)
        path.write_text(TREES.replace("x_0001", f"wsj_{section}00"), encoding="utf-8")
    ccg = here("ccg", tmp_path)
    train, dev, test = (ccg.source.load(split, "en") for split in ("train", "dev", "test"))  # type: ignore[arg-type]
    names = train.column("id").to_pylist()
    assert names == [f"wsj_{section}00.{number}" for section in ("02", "13", "21") for number in (1, 2)]
    assert dev.column("id").to_pylist() == ["wsj_0000.1", "wsj_0000.2"]
    assert test.column("tokens").to_pylist() == WORDS
    assert ccg.labels == tuple(sorted({category for row in CATEGORIES for category in row})) and ccg.open_labels
    assert check_rows(ccg, "train", "en", train) == ()


@pytest.mark.parametrize("name", ["wsj23.stagged", "ccg/test.txt"])
def test_piped_sentences_of_ccgbank_are_read_without_and_with_labels(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(PIPED, encoding="utf-8")
    assert here("ccg", tmp_path).source.load("test", "en").column("tags").to_pylist() == CATEGORIES
    bare = bound(task("ccg"), Where((tmp_path,), hub=False, labelled=False)).source.load("test", "en")
    assert bare.column("tags").null_count == 2


def test_texts_of_wikipedia_may_lie_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "wikipedia").mkdir()
    (tmp_path / "wikipedia/sw.txt").write_text("Habari.\n\nDunia.\n", encoding="utf-8")
    table = here("wikipedia", tmp_path).source.load("train", "sw")
    assert table.column("text").to_pylist() == ["Habari.", "Dunia."]
    assert task("wikipedia").kind is Kind.TEXT


def test_of_a_split_in_part_dev_stands_in_for_test() -> None:
    if not (SHARED / "data").is_dir():
        pytest.skip("no shared folder (ISTHMUS_SHARED) with published files")
    told = provenance(here("snli", SHARED / "data", partial=True).source.load("test", "en"))
    assert (told.split, told.rows) == ("dev", 9831)


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_are_of_tasks_to_train_on_and_share_a_head_only_where_labels_agree(name: str) -> None:
    mixture = MIXTURES[name]
    members = [task(member) for member in mixture.tasks]
    assert all(member.train_language == "en" for member in members)
    assert len(set(mixture.tasks)) == len(mixture.tasks)
    if mixture.heads == "shared":
        assert len({(member.kind, member.labels) for member in members}) == 1
    assert description(name).endswith(".")


def test_the_free_mixture_needs_nobodys_licence_and_an_unknown_one_is_named() -> None:
    assert set(MIXTURES["nine"].tasks) ^ set(MIXTURES["nine-free"].tasks) == {"ccg", "ccg-pmb"}
    assert "Linguistic Data Consortium" not in "".join(task(name).licence for name in MIXTURES["nine-free"].tasks)
    with pytest.raises(SpecError, match=r"No mixture is called 'nin'.*nine"):
        description("nin")
