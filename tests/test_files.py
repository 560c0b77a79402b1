"""Plain files as tasks: a few lines of Python, or none, make a data set of a known kind."""

import os
from pathlib import Path

import pytest

from isthmus.data.files import FileSource, file_task
from isthmus.data.readers.options import Options
from isthmus.data.schema import CANDIDATES, SCHEMAS, Kind, fingerprint, to_table
from isthmus.errors import DataError, SpecError
from isthmus.evaluate.metrics import METRICS
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
        FileSource(Kind.SEQUENCE, paths, Options(quoting="csv")),
        FileSource(Kind.SEQUENCE, paths, Options(columns={"text": "text"})),
        FileSource(Kind.SEQUENCE, paths, Options(form="csv")),
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


SQUAD = """{"data": [{"title": "T", "paragraphs": [{"context": "Ada wrote it.", "qas": [
  {"id": "1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}]}]}]}"""
COPA = '{"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "label": 1}\n'
WORD = "1\tAda\t_\tPROPN" + "\t_" * 6 + "\n"


@pytest.mark.parametrize(
    "name, content, kind, metric, recipe",
    [
        ("a.csv", "text,label\na,x\nb,x\n", Kind.SEQUENCE, "accuracy", {}),
        ("a.tsv", "premise\thypothesis\tlabel\na\tb\tx\n", Kind.PAIR, "accuracy", {}),
        ("a.jsonl", COPA + COPA.replace("1}", "0}"), Kind.CHOICE, "accuracy", {}),
        ("a.conll", "a\tO\nb\tB-X\n", Kind.TAGGING, "span_f1", {}),
        ("pos.conll", "a\tDET\nb\tNOUN\n", Kind.TAGGING, "token_accuracy", {}),
        ("a.conllu", WORD, Kind.TAGGING, "token_accuracy", {}),
        ("a.json", SQUAD, Kind.SPAN, "squad", {"max_length": 384}),
        ("a.txt", "one\ntwo\n", Kind.TEXT, "token_accuracy", {}),
    ],
)
def test_every_format_makes_a_task(
    folder: Path, name: str, content: str, kind: Kind, metric: str, recipe: dict[str, int]
) -> None:
    Path(name).write_text(content, encoding="utf-8")
    task = file_task(name, test={"de": name})
    assert (task.kind, task.metric, task.recipe) == (kind, metric, recipe)
    assert METRICS[task.metric].name == metric
    assert task.source.load("test", "de").schema == SCHEMAS[kind]
    assert isinstance(task.source, FileSource) and f"test/de: {name}: {kind}, " in task.source.describe()


def test_a_treebank_has_all_parts_of_speech_even_where_training_lacks_one(folder: Path) -> None:
    Path("a.conllu").write_text(WORD, encoding="utf-8")
    Path("b.conllu").write_text(WORD.replace("PROPN", "X"), encoding="utf-8")
    task = file_task("a.conllu", test={"de": "b.conllu"})
    assert (len(task.labels), task.source.load("test", "de")["tags"].to_pylist()) == (17, [["X"]])


def test_what_was_mended_and_left_out_is_shown_with_the_guess(folder: Path) -> None:
    Path("a.json").write_text(SQUAD.replace('"answer_start": 0', '"answer_start": 7'), encoding="utf-8")
    source = file_task("a.json", test={"de": "a.json"}).source
    assert isinstance(source, FileSource)
    assert source.describe().endswith("1 row; answers moved to the one place where they stand: 1")


def test_what_answers_count_from_in_training_holds_for_all_languages(folder: Path) -> None:
    Path("en.jsonl").write_text(COPA + COPA.replace("1}", "2}"), encoding="utf-8")
    Path("de.jsonl").write_text(COPA, encoding="utf-8")
    assert file_task("en.jsonl", test={"de": "de.jsonl"}).source.load("test", "de")["answer"].to_pylist() == [0]
    with pytest.raises(DataError, match=r"de\.jsonl:1: the answers \(1\) may be meant as numbers from 0 or"):
        file_task(None, test={"de": "de.jsonl"})
    told = file_task(None, test={"de": "de.jsonl"}, columns={"label_base": 0})
    assert told.source.load("test", "de")["answer"].to_pylist() == [1]


def test_queries_have_candidates_beside_them(folder: Path) -> None:
    Path("q.jsonl").write_text('{"id": "q", "text": "eins", "targets": ["1"]}\n', encoding="utf-8")
    Path("c.jsonl").write_text('{"id": "1", "text": "one"}\n{"id": "2", "text": "two"}\n', encoding="utf-8")
    ranking = file_task(None, test={"de": ("q.jsonl", "c.jsonl")}, name="numbers")
    assert (ranking.kind, ranking.metric) == (Kind.RANKING, "map@20")
    assert ranking.source.load("test", "de")["target"].to_pylist() == ["one"]
    assert ranking.source.load("candidates", "de").schema == CANDIDATES
    mining = file_task(None, test={"de": ("q.jsonl", "c.jsonl")}, kind="mining")
    assert (mining.metric, mining.source.load("candidates", "de").num_rows) == ("mining_f1", 2)


def test_rows_without_labels_are_read_for_predictions(folder: Path) -> None:
    Path("bare.tsv").write_text("text\nja\nnein\n", encoding="utf-8")
    task = file_task("train.tsv", test={"de": "bare.tsv"}, options=Options(labelled=False))
    assert (task.labelled, task.labels) == (False, ())
    assert task.source.load("test", "de").to_pylist()[0] == {"id": "1", "group": "1", "text": "ja", "label": None}


def test_fingerprints_stay_as_they_are() -> None:
    """They name rows in stores that exist: these two are from before columns were digested whole."""
    questions = {
        "id": ["a", "b"], "question": ["wer?", "誰?"], "context": ["Ada é", "x"],
        "answers": [["Ada", "é"], []], "answer_starts": [[0, 4], []],
    }  # fmt: skip
    found = fingerprint(to_table(Kind.SPAN, questions, "here"))
    assert found == "b678cab680ed932c9ee77616d735daf31eaf3a5929c16044c9a29971afc5eaf1"
    unlabelled = to_table(Kind.SEQUENCE, {"id": ["a", "b"], "text": ["é", ""]}, "here", labelled=False)
    assert fingerprint(unlabelled) == "72e1e9ef0e551668265f43ee7130a02d9aca4ae496aa5f28eff45c24450b859b"
    assert fingerprint(unlabelled.slice(1)) == fingerprint(unlabelled.slice(1).take([0])), "whatever the buffers hold"
