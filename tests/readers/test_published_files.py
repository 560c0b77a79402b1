"""Every data file of the shared pack, read whole: as many rows as its manifest says, less those left out and noted."""

import csv
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from isthmus.data.readers.options import Options, Place
from isthmus.data.readers.read import read_rows
from isthmus.data.readers.rows import Rows
from isthmus.data.schema import GOLD, Kind, to_table
from isthmus.errors import DataError

DATA = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no shared folder (ISTHMUS_SHARED) with published files")

NLI = ("entailment", "neutral", "contradiction")
LOWER = {label.upper(): label for label in NLI}
NS = {"text": "NS", "text_pair": "NS"}


def tags(tokens: int, column: int) -> dict[str, str | int]:
    return {"tokens": tokens, "tags": column}


AFRIQA = Options(
    columns={
        "context": "context",
        "question": "question_lang",
        "answers": "answer_pivot.text",
        "answer_starts": "answer_pivot.answer_start",
    },
    lost_answers="drop",
)
WITHHELD = Options(labelled=False)

#: The beginning of a path -> the kind of what lies there, and how it is read; the longest one that fits counts.
READING: dict[str, tuple[Kind, Options]] = {
    "ccg/pmb-4.0.0/": (Kind.TAGGING, Options(columns=tags(1, 5))),
    "mc/": (Kind.CHOICE, Options()),
    "ner/": (Kind.TAGGING, Options()),
    "ner/panx/test-": (Kind.TAGGING, WITHHELD),
    "ner/uner/": (Kind.TAGGING, Options(columns=tags(2, 3))),
    "nli/": (Kind.PAIR, Options()),
    "nli/indonli/": (Kind.PAIR, Options(labels={"e": "entailment", "n": "neutral", "c": "contradiction"})),
    "nli/kornli/": (Kind.PAIR, Options(quoting="none")),
    "nli/rte/": (Kind.PAIR, Options(quoting="none")),
    "nli/sick/": (Kind.PAIR, Options(labels=LOWER)),
    "nli/xnli/test-": (Kind.PAIR, WITHHELD),
    "parallel/ntrex/": (Kind.TEXT, Options()),
    "paraphrase/mrpc/": (Kind.PAIR, Options(quoting="none")),
    "paraphrase/pawsx/": (Kind.PAIR, Options(drop=NS, quoting="csv")),
    "paraphrase/pawsx/dev-en": (Kind.PAIR, Options(quoting="none")),
    "pos/": (Kind.TAGGING, Options()),
    "qa/": (Kind.SPAN, Options()),
    "qa/afriqa/": (Kind.SPAN, AFRIQA),
    "qa/tydiqa/dev_unlabelled/": (Kind.SPAN, WITHHELD),
    "retrieval/lareqa_xquad-r/": (Kind.SPAN, Options()),
    "retrieval/tatoeba_v1/": (Kind.BITEXT, Options()),
    "sentiment/nusax/": (Kind.SEQUENCE, Options()),
    "slots/xsid-0.6/": (Kind.TAGGING, Options(columns=tags(2, 4))),
    "topic/sib200/": (Kind.SEQUENCE, Options(quoting="csv")),
    "topic/sib200/eng_Latn/labels.txt": (Kind.TEXT, Options()),
}
#: Rows that reading leaves out, each with a note: missing translations, and answers that are not in their passage.
LEFT_OUT = {
    **{f"paraphrase/pawsx/dev-{code}.tsv": rows for code, rows in [("de", 68), ("es", 38), ("fr", 8)]},
    **{f"paraphrase/pawsx/dev-{code}.tsv": rows for code, rows in [("ja", 20), ("zh", 16)]},
    "paraphrase/pawsx/original_layout/de.test_2k.tsv": 32,
    "qa/afriqa/gold_span_passages.afriqa.hau.en.test.json": 29,
    "qa/afriqa/gold_span_passages.afriqa.ibo.en.test.json": 1,
    "qa/afriqa/gold_span_passages.afriqa.swa.en.test.json": 32,
    "qa/afriqa/gold_span_passages.afriqa.yor.en.test.json": 46,
}
#: Sentences of nothing but tokens that begin with ``#``, which the manifest took for comments.
HASHES = {"ner/wnut17/wnut17train.conll": 1, "pos/en_ewt_2col/train.txt": 1, "pos/masakhane_pos/tsn/test.txt": 1}


class Listed(NamedTuple):
    path: str
    rows: int
    unit: str


