"""What is odd about real files, and what becomes of it: by the task that reads each."""

from pathlib import Path

import pytest

from isthmus.data.provenance import provenance
from isthmus.tasks.core import Split
from tests.data_sources.conftest import Sources


@pytest.mark.parametrize(
    ("name", "split", "language", "rows"),
    [
        ("mrpc", "train", "en", 4076),  # byte order mark, CRLF, unbalanced quotation marks
        ("kornli", "dev", "ko", 2490),  # unbalanced quotation marks
        ("rte", "test", "en", 277),
        ("sick", "test", "en", 4927),  # CRLF in one file of three
        ("pawsx", "dev", "de", 2000 - 68),  # NS, and quotation marks as in CSV
        ("sib200", "train", "en", 701),
        ("cosmosqa", "test", "en", 2985),
        ("xquad", "test", "zh", 1190),
        ("wnut17", "test", "en", 1287),
        ("ccg-pmb", "test", "it", 461),  # a comment with as many columns as a token
        ("ud-Kurmanji-MG", "test", "ku", 734),  # multi-word ranges, forms with spaces, forms that are "_"
        ("ntrex", "test", "de", 1997),  # CRLF
        ("xsid", "test", "ja", 250),
    ],
)
def test_no_row_is_lost(pack: Path, source: Sources, name: str, split: Split, language: str, rows: int) -> None:
    assert len(source(name, pack).load(split, language)) == rows


def test_quotation_marks_of_csv_are_gone_and_literal_ones_are_kept(pack: Path, source: Sources) -> None:
    doubled = [text for text in source("pawsx", pack).load("dev", "de").column("text").to_pylist() if '""' in text]
    assert not doubled
    first = source("mrpc", pack).load("train", "en").column("text")[0].as_py()
    assert first.endswith(' his brother, whom he called "the witness", of deliberately distorting his evidence.')


@pytest.mark.parametrize(
    ("name", "split", "language", "labels"),
    [
        ("sick", "train", "en", {"entailment", "neutral", "contradiction"}),  # upper case
        ("indonli", "test", "id", {"entailment", "neutral", "contradiction"}),  # e, n and c
        ("rte", "train", "en", {"entailment", "not_entailment"}),
        ("pawsx", "dev", "ja", {"0", "1"}),
    ],
)
def test_labels_are_spelt_as_the_metadata_spell_them(
    pack: Path, source: Sources, name: str, split: Split, language: str, labels: set[str]
) -> None:
    assert set(source(name, pack).load(split, language).column("label").to_pylist()) == labels


def test_answers_counted_from_one_and_from_zero_are_counted_from_zero(pack: Path, source: Sources) -> None:
    lines = (pack / "mc/socialiqa/dev-labels.lst").read_text().split()
    assert source("socialiqa", pack).load("test", "en").column("answer").to_pylist() == [int(one) - 1 for one in lines]
    assert set(source("xcopa", pack).load("test", "et").column("answer").to_pylist()) == {0, 1}


@pytest.mark.parametrize(("language", "read", "kept"), [("ha", 300, 271), ("ig", 409, 408), ("sw", 295, None)])
def test_wrong_offsets_are_mended_only_where_one_place_will_do(
    pack: Path, source: Sources, language: str, read: int, kept: int | None
) -> None:
    table = source("afriqa", pack).load("test", language)
    told = provenance(table)
    assert told.rows == read
    assert kept is None or len(table) == kept
    assert any("left out" in note for note in told.notes)
    for row in table.to_pylist():
        for answer, start in zip(row["answers"], row["answer_starts"], strict=True):
            assert row["context"][start : start + len(answer)] == answer


def test_joined_tags_are_counted_and_the_first_is_taken(pack: Path, source: Sources) -> None:
    table = source("wnut17", pack).load("test", "en")
    assert "297" in provenance(table).notes[0]
    assert not any("," in tag for tags in table.column("tags").to_pylist() for tag in tags)


def test_ids_that_repeat_are_numbered_and_counted(pack: Path, source: Sources) -> None:
    table = source("tydiqa", pack).load("train", "en")
    ids = table.column("id").to_pylist()
    assert len(set(ids)) == len(ids) == 3696
    assert len({one.partition("#")[0] for one in ids}) == 89
    assert any("3,607" in note for note in provenance(table).notes)


@pytest.mark.parametrize(
    ("name", "split", "language"), [("masakhaner2", "test", "yo"), ("xcopa", "test", "ta"), ("xnli", "dev", "ar")]
)
def test_text_that_is_not_in_nfc_is_left_and_noted(
    pack: Path, source: Sources, name: str, split: Split, language: str
) -> None:
    assert any("NFC" in note for note in provenance(source(name, pack).load(split, language)).notes)


def test_a_tag_outside_the_set_becomes_none(pack: Path, source: Sources) -> None:
    tags = source("uner", pack).load("test", "sr").column("tags").to_pylist()
    assert {tag for row in tags for tag in row} == {"O", *(f"{p}-{t}" for p in "BI" for t in ("PER", "ORG", "LOC"))}


def test_parallel_languages_share_their_ids(pack: Path, source: Sources) -> None:
    for name, split, languages in [
        ("xnli", "dev", ("de", "zh")),
        ("xquad", "test", ("de", "zh")),
        ("xcopa", "test", ("et", "zh")),
        ("ntrex", "test", ("de", "zh-CN")),
        ("ud-pud", "test", ("de", "fi")),
        ("lareqa", "test", ("de", "en")),
        ("sib200", "test", ("de", "zh")),
    ]:  # fmt: skip
        one, other = (source(name, pack).load(split, tag).column("id").to_pylist() for tag in languages)
        assert one == other, name


def test_rows_that_share_a_premise_or_a_document_share_a_group(pack: Path, source: Sources) -> None:
    groups = source("xnli", pack).load("dev", "en").column("group").to_pylist()
    assert groups[:4] == ["text 1", "text 1", "text 1", "text 2"]
    news = source("ntrex", pack).load("test", "de").column("group").to_pylist()
    assert news[0] == "bbc.381790" and len(set(news)) == 123
