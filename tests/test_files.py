"""Plain files as tasks: a few lines of Python, or none, make a data set of a known kind."""

import os
from pathlib import Path

import pytest

from isthmus.data.files import FileSource, file_task
from isthmus.data.schema import SCHEMAS, Kind, fingerprint
from isthmus.errors import DataError, SpecError
from isthmus.tasks.core import Source

TRAIN = "text\tlabel\nfine\tpos\nawful\tneg\ngreat\tpos\n"

NEW_DATA_SET = """\
from isthmus.data.files import file_task

REVIEWS = file_task(
    "train.tsv",
    test={"de": "de.csv", "swh": "sw.jsonl"},
    name="reviews",
)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """English reviews to train on, German and Swahili ones to measure on, each in another format."""
    monkeypatch.chdir(tmp_path)
    Path("train.tsv").write_text(TRAIN, encoding="utf-8")
    Path("de.csv").write_text('label,review,id\npos,"gut, sehr gut",d1\nneg,schlimm,d2\n', encoding="utf-8")
    Path("sw.jsonl").write_text('{"sentence": "nzuri sana", "label": "pos"}\n', encoding="utf-8")
    return tmp_path


def test_a_new_data_set_is_eight_lines(folder: Path) -> None:
    assert len(NEW_DATA_SET.splitlines()) <= 8
    names: dict[str, object] = {}
    exec(NEW_DATA_SET, names)
    task = names["REVIEWS"]
    assert task == file_task("train.tsv", test={"de": "de.csv", "sw": "sw.jsonl"}, name="reviews")


def test_a_task_knows_its_kind_languages_labels_and_rows(folder: Path) -> None:
    task = file_task("train.tsv", test={"deu": "de.csv", "sw": Path("sw.jsonl")})
    assert (task.name, task.kind, task.languages, task.labels) == ("train", Kind.SEQUENCE, ("de", "sw"), ("neg", "pos"))
    assert (task.metric, task.train_language) == ("accuracy", "en")
    source: Source = task.source
    assert source.load("train", "en").column("text").to_pylist() == ["fine", "awful", "great"]
    german = source.load("test", "de")
    assert german.schema == SCHEMAS[Kind.SEQUENCE]
    assert german.to_pylist() == [
        {"id": "d1", "group": "d1", "text": "gut, sehr gut", "label": "pos"},
        {"id": "d2", "group": "d2", "text": "schlimm", "label": "neg"},
    ]


def test_the_guess_can_be_shown(folder: Path) -> None:
    source = file_task("train.tsv", test={"de": "de.csv", "sw": "sw.jsonl"}).source
    assert isinstance(source, FileSource)
    assert source.describe().split("\n") == [
        "train/en: train.tsv: sequence, TSV with a header, quotation marks literal; "
        "text = 'text', label = 'label', id = row number; 3 rows",
        "test/de: de.csv: sequence, CSV with a header, quotation marks as in CSV; "
        "text = 'review', label = 'label', id = 'id'; 2 rows",
        "test/sw: sw.jsonl: sequence, JSON Lines; text = 'sentence', label = 'label', id = row number; 1 row",
    ]


def test_equal_files_have_one_identity_wherever_they_lie(folder: Path) -> None:
    def identity() -> dict[str, str]:
        return dict(FileSource(Kind.SEQUENCE, {"train/en": path}).identity())

    path = folder / "train.tsv"
    first = identity()
    (folder / "elsewhere").mkdir()
    path = path.rename(folder / "elsewhere" / "reviews.tsv")
    assert identity() == first
    os.utime(path, (1, 1))
    assert identity() == first
    path.write_text(TRAIN.replace("fine", "good"), encoding="utf-8")
    assert identity()["train/en"] != first["train/en"]


def test_how_a_file_is_read_is_part_of_its_identity(folder: Path) -> None:
    paths = {"train/en": folder / "train.tsv"}
    sources = [
        FileSource(Kind.SEQUENCE, paths),
        FileSource(Kind.SEQUENCE, paths, quoting="csv"),
        FileSource(Kind.SEQUENCE, paths, columns={"text": "text"}),
        FileSource(Kind.SEQUENCE, paths, form="csv"),
    ]
    assert len({tuple(source.identity().items()) for source in sources}) == len(sources)


def test_the_same_rows_have_one_fingerprint_whatever_the_format(folder: Path) -> None:
    Path("a.csv").write_text("label,text\r\npos,fine\r\nneg,awful\r\npos,great\r\n", encoding="utf-8-sig")
    Path("a.jsonl").write_text(
        "".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in zip(
            ("fine", "awful", "great"), ("pos", "neg", "pos"), strict=True)), encoding="utf-8",
    )  # fmt: skip
    prints = {
        fingerprint(FileSource(Kind.SEQUENCE, {"train/en": Path(name)}).load("train", "en"))
        for name in ("train.tsv", "a.csv", "a.jsonl")
    }
    assert len(prints) == 1


def test_a_label_that_was_not_trained_on_is_refused_with_its_line(folder: Path) -> None:
    Path("de.csv").write_text("text,label\ngut,pos\nna ja,negg\n", encoding="utf-8")
    task = file_task("train.tsv", test={"de": "de.csv"})
    with pytest.raises(DataError, match=r"^de\.csv:3: the label 'negg' is not one of the set: did you mean neg"):
        task.source.load("test", "de")


def test_tags_have_their_prefixes_even_where_training_lacks_one(folder: Path) -> None:
    Path("train.conll").write_text("Ada\tB-PER\nwrote\tO\n\nin\tO\nRome\tB-LOC\n", encoding="utf-8")
    Path("de.conll").write_text("Ada\tB-PER\nLovelace\tI-PER\n", encoding="utf-8")
    task = file_task("train.conll", test={"de": "de.conll"}, dev="de.conll")
    assert (task.kind, task.metric) == (Kind.TAGGING, "span_f1")
    assert task.labels == ("B-LOC", "B-PER", "I-LOC", "I-PER", "O")
    assert task.source.load("test", "de").to_pylist()[0]["tags"] == ["B-PER", "I-PER"]
    assert task.source.load("dev", "en") == task.source.load("test", "de")
    Path("de.conll").write_text("Ada\tO\n\nvor\tO\nder\tB-GPE\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"^de\.conll:3: in the sentence that begins here, the tag 'B-GPE' is not"):
        task.source.load("test", "de")


def test_a_task_that_is_only_measured_has_the_labels_of_all_its_files(folder: Path) -> None:
    task = file_task(None, test={"sw": "sw.jsonl", "de": "de.csv"})
    assert (task.train_language, task.labels, task.name) == (None, ("neg", "pos"), "sw")
    with pytest.raises(DataError, match="There is no file for train/en: known: test/de, test/sw"):
        task.source.load("train", "en")


def test_two_aligned_texts_are_a_bitext_task(folder: Path) -> None:
    Path("t.sw").write_text("moja\nmbili\n", encoding="utf-8")
    Path("t.en").write_text("one\ntwo\n", encoding="utf-8")
    task = file_task(None, test={"sw": ("t.sw", "t.en")}, name="numbers")
    assert (task.kind, task.labels) == (Kind.BITEXT, ())
    assert task.source.load("test", "sw").select(["source", "target"]).to_pylist() == [
        {"source": "moja", "target": "one"},
        {"source": "mbili", "target": "two"},
    ]
    before = task.source.identity()["test/sw"]
    Path("t.en").write_text("one\nTwo\n", encoding="utf-8")
    assert task.source.identity()["test/sw"] != before


def test_mistakes_in_the_call_are_named(folder: Path) -> None:
    with pytest.raises(SpecError, match="needs a file to measure on"):
        file_task("train.tsv", test={})
    with pytest.raises(SpecError, match="Two files are named for test/de"):
        file_task("train.tsv", test={"de": "de.csv", "deu": "de.csv"})
    with pytest.raises(SpecError, match=r"Unknown language 'germn': did you mean de \(German\)"):
        file_task("train.tsv", test={"germn": "de.csv"})
    with pytest.raises(SpecError, match="no kind of task called 'sequences': did you mean sequence"):
        file_task("train.tsv", test={"de": "de.csv"}, kind="sequences")
    with pytest.raises(SpecError, match="columns names 'txt', which a sequence task has not: did you mean text"):
        file_task("train.tsv", test={"de": "de.csv"}, kind="sequence", columns={"txt": "a"})
    with pytest.raises(DataError, match=r"There is no file none\.tsv"):
        file_task("none.tsv", test={"de": "de.csv"})
    with pytest.raises(DataError, match=r"none\.tsv cannot be read: No such file"):
        FileSource(Kind.SEQUENCE, {"train/en": Path("none.tsv")}).identity()


def test_making_a_source_touches_no_disk() -> None:
    assert FileSource(Kind.PAIR, {"test/de": Path("/nowhere/at/all.tsv")}).kind is Kind.PAIR
