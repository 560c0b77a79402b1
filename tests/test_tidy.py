"""The table of results and that of predictions, over a small study that was really run."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus
from isthmus.api import make_plan
from isthmus.errors import SpecError, StoreError
from isthmus.evaluate.metrics import metric
from isthmus.planning.plan import Plan
from isthmus.running.execute import execute
from isthmus.stage import Settings
from isthmus.store import Store
from isthmus.study.spec import Study
from isthmus.tidy import query, table, writing
from isthmus.tidy.columns import PREDICTIONS, RESULTS
from tests.run.small_study import FIELDS, TASKS

Rows = list[dict[str, Any]]


class Ran:
    """A study, its plan, and the store that has all of it."""

    def __init__(self, study: Study, plan: Plan, store: Store) -> None:
        self.study, self.plan, self.store = study, plan, store

    def rows(self, **where: Any) -> Rows:
        every = isthmus.results_table(self.study, self.store.root, TASKS).to_pylist()
        return [row for row in every if all(row[name] == value for name, value in where.items())]


@pytest.fixture(scope="module")
def ran(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    store = Store.open(tmp_path_factory.mktemp("tidy") / "store")
    fields = {
        "models": [str(tiny_model)],
        "intermediates": ["none", "colours", "colours@20", ["colours@20", "length"]],
        "targets": ["length", "places", "pairs-of-rows"],
        "target_seeds": {"length": [1, 2]},
        "recipe": {"steps": 6, "batch_size": 4, "learning_rate": 1e-3, "max_length": 32},
    }
    study = Study.model_validate({**FIELDS, **fields})
    plan = make_plan(study, store, tasks=TASKS)
    for stage in plan.stages.values():
        execute(store, stage, Settings(device="cpu"))
    return Ran(study, plan, store)


@pytest.fixture
def spoiled(ran: Ran, tmp_path: Path) -> Ran:
    """A copy of the store, to be spoiled."""
    shutil.copytree(ran.store.root, tmp_path / "store")
    return Ran(ran.study, ran.plan, Store.open(tmp_path / "store"))


# -- results


def test_there_is_a_row_for_each_chain_language_and_metric_with_the_score_of_its_record(ran: Ran) -> None:
    found = {(row["score_stage"], row["metric"], row["language"]): row["score"] for row in ran.rows()}
    for chain in ran.plan.chains:
        record = ran.store.record(str(chain.score))
        assert record is not None
        for tag, score in record.result["scores"].items():
            assert found.pop((chain.score, record.result["metric"], tag), None) == score
    assert found == {}


def test_the_columns_are_those_that_are_told_of(ran: Ran) -> None:
    made = isthmus.results_table(ran.study, ran.store.root, TASKS)
    assert [(field.name, field.type) for field in made.schema] == [(column.name, column.type) for column in RESULTS]
    frame = made.to_pandas()
    assert list(frame.columns) == made.column_names
    assert len(frame.groupby(["model", "recipe", "intermediate"])) == 4  # no group is lost to empty cells


def test_a_gain_is_the_score_less_that_of_the_same_chain_without_intermediate(ran: Ran) -> None:
    place = ("model", "recipe", "target", "seed", "language", "metric")
    below = {tuple(row[name] for name in place): row["score"] for row in ran.rows(intermediate="none")}
    others = [row for row in ran.rows() if row["intermediate"] != "none"]
    assert len(others) == 3 * len(below)
    for row in others:
        assert row["baseline"] == below[tuple(row[name] for name in place)]
        assert row["gain"] == row["score"] - row["baseline"]
    assert {(row["baseline"], row["gain"]) for row in ran.rows(intermediate="none")} == {(None, None)}


@pytest.mark.parametrize(
    ("intermediate", "size", "rows"),
    [("none", None, 0), ("colours", None, 40), ("colours@20", 20, 20), ("colours@20>length", None, 60)],
)
def test_sizes_are_those_asked_for_and_rows_those_trained_on(
    ran: Ran, intermediate: str, size: int | None, rows: int
) -> None:
    found = ran.rows(intermediate=intermediate)
    assert {(row["size"], row["intermediate_rows"]) for row in found} == {(size, rows)}
    assert {row["target"]: row["target_rows"] for row in found} == {"length": 40, "places": 40, "pairs-of-rows": 0}


def test_what_was_trained_in_is_not_zero_shot(ran: Ran) -> None:
    marked = {
        (row["intermediate"], row["language"]): row["zero_shot"]
        for row in ran.rows(target="pairs-of-rows")  # which nothing is trained on
    }
    assert marked["none", "en"] and marked["none", "de"] and marked["colours", "de"]
    assert not marked["colours", "en"]
    assert {row["zero_shot"] for row in ran.rows(target="length", language="en")} == {False}


def test_languages_come_with_their_facts(ran: Ran) -> None:
    (row,) = ran.rows(intermediate="none", target="places", language="de")
    assert (row["language_name"], row["family"], row["script"], row["resource"]) == (
        *("German", "Indo-European", "Latn", "high"),
    )
    assert (row["kind"], row["metric"], row["main"], row["examples"], row["groups"]) == (
        *("tagging", "span_f1", True, 40, 40),
    )


def test_own_seconds_and_those_that_are_shared_are_all_that_the_study_took(ran: Ran) -> None:
    chains = {row["score_stage"]: row for row in ran.rows()}.values()
    seconds = {key: record.seconds for key in ran.plan.stages if (record := ran.store.record(key))}
    for row in chains:
        assert row["own_seconds"] + row["shared_seconds"] >= seconds[row["score_stage"]] > 0
    shared = {
        key for key in ran.plan.stages if sum(key in each.path for each in table.measured(ran.plan, ran.store)) > 1
    }
    total = sum(row["own_seconds"] for row in chains) + sum(seconds[key] for key in shared)
    assert total == pytest.approx(sum(seconds.values()), abs=0.01)


def test_a_chain_without_scores_has_no_row(spoiled: Ran) -> None:
    gone = spoiled.plan.chains[-1]
    shutil.rmtree(spoiled.store.stage_folder(str(gone.score)))
    assert {row["score_stage"] for row in spoiled.rows()} == {
        chain.score for chain in spoiled.plan.chains if chain.score != gone.score
    }


def test_a_baseline_that_is_missing_leaves_the_gain_empty(spoiled: Ran) -> None:
    for chain in spoiled.plan.chains:
        if chain.chain.intermediate == "none" and chain.chain.target == "places":
            shutil.rmtree(spoiled.store.stage_folder(str(chain.score)))
    found = spoiled.rows(target="places")
    assert len(found) == 6
    assert {row["gain"] for row in found} == {None}


def test_test_sets_are_counted_once_whatever_the_number_of_chains(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    read, opened = pq.read_table, []
    monkeypatch.setattr(pq, "read_table", lambda path, **how: opened.append(path) or read(path, **how))
    assert ran.rows()
    assert len(opened) == 3  # targets


def test_statistics_that_were_altered_are_not_believed(spoiled: Ran) -> None:
    for file in spoiled.store.root.glob("stages/score-*/statistics.parquet"):
        file.write_bytes(b"x" + file.read_bytes()[1:])
    with pytest.raises(StoreError, match="has other content than when it was written: run the study again"):
        spoiled.rows()


# -- predictions


def test_scores_are_made_of_the_predictions_statistics(ran: Ran) -> None:
    every = isthmus.predictions_reader(ran.study, ran.store.root, TASKS).read_all()
    assert every.schema.names == [column.name for column in PREDICTIONS]
    found: dict[tuple[Any, ...], Rows] = {}
    place = ("intermediate", "target", "seed", "language", "metric")
    for row in every.to_pylist():
        found.setdefault(tuple(row[name] for name in place), []).append(row)
    assert len(found) == len(ran.rows())
    for row in ran.rows():
        those = found[tuple(row[name] for name in place)]
        assert len(those) == row["examples"]
        values = np.array([each["statistics"] for each in those])
        assert float(metric(row["metric"]).reduce(values.sum(axis=0))) == row["score"]
        if row["metric"] == "accuracy":
            assert {each["score"] for each in those} <= {0.0, 100.0}
            assert all((each["gold"] == each["prediction"]) == (each["score"] == 100) for each in those)


def test_several_tags_are_a_json_list_in_one_text(ran: Ran) -> None:
    every = isthmus.predictions_reader(ran.study, ran.store.root, TASKS).read_all().to_pylist()
    golds = [json.loads(row["gold"]) for row in every if row["target"] == "places"]
    assert golds and all(set(tags) <= {"O", "B-P"} for tags in golds)


def test_predictions_that_are_gone_are_said_to_be(spoiled: Ran) -> None:
    shutil.rmtree(spoiled.store.stage_folder(str(spoiled.plan.chains[0].predictions)))
    assert spoiled.rows()  # the scores are there
    with pytest.raises(StoreError, match="are no longer in the store: run the study again"):
        isthmus.predictions_reader(spoiled.study, spoiled.store.root, TASKS).read_all()


# -- queries

TABLE = pa.table({"language": ["sw", "de", "sw"], "gain": [1.5, None, -2.0]})


def test_a_condition_keeps_the_rows_for_which_it_holds() -> None:
    kept = query.where("language = 'sw' and gain > 0 -- a remark", "results", TABLE, TABLE.column_names).read_all()
    assert kept.to_pylist() == [{"language": "sw", "gain": 1.5}]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("langage = 'sw'", "there is no column 'langage': did you mean language? The columns are language, gain."),
        ("language = sw", "texts stand in single quotes ('sw'). The columns are language, gain."),
        ("language = 'sw' +", "cannot be computed: syntax error"),
        ("language > 3", "cannot be computed: Cannot compare values of type VARCHAR"),
        ("1 = 1); drop table results; select (1 = 1", "--where cannot be computed: syntax error"),
        ("1=1) union all select * from results where (true", "--where cannot be computed: syntax error"),
        ("gain > 0; drop table results", "--where takes one condition, such as"),
        ("gain > 0 limit 1", "--where takes one condition, such as"),
        ("gain, language", "--where takes one condition, such as"),
        (" -- a remark", "--where takes one condition, such as"),
        ("", "--where takes one condition, such as"),
    ],
)
def test_a_wrong_condition_is_one_sentence(condition: str, reason: str) -> None:
    with pytest.raises(SpecError) as error:
        query.where(condition, "results", TABLE, TABLE.column_names).read_all()
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_a_condition_may_compare_with_the_whole_table() -> None:
    kept = query.where("gain > (select avg(gain) from results)", "results", TABLE, TABLE.column_names).read_all()
    assert kept.to_pylist() == [{"language": "sw", "gain": 1.5}]


def test_a_condition_changes_no_column(ran: Ran) -> None:
    every = isthmus.results_table(ran.study, ran.store.root, TASKS)
    assert query.where("true", "results", every, every.column_names).read_all() == every
    reader = isthmus.predictions_reader(ran.study, ran.store.root, TASKS)
    assert query.where("true", "predictions", reader, reader.schema.names).schema == reader.schema


@pytest.mark.parametrize(
    "sql",
    [
        "select * from 'FILE'",
        "select * from read_csv('FILE')",
        "select * from read_text('FILE')",
        "select * from read_blob('FILE')",
        "select * from glob('FOLDER/*')",
        "select * from parquet_scan('FILE')",
        "select * from read_csv('http://127.0.0.1:9/x.csv')",
        "copy results to 'FOLDER/new.csv'",
        "copy (select 1) to 'FOLDER/new.csv'",
        "export database 'FOLDER/new'",
        "attach 'FOLDER/new.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "pragma enable_profiling",
        "create table new as select 1",
        "select 1; select * from results",
        "select * from SECRET",
        "select getenv('HOME')",
    ],
)
def test_a_query_reads_its_tables_and_nothing_else(sql: str, tmp_path: Path) -> None:
    SECRET = pa.table({"secret": [1]})
    file = tmp_path / "secret.csv"
    file.write_text("secret\n1\n")
    with pytest.raises(SpecError) as error:
        query.select(sql.replace("FILE", str(file)).replace("FOLDER", str(tmp_path)), {"results": TABLE}).read_all()
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [file]
    assert SECRET.num_rows == 1


def test_a_query_is_told_nothing_of_this_machine() -> None:
    found = query.select("select value from duckdb_settings()", {"results": TABLE}).read_all()
    assert str(Path.home()) not in str(found.to_pylist())
    assert query.select("select * from duckdb_secrets()", {"results": TABLE}).read_all().num_rows == 0


@pytest.mark.parametrize("sql", ["select 1 as a, 2 as a", "select * from results a join results b on true"])
def test_columns_of_one_name_are_refused(sql: str) -> None:
    with pytest.raises(SpecError, match=r"two columns called (a|language): give one of them another name with AS"):
        query.select(sql, {"results": TABLE})


ODD = """
select date_trunc('day', timestamptz '2025-03-04 05:06:07Z') + interval 3 days - timestamptz '2025-03-04 00:00:00Z' as
    took, '101'::bit as bits, 'x\\xAA'::blob as bytes, sum(7) as total, 0.25 as share, 2.00 as whole,
    123456789012345678901234567890::bignum as big
