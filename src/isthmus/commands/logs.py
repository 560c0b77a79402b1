"""``isthmus logs``: what a stage printed, attempt by attempt."""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.text import Text

from isthmus.commands.naming import find, titles_in
from isthmus.commands.studies_kept import kept_studies, plan_of
from isthmus.commands.views import existing, output, print_json
from isthmus.commands.watching import reason_of
from isthmus.errors import IsthmusError, SpecError
from isthmus.planning.plan import Plan
from isthmus.running.attempts import attempts_of, is_mark, parts_of
from isthmus.store import Store

_POLL = 0.5  # seconds between looks at a log that grows


def show_log(
    words: Sequence[str], study: str | None, store_path: Path, follow: bool, most: int | None, as_json: bool
) -> int:
    """``isthmus logs``; returns the exit status: 1 when a stage that was followed ended without a result.

    Raises:
        SpecError: no stage is called so, or several are, or it has not been begun.
    """
    store = existing(store_path)
    titles = titles_in(store)
    planned: dict[str, str] = {}
    if study is not None:
        titles = planned = _titles(plan_of(study, store))
    elif " ".join(words) not in titles:  # a key that is there tells all
        planned = _planned(store)
        titles = {**planned, **titles}
    key = find(words, titles, planned)
    if follow and as_json:
        raise SpecError("--follow goes on and --json is one document: ask for one of them.")
    text = _read(store, key)
    if text is None and not follow:
        raise SpecError(f"{titles[key]} ({key}) has no log: it has not been begun.")
    if not as_json:
        print(f"{titles[key]} ({key}): {_where(store, key)}", file=sys.stderr, flush=True)
    if text is None or follow:
        return _follow(store, key, most)
    parts = [_last(part, most) for part in parts_of(text)]
    if as_json:
        print_json(_json(store, key, titles[key], parts))
        return 0
    for number, part in enumerate(parts):
        if number:
            print()
        _show(part)
    return 0


def _titles(plan: Plan) -> dict[str, str]:
    return {key: stage.title for key, stage in plan.stages.items()}


def _planned(store: Store) -> dict[str, str]:
    """The titles of the stages of all studies that the store keeps, begun or not; those that can be planned will do."""
    found: dict[str, str] = {}
    for name in kept_studies(store):
        with suppress(IsthmusError):
            found |= _titles(plan_of(name, store))
    return found


def _where(store: Store, key: str) -> str:
    if store.has(key):
        return "finished"
    if store.running(key):
        return "running"
    work = store.work_folder(key)
    return f"failed: {reason_of(store, key)}" if (work / "failure.json").exists() else "not running"


def _json(store: Store, key: str, title: str, parts: Sequence[Sequence[str]]) -> dict[str, Any]:
    folder = store.stage_folder(key) if store.has(key) else store.work_folder(key)
    ended = [attempt._asdict() for attempt in attempts_of(folder)]
    return {"key": key, "title": title, "state": _where(store, key), "log": list(map(list, parts)), "attempts": ended}


def _read(store: Store, key: str) -> str | None:
    """The log of a stage, finished or under way; None where there is none."""
    for folder in (store.stage_folder(key), store.work_folder(key)):
        try:
            return (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
    return None


def _last(lines: list[str], most: int | None) -> list[str]:
    """The last lines of an attempt, and the line that it began with."""
    if most is None or len(lines) <= most:
        return lines
    return [*lines[: 1 if is_mark(lines[0]) else 0], *lines[len(lines) - most :]]


def _show(lines: Sequence[str]) -> None:
    console = output()
    for line in lines:
        console.print(Text(line, style="bold" if is_mark(line) else ""), soft_wrap=True)


def _follow(store: Store, key: str, most: int | None) -> int:
    """Print the log as it grows, until the stage has ended or Ctrl-C is pressed."""
    try:
        text, shown = _read(store, key) or "", 0
        if parts := list(parts_of(text)):
            _show(_last(parts[-1], most))
            shown = len(text)
        while True:
            over = store.has(key) or (not store.running(key) and not store.is_in_use())
            text = _read(store, key) or ""
            print(text[shown:], end="", flush=True)
            shown = max(shown, len(text))
            if over:
                break
            time.sleep(_POLL)
    except KeyboardInterrupt:
        return 0
    if not store.has(key):
        print(f"It is {_where(store, key)}, and no run is under way.", file=sys.stderr)
    return 0 if store.has(key) else 1
