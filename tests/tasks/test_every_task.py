"""What holds for every task in the registry whose rows come out of packages, present and future."""

import hashlib
import json
import os
import subprocess
import sys
from functools import cache

import pyarrow as pa
import pytest

from isthmus.data.catalog import check_rows
from isthmus.data.schema import SCHEMAS, Kind, check_table
from isthmus.errors import DataError
from isthmus.evaluate.metrics import METRICS
from isthmus.languages import language as language_facts
from isthmus.tasks.core import Published, Split, Task
from isthmus.tasks.registry import tasks

ALL = [task for task in tasks().values() if not isinstance(task.source, Published)]
EACH = pytest.mark.parametrize("task", ALL, ids=[task.name for task in ALL])
_LEARNT = [(task, task.train_language) for task in ALL if task.train_language]
TRAINED = pytest.mark.parametrize(("task", "language"), _LEARNT, ids=[task.name for task, _ in _LEARNT])
_TRAINING: tuple[Split, Split] = ("train", "dev")
TEXTS = ("text", "text_pair", "source", "target")


@cache
def load(name: str, split: Split, language: str) -> pa.Table:
    return tasks()[name].source.load(split, language)


def splits(task: Task) -> list[tuple[Split, str]]:
    own: list[tuple[Split, str]] = [("test", language) for language in task.languages]
    if task.train_language:
        own += [("train", task.train_language), ("dev", task.train_language)]
    return own


def texts(table: pa.Table) -> list[tuple[str, ...]]:
    """What a model reads of each row."""
    if "tokens" in table.schema.names:
        return [tuple(tokens) for tokens in table.column("tokens").to_pylist()]
    columns = [table.column(name).to_pylist() for name in TEXTS if name in table.schema.names]
    return list(zip(*columns, strict=True))


@EACH
def test_the_metadata_say_all_that_a_reader_needs(task: Task) -> None:
    assert task.description and task.licence and task.citation
    assert task.homepage.startswith("https://")
    assert task.metric in METRICS
    assert task.derivation or task.labels_are == "annotated"
    assert len(set(task.languages)) == len(task.languages)
    for language in task.languages:
        assert language_facts(language).tag == language


@EACH
def test_every_split_has_the_schema_and_the_rows_that_the_metadata_promise(task: Task) -> None:
    for split, language in splits(task):
        table = load(task.name, split, language)
        assert table.schema == SCHEMAS[task.kind]
        check_table(task.kind, table, "here")
        check_rows(task, split, language, table)
        promised = task.expected_rows.get(f"{split}/{language}", task.expected_rows.get(split))
        assert promised == len(table), "a task says how many rows it has"


@EACH
def test_a_split_that_lost_a_row_is_refused(task: Task) -> None:
    split, language = splits(task)[0]
    table = load(task.name, split, language)
    with pytest.raises(DataError, match=f"{len(table) - 1} rows, but {len(table)} are expected"):
        check_rows(task, split, language, table.slice(1))


@EACH
def test_no_text_is_empty_or_has_stray_space(task: Task) -> None:
    for split, language in splits(task):
        for row in texts(load(task.name, split, language)):
            for text in row:
                assert text and text == " ".join(text.split())


@TRAINED
def test_training_shows_every_label_and_only_those(task: Task, language: str) -> None:
    table = load(task.name, "train", language)
    names = [name for name in ("label", "tags") if name in table.schema.names]
    values = [value for name in names for value in table.column(name).to_pylist()]
    found = {tag for value in values for tag in ([value] if isinstance(value, str) else value)}
    assert found <= set(task.labels)
    # a slot that is always a single word has no I- tag in English
    assert {label for label in task.labels if not label.startswith("I-")} <= found


@TRAINED
def test_no_row_of_dev_or_test_was_trained_on(task: Task, language: str) -> None:
    earlier: set[tuple[str, ...]] = set()
    for split in _TRAINING:
        rows = {tuple(text.casefold() for text in row) for row in texts(load(task.name, split, language))}
        assert not rows & earlier
        earlier |= rows
    for tested in task.languages:
        rows = {tuple(text.casefold() for text in row) for row in texts(load(task.name, "test", tested))}
        assert not rows & earlier, tested


@TRAINED
def test_train_dev_and_test_share_no_group(task: Task, language: str) -> None:
    if task.kind is Kind.PAIR:  # its groups are commands, said in other words in each split
        return
    groups = [set(load(task.name, split, language).column("group").to_pylist()) for split in (*_TRAINING, "test")]
    assert sum(len(group) for group in groups) == len(set().union(*groups))


@EACH
def test_rows_repeat_in_no_split(task: Task) -> None:
    for split, language in splits(task):
        rows = texts(load(task.name, split, language))
        assert len(set(rows)) == len(rows)


_DIGEST = """
import hashlib, json, sys
from isthmus.data.schema import fingerprint
from isthmus.tasks.registry import tasks
found, names = {}, set()
for name, split, language in json.loads(sys.argv[1]):
    names.add(name)
    found[f"{name} {split} {language}"] = fingerprint(tasks()[name].source.load(split, language))
print(json.dumps([found, {name: dict(task.source.identity()) for name, task in tasks().items() if name in names}]))
"""


def test_rows_and_identities_are_the_same_in_every_process() -> None:
    wanted = [(task.name, split, language) for task in ALL for split, language in splits(task)]
    few = [entry for entry in wanted if int(hashlib.sha256(repr(entry).encode()).hexdigest(), 16) % 20 == 0]
    few += [entry for entry in wanted if entry[2] == "en" and entry not in few]
    told = []
    for seed in ("1", "20"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", _DIGEST, json.dumps(few)]
        told.append(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert told[0] == told[1]
    assert len(json.loads(told[0])[0]) == len(few) >= 20