"""
TEXTS = {"took": "3 days", "bits": "101", "bytes": "x\\xAA", "big": "123456789012345678901234567890"}


@pytest.mark.parametrize("form", writing.SUFFIXES)
def test_what_a_query_computes_can_be_written(form: str) -> None:
    to = io.BytesIO()
    assert writing.write(query.select(ODD, {}), form, to) == 1
    if form == "csv":
        (row,) = csv.DictReader(io.StringIO(to.getvalue().decode()))
        numbers = {"total": "7", "share": "0.25", "whole": "2.00"}
    else:
        (row,) = read_back(form, to.getvalue())
        numbers = {"total": 7, "share": 0.25, "whole": 2}
    assert {name: row[name] for name in TEXTS} == TEXTS
    assert {name: row[name] for name in numbers} == numbers
    if form not in ("csv", *writing.BINARY):
        assert [type(row[name]) for name in numbers] == [int, float, int]


def test_an_order_outlasts_a_change_of_types() -> None:
    numbers = "select (hash(range) % 1000)::bigint n, range::hugeint r from range(200000) order by n, r"
    found = query.select(numbers, {}).read_all()
    assert found.schema.types == [pa.int64(), pa.int64()]
    assert found.equals(found.sort_by([("n", "ascending"), ("r", "ascending")]))


def test_what_a_format_lacks_is_one_sentence() -> None:
    reader = query.select("select [interval 1 day] as pauses", {})
    with pytest.raises(
        SpecError, match=r"^A column cannot be written as parquet \(.*\): give it another type with CAST.$"
    ):
        writing.write(reader, "parquet", io.BytesIO())


def test_a_query_may_read_a_table_twice() -> None:
    found = query.select("select count(*) n from results a join results b using (language)", {"results": TABLE})
    assert found.read_all().to_pylist() == [{"n": 5}]


# -- writing

CELLS = st.fixed_dictionaries(
    {
        "text": st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8),
        "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "whole": st.integers(-(2**40), 2**40),
        "list": st.none() | st.lists(st.floats(-5, 5), max_size=2),
    }
)
SCHEMA = pa.schema(
    [("text", pa.string()), ("number", pa.float64()), ("whole", pa.int64()), ("list", pa.list_(pa.float64()))]
)


def read_back(form: str, content: bytes) -> Rows:
    if form == "csv":
        found = list(csv.reader(io.StringIO(content.decode(), newline="")))
        assert found[0] == SCHEMA.names
        return [dict(zip(SCHEMA.names, row, strict=True)) for row in found[1:]]
    if form == "json":
        return list(json.loads(content))
    if form == "jsonl":
        return [json.loads(line) for line in content.decode().split("\n")[:-1]]
    read = pq.read_table if form == "parquet" else lambda file: pa.ipc.open_file(file).read_all()
    return list(read(pa.BufferReader(content)).to_pylist())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(CELLS, max_size=3), max_size=3), st.sampled_from(list(writing.SUFFIXES)))
def test_what_is_written_is_what_was_there_however_it_is_cut(batches: list[Rows], form: str) -> None:
    cut = [pa.RecordBatch.from_pylist(batch, SCHEMA) for batch in batches]
    to = io.BytesIO()
    rows = [row for batch in batches for row in batch]
    assert writing.write(pa.RecordBatchReader.from_batches(SCHEMA, cut), form, to) == len(rows)
    if form == "csv":
        rows = [
            {
                "text": row["text"] or "",
                "number": "" if row["number"] is None else pytest.approx(row["number"]),
                "whole": str(row["whole"]),
                "list": "" if row["list"] is None else json.dumps(row["list"]),
            }
            for row in rows
        ]
    found = read_back(form, to.getvalue())
    if form == "csv":
        found = [{**row, "number": float(row["number"]) if row["number"] else ""} for row in found]
    assert found == rows
