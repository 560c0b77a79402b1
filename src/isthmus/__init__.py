"""Isthmus: intermediate-task transfer across languages."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus.api import Resources, load_study, run
    from isthmus.commands.result_views import predictions_reader, results_table
    from isthmus.errors import IsthmusError
    from isthmus.report.summary import summarise
    from isthmus.study.spec import Recipe, Study

__all__ = [
    "IsthmusError",
    "Recipe",
    "Resources",
    "Study",
    "load_study",
    "predictions_reader",
    "results_table",
    "run",
    "summarise",
]

_HOMES = {
    "IsthmusError": "isthmus.errors",
    "Recipe": "isthmus.study.spec",
    "Resources": "isthmus.api",
    "Study": "isthmus.study.spec",
    "load_study": "isthmus.api",
    "predictions_reader": "isthmus.commands.result_views",
    "results_table": "isthmus.commands.result_views",
    "run": "isthmus.api",
    "summarise": "isthmus.report.summary",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when first asked for: ``isthmus --help`` should not wait for them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'isthmus' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
