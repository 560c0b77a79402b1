"""The world as planning sees it: the tasks and models that can be found, the rows in the store."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from isthmus.data.catalog import Catalog
from isthmus.data.schema import GOLD, Kind
from isthmus.data.sources.published import Dataset
from isthmus.errors import DataError, SpecError, nearest
from isthmus.languages import select
from isthmus.model.sources import find_model
from isthmus.planning.plan import UNLABELLED, Facts, Goal
from isthmus.planning.training import mixture_of
from isthmus.store import Store
from isthmus.study.spec import File, Files, Mixture, Study, sized, steps_of
from isthmus.tasks.core import Published, Split, Task, Where
from isthmus.translate.official import OfficialTranslation

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
    names, mixture = _names(study), cache(lambda name: mixture_of(name, _mixtures(study)))
    roles = {"intermediate", "target", "mlm", *study.mixtures, *study.translations, *_steps(study)}
    named = {f"recipes.{name}": (variant.places, roles | names) for name, variant in study.recipes.items()}
    for field, (said, there) in {
        "overrides": (study.overrides, roles | names), "files": (study.files, names), **named
    }.items():  # fmt: skip
        for name in said:
            if name not in there:
                known = "a task" if field == "files" else "a role or a task"
                raise SpecError(f"{field}.{name}: the study has no such name for {known}: {nearest(name, there)}")
    for name in study.train_on:
        if name not in (told := [target.name for target in targets]):
            raise SpecError(f"train_on.{name}: the study does not measure such a task: {nearest(name, told)}")
    _check_names(study)
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

    def offers(task: Task, split: Split, language: str) -> bool:
        if isinstance(task.source, Dataset):
            return task.source.offers(split, language)
        return language == task.train_language if split == "train" else split == "test" and language in task.languages

    def among(selectors: tuple[str, ...], there: tuple[str, ...]) -> tuple[str, ...]:
        chosen = {language for selector in selectors for language in select(selector, there)} if there else set()
        return tuple(language for language in there if language in chosen)

    return Facts(task, cache(find_model), catalog.facts, languages, members_of, mixture, offers, among)


def _check_names(study: Study) -> None:
    """Refuse a mixture or a translation that would hide a task, or that nothing uses."""
    from isthmus.tasks.registry import tasks

    used = _steps(study)
    inside = {member for name in used if (found := mixture_of(name, _mixtures(study))) for member in found.tasks}
    for field in ("mixtures", "translations"):
        for name in getattr(study, field):
            if name in tasks() or name in study.files or (field == "mixtures" and name in study.translations):
                raise SpecError(f"{field}.{name}: there is a task of that name: choose another one.")
            if name not in used | inside:
                raise SpecError(f"{field}.{name}: the study does not train on it: add it to intermediates.")


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
        published = [each for each in tasks().values() if isinstance(each.source, Published)]
        return {each.name: each.languages for each in published if each.kind is not Kind.TEXT}
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


class _Given(NamedTuple):
    """A translation of the study's that the user has: the task it is of, its language, and the file or folder."""

    task: str
    language: str
    path: File


def _given(study: Study) -> dict[str, _Given]:
    """The translations that the user has, by the name of the task that each makes."""
    return {
        f"{name}/{language}": _Given(translation.task, language, path)
        for name, translation in study.translations.items()
        for language, path in translation.files.items()
    }


def _derived_files(study: Study) -> dict[str, Files]:
    """The files that are no tasks of their own: texts for masked language modelling, and translations."""
    from isthmus.tasks.registry import tasks

    found = {}
    for name, mixture in study.mixtures.items():
        for language, path in (mixture.mlm.text if mixture.mlm else {}).items():
            found[f"{name}/mlm/{language}"] = Files(train=path, kind="text", language=language)
    for name, given in _given(study).items():
        if not _is_folder(given.path):
            known = study.files.get(given.task)
            kind = known.kind if known else str(tasks()[given.task].kind) if given.task in tasks() else None
            alike = known.model_dump(include={"columns", "format", "quoting"}) if known else {}
            found[name] = Files(train=given.path, kind=kind, language=given.language, **alike)
    return found


def _released(study: Study) -> dict[str, tuple[str, OfficialTranslation]]:
    """The translations of the study that lie in folders, as XTREME released them, and the tasks they are of."""
    from isthmus.tasks.registry import tasks

    found = {}
    for name, given in _given(study).items():
        if _is_folder(given.path):
            if given.task not in tasks():
                of = name.removesuffix(f"/{given.language}")
                raise SpecError(f"translations.{of}.files.{given.language}: {given.path} is a folder: name a file.")
            folder = Path(str(given.path)).expanduser()
            source = OfficialTranslation(folder, given.task, tasks()[given.task].kind, given.language)
            found[name] = (given.task, source)
    return found


def _is_folder(path: File) -> bool:
    return isinstance(path, str) and Path(path).expanduser().is_dir()


def is_file(name: str) -> bool:
    """Does ``name`` look like a file's: has it a suffix or a folder, or is there such a file?"""
    return bool(Path(name).suffix) or "/" in name or Path(name).is_file()


def _names(study: Study) -> set[str]:
    """The tasks that the study names, those of its suites included."""
    targets = {name for target in study.targets for name in members_of(target) or (target,)}
    for name in _steps(study):
        mixture = mixture_of(name, _mixtures(study))
        members = (*mixture.tasks, *(mixture.mlm.tasks if mixture.mlm else ())) if mixture else (name,)
        targets |= {study.translations[each].task if each in study.translations else each for each in members}
    return targets


def _steps(study: Study) -> set[str]:
    """What the study trains on: tasks, mixtures, translations."""
    trained = [name for training in study.train_on.values() for name in training]
    trained += [name for intermediate in study.intermediates for name in steps_of(intermediate)]
    return {sized(name)[0] for name in trained}


def _mixtures(study: Study) -> Mapping[str, Mixture]:
    """The mixtures that the study has, and those that Isthmus has."""
    from isthmus.tasks.mixtures import MIXTURES

    return {**MIXTURES, **study.mixtures}


def _finder(study: Study, own: Mapping[str, Task], where: Where) -> Callable[[str], Task]:
    """Finds a task by its name in the study, bound to where its rows lie; reads a file that is one only once."""
    of_files, released = {**file_tasks(study), **_derived_files(study)}, _released(study)

    @cache
    def task(name: str) -> Task:
        from isthmus.tasks import registry

        if name in own:
            return own[name]
        if name in of_files:
            return _file_task(name, of_files[name])
        if name in released:
            of, source = released[name]
            known = task(of)
            return replace(
                known, name=name, source=source, languages=(), train_language=source.language, expected_rows={}
            )
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
