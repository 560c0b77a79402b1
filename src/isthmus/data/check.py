"""What of the published data sets is in a folder: what is there, missing, without labels, or cut."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from isthmus.data.catalog import check_rows, expected_rows, in_part
from isthmus.data.provenance import provenance
from isthmus.data.schema import SEARCHING
from isthmus.data.sources.published import Dataset
from isthmus.errors import IsthmusError
from isthmus.tasks.core import Split, Task, Where


class State(StrEnum):
    """What a split in a language is like. All but the first two keep it from being measured or trained on."""

    COMPLETE = "complete"
    UNCOUNTED = "there"  # and nothing is known of how many rows there should be
    FEWER = "fewer rows"
    UNLABELLED = "no labels"
    MISSING = "missing"
    FAULTY = "faulty"


GOOD = (State.COMPLETE, State.UNCOUNTED)


class Entry(NamedTuple):
    """One split of one task in one language.

    Attributes:
        rows: how many there are; 0 where they cannot be read.
        notes: what was seen, mended or left out, in words, or why it is not good.
    """

    task: str
    split: str
    language: str
    state: State
    rows: int
    expected: int | None
    notes: tuple[str, ...]


class Report(NamedTuple):
    """What is in a folder: an entry for every split and language, and the tasks of which there is nothing."""

    entries: tuple[Entry, ...]
    absent: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Is all there that is needed to train on and to measure on? Only mining has something to choose on dev."""
        mining = {entry.task for entry in self.entries if entry.split == "dev_candidates"}
        needed = [entry for entry in self.entries if entry.split != "dev" or entry.task in mining]
        return not self.absent and all(entry.state in GOOD for entry in needed)


def check(
    folder: Path,
    tasks: Iterable[Task],
    whole: bool,
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """What ``folder`` has of ``tasks``; with ``whole``, tasks of which there is nothing are named."""
    where = Where((folder,), hub=False)
    entries: list[Entry] = []
    absent = []
    for task in tasks:
        assert isinstance(task.source, Dataset)
        source = task.source.at(where)
        wanted = list(_wanted(task, source))
        if not any(True for split, tag in wanted for _ in source.places(split, tag)):
            absent.append(task.name)
            continue
        for split, tag in wanted:
            say(f"{task.name} {split}/{tag}")
            entries.append(_entry(replace(task, source=source), source, split, tag))
    return Report(tuple(entries), tuple(absent) if whole else ())


def _wanted(task: Task, source: Dataset) -> Iterable[tuple[Split, str]]:
    """The splits and languages that a task has in any layout; dev in other languages than that of training if there."""
    splits: list[tuple[Split, tuple[str, ...]]] = [("test", task.languages)]
    if task.train_language:
        splits = [("train", (task.train_language,)), ("dev", (task.train_language,)), *splits]
    if task.kind not in SEARCHING:
        others = (tag for tag in task.languages if tag != task.train_language and source.there("dev", tag))
        splits.append(("dev", tuple(others)))
    if task.kind in SEARCHING:
        splits.append(("candidates", task.languages))
        if not task.pool:
            splits += [("dev", task.languages), ("dev_candidates", task.languages)]
    for split, tags in splits:
        for tag in tags:
            if source.has(split, tag):
                yield split, tag


def _entry(task: Task, source: Dataset, split: Split, tag: str) -> Entry:
    expected = expected_rows(task, split, tag)

    def entry(state: State, rows: int, *notes: str) -> Entry:
        return Entry(task.name, split, tag, state, rows, expected, notes)

    try:
        if not source.there(split, tag):
            return entry(State.MISSING, 0)
        if source.unlabelled(split, tag):
            return entry(State.UNLABELLED, 0)
        table = source.load(split, tag)
        told = provenance(table)
        check_rows(replace(task, partial=True), split, tag, table)
    except (IsthmusError, OSError, ValueError, RecursionError) as error:
        return entry(State.FAULTY, 0, " ".join(str(error).split()))
    if in_part(task, split, tag, table):
        return entry(State.FEWER, told.rows, *told.notes)
    return entry(State.UNCOUNTED if expected is None else State.COMPLETE, told.rows, *told.notes)
