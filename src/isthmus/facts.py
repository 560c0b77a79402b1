"""The world as planning sees it: the registry's tasks, the models that can be found, the rows in the store."""

from collections.abc import Callable, Iterable
from functools import cache

from isthmus.data.catalog import Catalog
from isthmus.errors import SpecError, nearest
from isthmus.languages import select
from isthmus.model.sources import find_model
from isthmus.plan import Facts
from isthmus.spec import Study
from isthmus.store import Store
from isthmus.tasks.core import Task


def facts_of(
    study: Study, store: Store, notify: Callable[[str], None] = lambda _: None, own: Iterable[Task] = ()
) -> Facts:
    """The facts that planning ``study`` in ``store`` asks for; ``own`` tasks stand beside, and before, the registry's.

    Raises:
        SpecError: an override names neither a role nor a task of the study, or no target has one of the languages.
    """
    named = {item.name: item for item in own}

    def task(name: str) -> Task:
        from isthmus.tasks import registry

        return named[name] if name in named else registry.task(name)

    targets = [task(name) for name in study.targets]
    roles = {"intermediate", "target"}
    tasks = {name for intermediate in study.intermediates for name in intermediate.split(">")} | set(study.targets)
    for name in study.overrides:
        if name not in roles | tasks:
            raise SpecError(
                f"overrides.{name}: neither a role nor a task of this study: {nearest(name, roles | tasks)}"
            )
    there = sorted({language for target in targets for language in target.languages})
    for selector in study.languages:
        select(selector, there)  # raises on a language that no target has
    catalog = Catalog(store, notify)

    def languages(selectors: tuple[str, ...], target: Task) -> tuple[str, ...]:
        chosen = {language for selector in selectors for language in select(selector, there)}
        return tuple(language for language in target.languages if language in chosen)

    return Facts(task, cache(find_model), catalog.facts, languages)
