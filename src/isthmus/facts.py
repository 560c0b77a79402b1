"""The world as planning sees it: the tasks and models that can be found, the rows in the store."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from isthmus.data.catalog import Catalog
from isthmus.data.schema import GOLD, Kind
from isthmus.errors import DataError, SpecError, nearest
from isthmus.languages import select
from isthmus.model.sources import find_model
from isthmus.plan import UNLABELLED, Facts, Goal
from isthmus.spec import Files, Study, steps_of
from isthmus.store import Store
from isthmus.tasks.core import Published, Task, Where

#: The name of the Hugging Face hub among the places where data sets lie.
HUB = "hub"
#: The suite of every published task.
EVERYTHING = "all"


def facts_of(
    study: Study,
    store: Store,
    notify: Callable[[str], None] = lambda _: None,
    own: Iterable[Task] = (),
    goal: Goal = "scores",
) -> Facts:
    """The facts that planning ``study`` in ``store`` asks for; ``own`` tasks stand beside, and before, all others.

    Raises:
        SpecError: a task is unknown, a target of files has no file to measure on, an override or an entry of ``files``
            is for nothing in the study, or no target has one of the languages.
        DataError: a file that is a task cannot be read.
    """
    task = _finder(study, {item.name: item for item in own}, where_of(study, goal not in UNLABELLED))
    targets = [task(name) for named in study.targets for name in members_of(named) or (named,)]
    names = _names(study)
    for field, there in (("overrides", {"intermediate", "target"} | names), ("files", names)):
        for name in getattr(study, field):
            if name not in there:
                known = "a role or a task" if field == "overrides" else "a task"
                raise SpecError(f"{field}.{name}: the study has no such name for {known}: {nearest(name, there)}")
    for name in study.train_on:
        if name not in (told := [target.name for target in targets]):
            raise SpecError(f"train_on.{name}: the study does not measure such a task: {nearest(name, told)}")
    measured = [target for target in targets if target.languages]
    empty = [target for target in targets if not target.languages and target.name in study.targets]
    if goal != "models" and (empty or not measured):
        raise SpecError(_nothing(*(empty or targets)))
    there_are = sorted({language for target in measured for language in target.languages})
    for selector in study.languages if measured else ():
        select(selector, there_are)  # raises on a language that no target has
    catalog = Catalog(store, notify)

    def languages(selectors: tuple[str, ...], target: Task) -> tuple[str, ...]:
        chosen = {language for selector in selectors for language in select(selector, there_are)}
        return tuple(language for language in target.languages if language in chosen)

    return Facts(task, cache(find_model), catalog.facts, languages, members_of)


def _nothing(task: Task, *_: Task) -> str:
    """Why there is nothing to measure a task on."""
    if isinstance(task.source, Published):
        return (
            f"There are no rows of {task.name} where data sets are looked for: isthmus data check shows what there is."
        )
    return (
        f"{task.name} has no files to measure on: name one for each language, with --test de=de.csv on the command "
        f"line, or in a study with files: {{{task.name}: {{test: {{de: de.csv}}}}}}."
    )


def where_of(study: Study, labelled: bool = True) -> Where:
    """Where the study says that published data sets lie; ``ISTHMUS_DATA`` says it for all that do not."""
    places = study.data or tuple(filter(None, os.environ.get("ISTHMUS_DATA", "").split(os.pathsep)))
    folders = tuple(Path(place).expanduser() for place in places if place != HUB)
    for folder in folders:
        if not folder.is_dir():
            raise SpecError(f"data: there is no folder {folder}.")
    return Where(folders, HUB in places or not places, study.partial, labelled, places[:1] == (HUB,))


def members_of(name: str) -> Mapping[str, tuple[str, ...]] | None:
    """The tasks of the suite of that name and their languages, or None; ``all`` is every published task."""
    from isthmus.tasks.registry import tasks
    from isthmus.tasks.suites import suites

    if name == EVERYTHING:
        return {each.name: each.languages for each in tasks().values() if isinstance(each.source, Published)}
    return suites()[name].languages if name in suites() else None


def file_tasks(study: Study) -> dict[str, Files]:
    """The files of every task of the study that is made of files: those of ``study.files``, and files named as tasks.

    The name of a task that is a file's name is its training file, unless the study names another one.
    """
    from isthmus.tasks.registry import tasks

    found = {}
    for name in sorted(_names(study)):
        if name in study.files or (name not in tasks() and is_file(name)):
            files = study.files.get(name, Files())
            found[name] = files.model_copy(update={"train": name}) if files.train is None and is_file(name) else files
    return found


def is_file(name: str) -> bool:
    """Does ``name`` look like a file's: has it a suffix or a folder, or is there such a file?"""
    return bool(Path(name).suffix) or "/" in name or Path(name).is_file()


def _names(study: Study) -> set[str]:
    """The tasks that the study names, those of its suites included."""
    targets = {name for target in study.targets for name in members_of(target) or (target,)}
    targets |= {name for training in study.train_on.values() for name in training}
    return {name for intermediate in study.intermediates for name in steps_of(intermediate)} | targets


def _finder(study: Study, own: Mapping[str, Task], where: Where) -> Callable[[str], Task]:
    """Finds a task by its name in the study, bound to where its rows lie; reads a file that is one only once."""
    of_files = file_tasks(study)

    @cache
    def task(name: str) -> Task:
        from isthmus.tasks import registry

        if name in own:
            return own[name]
        if name in of_files:
            return _file_task(name, of_files[name])
        return bound(registry.task(name, {*own, *of_files}), where)

    return task


def bound(task: Task, where: Where) -> Task:
    """The task with its rows looked for there; in part, with the languages that are there.

    A task whose metadata has no labels although its kind has (the categories of a grammar are hundreds) gets those of
    its training rows, where these are there.
    """
    if not isinstance(task.source, Published):
        return task
    task = replace(task, source=task.source.at(where), labelled=where.labelled)
    if task.train_language and not task.labels and {"label", "tags"} & set(GOLD[task.kind]):
        task = replace(task, labels=_labels_of(task), open_labels=True)
    if not where.partial:
        return task
    assert isinstance(task.source, Published)
    there = set(task.source.languages())
    pool = tuple(language for language in task.pool if language in there) or task.pool
    languages = tuple(language for language in task.languages if language in there)
    return replace(task, languages=languages, pool=pool, partial=True)


def _labels_of(task: Task) -> tuple[str, ...]:
    """The labels of the task's training rows, sorted; none where these rows are not there."""
    try:
        table = task.source.load("train", task.train_language or "")
    except DataError:
        return ()
    column = table.column(GOLD[task.kind][0]).combine_chunks()
    return tuple(sorted((column.flatten() if task.kind is Kind.TAGGING else column).unique().to_pylist()))


def _file_task(name: str, files: Files) -> Task:
    """The task that ``files`` make; it has no languages where there is nothing to measure on."""
    from isthmus.data.files import FileSource, file_task

    if files.train is None and not files.test:
        raise SpecError(f"files.{name} names no file: give it train: FILE, or test: {{LANGUAGE: FILE}}, or both.")
    test = files.test or {files.language: files.train or ""}
    task = file_task(
        files.train,
        test=test,
        kind=files.kind,
        columns=files.columns,
        form=files.format,
        quoting=files.quoting,
        name=name,
        train_language=files.language,
    )
    if files.test:
        return task
    assert isinstance(task.source, FileSource)
    trained = {place: path for place, path in task.source.paths.items() if place.startswith("train/")}
    return replace(task, languages=(), source=replace(task.source, paths=trained))
