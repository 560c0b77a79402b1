"""Plain files as rows: what is read, and what is refused and in which words."""

import os
from pathlib import Path
from typing import Any

import pytest

from isthmus.data.readers.options import Options
from isthmus.data.readers.read import read_rows
from isthmus.data.readers.rows import Rows
from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError, SpecError

SHARED = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "data"


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def examples(rows: Rows) -> list[tuple[Any, ...]]:
    """The rows without their ids."""
    return list(zip(*(column for role, column in rows.values.items() if role != "id"), strict=True))


@pytest.mark.parametrize(
    "name, content, kind, expected",
    [
        ("a.tsv", "text\tlabel\nsay \"hi\"\tpos\nno\tneg\n", Kind.SEQUENCE, [('say "hi"', "pos"), ("no", "neg")]),
        ("a.tsv", "\ufefflabel\tsentence\r\npos\tja\r\nneg\tnein", Kind.SEQUENCE, [("ja", "pos"), ("nein", "neg")]),
        ("a.tsv", "one\tpos\ntwo\tpos\n", Kind.SEQUENCE, [("one", "pos"), ("two", "pos")]),
        ("a.tsv", "a b\tc\t0\nd\te\t0\n\n", Kind.PAIR, [("a b", "c", "0"), ("d", "e", "0")]),
        ("a.txt", "Quality\t#1 String\t#2 String\n1\ta\tb\n", Kind.PAIR, [("a", "b", "1")]),
        ("a.csv", 'text,label\n"a, ""b""\nc",x\n', Kind.SEQUENCE, [('a, "b"\nc', "x")]),
        ("a.csv", 'premise,hypo,label\n5" nail,"",e\n'.replace('""', '"b"'), Kind.PAIR, [('5" nail', "b", "e")]),
        ("a.csv", "id,en\nsatu,one\n", Kind.BITEXT, [("satu", "one")]),
        ("a.tsv", "English\tGerman\none\teins\n", Kind.BITEXT, [("eins", "one")]),
        ("a.tsv", "text\tlabel\na\u2028b\x0cc\x85\tx\n", Kind.SEQUENCE, [("a\u2028b\x0cc\x85", "x")]),
        ("a.jsonl", '{"label": 1, "text": "a"}\n\n{"text": "b", "label": true}', Kind.SEQUENCE,
         [("a", "1"), ("b", "true")]),
        ("a.jsonl", '{"tokens": ["a", "b"], "ner_tags": [0, 3]}', Kind.TAGGING, [(["a", "b"], ["0", "3"])]),
        ("a.jsonl", '{"sentence": "a b", "labels": "x"}', Kind.SEQUENCE, [("a b", "x")]),
        ("a.conll", "# id 1\na\tO\nb\tB-X\n\n\n# c\n#\tO\n", Kind.TAGGING,
         [(["a", "b"], ["O", "B-X"]), (["#"], ["O"])]),
        ("a.tsv", "a\tO\nb\tB-X\n\nc\tO\n", Kind.TAGGING, [(["a", "b"], ["O", "B-X"]), (["c"], ["O"])]),
        ("a.conll", "-DOCSTART- -X- O\n\na NN B-X\nb NN O\n", Kind.TAGGING, [(["a", "b"], ["B-X", "O"])]),
        ("a.conll", "# O\nx O\n\n# n = 1\ny O", Kind.TAGGING, [(["#", "x"], ["O", "O"]), (["y"], ["O"])]),
        ("a.conll", "1\ta\tO\t-\n2\tb\tB-X\t-\n", Kind.TAGGING, [(["a", "b"], ["O", "B-X"])]),
        ("a.conll", "\tO\nb\tB-X\n", Kind.TAGGING, [(["", "b"], ["O", "B-X"])]),
        ("a.conllu", "1-2\tam" + "\t_" * 8 + "\n1\ta b\t_\tADP" + "\t_" * 6 + "\n1.1\te" + "\t_" * 8 + "\n",
         Kind.TAGGING, [(["a b"], ["ADP"])]),
    ],
)  # fmt: skip
def test_what_a_file_holds_is_found_out(
    tmp_path: Path, name: str, content: str, kind: Kind, expected: list[tuple[Any, ...]]
) -> None:
    rows = read_rows(file(tmp_path, name, content))
    assert (rows.kind, examples(rows)) == (kind, expected)
    assert to_table(rows.kind, rows.values, "here").num_rows == len(expected)


