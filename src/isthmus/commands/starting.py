"""``isthmus init`` and ``isthmus schema``: a study to begin with, and what editors check it by."""

import json
import sys
import textwrap
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from isthmus.commands.views import writing_to
from isthmus.data.schema import BY_VECTORS
from isthmus.data.sources.published import Dataset
from isthmus.errors import SpecError, nearest
from isthmus.study.schema import study_schema
from isthmus.study.spec import NONE
from isthmus.tasks.core import Task, Where

#: The schema beside a study, which its first line names.
SCHEMA = "isthmus-study.schema.json"
_LINE = f"# yaml-language-server: $schema={SCHEMA}\n"
#: Tasks to train on first, of those that are in a folder.
_BEFORE = 3


def examples() -> tuple[str, ...]:
    """The names of the studies to begin with."""
    names = [item.name for item in _folder().iterdir()]
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def example(name: str) -> str:
    """The text of an example. Raises SpecError where there is none of that name."""
    if name not in examples():
        raise SpecError(f"--example: there is none called {name!r}: {nearest(name, examples())}")
    return (_folder() / f"{name}.yaml").read_text(encoding="utf-8")


def _folder() -> Traversable:
    return files("isthmus") / "studies" / "examples"


def init(file: Path, name: str, data: Path | None, force: bool) -> None:
    """Write a study to begin with, and the schema beside it.

    Raises:
        SpecError: there is such a file, and ``force`` is not set; there is no such example; nothing is in the folder.
    """
    if data is not None and name != "minimal":
        raise SpecError("--data makes a study of what is in a folder: leave --example out.")
    text = example(name) if data is None else of_folder(data)
    text = text.replace(" FILE", f" {file}")
    if not force and (file.exists() or file.is_symlink()):
        raise SpecError(f"There is a {file} already: name another file, or write over it with --force.")
    with writing_to(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{_LINE}{text}", encoding="utf-8")
    write_schema(file.parent / SCHEMA)
    print(f"{file} is a study to begin with. Look at what it will take: isthmus plan {file}", file=sys.stderr)


def write_schema(output: Path | None) -> None:
    """``isthmus schema``."""
    text = json.dumps(study_schema(), indent=1, ensure_ascii=False)
    if output is None:
        print(text)
        return
    with writing_to(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", encoding="utf-8")


def of_folder(folder: Path) -> str:
    """A study of the tasks whose data sets are in the folder: to be measured, and some to be trained on first.

    Raises:
        SpecError: there is no such folder, or no task in it.
    """
    from isthmus.tasks.registry import tasks

    if not folder.expanduser().is_dir():
        raise SpecError(f"--data: there is no folder {folder}.")
    where = Where((folder.expanduser(),), hub=False, partial=True)
    found = {name: task for name, task in tasks().items() if isinstance(task.source, Dataset)}
    trained = {name for name, task in found.items() if _trains(task, where)}
    there = {name: _others(task, where) for name, task in found.items()}
    measured = [name for name, count in there.items() if count]
    targets = [name for name in measured if _measured(found[name], trained)]
    if not targets:
        raise SpecError(
            f"--data: no task that can be measured is in {folder}: isthmus data check {folder} shows what is there."
        )
    before = [name for name in found if name in trained and name not in targets] + sorted(trained & set(targets))
    return _study(folder, targets, before, [name for name in measured if name not in targets], there)


def _source(task: Task, where: Where) -> Dataset:
    assert isinstance(task.source, Dataset)
    return task.source.at(where)


def _others(task: Task, where: Where) -> int:
    """How many languages it can be measured in there, besides that of its training rows."""
    return len({*_source(task, where).languages()} & {*task.languages} - {task.train_language})


def _trains(task: Task, where: Where) -> bool:
    return task.train_language is not None and _source(task, where).there("train", task.train_language)


def _measured(task: Task, trained: set[str]) -> bool:
    """Can the task be measured with what is there: does it need no training, or are the rows for it there?"""
    return set(task.training) <= trained if task.training else task.kind in BY_VECTORS


def _study(folder: Path, targets: list[str], before: list[str], untrained: list[str], there: dict[str, int]) -> str:
    languages = ", ".join(f"{name} {there[name]}" for name in targets)
    others = before[_BEFORE:]
    lines = [
        f"# What is in {folder}: the tasks that can be measured, after some that can be trained on first.",
        "name: first-study",
        "models: [embedded]  # or a folder of a Hugging Face model, or a hub id",
        f"data: [{json.dumps(str(folder))}]",
        "partial: true  # the folder may lack files, rows and labels; `isthmus data check` tells what",
        "",
        *(_comment(f"Also there to train on: {', '.join(others)}.") if others else []),
        f"intermediates: [{', '.join((NONE, *before[:_BEFORE]))}]",
        "",
        *_comment(f"Languages of each, besides that of training: {languages}."),
        *(
            _comment(f"Without rows to train on there (train_on names others): {', '.join(untrained)}.")
            if untrained
            else []
        ),
        f"targets: [{', '.join(targets)}]",
        "",
        "seeds: [1]",
        "test_examples: 40  # a language",
        "recipe: fast  # for a look; `recipe: paper` has the hyperparameters of the paper",
    ]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 118, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
