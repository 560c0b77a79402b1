"""``isthmus status``: how far studies are, once or for as long as they run."""

import select
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from isthmus import api
from isthmus.commands.studies_kept import kept_studies, last_run, plan_of
from isthmus.commands.tables import duration, listed, short_names, shortened, stage_table
from isthmus.commands.views import existing, output, print_json
from isthmus.errors import IsthmusError, SpecError
from isthmus.planning.plan import Plan
from isthmus.running.attempts import attempts_of, failure_of, process_of, sign_of_life
from isthmus.running.runner import State, states_of
from isthmus.store import Store

_REFRESH = 2.0  # seconds between looks while watching
_PATIENCE = 10.0  # seconds without a run after which nobody watches any longer for one
_NOBODY = "No run is under way in this store."
#: States that are counted, in this order; the last one only where there are any.
_COUNTED = (State.DONE, State.RUNNING, State.FAILED, State.WAITING, State.SKIPPED)
_SILENT = 120.0  # seconds without a sign of life that are pointed out: a checkpoint of a large model takes some
_MOST_FAILED = 6


class Running(NamedTuple):
    """A stage under way: how much of it is done, in how many seconds, by whom, and when it was last heard of."""

    done: int
    total: int
    seconds: float
    where: str
    silent: float

    def __str__(self) -> str:
        share = f"{self.done:,} of {self.total:,} ({100 * self.done / self.total:.0f}%), " if self.total else ""
        where = f", {self.where}" if self.where else ""
        return f"{share}{duration(self.seconds)}{where}, last heard of {duration(self.silent)} ago"


def running_of(store: Store, key: str) -> Running:
    """How far a stage under way is, by what it said."""
    work, said = store.work_folder(key), store.progress(key)
    process = process_of(work)
    done, total = int(said.get("done", 0)), int(said.get("total", 0))
    return Running(
        done, total, float(said.get("seconds", 0)), str(process) if process else "", sign_of_life(work) or 0.0
    )


def reason_of(store: Store, key: str) -> str:
    """Why a stage failed when it was last run."""
    failure = failure_of(store.work_folder(key))
    return failure.error if failure else "the reason was not kept"


def show_status(
    name: str | None, store_path: Path, as_json: bool, keys: bool, all_stages: bool, watched: bool = False
) -> int:
    """``isthmus status``; returns the exit status: 1 when a study that was watched ended with failed stages."""
    store = existing(store_path)
    if watched:
        if as_json:
            raise SpecError("--watch draws and --json does not: ask for one of them.")
        name = name or last_run(store)
        return watch(plan_of(name, store), store)
    if name is None:
        _show_studies(store, as_json)
    else:
        _show_study(plan_of(name, store), store, as_json, keys, all_stages)
    return 0


def _show_study(planned: Plan, store: Store, as_json: bool, keys: bool, all_stages: bool) -> None:
    states = states_of(planned, store)
    reasons = {key: reason_of(store, key) for key, state in states.items() if state is State.FAILED}
    if as_json:
        running = {key: running_of(store, key)._asdict() for key, state in states.items() if state is State.RUNNING}
        begun = [key for key in store.under_way() if key in states]
        attempts = {key: [each._asdict() for each in found] for key in begun if (found := _attempts(store, key))}
        stages = {key: str(state) for key, state in states.items()}
        told = {"stages": stages, "errors": reasons, "running": running, "attempts": attempts}
        print_json({"study": planned.study.name, **told, "run_under_way": store.is_in_use()})
        return
    shown = listed(planned, states, all_stages)
    seconds, notes = {}, {}
    for key in shown:
        record = store.record(key) if states[key] is State.DONE else None
        seconds[key] = record.seconds if record else float(store.progress(key).get("seconds", 0))
        notes[key] = _note(store, key, states[key])
    console = output()
    console.print(stage_table(planned, states, seconds, keys, all_stages, notes))
    console.print(f"\n{_counts(states)}.")
    for key, reason in reasons.items():
        console.print(f"failed: {planned.stages[key].title}: {reason}")


