"""`isthmus results` as people and programs use it: drawn on a terminal, CSV in a pipe, files by their names."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from isthmus import api
from isthmus.cli import main
from isthmus.running.execute import execute
from isthmus.stage import Settings
from isthmus.store import Store
from tests.cli.conftest import PROGRAM, Said, refused, write_files

Program = Callable[..., Said]
ESC = "\x1b[31m"


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files, a study, and a store in which it was run but for the last chain."""
    folder = tmp_path_factory.mktemp("results")
    write_files(folder, tiny_model)
    sw = folder / "sw.jsonl"
    sw.write_text(sw.read_text() + json.dumps({"id": f"red {ESC}", "sentence": "taa ya", "label": "long"}) + "\n")
    (folder / "study.yaml").write_text((folder / "study.yaml").read_text().replace("epochs: 20", "epochs: 2"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study, store = api.load_study("study.yaml"), Store.open(Path("store"))
        planned = api.make_plan(study, store)
        api.keep_study(study, store, planned)
        for stage in list(planned.stages.values())[:-1]:
            execute(store, stage, Settings(device="cpu"))
    return folder


@pytest.fixture
def isthmus(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Program:
    """The program, in the folder."""
    monkeypatch.chdir(folder)

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["isthmus", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        assert isinstance(left.value.code, int)
        return Said(left.value.code, *capfd.readouterr())

    return run


def rows_of(said: Said) -> list[dict[str, str]]:
    assert said.code == 0, said
    return list(csv.DictReader(io.StringIO(said.out)))


def test_in_a_pipe_it_is_csv_and_says_beside_it_what_is_missing(isthmus: Program) -> None:
    said = isthmus("results", "small")
    found = rows_of(said)
    assert [(row["target"], row["language"], row["intermediate"]) for row in found] == [
        ("reviews.csv", "de", "none"),
        ("reviews.csv", "sw", "none"),
    ]
    assert said.err == "1 of 2 chains are not finished, and not in the table.\n"
    assert isthmus("results").out == said.out  # the last one run
    assert isthmus("results", "study.yaml").out == said.out


def test_it_may_be_asked_for_from_any_folder(isthmus: Program, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    said = isthmus("results", "small", "--store", "../store", "--output", "table.csv")
    assert said.code == 0, said
    assert len((folder / "elsewhere" / "table.csv").read_text().splitlines()) == 3


def test_rows_columns_and_order_are_chosen(isthmus: Program) -> None:
    said = isthmus(
        "results", "--where", "main and language <> 'en'", "--columns", "language,examples", "--sort=-language"
    )
    assert said.out == 'language,examples\n"sw",21\n"de",20\n'
    assert isthmus("results", "--columns", "language", "--limit", "1").out == 'language\n"de"\n'
    assert isthmus("results", "--where", "language = 'xx'", "--json").json == []
    assert [row["language"] for row in isthmus("results", "--json").json] == ["de", "sw"]


def test_a_query_joins_results_and_predictions(isthmus: Program) -> None:
    sql = "select language, count(*) n, avg(p.score) = any_value(r.score) as same from predictions p join results r"
    said = isthmus("results", "--format", "jsonl", "--sql", f"{sql} using (language) group by language order by all")
    assert [json.loads(line) for line in said.out.splitlines()] == [
        {"language": "de", "n": 20, "same": True},
        {"language": "sw", "n": 21, "same": True},
    ]


@pytest.mark.parametrize("name", ["p.csv", "p.json", "p.jsonl", "p.parquet", "p.arrow"])
def test_predictions_are_written_as_the_name_of_the_file_says(isthmus: Program, tmp_path: Path, name: str) -> None:
    said = isthmus("results", "--predictions", "--output", tmp_path / name)
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith(f"41 rows: {tmp_path / name}\n")
    content = (tmp_path / name).read_bytes()
    read: dict[str, Callable[[], int]] = {
        "p.csv": lambda: len(list(csv.DictReader(io.StringIO(content.decode(), newline="")))),
        "p.json": lambda: len(json.loads(content)),
        "p.jsonl": lambda: content.count(b"\n"),
        "p.parquet": lambda: int(pq.read_table(pa.BufferReader(content)).num_rows),
        "p.arrow": lambda: int(pa.ipc.open_file(pa.BufferReader(content)).read_all().num_rows),
    }
    assert read[name]() == 41
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_table_is_drawn_with_what_people_look_at_first(isthmus: Program) -> None:
    said = isthmus("results", "--format", "table")
    assert said.out.splitlines()[0].split() == [
        *("intermediate", "target", "language", "metric", "score", "baseline", "gain"),
    ]
    said = isthmus("results", "--format", "table", "--limit", "1")
    assert "... and 1 more: --limit N shows N rows, --output FILE writes all." in said.out
    said = isthmus("results", "--format", "table", "--predictions", "--limit", "5")
    assert len(said.out.splitlines()) == 7
    assert said.out.splitlines()[-1].startswith("... and more: ")
    assert isthmus("results", "--format", "table", "--where", "score > 1000").out == "No row.\n"


def test_texts_cannot_steer_the_terminal(isthmus: Program) -> None:
    sql = f"select '{ESC}bold' as text, chr(8238) || 'x' as other from results limit 1"
    said = isthmus("results", "--format", "table", "--sql", sql)
    assert said.code == 0 and "\x1b" not in said.out and "\u202e" not in said.out
    assert r"\x1b[31mbold" in said.out


def test_a_reader_that_has_seen_enough_ends_it_quietly(folder: Path) -> None:
    command = f"{PROGRAM} results --predictions | head -c 1"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("m", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "No study called nothing was run in"),
        (["--columns", "language,scor"], "--columns: there is no column 'scor': did you mean score"),
        (["--columns", "xyz"], "language, language_name, ..."),
        (["--where", ""], "--where takes one condition, such as"),
        (["--columns", ""], "--columns: there is no column ''"),
        (["--sort", "-gane"], "--sort: there is no column 'gane': did you mean "),
        (["--predictions", "--sort", "statistics"], "--sort: there is no column 'statistics'"),
        (["--format", "xlsx"], "--format: there is no format 'xlsx'"),
        (["--format", "parquet"], "parquet is for programs: say with --output which file to write."),
        (["--output", "table.xlsx"], "its name says no format; add one with --format, such as csv."),
        (["--output", "."], "--output . is a folder: give the name of a file."),
        (["--output", "study.yaml/x.csv"], "study.yaml/x.csv cannot be written"),
        (["--format", "table", "--output", "t.csv"], "--output takes --format csv, json, jsonl, parquet or arrow."),
        (["--sql", "select 1", "--where", "main"], "--sql says all of it: leave out --where"),
        (
            ["--sql", "select * from 'study.yaml'"],
            "a query reads the tables results and predictions, and nothing else.",
        ),
        (["--sql", "copy results to 'new.csv'"], "--sql takes one query, such as"),
        (["--where", "langauge = 'sw'"], "there is no column 'langauge': did you mean language"),
    ],
)
def test_a_wrong_request_is_one_sentence(isthmus: Program, folder: Path, arguments: list[str], sentence: str) -> None:
    said = refused(isthmus("results", *arguments))
    assert sentence in said and "...." not in said
    assert not (folder / "new.csv").exists()


def test_nothing_that_another_study_of_the_store_is_made_of_is_written_over(
    isthmus: Program, folder: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious.csv"
    precious.write_text("text,label\na,b\n")
    other = {"name": "other", "targets": ["mine"], "files": {"mine": {"train": str(precious)}}}
    kept = folder / "store" / "studies" / "other"
    kept.mkdir()
    try:
        (kept / "study.yaml").write_text(yaml.safe_dump(other))
        said = refused(isthmus("results", "small", "--format", "csv", "--output", precious))
    finally:
        shutil.rmtree(kept)
    assert f"--output {precious} is a file that a study is made of: choose another place." in said
    assert precious.read_text() == "text,label\na,b\n"


def test_nothing_that_the_study_is_made_of_is_written_over(isthmus: Program, folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (tmp_path / "link.csv").symlink_to(folder / "reviews.csv")
    (tmp_path / "study.txt").write_bytes((folder / "study.yaml").read_bytes())
    for name, output in [
        ("small", "sw.jsonl"),
        ("small", folder / "colours.csv"),
        ("small", tmp_path / "link.csv"),
        ("study.yaml", "study.yaml"),
        ("small", "study.yaml"),
        (tmp_path / "study.txt", tmp_path / "study.txt"),
    ]:
        said = refused(isthmus("results", name, "--format", "csv", "--output", output))
        assert f"--output {output} is a file that a study is made of: choose another place." in said
    said = refused(isthmus("report", "small", "--output", "study.yaml"))
    assert "--output study.yaml is there and is no web page: choose another name, such as report.html." in said
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_a_table_and_a_report_may_be_made_anew_and_go_through_links_and_pipes(
    isthmus: Program, folder: Path, tmp_path: Path
) -> None:
    for command, name in (("results", "table.csv"), ("report", "page.html")):
        real, link, pipe = (tmp_path / prefix / name for prefix in ("real", "link", "pipe"))
        for path in (real, link, pipe):
            path.parent.mkdir(exist_ok=True)
        link.symlink_to(real)
        os.mkfifo(pipe)
        found: list[bytes] = []
        reader = threading.Thread(target=lambda to=found, of=pipe: to.append(of.read_bytes()), daemon=True)
        reader.start()
        for path in (real, real, link, pipe):
            assert isthmus(command, "small", "--output", path).code == 0
        reader.join(10)
        assert link.is_symlink() and pipe.is_fifo() and found == [real.read_bytes()]
    other = tmp_path / "page"
    other.write_bytes((tmp_path / "real" / "page.html").read_bytes())
    assert isthmus("report", "small", "--output", other).code == 0


def test_without_duckdb_conditions_say_what_to_install(isthmus: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert "run `pip install 'isthmus[duckdb]'`" in refused(isthmus("results", "--where", "main"))
    assert isthmus("results", "--columns", "score", "--sort", "score").code == 0
