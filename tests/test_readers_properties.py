"""Properties of the readers: what is written is read back, and damage is refused or read, and nothing else."""

import csv
import io
import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.data.readers.delimited import read_delimited
from isthmus.data.readers.options import Options
from isthmus.data.readers.read import read_rows
from isthmus.data.readers.rows import Rows
from isthmus.data.schema import Kind, to_table
from isthmus.errors import DataError

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def examples(rows: Rows) -> list[tuple[Any, ...]]:
    """The rows without their ids."""
    return list(zip(*(column for role, column in rows.values.items() if role != "id"), strict=True))


UNICODE = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
FILLED = UNICODE.filter(lambda text: not text.isspace())


def without(text: st.SearchStrategy[str], *characters: str) -> st.SearchStrategy[str]:
    return text.filter(lambda one: not any(character in one for character in characters))


LABELS = st.sampled_from(["pos", "neg", "a,b", "0"])
LINES = without(FILLED, "\t", "\n", "\r")


def written(rows: Sequence[Sequence[str]], delimiter: str, quoting: int, end: str) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(  # type: ignore[arg-type]
        [["text", "label"], *rows]
    )
    return buffer.getvalue()


@SAME_FOLDER
@given(
    rows=st.lists(st.tuples(FILLED, LABELS), min_size=1, max_size=6),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from([",", "\t"]),
)
def test_csv_round_trip(tmp_path: Path, rows: list[Any], quoting: int, end: str, delimiter: str) -> None:
    path = file(tmp_path, "a.csv", written(rows, delimiter, quoting, end))
    form: Any = "csv" if delimiter == "," else "tsv"
    assert examples(read_rows(path, Kind.SEQUENCE, Options(form=form, quoting="csv"))) == rows


@SAME_FOLDER
@given(rows=st.lists(st.tuples(LINES, LABELS), min_size=1, max_size=6), end=st.sampled_from(["\n", "\r\n"]))
def test_tsv_round_trip(tmp_path: Path, rows: list[Any], end: str) -> None:
    literal = "".join("\t".join(row) + end for row in [("text", "label"), *rows])
    path = file(tmp_path, "a.tsv", literal)
    assert examples(read_rows(path, Kind.SEQUENCE, Options(quoting="none"))) == rows
    path = file(tmp_path, "a.tsv", written(rows, "\t", csv.QUOTE_MINIMAL, end))
    assert examples(read_rows(path, Kind.SEQUENCE)) == rows, "a CSV writer's TSV is recognised"


@SAME_FOLDER
@given(rows=st.lists(st.tuples(FILLED, FILLED, LABELS), min_size=1, max_size=6), ascii=st.booleans())
def test_jsonl_round_trip(tmp_path: Path, rows: list[Any], ascii: bool) -> None:
    keys = ("premise", "hypothesis", "label")
    lines = [json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=ascii) for row in rows]
    assert examples(read_rows(file(tmp_path, "a.jsonl", "\n".join(lines)))) == rows


