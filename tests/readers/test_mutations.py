"""Whatever is done to a file, reading it ends in rows or in one sentence that names it."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.data.readers.options import Options, Place
from isthmus.data.readers.read import read_candidates, read_rows
from isthmus.data.schema import SEARCHING, Kind, to_table
from isthmus.errors import IsthmusError

VARIANTS = 200

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Rome",
            "paragraphs": [
                {
                    "context": "Rome is old. Róma örök.",
                    "qas": [
                        {"id": "a", "question": "What is old?", "answers": [{"text": "Rome", "answer_start": 0}]},
                        {"id": "b", "question": "Who?", "answers": [{"text": "Róma", "answer_start": 13}]},
                        {"id": "c", "question": "When?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}
COPA = [
    {"premise": "Es regnet.", "choice1": "Ich werde nass.", "choice2": "–", "question": "effect", "label": 0},
    {"premise": "雨", "choice1": "a", "choice2": "b", "question": "cause", "label": 1},
]
QUERIES = [{"id": "q1", "text": "eins", "targets": ["1"]}, {"id": "q2", "text": "zwei", "targets": ["2", "1"]}]
CANDIDATES = [{"id": "1", "text": "one", "context": "one two"}, {"id": "2", "text": "two"}]
UNIVERSAL = "\n".join(
    f"{n}\t{word}\t_\t{tag}" + "\t_" * 6 for n, word, tag in [(1, "Ada", "PROPN"), (2, "läuft", "VERB")]
)


def lines(objects: list[dict[str, object]]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


#: File name -> what is in it. Where there are two, the second stays as it is.
FORMATS: dict[str, str] = {
    "a.csv": 'text,label\n"a, ""b""",pos\nплохо,neg\n"two\nlines",pos\nc d,neg\n',
    "pairs.csv": "premise,hypothesis,label\na,b,0\nc,d,1\n",
    "a.tsv": 'text\tlabel\nsay "no"\tpos\nплохо\tneg\n"x\tneg\nc d\tpos\n',
    "a.jsonl": '{"text": "a \\"b\\"", "label": "pos"}\n{"text": "плохо", "label": "neg"}\n{"text": "c", "label": 1}\n',
    "choice.jsonl": lines(COPA),
    "choice.json": json.dumps([{"question": "?", "choices": ["a", "b", "c"], "answer": x} for x in "ABC"], indent=1),
    "squad.json": json.dumps(SQUAD, ensure_ascii=False),
    "flat.json": lines([{"id": 1, "question": "?", "context": "a b", "answers": {"text": ["b"], "answer_start": [2]}}]),
    "a.conll": "# sent_id = 1\na\tO\nb\tB-X\nв\tI-X\n\n# sent_id = 2\nc\tO\n#\tO\n",
    "spaces.conll": "a O\nb B-X\n\nc O\n# O\n",
    "a.conllu": f"# sent_id = 1\n# text = Ada läuft\n1-2\tAda-läuft{'	_' * 8}\n{UNIVERSAL}\n\n{UNIVERSAL}\n",
    "plain.txt": "eine Zeile\nnoch eine\n\nein Dokument\n",
    "parallel.de": "eins\nzwei zwei\nдрай\n",
    "queries.jsonl": lines(QUERIES),
    "labels.lst": "1\n2\n",
}
BYTES = [b"\n", b"\r", b"\r\n", b"\t", b",", b'"', b'""', b"\\", b"{", b"}", b"[", b"]", b" ", b"\xff", b"\x00", b"# "]
BYTES += [
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xff\xfe",
    b"\\ud800",
    b"null",
    b"NaN",
    b"-1",
    b"1e9",
    b"true",
    b"[]",
    b"{}",
]
BYTES += [b"9" * 25, b"9" * 5000, b'"' + b"\\u0000" + b'"']


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def flip(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def sprinkle(content: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(content) + 1)
        content = content[:at] + chance.choice(BYTES) + content[at + chance.choice([0, 0, 1, 3, 12]) :]
    return content


def shuffle_lines(content: bytes, chance: random.Random) -> bytes:
    rows = content.split(b"\n")
    what = chance.randrange(4)
    at, other = chance.randrange(len(rows)), chance.randrange(len(rows))
    if what == 0:
        del rows[at]
    elif what == 1:
        rows.insert(at, rows[other])
    elif what == 2:
        rows[at], rows[other] = rows[other], rows[at]
    else:
        chance.shuffle(rows)
    return b"\n".join(rows)


def swap_columns(content: bytes, chance: random.Random) -> bytes:
    apart = chance.choice([b"\t", b",", b" ", b'"'])
    rows = [row.split(apart) for row in content.split(b"\n")]
    for row in rows:
        if len(row) > 1 and chance.random() < 0.7:
            at = chance.randrange(len(row))
            row[at], row[0] = row[0], row[at]
            if chance.random() < 0.3:
                row.append(row[0])
    return b"\n".join(apart.join(row) for row in rows)


def encode(content: bytes, chance: random.Random) -> bytes:
    text = content.decode()
    how = chance.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32", "latin-1"])
    return text.encode(how, errors="replace").replace(b"\n", chance.choice([b"\n", b"\r\n", b"\r"]))


def nest(content: bytes, chance: random.Random) -> bytes:
    depth = chance.choice([3, 200, 100_000])
    return content.replace(b'"', b"[" * depth + b'"', chance.randint(1, 3)) + b"]" * chance.choice([0, depth])


VALUES = [
    "null",
    "true",
    "0",
    "-1",
    "2.5",
    "NaN",
    "Infinity",
    "1e999",
    '""',
    '"\\ud800"',
    "[]",
    "{}",
    "[null]",
    "[[1]]",
]
VALUES += ['{"text": 1}', '{"text": ["a"]}', '[{"text": "a"}]', "9" * 30, '["a", 1, null]', '"1"', '[{"label": 1}]']


def retype(content: bytes, chance: random.Random) -> bytes:
    """Put another value where a JSON value stands; in other formats, another cell."""
    text = content.decode()
    places = [i for i, one in enumerate(text) if one in ":,\t"]
    if not places:
        return sprinkle(content, chance)
    at = chance.choice(places) + 1
    end = min((i for i in (text.find(mark, at) for mark in ",}]\n\t") if i >= 0), default=len(text))
    return (text[:at] + chance.choice(VALUES) + text[end:]).encode()


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    cut, flip, sprinkle, shuffle_lines, swap_columns, encode, nest, retype, retype,
]  # fmt: skip