def _attempts(store: Store, key: str) -> list[Any]:
    return attempts_of(store.stage_folder(key) if store.has(key) else store.work_folder(key))


def _note(store: Store, key: str, state: State) -> str:
    """What is said of a stage below its title: how far it is, and how often it failed."""
    parts = [str(running_of(store, key))] if state is State.RUNNING else []
    failed = sum(not attempt.lost for attempt in _attempts(store, key))
    lost = sum(attempt.lost for attempt in _attempts(store, key))
    parts += [f"{failed} failed attempt{'s' if failed > 1 else ''}"] if failed else []
    parts += [f"lost {lost} time{'s' if lost > 1 else ''}"] if lost else []
    return "; ".join(parts)


def _counts(states: Mapping[str, State]) -> str:
    found = Counter(states.values())
    return ", ".join(f"{found[state]:,} {_word(state)}" for state in _COUNTED if found[state])


def _word(state: State) -> str:
    return "finished" if state is State.DONE else str(state)


def _show_studies(store: Store, as_json: bool) -> None:
    """Every study in the store, with the number of its stages in each state."""
    rows: dict[str, dict[str, Any]] = {}
    for name in kept_studies(store):
        try:
            found = Counter(states_of(plan_of(name, store), store).values())
            rows[name] = {str(state): found[state] for state in _COUNTED}
        except IsthmusError as error:  # a file or a package it needs is gone: the other studies are still there
            rows[name] = {"error": str(error)}
    if as_json:
        print_json({"store": str(store.root), "studies": rows, "run_under_way": store.is_in_use()})
        return
    console = output()
    if not rows:
        console.print(f"No study has been run in {store.root}.")
        return
    states = [state for state in _COUNTED if state is not State.SKIPPED or any(row.get(state) for row in rows.values())]
    table = Table(box=None, pad_edge=False)
    table.add_column("study", no_wrap=True)
    for word in map(_word, states):
        table.add_column(word, justify="right", no_wrap=True)
    for name, counts in rows.items():
        if "error" not in counts:
            table.add_row(Text(name), *(f"{counts[str(state)]:,}" for state in states))
    console.print(table)
    for name, counts in rows.items():
        if "error" in counts:
            console.print(f"{name}: {counts['error']}")


# -- for as long as it runs


def watch(planned: Plan, store: Store) -> int:
    """Show the stages of a study until there is no more to come, or q or Ctrl-C is pressed; 1 where stages failed.

    A live table on a terminal, elsewhere a line for each stage whose state is another. 1 also where stages wait and
    nobody runs them.
    """
    end = _End(store)
    try:
        states = _draw(planned, store, end) if sys.stdout.isatty() else _tell(planned, store, end)
    except KeyboardInterrupt:
        return 0
    return 1 if State.FAILED in states.values() or end.deserted else 0


