"""Which files of a suite two folders hold, and which they lack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from isthmus.errors import DataError, SpecError, nearest
from isthmus.evaluate.official.forms import form_of
from isthmus.tasks.suites import Suite

_SHOWN = 5


class Pair(NamedTuple):
    """The predictions and the labels of one task in one language."""

    predictions: Path
    labels: Path


@dataclass(frozen=True)
class Found:
    """What is there: by task and language; missing: files, or whole folders, that are not; absent: tasks of which
    neither side has anything; diagnostics: further sets that both sides have."""

    pairs: Mapping[str, Mapping[str, Pair]]
    missing: tuple[Path, ...]
    absent: tuple[str, ...]
    diagnostics: tuple[str, ...]


def find(predictions: Path, labels: Path, suite: Suite, tasks: Sequence[str], partial: bool) -> Found:
    """The files to score.

    As for the official evaluator, a task that neither folder has was not handed in. A file, or the folder of a task,
    that only one side has, or that was named in ``tasks``, is missing.

    Raises:
        SpecError: a folder is not there, or a task is not the suite's.
        DataError: something is missing, and not ``partial``; or nothing is there.
    """
    for option, folder in (("--predictions", predictions), ("--labels", labels)):
        if not folder.is_dir():
            raise SpecError(f"{option} {folder}: there is no such folder.")
    for name in tasks:
        if name not in (*suite.tasks, *suite.diagnostics):
            raise SpecError(f"{suite.title} has no task {name!r}: {nearest(name, (*suite.tasks, *suite.diagnostics))}")
    pairs: dict[str, dict[str, Pair]] = {}
    missing: list[Path] = []
    absent = []
    for task in suite.tasks:
        if tasks and task not in tasks:
            continue
        lacking = [folder / task for folder in (predictions, labels) if not (folder / task).is_dir()]
        if len(lacking) == 2 and not tasks:
            absent.append(task)
        elif lacking:
            missing.extend(lacking)
        else:
            pairs[task] = _languages(predictions / task, labels / task, task, suite, missing)
    wanted = [name for name in suite.diagnostics if not tasks or name in tasks]
    diagnostics = [name for name in wanted if all((folder / name).is_dir() for folder in (predictions, labels))]
    missing.extend(
        folder / name
        for name in wanted
        if name not in diagnostics and tasks
        for folder in (predictions, labels)
        if not (folder / name).is_dir()
    )
    if missing and not partial:
        raise DataError(_sentence(missing))
    there = {task: languages for task, languages in pairs.items() if languages}
    if not there and not diagnostics:
        known = ", ".join(suite.tasks)
        raise DataError(
            f"{predictions} and {labels} hold nothing of {suite.title} that could be scored: its tasks are {known}, "
            f"each a folder with files such as test-{suite.languages[suite.tasks[0]][0]}.tsv."
        )
    return Found(there, tuple(missing), tuple(absent), tuple(diagnostics))


def _languages(predictions: Path, labels: Path, task: str, suite: Suite, missing: list[Path]) -> dict[str, Pair]:
    found = {}
    for language in suite.languages[task]:
        name = f"test-{language}.{form_of(task).suffix}"
        pair = Pair(predictions / name, labels / name)
        lacking = [path for path in pair if not path.exists()]
        missing.extend(lacking)
        if not lacking:
            found[language] = pair
    return found


def _sentence(missing: Sequence[Path]) -> str:
    shown = ", ".join(map(str, missing[:_SHOWN]))
    more = f", and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    verb = "is" if len(missing) == 1 else "are"
    return f"{shown}{more} {verb} missing: add what is missing, or score what is there with --partial."
