"""The world as planning sees it: the tasks and models that can be found, the rows in the store."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from isthmus.data.catalog import Catalog
from isthmus.errors import SpecError, nearest
from isthmus.languages import select
from isthmus.model.sources import find_model
from isthmus.plan import Facts, Goal
from isthmus.spec import Files, Study, steps_of
from isthmus.store import Store
from isthmus.tasks.core import Task


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
    task = _finder(study, {item.name: item for item in own})
    targets = [task(name) for name in study.targets]
    names = _names(study)
    for field, there in (("overrides", {"intermediate", "target"} | names), ("files", names)):
        for name in getattr(study, field):
            if name not in there:
                known = "a role or a task" if field == "overrides" else "a task"
                raise SpecError(f"{field}.{name}: the study has no such name for {known}: {nearest(name, there)}")
    measured = [target for target in targets if target.languages]
    if goal != "models" and len(measured) < len(targets):
        name = next(target.name for target in targets if not target.languages)
        raise SpecError(
            f"{name} has no files to measure on: name one for each language, with --test de=de.csv on the command "
            f"line, or in a study with files: {{{name}: {{test: {{de: de.csv}}}}}}."
        )
    there_are = sorted({language for target in measured for language in target.languages})
    for selector in study.languages if measured else ():
        select(selector, there_are)  # raises on a language that no target has
    catalog = Catalog(store, notify)

    def languages(selectors: tuple[str, ...], target: Task) -> tuple[str, ...]:
        chosen = {language for selector in selectors for language in select(selector, there_are)}
        return tuple(language for language in target.languages if language in chosen)

    return Facts(task, cache(find_model), catalog.facts, languages)


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
    """The tasks that the study names."""
    return {name for intermediate in study.intermediates for name in steps_of(intermediate)} | set(study.targets)


def _finder(study: Study, own: Mapping[str, Task]) -> Callable[[str], Task]:
    """Finds a task by its name in the study; reads a file that is one only once."""
    of_files = file_tasks(study)

    @cache
    def task(name: str) -> Task:
        from isthmus.tasks.registry import tasks

        if name in own:
            return own[name]
        if name in of_files:
            return _file_task(name, of_files[name])
        if name not in tasks():
            raise SpecError(f"No task is called {name!r}: {nearest(name, {*tasks(), *own, *of_files})}")
        return tasks()[name]

    return task


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
