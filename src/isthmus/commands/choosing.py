"""Which tasks of suites can be measured, in which languages, and why the others cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from isthmus.commands.measured import reasons_of
from isthmus.data.catalog import Catalog
from isthmus.data.schema import SEARCHING
from isthmus.data.sources.published import Dataset
from isthmus.errors import DataError, MissingPackage, SpecError
from isthmus.languages import select
from isthmus.model.layout import HEADS
from isthmus.planning.facts import bound, is_file, members_of, where_of
from isthmus.study.spec import Study
from isthmus.tasks import registry
from isthmus.tasks.core import Split, Task


class Chooser:
    """Which tasks of suites can be measured, in which languages; ``left_out`` says why the others cannot."""

    def __init__(self, study: Study, catalog: Catalog, train: bool, labelled: bool) -> None:
        self.study, self.catalog, self.train = study, catalog, train
        self.where = where_of(study, labelled)
        self.left_out: dict[str, str] = {}
        self.published: dict[str, None] = {}
        self._task = cache(lambda name: bound(registry.task(name), self.where))

    def there(self, tasks: Sequence[Task]) -> tuple[str, ...]:
        """The languages that are asked for, as a study has them: of those that are there, where a part will do.

        Raises:
            SpecError: no task is published in a language that is asked for, or nothing is there in any.
        """
        if not self.where.partial:
            return self.study.languages
        asked = {tag for selector in self.study.languages for tag in select(selector, tuple(self.published))}
        found = tuple(dict.fromkeys(tag for task in tasks for tag in task.languages if tag in asked))
        if not found and self.left_out:
            raise SpecError(f"There is nothing to measure: {reasons(self.left_out)}")
        return found or self.study.languages

    def members(self, suites: Sequence[str]) -> list[Task]:
        """The tasks of the suites, in the languages that the study asks for and that can be had."""
        found: dict[str, Task] = {}
        for suite in suites:
            for name, languages in (members_of(suite) or {}).items():
                task = self._task(name)
                there = tuple(language for language in languages if language in task.languages)
                self.note_absent(task, languages)
                chosen = self._chosen(replace(task, languages=there))
                if name in found and chosen is not None:
                    both = (*found[name].languages, *chosen.languages)
                    chosen = replace(chosen, languages=tuple(dict.fromkeys(both)))
                if chosen is not None:
                    found[name] = chosen
        return list(found.values())

    def leave_out(self, name: str, reason: str) -> None:
        """Leave the task out in all languages, whatever kept it from being measured in some."""
        kept = {each: why for each, why in self.left_out.items() if not each.startswith(f"{name}/")}
        self.left_out = {**kept, name: reason}

    def note_absent(self, task: Task, published: Sequence[str]) -> None:
        """Put into ``left_out`` those of the languages asked for that a task in part has not, if it has any."""
        self.published.update(dict.fromkeys(published))
        whole = replace(task, languages=tuple(published))
        asked = {language for selector in self.study.languages for language in _selected(selector, whole)}
        for language in published if task.languages else ():
            if language in asked and language not in task.languages:
                self.left_out[f"{task.name}/{language}"] = _absence(task, [language])

    def _chosen(self, task: Task) -> Task | None:
        """The task in the languages that it can be measured in, or None, with the reason in ``left_out``."""
        languages = [
            language
            for language in task.languages
            if any(language in _selected(selector, task) for selector in self.study.languages)
        ]
        if not task.languages:
            self.left_out[task.name] = _absence(task, registry.task(task.name).languages)
        elif not languages:
            if not any(name.startswith(f"{task.name}/") for name in self.left_out):  # these say it better
                self.left_out[task.name] = f"it has none of the languages {', '.join(self.study.languages)}"
        elif self.train and (reason := self._untrainable(task)):
            self.leave_out(task.name, reason)
        else:
            languages = [language for language in languages if self._there(task, language)]
            if languages:
                return replace(task, languages=tuple(languages))
        return None

    def _there(self, task: Task, language: str) -> bool:
        """Whether the rows of a language can be had. Without ``partial`` planning will say what is wrong with them."""
        if not self.where.partial:
            return True
        splits: tuple[Split, ...] = ("test",)
        if task.kind in SEARCHING:
            splits = ("test",) if task.pool else ("test", "candidates", "dev", "dev_candidates")
        try:
            for split in splits:
                self.catalog.facts(task, split, language)
        except (DataError, MissingPackage) as error:
            self.left_out[f"{task.name}/{language}"] = str(error)
            return False
        return True

    def _untrainable(self, task: Task) -> str:
        """Why a model cannot be trained for the task; empty where it can, or where planning is to say it."""
        if HEADS[task.kind] and not self.study.train_on.get(task.name, task.training):
            return "nothing is trained for it: name rows with --train-on"
        if not self.where.partial:
            return ""
        try:
            for name in self.study.train_on.get(task.name, task.training):
                if name not in registry.tasks() and is_file(name):
                    continue  # planning reads it
                trained = self._task(name)
                self.catalog.facts(trained, "train", trained.train_language or "en")
        except (DataError, MissingPackage) as error:
            return str(error)
        return ""


def _absence(task: Task, languages: Sequence[str]) -> str:
    """Why there is nothing to measure a task on in these languages."""
    if isinstance(task.source, Dataset) and any(task.source.unlabelled("test", language) for language in languages):
        return "the labels of its test split are withheld, and there is no dev split"
    return "no files of it are there"


def _selected(selector: str, task: Task) -> list[str]:
    try:
        return select(selector, task.languages)
    except SpecError:  # another task may have it
        return []


def reasons(left_out: Mapping[str, str]) -> str:
    """The first of what was left out, in a sentence."""
    lines = [line.rstrip(".") for line in reasons_of(left_out)]
    more = f"; and {len(lines) - 2} more reasons" if len(lines) > 2 else ""
    return f"{'; '.join(lines[:2])}{more}."