def place(folder: Path, name: str) -> tuple[Place, Kind | None]:
    """The mutated file with the one that belongs to it, and the kind where it must be told."""
    path = folder / name
    if name == "parallel.de":
        (folder / "parallel.en").write_text("one\ntwo two\nthree\n", encoding="utf-8")
        return (path, folder / "parallel.en"), None
    if name == "queries.jsonl":
        (folder / "candidates.jsonl").write_text(lines(CANDIDATES), encoding="utf-8")
        return (path, folder / "candidates.jsonl"), None
    if name == "labels.lst":
        unlabelled = [{key: value for key, value in one.items() if key != "label"} for one in COPA]
        (folder / "rows.jsonl").write_text(lines(unlabelled), encoding="utf-8")
        return (folder / "rows.jsonl", path), None
    return path, None


def outcome(where: Place, kind: Kind | None, options: Options, name: str) -> str:
    """Read it as a task would: ``read``, or the sentence of the error."""
    try:
        rows = read_rows(where, kind, options)
        table = to_table(rows.kind, rows.values, name, labelled=options.labelled)
        if rows.kind in SEARCHING and options.labelled:
            to_table(rows.kind, read_candidates(where, rows.kind).values, name, "candidates")
    except IsthmusError as error:
        return str(error)
    assert table.num_rows == len(rows.lines) > 0
    assert str(rows.reading)
    return "read"


@pytest.mark.parametrize("name", FORMATS)
def test_mutated_files_end_in_rows_or_in_a_sentence(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    where, kind = place(tmp_path, name)
    original = FORMATS[name].encode()
    (tmp_path / name).write_bytes(original)
    assert outcome(where, kind, Options(), name) == "read"
    outcomes = []
    for _ in range(VARIANTS):
        (tmp_path / name).write_bytes(chance.choice(MUTATIONS)(original, chance))
        options = Options(labelled=chance.random() < 0.9, lost_answers=chance.choice(["refuse", "drop"]))
        outcomes.append(outcome(where, kind, options, name))
        said = outcomes[-1]
        assert said == "read" or (tmp_path.name in said and "\n" not in said and said.endswith((".", "?"))), said
    assert 10 <= outcomes.count("read") <= VARIANTS - 10


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    name=st.sampled_from([*FORMATS, "unknown.dat", "x.tab"]),
    content=st.one_of(st.binary(max_size=80), st.text(alphabet='a\t\n,"{}[]:#O 1-B\ufeff\x00é', max_size=80)),
    told=st.sampled_from([None, *Kind]),
)
def test_any_bytes_end_in_rows_or_in_a_sentence(
    tmp_path: Path, name: str, content: bytes | str, told: Kind | None
) -> None:
    where, _ = place(tmp_path, name)
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    said = outcome(where, told, Options(), name)
    assert said == "read" or "\n" not in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "answer_start"]), inner),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(value=JSON, key=st.sampled_from(["id", "question", "answers", "is_impossible", "context", "paragraphs", "data"]))
def test_any_value_anywhere_in_a_squad_file_ends_in_rows_or_in_a_sentence(
    tmp_path: Path, value: object, key: str
) -> None:
    def put(node: object) -> object:
        if isinstance(node, dict):
            return {name: value if name == key else put(inner) for name, inner in node.items()}
        return [put(item) for item in node] if isinstance(node, list) else node

    path = tmp_path / "squad.json"
    path.write_text(json.dumps(put(SQUAD)), encoding="utf-8", errors="surrogatepass")
    said = outcome(path, Kind.SPAN, Options(), "squad.json")
    assert said == "read" or str(path) in said