def test_quotation_marks_of_a_tsv_are_a_csv_writers_only_where_all_are(tmp_path: Path) -> None:
    written = 'text\tlabel\n"she said ""no"""\tx\nyes\tx\n'
    typed = written + '"Yes" and "no"\tx\n'
    only_wrapped = 'text\tlabel\n"Hello"\tx\n'
    assert examples(read_rows(file(tmp_path, "a.tsv", written)))[0] == ('she said "no"', "x")
    assert examples(read_rows(file(tmp_path, "a.tsv", typed)))[0] == ('"she said ""no"""', "x")
    assert examples(read_rows(file(tmp_path, "a.tsv", only_wrapped))) == [('"Hello"', "x")]
    assert examples(read_rows(file(tmp_path, "a.tsv", only_wrapped), options=Options(quoting="csv"))) == [
        ("Hello", "x")
    ]
    assert examples(read_rows(file(tmp_path, "a.csv", 'text,label\n"a,x\n'), options=Options(quoting="none"))) == [
        ('"a', "x")
    ]


def test_columns_can_be_named_or_numbered(tmp_path: Path) -> None:
    path = file(tmp_path, "a.tsv", "nr\tSatz\tKlasse\tQuelle\n7\tja\tgut\tA\n9\tnein\tschlecht\tA\n")
    rows = read_rows(path, options=Options(columns={"text": "Satz", "label": "Klasse", "group": "Quelle", "id": "nr"}))
    assert rows.values == {"text": ["ja", "nein"], "label": ["gut", "schlecht"], "group": ["A", "A"], "id": ["7", "9"]}
    numbered = read_rows(path, options=Options(columns={"label": 3, "text": 2}))
    assert numbered.values["text"] == ["Satz", "ja", "nein"]
    tokens = file(tmp_path, "a.conll", "a b c\nd e f\n")
    assert examples(read_rows(tokens, options=Options(columns={"tokens": 2, "tags": 1}))) == [(["b", "e"], ["a", "d"])]


