"""The command line. Nothing heavy is imported before a command needs it."""

import io
import json
import os
import sys
from typing import Annotated, Any, TextIO

import typer

from isthmus.cli import datasets, models, planning, remote, results, stores, study, viewing, watching
from isthmus.cli.apps import app
from isthmus.errors import IsthmusError

__all__ = [
    "app",
    "datasets",
    "main",
    "models",
    "planning",
    "remote",
    "results",
    "stores",
    "study",
    "viewing",
    "watching",
]

_INTERRUPTED = 130


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks instead of sentences.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"isthmus {installed('isthmus')}")
        raise typer.Exit
    del debug  # seen by `main`, shown here


def main() -> None:
    """Run the command line; every error that a person can mend becomes its one sentence."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]  # welcome anywhere on the line
    debug = len(arguments) < len(sys.argv) - 1
    sys.stdout, sys.stderr = (stream or _nowhere() for stream in (sys.stdout, sys.stderr))  # None when it was closed
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what a terminal cannot show must not end the program
    try:
        code = app(arguments, prog_name="isthmus", standalone_mode=False)
        sys.stdout.flush()
        if code == _INTERRUPTED and arguments[:1] != ["stage"]:  # typer kept the KeyboardInterrupt to itself
            raise KeyboardInterrupt
    except IsthmusError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("Interrupted. Everything finished is kept; to go on, run the same command again.", _INTERRUPTED)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if isinstance(error, _click_exception()):
            _usage_error(error)
        if debug:
            raise
        sentence = " ".join(f"{type(error).__name__}: {error}".split())
        _fail(f"Isthmus failed ({sentence}). Add --debug for the traceback.", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - for as long as the program runs


def _click_exception() -> Any:
    """The class of usage errors, in click or in the copy of it that newer typers hold."""
    return typer.BadParameter.__mro__[2]


def _usage_error(error: Any) -> None:
    """A command line that cannot be read: what click says of it, or the same as JSON."""
    if "--json" in sys.argv:
        _fail(error.format_message(), error.exit_code)
    error.show()
    sys.exit(error.exit_code)


def _fail(sentence: str, code: int) -> None:
    """Say what is wrong, and leave with ``code``."""
    if "--json" in sys.argv:
        print(json.dumps({"error": sentence}))
    else:
        from rich.console import Console
        from rich.text import Text

        Console(stderr=True, highlight=False, soft_wrap=True).print(
            Text("Error: ", style="bold red"), Text(sentence), sep=""
        )
    sys.exit(code)