@SAME_FOLDER
@given(
    sentences=st.lists(
        st.lists(st.tuples(LINES, st.sampled_from(["O", "B-X", "I-X"])), min_size=1, max_size=5), min_size=1, max_size=4
    ),
    separator=st.sampled_from(["\t", " "]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_conll_round_trip(tmp_path: Path, sentences: list[Any], separator: str, end: str) -> None:
    sentences = [[(token.replace(" ", "_"), tag) for token, tag in sentence] for sentence in sentences]
    text = end.join("".join(f"{token}{separator}{tag}{end}" for token, tag in sentence) for sentence in sentences)
    rows = read_rows(file(tmp_path, "a.conll", text))
    assert examples(rows) == [tuple(map(list, zip(*sentence, strict=True))) for sentence in sentences]


@SAME_FOLDER
@given(rows=st.lists(st.tuples(LINES, LINES), min_size=1, max_size=6), end=st.sampled_from(["\n", "\r\n"]))
def test_parallel_round_trip(tmp_path: Path, rows: list[Any], end: str) -> None:
    sides = [end.join(side) + end for side in zip(*rows, strict=True)]
    pair = file(tmp_path, "a.de", "\ufeff" + sides[0]), file(tmp_path, "a.en", "\ufeff" + sides[1])
    assert examples(read_rows(pair)) == rows


# Damage: a file that is cut, doubled or sprinkled with bytes is refused, or read as an independent reader reads it.

SEEDS = {
    "a.csv": 'text,label\n"a, ""b""",pos\nплохо,neg\n"two\nlines",pos\nc d,neg\n',
    "a.tsv": 'text\tlabel\nsay "no"\tpos\nплохо\tneg\n"x\tneg\nc d\tpos\n',
    "a.jsonl": '{"text": "a \\"b\\"", "label": "pos"}\n{"text": "плохо", "label": "neg"}\n{"text": "c", "label": 1}\n',
    "a.conll": "# sent_id = 1\na\tO\nb\tB-X\nв\tI-X\n\n# sent_id = 2\nc\tO\n#\tO\n",
}
BYTES = [
    b"\n",
    b"\r\n",
    b"\t",
    b",",
    b'"',
    b'""',
    b"\\",
    b"{",
    b"}",
    b"[",
    b" ",
    b"\xff",
    b"\x00",
    b"\xe2\x80\xa8",
    b"# ",
]


def damaged(content: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(content) + 1)
        stop = min(len(content), start + chance.choice([0, 0, 1, 1, 3, 12]))
        filling = chance.choice([b"", chance.choice(BYTES), content[start:stop] * 2])
        content = content[:start] + filling + content[stop:]
    return content


def csv_reference(text: str) -> list[tuple[Any, ...]]:
    return [(row[0], row[1]) for row in list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:] if row]


def tsv_reference(text: str) -> list[tuple[Any, ...]]:
    cells = [line.removesuffix("\r").split("\t") for line in text.split("\n") if line not in ("", "\r")]
    return [(row[0], row[1]) for row in cells[1:]]


def jsonl_reference(text: str) -> list[tuple[Any, ...]]:
    objects = [json.loads(line) for line in text.split("\n") if line.strip()]
    return [(one["text"], str(one["label"])) for one in objects]


def conll_reference(text: str) -> list[tuple[Any, ...]]:
    found: list[tuple[list[str], list[str]]] = [([], [])]
    for line in text.split("\n"):
        if not line.strip():
            found.append(([], []))
        elif found[-1][0] or not (line[:2] in ("# ", "#") or re.match(r"#[^\t]*=[^\t]*$", line)):
            token, tag = line.removesuffix("\r").split("\t")
            found[-1][0].append(token)
            found[-1][1].append(tag)
    return [sentence for sentence in found if sentence[0]]


@pytest.mark.parametrize(
    "name, reference",
    [("a.csv", csv_reference), ("a.tsv", tsv_reference), ("a.jsonl", jsonl_reference), ("a.conll", conll_reference)],
)
def test_damaged_files_are_refused_or_read_correctly(
    tmp_path: Path, name: str, reference: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    chance = random.Random(name)
    kind = Kind.TAGGING if name == "a.conll" else Kind.SEQUENCE
    columns: dict[str, str | int] = {} if kind is Kind.TAGGING else {"text": "text", "label": "label"}
    options = Options(columns=columns, quoting="none" if name == "a.tsv" else "auto")
    outcomes = {"read": 0, "refused": 0}
    for _ in range(400):
        content = damaged(SEEDS[name].encode(), chance)
        try:
            rows = read_rows(file(tmp_path, name, content), kind, options)
            table = to_table(kind, rows.values, name)
        except DataError as error:
            outcomes["refused"] += 1
            assert name in str(error)
            continue
        outcomes["read"] += 1
        assert table.num_rows > 0
        if columns and not content.startswith((b"text,label\n", b"text\tlabel\n", b"{")):
            continue  # the references take the header for granted
        assert examples(rows) == reference(content.decode("utf-8-sig")), content
    assert min(outcomes.values()) >= 40, outcomes


def test_damaged_pairs_of_texts_are_refused_or_read_correctly(tmp_path: Path) -> None:
    chance = random.Random(1)
    target = file(tmp_path, "a.en", "one\ntwo two\nthree\n")
    refused = 0
    for _ in range(200):
        content = damaged("eins\nzwei zwei\nдрай\n".encode(), chance)
        try:
            rows = read_rows((file(tmp_path, "a.de", content), target))
        except DataError:
            refused += 1
            continue
        lines = content.decode("utf-8-sig").removesuffix("\n").split("\n")
        assert rows.values["source"] == [line.removesuffix("\r") for line in lines]
    assert 20 <= refused <= 180


@SAME_FOLDER
@given(
    lines=st.lists(st.sampled_from(["a\tb", "é\t", "\td", "a", "a\tb\tc", "", "\r", "a\tb\r", "\t"]), max_size=6),
    last=st.sampled_from(["", "\n", "\r\n"]),
)
def test_a_table_is_its_lines_and_their_cells(tmp_path: Path, lines: list[str], last: str) -> None:
    """However the cells are split, they are those of the lines that are not empty, and none is of another width."""
    text = "\n".join(lines) + last
    expected = [line.removesuffix("\r").split("\t") for line in text.split("\n") if line not in ("", "\r")]
    try:
        grid = read_delimited(file(tmp_path, "a.tsv", text), "\t", "none")
    except DataError:
        assert not text.strip() or len(expected[0]) == 1 or len(set(map(len, expected))) > 1
        return
    assert [grid.row(number) for number in range(len(grid.lines))] == expected
    assert [text.split("\n")[line - 1].removesuffix("\r").split("\t") for line in grid.lines] == expected