@cache
def listed() -> tuple[Listed, ...]:
    with (DATA / "MANIFEST.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return tuple(Listed(row["path"], int(row["rows"]), row["unit"]) for row in rows)


def sets() -> list[str]:
    return sorted({"/".join(one.path.split("/")[:2]) for one in listed()}) if DATA.is_dir() else []


def placed(path: str) -> Place | None:
    """The file, with the one that belongs to it; None for a file that is only ever the second of two."""
    if path.endswith(("-labels.lst", ".eng")):
        return None
    if path.startswith("mc/socialiqa"):
        return DATA / path, DATA / path.replace(".jsonl", "-labels.lst")
    if path.startswith("retrieval/tatoeba"):
        return DATA / path, (DATA / path).with_suffix(".eng")
    return DATA / path


def read(path: str, **changes: Any) -> Rows:
    kind, options = READING[max((start for start in READING if path.startswith(start)), key=len)]
    place = placed(path)
    assert place is not None
    return read_rows(place, kind, Options(**{**options.__dict__, **changes}))


def files(name: str) -> Iterator[Listed]:
    return (one for one in listed() if one.path.startswith(name + "/") and placed(one.path) is not None)


@pytest.mark.parametrize("name", sets())
def test_every_file_is_read_whole(name: str) -> None:
    for path, expected, _ in files(name):
        rows = read(path)
        labelled = all(role in rows.values for role in GOLD[rows.kind])
        table = to_table(rows.kind, rows.values, path, labelled=labelled)
        assert table.num_rows == expected - LEFT_OUT.get(path, 0) + HASHES.get(path, 0), path
        assert bool(LEFT_OUT.get(path)) == any("left out" in note.what for note in rows.notes), path
        assert not table.column("id").null_count


def test_labels_are_spelt_one_way_where_a_map_says_how() -> None:
    for name in ("xnli/dev-ar.tsv", "cxnli/xnli.test.hr.csv", "kornli/xnli.dev.ko.tsv", "indonli/test_lay.jsonl"):
        assert set(read(f"nli/{name}").values["label"]) == set(NLI), name
    for name in ("SICK_test_annotated.txt", "SICK_train.txt"):  # one with CRLF, one without
        assert set(read(f"nli/sick/{name}").values["label"]) == set(NLI)
    assert set(read("nli/sick/SICK_train.txt", labels={}).values["label"]) == set(LOWER)


def test_quotation_marks_are_read_as_each_file_means_them() -> None:
    """The guess is what the table above says; the other way loses rows, or leaves marks doubled."""
    for path in (
        "paraphrase/mrpc/msr_paraphrase_train.txt",
        "nli/kornli/xnli.dev.ko.tsv",
        "nli/rte/train.tsv",
        "paraphrase/pawsx/original_layout/de.test_2k.tsv",
        *(f"paraphrase/pawsx/dev-{code}.tsv" for code in ("de", "en", "es", "fr", "ja", "zh")),
        *(one.path for one in files("topic/sib200") if one.path.endswith(".tsv")),
    ):
        assert read(path, quoting="auto").values == read(path).values, path
    for path in ("paraphrase/mrpc/msr_paraphrase_train.txt", "nli/kornli/xnli.dev.ko.tsv"):
        with pytest.raises(DataError, match=r":\d+: .*quotation mark.*give quoting='none'"):
            read(path, quoting="csv")
    german = read("paraphrase/pawsx/dev-de.tsv")
    assert any('"' in text for text in german.values["text"]) and not any(
        '""' in text for text in german.values["text"]
    )


def test_byte_order_marks_and_carriage_returns_are_no_part_of_a_text() -> None:
    for path in ("paraphrase/mrpc/msr_paraphrase_train.txt", "mc/cosmosqa/valid.csv", "mc/xcopa/tr/test.tr.jsonl"):
        assert b"\r\n" in (DATA / path).read_bytes()
        texts = [text for column in read(path).values.values() for text in column if isinstance(text, str)]
        assert not any(text.startswith("\ufeff") or text.endswith("\r") for text in texts), path
    assert not any(text.endswith("\r") for text in read("parallel/ntrex/newstest2019-src.eng.txt").values["text"])
    assert not any(label.endswith("\r") for label in read("nli/sick/SICK_test_annotated.txt").values["label"])


def test_a_byte_order_mark_inside_a_context_is_counted_by_the_answers() -> None:
    context = read("qa/xquad/xquad.es.json").values["context"][0]
    assert context.startswith("\ufeff"), "answers start where the authors counted"


def test_missing_translations_are_left_out_and_rows_keep_their_numbers() -> None:
    german, english = read("paraphrase/pawsx/dev-de.tsv"), read("paraphrase/pawsx/dev-en.tsv")
    assert [str(note) for note in german.notes][:1] == ["rows left out whose text is 'NS' or text_pair is 'NS': 68"]
    labels = dict(zip(english.values["id"], english.values["label"], strict=True))
    assert all(labels[i] == label for i, label in zip(german.values["id"], german.values["label"], strict=True))


def test_ids_that_repeat_are_told_apart_and_counted() -> None:
    rows = read("qa/tydiqa/train/tydiqa.goldp.en.train.json")
    assert str(rows.notes[0]) == f"ids that repeat, numbered: {3696 - 89:,}"
    assert len(set(rows.values["id"])) == 3696
    assert sum("#" not in one for one in rows.values["id"]) == 89


@pytest.mark.parametrize("code, moved, lost", [("hau", 0, 29), ("ibo", 2, 1), ("swa", 7, 32), ("yor", 0, 46)])
def test_wrong_offsets_are_mended_only_where_there_is_one_place(code: str, moved: int, lost: int) -> None:
    """Starts of -1 stand for answers that are not there: a lone "no" inside "Oscar nomination" is none."""
    path = f"qa/afriqa/gold_span_passages.afriqa.{code}.en.test.json"
    notes = {note.what.split(" that")[0]: note.times for note in read(path).notes}
    assert notes.get("answers moved to the one place where they stand", 0) == moved
    assert notes["answers left out"] == notes["questions left out for"] if "questions left out for" in notes else True
    assert notes["answers left out"] == lost
    with pytest.raises(DataError, match=r"json:\d+: question '\d+': the answer .*lost_answers='drop'"):
        read(path, lost_answers="refuse")


def test_answers_of_published_squad_files_stand_where_they_say() -> None:
    for one in files("qa"):
        if "afriqa" not in one.path and "unlabelled" not in one.path:
            assert not any("answer" in note.what for note in read(one.path).notes), one.path


def test_questions_about_one_paragraph_are_one_group() -> None:
    rows = read("qa/xquad/xquad.de.json")
    assert len(set(rows.values["group"])) == len(set(rows.values["context"])) == 240


def test_other_data_beside_the_questions_changes_nothing() -> None:
    for code in ("de", "en"):
        assert read(f"retrieval/lareqa_xquad-r/{code}.json").values == read(f"qa/xquad/xquad.{code}.json").values


def test_withheld_labels_are_refused_and_unlabelled_rows_are_read() -> None:
    for path, said in [
        ("qa/tydiqa/dev_unlabelled/tydiqa.goldp.sw.dev.json", "every answer is empty: they seem to be withheld"),
        ("ner/panx/test-de.tsv", "one column only, so there are no tags"),
        ("nli/xnli/test-en.tsv", "it is not clear which of the 2 columns"),
    ]:
        with pytest.raises(DataError) as refused:
            read(path, labelled=True)
        assert said in str(refused.value) and str(refused.value).endswith(
            "predictions for a submission need none (labelled=False)."
        )
        rows = read(path)
        table = to_table(rows.kind, rows.values, path, labelled=False)
        assert all(table.column(role).null_count == table.num_rows for role in GOLD[rows.kind])
    labelled, without = read("nli/xnli/dev-en.tsv"), read("nli/xnli/dev-en.tsv", labelled=False)
    assert {**without.values, "label": labelled.values["label"]} == labelled.values


def test_what_answers_count_from_is_told_by_all_of_them() -> None:
    assert read("mc/socialiqa/dev.jsonl").label_base == 1
    for path in ("mc/copa_en/val-en.jsonl", "mc/xcopa/sw/test.sw.jsonl", "mc/cosmosqa/valid.csv"):
        assert read(path).label_base == 0
    first = read("mc/socialiqa/dev.jsonl")
    assert first.values["choices"][0][first.values["answer"][0]] == "Find somewhere to go"
    cosmos = read("mc/cosmosqa/valid.csv").values
    gold = [choices[answer] for choices, answer in zip(cosmos["choices"], cosmos["answer"], strict=True)]
    assert gold.count("None of the above choices .") == 259
    with pytest.raises(DataError, match=r"Its labels may be in dev-labels\.lst: name both files\."):
        read_rows(DATA / "mc/socialiqa/dev.jsonl")


def test_xwinograd_is_a_choice_of_what_the_pronoun_stands_for() -> None:
    rows = read("mc/xwinograd/dataset.tsv", only={"language": "en"})
    assert len(rows.lines) == 2325
    assert rows.values["text"][0].endswith("a permit because _ feared violence.")
    assert rows.values["choices"][0] == ["The city councilmen", "the demonstrators"]
    assert rows.values["answer"][:2] == [0, 1]
    assert all(text.count("_") >= 1 for text in rows.values["text"])


def test_tokens_and_tags_are_kept_as_published() -> None:
    for code in ("ja", "zh"):
        found = read(f"ner/panx/dev-{code}.tsv").values["tags"]
        orphans = sum(
            tag[:2] == "I-" and (i == 0 or row[i - 1][2:] != tag[2:]) for row in found for i, tag in enumerate(row)
        )
        assert orphans == 20, "an I- that nothing begins stays"
    train = read("ner/panx/train-en.tsv").values["tokens"]
    blocks = (DATA / "ner/panx/train-en.tsv").read_text(encoding="utf-8").strip("\n").split("\n\n")
    assert list(map(len, train)) == [block.count("\n") + 1 for block in blocks]
    assert any("''" in row for row in train) and any("|" in row for row in train)
    hashes = read("ner/wnut17/wnut17train.conll").values["tokens"]
    assert sum(token.startswith("#") for row in hashes for token in row) == 828
    joined = read("ner/wnut17/emerging.test.conll")
    assert [str(note) for note in joined.notes] == [
        "tokens with several tags joined by commas, of which the first is taken: 297"
    ]
    assert not any("," in tag for row in joined.values["tags"] for tag in row)
    assert {tag for row in read("ner/uner/sr_set-ud-test.iob2").values["tags"] for tag in row} >= {"B-OTH"}


def test_a_prefix_is_taken_off_the_tokens_only_where_all_have_it(tmp_path: Path) -> None:
    """WikiANN's own layout is XTREME's with ``de:`` before every token."""
    plain = (DATA / "ner/panx/dev-de.tsv").read_text(encoding="utf-8")
    prefixed = tmp_path / "dev-de.tsv"
    prefixed.write_text("".join(f"de:{line}\n" if line else "\n" for line in plain.split("\n")[:-1]), encoding="utf-8")
    option = Options(token_prefix="de:")
    rows = read_rows(prefixed, Kind.TAGGING, option)
    assert rows.values == read("ner/panx/dev-de.tsv").values == read("ner/panx/dev-de.tsv", token_prefix="de:").values
    assert "without the prefix 'de:' that all of them have" in str(rows.notes[0])


def test_conllu_words_are_the_numbered_ones() -> None:
    words = read("pos/ud_Vietnamese-VTB/vi_vtb-ud-test.conllu").values["tokens"]
    assert sum(" " in token for row in words for token in row) == 2079, "forms have spaces inside"
    kurmanji = read("pos/ud_Kurmanji-MG/kmr_mg-ud-test.conllu")
    assert sum(token == "_" for row in kurmanji.values["tokens"] for token in row) == 54
    for name in ("tr_pud", "fi_pud", "en_pud", "id_pud"):  # ranges and empty nodes
        path = f"pos/ud_pud/{name}-ud-test.conllu"
        lines = (DATA / path).read_text(encoding="utf-8").split("\n")
        assert sum(map(len, read(path).values["tokens"])) == sum(line.partition("\t")[0].isdecimal() for line in lines)


def test_comments_of_conll_can_be_texts_and_labels() -> None:
    rows = read_rows(DATA / "slots/xsid-0.6/de.test.conll", Kind.SEQUENCE, Options(columns={"label": "intent"}))
    assert (rows.values["text"][0], rows.values["label"][0]) == ("Zeige alle Erinnerungen", "reminder/show_reminders")
    assert len(rows.lines) == 500


def test_supertags_are_a_column_of_seven() -> None:
    german = read("ccg/pmb-4.0.0/de/gold/dev.conll").values
    assert german["tokens"][0] == ["Kraft", "verkauft", "Celestial~Seasonings", "."]
    assert german["tags"][0][-1] == "s:dcl\\s:dcl"
    with pytest.raises(DataError, match=r"conll:7: none of the 7 columns .* say which"):
        read("ccg/pmb-4.0.0/de/gold/dev.conll", columns={})


def test_nothing_is_normalised_and_what_is_not_nfc_is_counted() -> None:
    path = "parallel/ntrex/newstest2019-ref.yor.txt"
    raw = (DATA / path).read_bytes().decode().removesuffix("\r\n").split("\r\n")
    rows = read(path)
    assert rows.values["text"] == raw
    assert [str(note) for note in rows.notes] == [
        "rows with text that is not in Unicode's form NFC, left as it is: 1,311"
    ]
