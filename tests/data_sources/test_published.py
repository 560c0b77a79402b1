"""Rows from folders of published files: official layouts, other layouts, and what is missing or withheld."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from isthmus.data.catalog import Catalog, check_rows
from isthmus.data.provenance import provenance
from isthmus.data.schema import fingerprint
from isthmus.errors import DataError
from isthmus.planning.facts import bound
from isthmus.store import Store
from isthmus.tasks.core import Where
from isthmus.tasks.registry import task
from tests.data_sources.conftest import SHARED, Sources


def test_where_files_lie_is_no_part_of_what_they_are(pack: Path, source: Sources, tmp_path: Path) -> None:
    (tmp_path / "download/xquad").mkdir(parents=True)
    for path in (pack / "qa/xquad").iterdir():
        shutil.copy(path, tmp_path / "download/xquad" / path.name)
    here, there = source("xquad", pack), source("xquad", tmp_path)
    assert here.identity() == there.identity()
    assert fingerprint(here.load("test", "de")) == fingerprint(there.load("test", "de"))


_IDENTITIES = """
import json
from isthmus.data.sources.published import Dataset
from isthmus.tasks.core import Where
from isthmus.tasks.registry import tasks
where = Where((), hub=True)
found = {one.name: dict(one.source.at(where).identity()) for one in tasks().values() if isinstance(one.source, Dataset)}
print(json.dumps(found))
"""


def test_what_rows_depend_on_is_the_same_in_every_process() -> None:
    command = [sys.executable, "-c", _IDENTITIES]
    told = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)]
    first, second = map(json.loads, told)
    assert first == second and {"ccg", "tatoeba", "udpos"} <= set(first)


def test_a_change_to_one_file_changes_the_identity(pack: Path, source: Sources, tmp_path: Path) -> None:
    path = tmp_path / "xcopa/test-et.jsonl"
    path.parent.mkdir()
    content = (pack / "mc/xcopa/et/test.et.jsonl").read_text()
    path.write_text(content)
    before = source("xcopa", tmp_path).identity()
    path.write_text(content.replace('"label": 0', '"label": 1', 1))
    assert source("xcopa", tmp_path).identity() != before


def test_two_layouts_of_a_data_set_give_the_same_rows(pack: Path, source: Sources, tmp_path: Path) -> None:
    own = tmp_path / "own/x-final/de/test_2k.tsv"
    own.parent.mkdir(parents=True)
    shutil.copy(pack / "paraphrase/pawsx/original_layout/de.test_2k.tsv", own)
    rows = source("pawsx", tmp_path / "own").load("test", "de")
    official = tmp_path / "official/pawsx/test-de.tsv"
    official.parent.mkdir(parents=True)
    lines = own.read_text().split("\n")[1:]
    official.write_text("\n".join(line.partition("\t")[2] for line in lines))
    assert fingerprint(source("pawsx", tmp_path / "official").load("test", "de")) == fingerprint(rows)
    assert provenance(rows).rows == 2000 > len(rows)
    assert rows.column("id")[-1].as_py() == "2000"  # numbers are those before rows are left out: languages can pair


def test_the_first_folder_that_has_a_file_is_believed(pack: Path, source: Sources, tmp_path: Path) -> None:
    (tmp_path / "xquad.de.json").write_text((pack / "qa/xquad/xquad.es.json").read_text())
    assert fingerprint(source("xquad", tmp_path, pack).load("test", "de")) == fingerprint(
        source("xquad", pack).load("test", "es")
    )


def test_what_is_missing_is_named_with_where_it_can_be_had(source: Sources, tmp_path: Path) -> None:
    with pytest.raises(DataError) as told:
        source("xquad", tmp_path).load("test", "de")
    assert str(told.value) == (
        f"Task xquad, test split, language de: there is no xquad.de.json in {tmp_path}; add `hub` to the places of "
        "data to take it from google/xquad."
    )
    with pytest.raises(DataError, match=r"there is no .*de-en.test.de and .*gold or .*in .*; its files are at https"):
        source("bucc2018", tmp_path).load("test", "de")
    with pytest.raises(DataError, match="Task xquad has no rows in 'sw': "):
        source("xquad", tmp_path).load("test", "sw")


def test_a_file_that_came_late_is_seen(pack: Path, source: Sources, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        source("xquad", tmp_path).load("test", "de")
    shutil.copy(pack / "qa/xquad/xquad.de.json", tmp_path)
    assert len(source("xquad", tmp_path).load("test", "de")) == 1190


STRIPPED = [
    ("xnli", "en", "facebook/xnli"),
    ("panx", "de", "unimelb-nlp/wikiann"),
    ("tydiqa", "sw", "google-research-datasets/tydiqa"),
]


@pytest.mark.parametrize(("name", "language", "hub"), STRIPPED)
def test_withheld_labels_are_refused_with_where_they_are(
    pack: Path, source: Sources, name: str, language: str, hub: str
) -> None:
    with pytest.raises(DataError) as told:
        source(name, pack).load("test", language)
    text = str(told.value)
    assert f"the labels of task {name}, test split, language {language}, are not there" in text
    assert f"on the hub ({hub})" in text and "isthmus submission" in text and "partial" in text
    assert text.endswith(".") and "\n" not in text


@pytest.mark.parametrize(("name", "language", "hub"), STRIPPED)
def test_without_labels_such_rows_serve_predictions(
    pack: Path, source: Sources, name: str, language: str, hub: str
) -> None:
    rows = source(name, pack, labelled=False).load("test", language)
    gold = {"xnli": "label", "panx": "tags", "tydiqa": "answers"}[name]
    assert rows.column(gold).null_count == len(rows) == {"xnli": 300, "panx": 100, "tydiqa": 499}[name]


def test_no_row_is_left_out_of_a_submission(pack: Path, source: Sources) -> None:
    measured, handed_in = (source("pawsx", pack, partial=True, labelled=labelled) for labelled in (True, False))
    assert len(measured.load("test", "de")) == 1968, "32 rows have no translation"
    assert handed_in.load("test", "de").column("id").to_pylist() == [str(row) for row in range(1, 2001)]


@pytest.mark.parametrize("zeros", [500, 10])
def test_answers_that_are_all_the_first_choice_are_withheld(
    pack: Path, source: Sources, tmp_path: Path, zeros: int
) -> None:
    """XTREME-R's download sets all of XCOPA's test labels to 0; over a few rows it may be chance."""
    lines = [json.loads(line) for line in (pack / "mc/xcopa/et/test.et.jsonl").read_text().splitlines()[:zeros]]
    path = tmp_path / "xcopa/test-et.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps({**line, "label": 0}) + "\n" for line in lines))
    if zeros > 20:
        with pytest.raises(DataError, match=r"every answer is the first choice.*on the hub \(cambridgeltl/xcopa\)"):
            source("xcopa", tmp_path).load("test", "et")
    else:
        assert source("xcopa", tmp_path).load("test", "et").column("answer").to_pylist() == [0] * zeros


def test_sorted_english_sentences_of_tatoeba_translate_nothing(pack: Path, source: Sources, tmp_path: Path) -> None:
    """The official download sorts them, which takes the labels away."""
    laser = pack / "retrieval/tatoeba_v1"
    (tmp_path / "tatoeba").mkdir()
    shutil.copy(laser / "tatoeba.tel-eng.tel", tmp_path / "tatoeba/te-en.te")
    english = (laser / "tatoeba.tel-eng.eng").read_text().split("\n")[:-1]
    (tmp_path / "tatoeba/te-en.en").write_text("".join(f"{line}\n" for line in sorted(english)))
    with pytest.raises(DataError, match="its sentences are sorted"):
        source("tatoeba", tmp_path).load("test", "te")
    assert len(source("tatoeba", tmp_path, labelled=False).load("test", "te")) == 234
    with_both = source("tatoeba", tmp_path, pack).load("test", "te")
    assert fingerprint(with_both) == fingerprint(source("tatoeba", pack).load("test", "te"))


def test_in_part_dev_stands_in_for_test_and_says_so(pack: Path, source: Sources) -> None:
    withheld = provenance(source("xnli", pack, partial=True).load("test", "en"))
    assert withheld.split == "dev" and withheld.notes[0].startswith("the labels of the test split are withheld: ")
    missing = provenance(source("xnli", pack, partial=True).load("test", "de"))
    assert missing.split == "dev" and missing.notes[0].startswith("the test split is not there: ")


def test_in_part_a_task_has_the_languages_that_are_there(pack: Path) -> None:
    where = Where((pack,), hub=False, partial=True)
    assert bound(task("xquad"), where).languages == ("de", "en", "es", "tr", "zh")
    assert bound(task("lareqa"), where).pool == ("de", "en")
    assert "sw" not in bound(task("tydiqa"), where).languages  # its labels are withheld
    assert bound(task("xwinograd"), where).languages == ("en", "ru")  # of six in one file


def test_fewer_rows_are_refused_or_noted_and_more_always_refused(pack: Path, tmp_path: Path) -> None:
    cut = task("xnli")
    whole = bound(cut, Where((pack,), hub=False))
    with pytest.raises(DataError, match="1200 rows, but 2490 are expected"):
        check_rows(whole, "dev", "de", whole.source.load("dev", "de"))
    part = bound(cut, Where((pack,), hub=False, partial=True))
    facts = Catalog(Store.open(tmp_path / "store")).facts(part, "test", "de")
    assert facts.notes == ("the test split is not there: this is the dev split", "1,200 of 2,490 rows")
    again = Catalog(Store.open(tmp_path / "store")).facts(part, "test", "de")
    assert again == facts
    with pytest.raises(DataError, match="20 rows, but 10 are expected"):
        rows = part.source.load("dev", "de").slice(0, 20).replace_schema_metadata(None)
        check_rows(replace(part, expected_rows={"dev": 10}), "dev", "de", rows)


def test_labels_that_the_metadata_do_not_list_come_from_the_training_rows(pack: Path) -> None:
    labels = bound(task("ccg-pmb"), Where((pack,), hub=False)).labels
    assert "(s:dcl\\np)/np" in labels and labels == tuple(sorted(set(labels)))
    assert len(labels) == 294


def test_answers_of_all_languages_are_right_as_the_official_evaluation_has_it(source: Sources, tmp_path: Path) -> None:
    oracle = SHARED / "oracle/retrieval/lareqa_en_de_es"
    if not oracle.is_dir():
        pytest.skip("no shared folder (ISTHMUS_SHARED) with published figures")
    shutil.copytree(oracle, tmp_path / "xquad-r")
    rows = source("lareqa", tmp_path, partial=True)
    languages = json.loads((oracle / "meta.json").read_text())["languages_in_load_order"]
    questions = [f"{one}_{tag}" for tag in languages for one in rows.load("test", tag).column("id").to_pylist()]
    candidates = [one for tag in languages for one in rows.load("candidates", tag).column("id").to_pylist()]
    assert questions == (oracle / "question_uids.txt").read_text().split()
    assert candidates == (oracle / "candidate_uids.txt").read_text().split()
    targets = rows.load("test", "de").column("targets").to_pylist()
    assert {len(each) for each in targets} == {3}
    assert all({one[:2] for one in each} == {"de", "en", "es"} for each in targets)


def test_bucc_is_read_as_it_comes_and_as_the_official_download_leaves_it(source: Sources, tmp_path: Path) -> None:
    oracle = SHARED / "oracle/retrieval/mine_de_en"
    if not oracle.is_dir():
        pytest.skip("no shared folder (ISTHMUS_SHARED) with published figures")
    folder = tmp_path / "bucc2018"
    folder.mkdir()
    for side, language in (("src", "de"), ("trg", "en")):
        ids, texts = ((oracle / f"{side}.{what}").read_text().split("\n")[:-1] for what in ("id", "txt"))
        lines = "".join(f"{one}\t{text}\n" for one, text in zip(ids, texts, strict=True))
        (folder / f"de-en.test.{language}").write_text(lines)
    with pytest.raises(DataError, match=r"\.gold\) is missing.*are at https://comparable"):
        source("bucc2018", tmp_path).load("test", "de")
    assert source("bucc2018", tmp_path, labelled=False).load("test", "de").column("targets").null_count > 0
    shutil.copy(oracle / "gold.tsv", folder / "de-en.test.gold")
    rows = source("bucc2018", tmp_path).load("test", "de")
    pairs = {(one, x) for one, xs in zip(*map(rows.column, ("id", "targets")), strict=True) for x in xs.as_py()}
    pairs = {(one.as_py(), x) for one, x in pairs}
    assert pairs == {tuple(line.split("\t")) for line in (oracle / "gold.tsv").read_text().split("\n")[:-1]}
    assert len(source("bucc2018", tmp_path).load("candidates", "de")) == len((oracle / "trg.id").read_text().split())


def test_a_mention_is_marked_in_its_sentence(source: Sources, tmp_path: Path) -> None:
    """Mewsli-X, as its own baseline writes a mention; the text is made up, in the shape of the published files."""
    text = "All is well. The verdict came back for Smith, who stepped down."
    start = text.index("Smith")
    span = {"start": start, "end": start + 5, "text": "Smith"}
    context = {"text": text, "language": "de", "document_id": "d", "sentence_spans": [{"start": 0, "end": 12},
               {"start": 13, "end": len(text)}]}  # fmt: skip
    row = {"context": context, "mentions": [{"example_id": "e1", "mention_span": span, "entity_id": "Q1"}]}
    entity = {
        "entity_id": "Q1",
        "title": "Smith",
        "description": "A\njudge. Old.",
        "sentence_spans": [{"start": 0, "end": 8}],
    }
    (tmp_path / "wikinews_mentions-test.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "candidate_set_entities.jsonl").write_text(json.dumps(entity) + "\n")
    query = source("mewslix", tmp_path).load("test", "de").to_pylist()[0]
    assert query["text"] == "Smith: The verdict came back for { Smith } , who stepped down."
    assert query["targets"] == ["Q1"]
    assert source("mewslix", tmp_path).load("candidates", "de").column("text").to_pylist() == ["A judge."]
    row["mentions"][0]["entity_id"] = ""  # type: ignore[index]
    (tmp_path / "wikinews_mentions-test.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match="the entities are withheld"):
        source("mewslix", tmp_path).load("test", "de")


def test_xnlis_own_files_give_the_rows_of_xtremes(pack: Path, source: Sources, tmp_path: Path) -> None:
    """One file of all languages, with a header, a second spelling of one label, and columns of no use here."""
    lines = ["\t".join(["language", "gold_label", "parse1", "parse2", "sentence1", "sentence2", "promptID"])]
    for language in ("de", "fr"):
        for row in (pack / f"nli/xnli/dev-{language}.tsv").read_text().split("\n")[:-1]:
            premise, hypothesis, label = row.split("\t")
            label = label.replace("contradiction", "contradictory") if language == "fr" else label
            lines.append("\t".join([language, label, "(", ")", premise, hypothesis, "1"]))
    path = tmp_path / "XNLI-1.0/xnli.dev.tsv"
    path.parent.mkdir()
    path.write_text("".join(f"{line}\n" for line in lines))
    for language in ("de", "fr"):
        own, official = (source("xnli", folder).load("dev", language) for folder in (tmp_path, pack))
        assert own.drop_columns("id").equals(official.drop_columns("id"))


def test_the_treebanks_of_a_language_are_joined(pack: Path, source: Sources, tmp_path: Path) -> None:
    """In the order of their names, without words that a treebank withholds and without blanks inside words."""
    release = tmp_path / "ud-treebanks-v2.5"
    for name in ("UD_Vietnamese-VTB", "UD_Vietnamese-Again"):
        (release / name).mkdir(parents=True)
        target = release / name / f"vi_{name.partition('-')[2].lower()}-ud-test.conllu"
        shutil.copy(pack / "pos/ud_Vietnamese-VTB/vi_vtb-ud-test.conllu", target)
    blank = "".join(f"{n}\t_\t_\tNOUN" + "\t_" * 6 + "\n" for n in (1, 2)) + "\n"
    (release / "UD_Vietnamese-Blank").mkdir()
    kept = "1\tx\t_\tNOUN" + "\t_" * 6 + "\n\n"
    (release / "UD_Vietnamese-Blank/vi_blank-ud-test.conllu").write_text(blank + kept)
    table = source("udpos", tmp_path).load("test", "vi")
    assert len(table) == 800 + 1 + 800
    assert table.column("tokens")[800].as_py() == ["x"]
    assert not any(" " in word for words in table.column("tokens").to_pylist() for word in words)
    assert provenance(table).rows == 1602
