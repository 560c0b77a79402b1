"""Labels on the hub are numbers: what they stand for is told by their names, and by nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.data_sources.test_hub import Local, feature, sentence

pytest.importorskip("datasets")

RIGHT = ["neutral", "entailment", "contradiction", "entailment"]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    made = Local(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


def pairs(numbers: list[int], names: tuple[str, ...] | None) -> pa.Table:
    """Pairs with these labels, which have these names, or none."""
    rows = [str(row) for row in range(len(numbers))]
    columns = {"premise": [f"p{row}" for row in rows], "hypothesis": [f"h{row}" for row in rows], "label": numbers}
    kinds = {"premise": feature("string"), "hypothesis": feature("string"), "label": feature("int64", names)}
    return with_features(pa.table(columns), kinds)


def with_features(table: pa.Table, features: dict[str, Any]) -> pa.Table:
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def asked(identifier: str, task: str = "xnli", split: str = "dev") -> dict[str, Any]:
    return {"task": task, "split": split, "language": "en", "changes": {"id": identifier}}


def test_the_names_of_labels_decide_whatever_their_order(local: Local) -> None:
    usual, permuted = ("entailment", "neutral", "contradiction"), ("contradiction", "entailment", "neutral")
    for name, names in (("usual", usual), ("permuted", permuted), ("more", ("unused", *usual))):
        local.serve(f"its/{name}", "en", "validation", pairs([names.index(label) for label in RIGHT], names))
    found = local.load(asked("its/usual"), asked("its/permuted"), asked("its/more"))
    assert [answer["rows"] for answer in found] == [4, 4, 4]
    assert len({answer["fingerprint"] for answer in found}) == 1


def test_labels_that_nothing_explains_are_refused(local: Local) -> None:
    others = ("yes", "maybe", "no")
    tables = {
        "unnamed": pairs([0, 1, 2, 0], None),
        "others": pairs([0, 1, 2, 0], others),
        "beyond": pairs([0, 1, 3, 0], ("entailment", "neutral", "contradiction")),
        "below": pairs([0, 1, -2, 0], ("entailment", "neutral", "contradiction")),
        "foreign": pairs([0, 1, 3, 0], ("entailment", "neutral", "contradiction", "hidden")),
    }
    for name, table in tables.items():
        local.serve(f"its/{name}", "en", "validation", table)
    said = [
        "nothing says which of entailment, neutral, contradiction the label 0 of 'label' stands for",
        "none of the labels of 'label', yes, maybe, no, is the task's 'contradiction'",
        "row 3: the label 3 is none of the 3 that are named",
        "row 3: the label -2 is none of the 3 that are named",
        "row 3: the label 'hidden' is not one of the set",
    ]
    for answer, words in zip(local.load(*(asked(f"its/{name}") for name in tables)), said, strict=True):
        assert words in sentence(answer)


def test_numbers_that_are_the_labels_need_no_names_and_spellings_count(local: Local) -> None:
    """PAWS-X calls its labels 0 and 1; UNER calls the tags of what it has beside names OTH."""
    columns = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [1, 0]}
    kinds = {"sentence1": feature("string"), "sentence2": feature("string"), "label": feature("int64")}
    local.serve("its/pawsx", "en", "validation", with_features(pa.table(columns), kinds))
    questions = {"idx": [0, 1], "question1": ["a", "b"], "question2": ["c", ""], "label": [1, 0]}
    kinds = {"idx": feature("int32"), "question1": feature("string"), "question2": feature("string")}
    for name, names in (("named", ("not_duplicate", "duplicate")), ("digits", ("0", "1"))):
        table = with_features(pa.table(questions), {**kinds, "label": feature("int64", names)})
        local.serve(f"its/{name}", "qqp", "validation", table)
    plain, named, digits = local.load(
        asked("its/pawsx", "pawsx"), asked("its/named", "qqp", "test"), asked("its/digits", "qqp", "test")
    )
    assert plain["rows"] == 2
    assert named["rows"] == 1 and any("rows left out" in note for note in named["notes"])
    assert "is the task's 'duplicate'" in sentence(digits)


def test_tags_are_named_and_checked_as_labels_are(local: Local) -> None:
    names = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
    kinds = {"tokens": {"feature": feature("string"), "_type": "List"}}
    cases = {"named": ([[0, 5], [6]], names), "unlabelled": ([[0, -1], [6]], names), "unnamed": ([[0, 5], [6]], None)}
    for name, (numbers, told) in cases.items():
        table = pa.table({"tokens": [["in", "Rome"], ["Rome"]], "ner_tags": numbers})
        features = {**kinds, "ner_tags": {"feature": feature("int64", told), "_type": "List"}}
        local.serve(f"its/{name}", "en", "validation", with_features(table, features))
    named, unlabelled, unnamed = local.load(*(asked(f"its/{name}", "panx") for name in cases))
    assert named["rows"] == 2
    assert "row 1: the label -1 is none of the 7 that are named" in sentence(unlabelled)
    assert "nothing says which of O, B-PER, I-PER, ... the label 0" in sentence(unnamed)


def test_choices_that_are_named_out_of_order_are_refused(local: Local) -> None:
    columns = {"idx": [0], "premise": ["p"], "question": ["cause"], "choice1": ["a"], "choice2": ["b"], "label": [1]}
    for name, names in (("right", ("choice1", "choice2")), ("wrong", ("choice2", "choice1"))):
        kinds = {key: feature("int32" if key == "idx" else "string") for key in columns}
        table = with_features(pa.table(columns), {**kinds, "label": feature("int64", names)})
        local.serve(f"its/{name}", "copa", "validation", table)
    right, wrong = local.load(asked("its/right", "copa", "test"), asked("its/wrong", "copa", "test"))
    assert right["rows"] == 1
    assert "the choices that 'label' counts are named choice2, choice1: not in order" in sentence(wrong)


def test_of_a_huge_split_only_a_part_is_asked_for_and_the_parts_share_no_row(local: Local) -> None:
    articles = pa.table({"id": [str(one) for one in range(1300)], "text": [f"a{one}\n\nb" for one in range(1300)]})
    local.serve("wikimedia/wikipedia", "20231101.fo", "train", articles)
    splits = ("dev", "test", "train")
    found = local.load(*({"task": "wikipedia", "split": split, "language": "fo"} for split in splits))
    assert [answer["rows"] for answer in found] == [500, 500, 300]
    assert len({answer["fingerprint"] for answer in found}) == 3
    assert "of a larger split, from row 1,001 to row 6,000 at most: rows read: 300" in found[2]["notes"]
    kept = {path.name for path in (local.root / "home").rglob("*.parquet")}
    assert not kept, "a split that is streamed is not copied whole"
