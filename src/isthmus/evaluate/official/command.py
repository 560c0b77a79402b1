"""``isthmus score``, once its arguments are read."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from isthmus.disk import plainly, write_atomic
from isthmus.errors import SpecError, nearest
from isthmus.evaluate.official.forms import Seqeval
from isthmus.evaluate.official.output import document, tables
from isthmus.evaluate.official.scoring import score_folders
from isthmus.tasks.suites import suite

_CONVENTIONS: dict[str, Seqeval] = {name: name for name in get_args(Seqeval)}


@dataclass(frozen=True)
class Request:
    """What to score: two folders, a suite, some of its tasks (or all), how to read tags, and whether a part will do."""

    predictions: Path
    labels: Path
    suite: str
    tasks: Sequence[str]
    seqeval: str
    partial: bool


def score(request: Request, output: Path | None, as_json: bool) -> None:
    """Score, write ``output`` where one is named, and print.

    Raises:
        SpecError, DataError: an option or a file is wrong, in one sentence.
    """
    of = suite(request.suite)
    if request.seqeval not in _CONVENTIONS:
        hint = nearest(request.seqeval, _CONVENTIONS)
        raise SpecError(f"--seqeval {request.seqeval} is no convention that Isthmus knows: {hint}")
    if output is not None and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise SpecError(f"--output {output} cannot be written: name a file in a folder that is there.")
    tasks = [name for part in request.tasks for name in (word.strip() for word in part.split(",")) if name]
    convention = _CONVENTIONS[request.seqeval]
    scored = score_folders(request.predictions, request.labels, of, tasks, convention, request.partial)
    found = document(scored)
    if output is not None:
        _write(output, json.dumps(found, indent=2, allow_nan=False) + "\n")
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    console.print(tables(scored))
    if output is not None:
        console.print(f"\nWritten: {output}", soft_wrap=True)


def _write(path: Path, text: str) -> None:
    with plainly(path):
        try:
            write_atomic(path, text.encode())
        except OSError as error:
            raise SpecError(f"--output {path} cannot be written ({error.strerror or error}).") from error
