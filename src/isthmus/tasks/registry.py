"""Every task by name. A new family of tasks is a module with a tuple `TASKS`, and its name here."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from isthmus.errors import SpecError, nearest
from isthmus.tasks import quickstart
from isthmus.tasks.core import Task

_FAMILIES = (quickstart,)


@cache
def tasks() -> Mapping[str, Task]:
    """Every task, by name, in the order of the families."""
    found = [task for family in _FAMILIES for task in family.TASKS]
    by_name = {task.name: task for task in found}
    assert len(by_name) == len(found), "two tasks have the same name"
    return MappingProxyType(by_name)


def task(name: str) -> Task:
    """The task called ``name``. Raises SpecError naming the nearest ones."""
    try:
        return tasks()[name]
    except KeyError:
        raise SpecError(f"No task is called {name!r}: {nearest(name, tasks())}") from None
