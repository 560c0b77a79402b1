"""What the commands are registered with."""

from typing import Any

import typer
from typer.core import TyperGroup

#: The commands as `isthmus --help` lists them; others follow.
_ORDER = (
    *("init", "run", "plan", "status", "logs", "why", "results", "report", "view"),
    *("train", "translate", "evaluate", "submission", "score", "tasks", "data", "schema", "stage", "store"),
)


class _InOrder(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        """By what people do first."""
        return sorted(self.commands, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


app = typer.Typer(
    name="isthmus",
    cls=_InOrder,
    help="Intermediate-task transfer across languages: train on English tasks, measure zero-shot in many languages.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
stage_app = typer.Typer(help="Single stages, as engines start them.", no_args_is_help=True)
store_app = typer.Typer(help="Look after the folder that holds finished stages.", no_args_is_help=True)
data_app = typer.Typer(help="Look at the data sets that tasks are made of.", no_args_is_help=True)
app.add_typer(stage_app, name="stage")
app.add_typer(store_app, name="store")
app.add_typer(data_app, name="data")