def test_ids_are_the_files_own_where_unique_else_row_numbers(tmp_path: Path) -> None:
    own = read_rows(file(tmp_path, "a.tsv", "id\ttext\tlabel\nx\ta\tl\ny\tb\tl\n"))
    repeated = read_rows(file(tmp_path, "a.tsv", "id\ttext\tlabel\nx\ta\tl\nx\tb\tl\n"))
    sentences = read_rows(file(tmp_path, "a.conll", "# sent_id = s1\na\tO\n\n# sent_id = s2\nb\tO\n"))
    assert [rows.values["id"] for rows in (own, repeated, sentences)] == [["x", "y"], ["1", "2"], ["s1", "s2"]]
    with pytest.raises(DataError, match=r"a\.tsv:3: the id 'x' is that of line 2 already"):
        read_rows(file(tmp_path, "a.tsv", "id\ttext\tlabel\nx\ta\tl\nx\tb\tl\n"), options=Options(columns={"id": "id"}))


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("a.tsv", b"", "a.tsv is empty."),
        ("a.tsv", b"\xef\xbb\xbf\r\n \n", "a.tsv is empty."),
        ("a.tsv", "text\tlabel\n", "a.tsv:1: there is a header but not one row."),
        ("a.tsv", b"text\tlabel\nok\tx\nbad\xff\tx\n", "a.tsv:3: byte 0xff at offset 19 is not UTF-8"),
        ("a.csv", b"\xef\xbb\xbftext,label\n\xe9,x\n", "a.csv:2: byte 0xe9 at offset 14 is not UTF-8"),
        ("a.csv", "text,label\na,x\n".encode("utf-16"), "a.csv is UTF-16: save it as UTF-8."),
        ("a.csv", "text,label\na,x\n".encode("utf-16-le"), "a.csv is UTF-16: save it as UTF-8."),
        ("a.csv", "text,label\ra,x\rb,y", "a.csv has no line feeds: its lines end in carriage returns alone"),
        ("a.tsv", "text\tlabel\na\tx\tb\n", "a.tsv:2: 3 columns where line 1 has 2"),
        ("a.csv", "text,label\na,x\n\nb\n", "a.csv:4: 1 column where line 1 has 2"),
        ("a.tsv", "text,label\na,x\n", "a.tsv:1: there is no tab on this line, but 1 comma: give format='csv'."),
        ("a.csv", "text\tlabel\na\tx\n", "a.csv:1: there is no comma on this line, but 1 tab: give format='tsv'."),
        ("a.csv", "text\na\n", "a.csv:1: there is no comma on this line, so there is one column only"),
        ("a.csv", 'text,label\na,x\nb,"y\nc,x\n', "a.csv:3: the quotation mark that opens column 2 is not closed"),
        ("a.csv", 'text,label\n"a\nb","c" d\n', "a.csv:3: column 2 goes on after its closing quotation mark"),
        ("a.tsv", "text\tlabel\na\tx\nb\t\n", "a.tsv:3: the label is empty"),
        ("a.tsv", "text\tlabel\n \tx\n", "a.tsv:2: the text is empty"),
        ("a.tsv", "Satz\tKlasse\na\tx\nb\tx\n", "a.tsv:1: it is not clear which of the 2 columns hold"),
        ("a.tsv", "text\tlabel\n" + "a\t0\n" * 20, "a.tsv:2: every label is '0': they seem to be withheld"),
        ("a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b" "label"}\n',
         "a.jsonl:2: this is not JSON: Expecting ',' delimiter at column 14."),
        ("a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b"}\n', "a.jsonl:2: this object has no 'label'"),
        ("a.jsonl", '{"text": "a", "label": 0.5}\n', "a.jsonl:1: 'label' must be a text or a whole number, not"),
        ("a.jsonl", '{"text": null, "label": "x"}\n', "a.jsonl:1: 'text' must be a text or a whole number, not null"),
        ("a.jsonl", '{"text": "\\ud800", "label": "x"}\n', "a.jsonl:1: the text holds half a surrogate pair"),
        ("a.jsonl", '{"a": "b"}\n', "a.jsonl:1: it is not clear which of the keys a hold"),
        ("a.jsonl", '["a"]', "a.jsonl, item 1: this must be an object in braces, not a text."),
        ("a.jsonl", '"a"\n', "a.jsonl:1: there must be objects in braces, not a text."),
        ("a.jsonl", '{"text": ' + "[" * 100_000, "a.jsonl:1: this JSON cannot be read"),
        ("a.jsonl", '{"text": ' + "1" * 5000 + "}", "a.jsonl:1: this JSON cannot be read"),
        ("a.jsonl", '{"tokens": ["a"], "tags": []}', "a.jsonl:1: there are 1 tokens but 0 tags."),
        ("a.conll", "a\tO\nb\n", "a.conll:2: 1 column apart by tabs, not 2"),
        ("a.conll", "a\tO\nb\t \n", "a.conll:2: the tag (column 2) is empty."),
        ("a.conll", "a\nb\n", "a.conll:1: there is one column only, so there are no tags"),
        ("a.conll", "a N V\n", "a.conll:1: none of the 3 columns seems to hold the tags"),
        ("a.conll", "a O O\nb O B-X\n", "a.conll:1: columns 2 and 3 may each hold the tags"),
        ("a.conll", "# only\n", "a.conll:1: there is not one token."),
        ("a.conllu", "1\ta\tO\n", "a.conllu:1: 3 columns apart by tabs, not 10"),
        ("a.what", "just a line\n", "a.what does not show its format"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_refused_where_it_is_wrong(tmp_path: Path, name: str, content: str, said: str) -> None:
    path = file(tmp_path, name, content)
    with pytest.raises(DataError) as error:
        read_rows(path)
    assert str(error.value).removeprefix(f"{tmp_path}{os.sep}").startswith(said)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*none\.tsv"):
        read_rows(tmp_path / "none.tsv")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_rows(tmp_path, options=Options(form="tsv"))


@pytest.mark.parametrize(
    "name, options, said",
    [
        ("a.tsv", {"columns": {"txt": "text"}}, "columns names 'txt', which no task has: did you mean text"),
        ("a.tsv", {"columns": {"text": 0}}, "a number counted from 1"),
        ("a.tsv", {"columns": {"text": "text", "label": 2}}, "numbers for all"),
        ("a.tsv", {"columns": {"text": 1}}, "columns must number all of"),
        ("a.tsv", {"form": "tvs"}, "There is no format 'tvs': did you mean tsv"),
        ("a.tsv", {"quoting": "cvs"}, "There is no quoting 'cvs': did you mean csv"),
        ("a.csv", {"kind": Kind.TAGGING}, "is read from CoNLL or JSON Lines, not from CSV"),
        ("a.conll", {"kind": Kind.PAIR}, "it makes a tagging task, or of comments a sequence task"),
        ("a.conll", {"columns": {"tags": "ner"}}, "count its columns from 1"),
        ("a.jsonl", {"columns": {"text": 1, "label": 2}}, "JSON Lines has no numbered columns"),
    ],
)
def test_contradictory_options_are_refused(tmp_path: Path, name: str, options: dict[str, Any], said: str) -> None:
    content = {"a.jsonl": '{"text": "a", "label": "b"}', "a.conll": "a O\n", "a.csv": "text,label\na,b\n"}
    path = file(tmp_path, name, content.get(name, "text\tlabel\na\tb\n"))
    with pytest.raises(SpecError) as error:
        read_rows(path, options.pop("kind", None), Options(**options))
    assert said in str(error.value)


@pytest.mark.parametrize(
    "columns, said",
    [({"text": "txt"}, "not there: did you mean text"), ({"text": "x", "label": "y"}, "'x', .* is more than once")],
)
def test_a_column_that_is_not_there_or_there_twice_is_refused(
    tmp_path: Path, columns: dict[str, str], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read_rows(file(tmp_path, "a.tsv", "text\tx\tx\ty\na\tb\tc\td\n"), options=Options(columns=columns))


def test_two_texts_are_a_bitext_line_by_line(tmp_path: Path) -> None:
    pair = file(tmp_path, "a.de", 'eins\r\n"zwei\r\n'), file(tmp_path, "a.en", "one\ntwo")
    assert examples(read_rows(pair)) == [("eins", "one"), ('"zwei', "two")]
    with pytest.raises(DataError, match=r"a\.de has 2 lines but .*a\.en has 1;"):
        read_rows((pair[0], file(tmp_path, "a.en", "one\n")))
    with pytest.raises(DataError, match=r"a\.en:1: this line is empty"):
        read_rows((pair[0], file(tmp_path, "a.en", "\ntwo\n")))


@pytest.mark.parametrize(
    "name, kind, count, first",
    [
        ("paraphrase/mrpc/msr_paraphrase_train.txt", Kind.PAIR, 4076, "Amrozi accused his brother"),
        ("nli/kornli/xnli.dev.ko.tsv", Kind.PAIR, 2490, '그리고 그가 말했다, "엄마'),
        ("nli/rte/train.tsv", Kind.PAIR, 2490, "No Weapons of Mass Destruction"),
        ("nli/sick/SICK_test_annotated.txt", Kind.PAIR, 4927, "There is no boy"),
        ("nli/cxnli/xnli.test.hr.csv", Kind.PAIR, 5010, "Pa, nisam ni"),
        ("nli/indonli/test_lay.jsonl", Kind.PAIR, 2201, "Kereta tersebut"),
        ("paraphrase/pawsx/dev-fr.tsv", Kind.PAIR, 2000, ""),
        ("topic/sib200/yor_Latn/test.tsv", Kind.SEQUENCE, 204, ""),
        ("sentiment/nusax/acehnese/test.csv", Kind.SEQUENCE, 400, ""),
        ("ner/panx/dev-de.tsv", Kind.TAGGING, 500, "Anton"),
        ("ner/wnut17/wnut17train.conll", Kind.TAGGING, 3394, ""),
        ("slots/xsid-0.6/zh.test.conll", Kind.TAGGING, 500, ""),
        ("pos/ud_Vietnamese-VTB/vi_vtb-ud-test.conllu", Kind.TAGGING, 800, ""),
    ],
)
def test_published_files_are_read_whole(name: str, kind: Kind, count: int, first: str) -> None:
    if not (SHARED / name).exists():
        pytest.skip("no shared data here")
    rows = read_rows(SHARED / name)
    assert (rows.kind, len(rows.lines)) == (kind, count)
    value = rows.values["tokens" if kind is Kind.TAGGING else "text"][0]
    assert (value if isinstance(value, str) else value[0]).startswith(first)
    if rows.reading.form.endswith("as in CSV"):
        assert not any('""' in text for text in rows.values["text"]), "doubled quotation marks are single"


def test_a_published_bitext_is_read_whole() -> None:
    pair = tuple(SHARED / f"retrieval/tatoeba_v1/tatoeba.ell-eng.{code}" for code in ("ell", "eng"))
    if not pair[0].exists():
        pytest.skip("no shared data here")
    assert len(examples(read_rows((pair[0], pair[1])))) == 1000