class _End:
    """Knows when there is no more to come."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._quiet: float | None = None  # since when nobody is at work
        #: do stages wait, while no run is under way?
        self.deserted = False

    def is_here(self, states: Mapping[str, State]) -> bool:
        """Is it over? What has failed may be tried again, and what waits be begun, for as long as a run is under way.

        One that begins is given a moment: the watching may have been begun before it.
        """
        found = set(states.values())
        if found == {State.DONE}:
            return True
        if State.RUNNING in found or self._store.is_in_use():
            self._quiet = None
            return False
        if State.WAITING not in found:
            return True
        now = time.monotonic()
        self._quiet = now if self._quiet is None else self._quiet
        self.deserted = now - self._quiet >= _PATIENCE
        return self.deserted


def _tell(planned: Plan, store: Store, end: _End) -> Mapping[str, State]:
    before: Mapping[str, State] = {}
    while True:
        states = states_of(planned, store)
        if not before:
            print(f"{planned.study.name}: {_counts(states)}.", flush=True)
        for key, state in states.items():
            if before and before[key] is not state:
                done = sum(each in (State.DONE, State.FAILED, State.SKIPPED) for each in states.values())
                reason = f": {reason_of(store, key)}" if state is State.FAILED else ""
                print(f"[{done}/{len(states)}] {state} {planned.stages[key].title}{reason}", flush=True)
        if end.is_here(states):
            if end.deserted:
                print(_NOBODY, flush=True)
            return states
        before = states
        time.sleep(_REFRESH)


def _draw(planned: Plan, store: Store, end: _End) -> Mapping[str, State]:
    from isthmus.planning.cost import estimates

    console = Console(highlight=False, markup=False)
    costs = {key: cost.seconds for key, cost in estimates(planned, store, api.Resources().settle()[1]).items()}
    with _keys() as quit_pressed, Live(console=console, auto_refresh=False) as live:
        while True:
            states = states_of(planned, store)
            live.update(_page(planned, store, states, costs), refresh=True)
            if end.is_here(states) or quit_pressed(_REFRESH):
                return states


def _page(planned: Plan, store: Store, states: Mapping[str, State], costs: Mapping[str, float]) -> RenderableType:
    """The whole in a line, the stages that run with a bar each, and why others failed."""
    names = short_names(planned.study.models)
    running = {key: running_of(store, key) for key, state in states.items() if state is State.RUNNING}
    head = Table.grid(padding=(0, 2))
    ended = sum(state in (State.DONE, State.FAILED, State.SKIPPED) for state in states.values())
    bar = ProgressBar(max(1, len(states)), ended, width=24)
    head.add_row(
        Text(planned.study.name, style="bold"), bar, Text(f"{ended:,}/{len(states):,}"), _left(states, running, costs)
    )
    table = Table.grid(padding=(0, 2))
    for key, said in running.items():
        style = "yellow" if said.silent > _SILENT else "dim"
        heard = Text(f"heard of {duration(said.silent)} ago" if said.silent > _REFRESH else "", style=style)
        done = Text(f"{said.done:,}/{said.total:,}" if said.total else "")
        title = Text(shortened(planned.stages[key].title, names), overflow="ellipsis", no_wrap=True)
        note = Text(_note_of_failures(store, key), style="yellow")
        table.add_row(
            title, ProgressBar(said.total or None, said.done, width=12), done, Text(duration(said.seconds)), heard, note
        )
    failed = [key for key, state in states.items() if state is State.FAILED]
    lines = [
        Text(f"failed: {shortened(planned.stages[key].title, names)}: {reason_of(store, key)}", "red") for key in failed
    ]
    if len(lines) > _MOST_FAILED:
        lines[_MOST_FAILED:] = [
            Text(f"... and {len(lines) - _MOST_FAILED} more failed stages: isthmus status lists them", "red")
        ]
    foot = Text(f"{_counts(states)}.", style="dim")
    if not running and not store.is_in_use():
        foot.append(f" {_NOBODY}")
    foot.append(" q ends the watching, not the run.")
    return Group(head, table, *lines, foot)


def _note_of_failures(store: Store, key: str) -> str:
    failed = sum(not attempt.lost for attempt in attempts_of(store.work_folder(key)))
    return f"attempt {failed + 1}" if failed else ""


def _left(states: Mapping[str, State], running: Mapping[str, Running], costs: Mapping[str, float]) -> Text:
    """The time left, as far as it can be told: what is expected of the rest, shared among as many as run now."""
    if not running:
        return Text()
    left = sum(costs[key] for key, state in states.items() if state is State.WAITING)
    left += sum(costs[key] * (1 - said.done / max(1, said.total)) for key, said in running.items())
    return Text(f"about {duration(max(1.0, left / len(running)))} left")


@contextmanager
def _keys() -> Iterator[Any]:
    """While inside, keys are heard at once: gives a function that waits some seconds and says whether q was pressed."""
    if not sys.stdin or not sys.stdin.isatty():
        yield time.sleep
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)

    def pressed(seconds: float) -> bool:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([sys.stdin], [], [], left)[0] and sys.stdin.read(1) in ("q", "Q", ""):
                return True
        return False

    try:
        tty.setcbreak(sys.stdin)
        yield pressed
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
