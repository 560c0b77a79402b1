"""Every task by name. A new family of tasks is a module with a tuple `TASKS`, and its name here."""

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from isthmus.errors import SpecError, nearest
from isthmus.tasks import choice, nli, paraphrase, qa, quickstart, retrieval, tagging, text, topic, treebanks
from isthmus.tasks.core import Task

_FAMILIES = (quickstart, nli, paraphrase, tagging, qa, choice, retrieval, topic, text)


@cache
def tasks() -> Mapping[str, Task]:
    """Every task, by name, in the order of the families."""
    found = [task for family in _FAMILIES for task in family.TASKS]
    by_name = {task.name: task for task in found}
    assert len(by_name) == len(found), "two tasks have the same name"
    return MappingProxyType(by_name)


def task(name: str, others: Iterable[str] = ()) -> Task:
    """The task called ``name``, or that of a treebank (``ud-Faroese-OFT``).

    Raises:
        SpecError: there is none; the message names the nearest, ``others`` among them.
    """
    if name not in tasks() and name.startswith(treebanks.PREFIX) and name not in others:
        return treebanks.treebank(name)
    try:
        return tasks()[name]
    except KeyError:
        raise SpecError(f"No task is called {name!r}: {nearest(name, {*tasks(), *others})}") from None
