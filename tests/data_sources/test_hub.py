"""Rows from the hub, by the library `datasets`, from a server on this machine that speaks the hub's protocol.

The repositories are made of the published files: the same rows must come out, with the same fingerprint.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isthmus.data.schema import fingerprint
from isthmus.data.sources.published import Dataset
from isthmus.errors import DataError, MissingPackage
from isthmus.tasks.core import Split
from tests.data_sources.conftest import Sources
from tests.model.hub_server import Hub as Server

pytest.importorskip("datasets")
THREE = ("entailment", "neutral", "contradiction")
NAMES = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")

#: One task of every kind that is on the hub, with how its columns look there.
CASES: list[tuple[str, Split, str, dict[str, tuple[str, ...]]]] = [
    ("nusax", "test", "ace", {"label": ("negative", "neutral", "positive")}),
    ("xnli", "dev", "de", {"label": THREE}),
    ("panx", "dev", "ja", {"tags": NAMES}),
    ("xquad", "test", "zh", {}),
    ("tydiqa", "train", "en", {}),
    ("xcopa", "test", "et", {}),
    ("tatoeba", "test", "te", {}),
]


def column(role: str, rows: pa.Table, names: dict[str, tuple[str, ...]]) -> pa.Array:
    """A column as the hub has it: labels as numbers."""
    values = rows.column(role).to_pylist()
    if role in names:
        number = names[role].index
        values = [[number(one) for one in v] if isinstance(v, list) else number(v) for v in values]
    return pa.array(values)


def feature(kind: str, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    return {"names": list(names), "_type": "ClassLabel"} if names else {"dtype": kind, "_type": "Value"}


def parquet(source: Dataset, rows: pa.Table, names: dict[str, tuple[str, ...]]) -> pa.Table:
    """The rows as the hub has them, with what the library writes into the files about labels."""
    assert source.hub is not None
    columns, features = {}, {}
    for role, name in (pair.split("=") for pair in source.hub.columns.split()):
        if role == "answers":
            pairs = zip(rows.column("answers").to_pylist(), rows.column("answer_starts").to_pylist(), strict=True)
            columns[name] = pa.array([{"text": texts, "answer_start": starts} for texts, starts in pairs])
            inside = {"text": feature("string"), "answer_start": feature("int32")}
            features[name] = {key: {"feature": value, "_type": "List"} for key, value in inside.items()}
            continue
        if role.startswith("choice"):
            columns[name] = pa.array([row[int(role[6:]) - 1] for row in rows.column("choices").to_pylist()])
        elif role == "id" and source.hub.after:
            columns[name] = pa.array([f"english-77-{one.partition('#')[0]}" for one in rows.column("id").to_pylist()])
        else:
            columns[name] = column(role, rows, names)
        kind = "string" if pa.types.is_string(columns[name].type) else str(columns[name].type)
        if role in ("tags", "tokens"):
            features[name] = {"feature": feature("string", names.get(role)), "_type": "List"}
        else:
            features[name] = feature(kind, names.get(role))
    table = pa.table(columns)
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


class Local:
    """A server on this machine and the folders of its repositories."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.server = Server({})

    def add(self, source: Dataset, split: Split, language: str, table: pa.Table) -> Path:
        """Serve ``table`` as a split; the file."""
        assert source.hub is not None
        view = source._view(split, language)
        return self.serve(source.hub.id, view.fill(source.hub.config), source.hub.splits[split], table)

    def serve(self, identifier: str, config: str, name: str, table: pa.Table) -> Path:
        """Serve ``table`` as the split ``name`` of a data set; the file."""
        folder = self.root / "repositories" / identifier
        path = folder / (config or "data") / f"{name}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
        configs: dict[str, list[str]] = {}
        for file in sorted(folder.rglob("*.parquet")):
            configs.setdefault(file.parent.name, []).append(file.name.partition("-")[0])
        lines = ["---", "configs:"]
        for each, splits in configs.items():
            lines += [f"- config_name: {each if config else 'default'}", "  data_files:"]
            lines += [f"  - split: {one}\n    path: {each}/{one}-*" for one in splits]
        (folder / "README.md").write_text("\n".join([*lines, "---", ""]))
        self.server.repositories[f"datasets/{identifier}"] = folder
        return path

    def load(self, *requests: dict[str, Any], **environment: str) -> list[dict[str, Any]]:
        """What comes of loading, in another process."""
        settings = {"HF_ENDPOINT": self.server.endpoint, "HF_HOME": str(self.root / "home"), **environment}
        command = [sys.executable, "-m", "tests.data_sources.load_from_hub"]
        quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
        done = subprocess.run(
            command,
            input=json.dumps(requests),
            env={**os.environ, **quiet, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found


def sentence(answer: dict[str, Any]) -> str:
    """The one sentence that a user is told."""
    text: str = answer["error"]
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text
    return text


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    made = Local(tmp_path)
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_the_hub_gives_the_rows_of_the_files(pack: Path, source: Sources, local: Local) -> None:
    wanted = []
    for name, split, language, names in CASES:
        there = source(name, pack)
        rows = there.load(split, language)
        wanted.append(fingerprint(rows))
        local.add(there, split, language, parquet(there, rows, names))
    asked = [{"task": name, "split": split, "language": language} for name, split, language, _ in CASES]
    found = local.load(*asked)
    assert [answer.get("fingerprint") or answer["error"] for answer in found] == wanted
    commit = local.server.commit("datasets/facebook/xnli")
    assert f"commit {commit} of facebook/xnli" in found[1]["notes"]
    before = len(local.server.downloads())
    again = local.load(*asked, HF_HUB_OFFLINE="1")
    assert again == found and len(local.server.downloads()) == before


def test_rows_that_were_not_translated_are_left_out_of_the_hubs_rows_too(
    pack: Path, source: Sources, local: Local
) -> None:
    there = source("pawsx", pack)
    lines = (pack / "paraphrase/pawsx/original_layout/de.test_2k.tsv").read_text().split("\n")[1:-1]
    cells = list(csv.reader(lines, delimiter="\t"))
    columns = dict(zip(("id", "sentence1", "sentence2", "label"), map(list, zip(*cells, strict=True)), strict=True))
    table = pa.table({**columns, "label": [int(label) for label in columns["label"]]})
    features = {name: feature("string") for name in columns} | {"label": feature("", ("0", "1"))}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    local.add(there, "test", "de", table.replace_schema_metadata(metadata))
    (found,) = local.load({"task": "pawsx", "split": "test", "language": "de"})
    assert found["fingerprint"] == fingerprint(there.load("test", "de"))


def test_folders_come_before_the_hub_which_has_the_labels_that_files_lack(
    pack: Path, source: Sources, local: Local
) -> None:
    there = source("xnli", pack)
    rows = there.load("dev", "en")
    local.add(there, "test", "en", parquet(there, rows, {"label": THREE}))
    folders = [str(pack.resolve())]
    own, lacking = local.load(
        {"task": "xquad", "split": "test", "language": "de", "folders": folders},
        {"task": "xnli", "split": "test", "language": "en", "folders": folders},
    )
    assert own["rows"] == 1190 and lacking["rows"] == len(rows)
    assert not any("xquad" in request for request in local.server.requests)


def test_what_goes_wrong_is_told_in_a_sentence(pack: Path, source: Sources, local: Local) -> None:
    there, asked = source("xcopa", pack), {"task": "xcopa", "split": "test", "language": "et"}
    whole = local.add(there, "test", "et", parquet(there, there.load("test", "et"), {})).parents[1]
    damaged = local.root / "repositories/its/damaged"
    shutil.copytree(whole, damaged)
    for path in damaged.rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    local.server.repositories |= {f"datasets/its/{name}": whole for name in ("gated", "broken")}
    local.server.repositories["datasets/its/damaged"] = damaged
    local.server.gated.add("datasets/its/gated")
    local.server.broken.add("datasets/its/broken")
    expected: list[tuple[dict[str, Any], str]] = [
        ({"changes": {"revision": "v9"}}, "it has no such revision"),
        ({"language": "zh"}, "it has no configuration 'zh'"),
        ({"changes": {"id": "nobody/nothing"}}, "no data set of this name"),
        ({"changes": {"columns": "text=premiss answer=label"}}, "there is no column 'premiss'"),
        ({"changes": {"id": "its/gated"}}, "it is gated: ask for access"),
        ({"changes": {"id": "its/broken"}}, "the hub has a fault of its own"),
        ({"changes": {"id": "its/damaged"}}, "is damaged"),
    ]
    for answer, (_, words) in zip(local.load(*({**asked, **change} for change, _ in expected)), expected, strict=True):
        assert words in sentence(answer)


def test_without_a_network_there_is_a_sentence(local: Local) -> None:
    asked = {"task": "xcopa", "split": "test", "language": "et"}
    assert "the hub cannot be reached" in sentence(*local.load(asked, HF_ENDPOINT="http://127.0.0.1:9"))
    assert "HF_HUB_OFFLINE forbids the network" in sentence(*local.load(asked, HF_HUB_OFFLINE="1"))


def test_labels_of_minus_one_are_withheld(pack: Path, source: Sources, local: Local) -> None:
    there = source("xnli", pack)
    rows = there.load("dev", "en")
    table = parquet(there, rows, {"label": THREE})
    withheld = table.set_column(2, "label", pa.array([-1] * len(rows))).replace_schema_metadata(table.schema.metadata)
    local.add(there, "test", "en", withheld)
    asked = {"task": "xnli", "split": "test", "language": "en"}
    refused, bare = local.load(asked, {**asked, "labelled": False})
    assert "its labels are withheld" in sentence(refused)
    assert bare["nulls"] == bare["rows"] == len(rows)


def test_rows_without_a_label_are_left_out_and_the_others_keep_their_numbers(
    pack: Path, source: Sources, local: Local
) -> None:
    there = source("snli", pack)
    table = parquet(there, there.load("dev", "en"), {"label": THREE})
    labels = [-1 if row in (3, 4) else label for row, label in enumerate(table.column("label").to_pylist())]
    some = table.set_column(2, "label", pa.array(labels)).replace_schema_metadata(table.schema.metadata)
    local.add(there, "dev", "en", some)
    (found,) = local.load({"task": "snli", "split": "dev", "language": "en"})
    assert found["rows"] == len(labels) - 2
    assert any("left out that have no label" in note for note in found["notes"])


def test_without_the_library_the_extra_is_named(source: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data.sources.hub.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"needs the package datasets.*pip install 'isthmus\[hub\]'"):
        source("xcopa", hub=True).load("test", "et")


def test_what_is_not_on_the_hub_says_so(source: Sources) -> None:
    with pytest.raises(DataError, match="no folder of data is named, and it is not on the hub; its files are at https"):
        source("lareqa", hub=True).load("test", "de")
