"""Showing a run: bars with an ETA on a terminal, plain lines in a log. Everything goes to standard error."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from isthmus.commands.tables import short_names, shortened
from isthmus.running.runner import State, Walk, Watcher
from isthmus.store import Damage

#: What is said when a run is asked to stop.
STOPPING = "Stopping: running stages save what they have. Press Ctrl-C again to end them at once."
#: Below this many expected seconds the pace of a run says nothing yet of the time it will take.
_TELLING = 3.0
_BETWEEN = 0.25  # seconds between moves of the bars


def shows_bars() -> bool:
    """Is standard error a terminal that can draw over what it has drawn?"""
    console = Console(stderr=True)
    return sys.stderr.isatty() and console.is_terminal and not console.is_dumb_terminal


@contextmanager
def preparing(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Says what is being loaded: over and over the same line on a terminal, nothing elsewhere."""
    if quiet or not shows_bars():
        yield lambda _: None
        return
    with Console(stderr=True).status("planning") as status:
        yield lambda text: status.update(Text(text))


def watcher_for(estimates: Mapping[str, float], workers: int) -> Watcher:
    """Bars or lines, as standard error can show. ``estimates`` are seconds a stage (none are needed for lines)."""
    return Bars(estimates, workers) if shows_bars() else Lines()


def tried_again(walk: Walk, key: str) -> str:
    """What is said when an attempt at a stage came to nothing, and there will be another."""
    last, title = walk.attempts[key][-1], walk.plan.stages[key].title
    number = "started again" if last.lost else f"tried again ({walk.failures(key) + 1} of {walk.policy.retries + 1})"
    return f"{number} {title}: {last.reason}"


class Lines(Watcher):
    """One line for each stage that ends."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}

    def begin(self, walk: Walk) -> None:
        """Say how much there is to do."""
        done = walk.count(State.DONE)
        print(f"{walk.total} stages: {done} finished, {walk.total - done} to do.", file=sys.stderr, flush=True)

    def damaged(self, key: str, damage: list[Damage]) -> None:
        """Name the altered file."""
        print(f"{'; '.join(map(str, damage))}: set aside, to be made anew.", file=sys.stderr, flush=True)

    def changed(self, walk: Walk, key: str) -> None:
        """A line when a stage ends."""
        state, title = walk.states[key], walk.plan.stages[key].title
        if state is State.RUNNING:
            self._started[key] = time.monotonic()
        elif state in (State.DONE, State.FAILED, State.SKIPPED):
            count = walk.count(State.DONE, State.FAILED, State.SKIPPED)
            took = f" ({time.monotonic() - self._started[key]:.1f} s)" if key in self._started else ""
            reason = f": {walk.errors[key]}" if key in walk.errors else ""
            print(f"[{count}/{walk.total}] {state} {title}{took}{reason}", file=sys.stderr, flush=True)

    def again(self, walk: Walk, key: str) -> None:
        """A line for an attempt that came to nothing."""
        print(tried_again(walk, key), file=sys.stderr, flush=True)

    def stopping(self, walk: Walk) -> None:
        """Say that it was heard."""
        print(STOPPING, file=sys.stderr, flush=True)


class Bars(Watcher):
    """A bar over all stages with the time left, and one for each that runs."""

    def __init__(self, estimates: Mapping[str, float], workers: int) -> None:
        self._estimates = estimates
        self._workers = workers
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            BarColumn(12),
            _Count(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True)),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._overall = TaskID(-1)
        self._bars: dict[str, TaskID] = {}
        self._names: dict[str, str] = {}
        self._begun = time.monotonic()
        self._spent_before = 0.0
        self._ticked = 0.0

    def begin(self, walk: Walk) -> None:
        """Show the bar over all, unless there is nothing to do."""
        done = walk.count(State.DONE)
        self._names = short_names(walk.plan.study.models)
        self._begun, self._spent_before = time.monotonic(), self._expected(walk)
        if done < walk.total:
            left = self._left(walk)
            self._overall = self._progress.add_task("all stages", total=walk.total, completed=done, left=left)
            self._progress.start()

    def damaged(self, key: str, damage: list[Damage]) -> None:
        """Name the altered file."""
        self._console.print(Text(f"{'; '.join(map(str, damage))}: set aside, to be made anew.", style="yellow"))

    def changed(self, walk: Walk, key: str) -> None:
        """A bar appears with a running stage and goes with it; a failure leaves a line."""
        state, title = walk.states[key], walk.plan.stages[key].title
        if state is State.RUNNING:
            self._bars[key] = self._progress.add_task(shortened(title, self._names), total=None, left="")
        elif key in self._bars:
            self._progress.remove_task(self._bars.pop(key))
        if state is State.FAILED:
            self._console.print(Text(f"failed: {title}: {walk.errors[key]}", style="red"))

    def again(self, walk: Walk, key: str) -> None:
        """A line for an attempt that came to nothing."""
        self._console.print(Text(tried_again(walk, key), style="yellow"))

    def stopping(self, walk: Walk) -> None:
        """Say that it was heard."""
        self._console.print(Text(STOPPING, style="yellow"))

    def tick(self, walk: Walk) -> None:
        """Move the bars, a few times a second: with thousands of stages that takes its time."""
        if not self._progress.live.is_started or time.monotonic() - self._ticked < _BETWEEN:
            return
        self._ticked = time.monotonic()
        for key, bar in self._bars.items():
            said = walk.store.progress(key)
            if said:
                self._progress.update(bar, total=said["total"], completed=said["done"])
        count = walk.count(State.DONE, State.FAILED, State.SKIPPED)
        self._progress.update(self._overall, completed=count, left=self._left(walk))

    def end(self, walk: Walk) -> None:
        """Take the bars away."""
        self._progress.stop()

    def _left(self, walk: Walk) -> str:
        """Time left: what is expected of the rest, at the pace of this run once that tells."""
        done = self._expected(walk) - self._spent_before
        left = sum(self._estimates.values()) - self._spent_before - done
        pace = (time.monotonic() - self._begun) / done if done >= _TELLING else 1 / self._workers
        seconds = max(1.0, left * pace)
        return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"

    def _expected(self, walk: Walk) -> float:
        """Seconds expected of what is finished, running stages counted by their share."""
        total = 0.0
        for key, state in walk.states.items():
            if state in (State.DONE, State.FAILED, State.SKIPPED):
                total += self._estimates[key]
            elif state is State.RUNNING and (said := walk.store.progress(key)):
                total += self._estimates[key] * said["done"] / max(1, said["total"])
        return total


class _Count(ProgressColumn):
    """How many of how many, for as long as both are known."""

    def render(self, task: Task) -> Text:
        """Like ``3/24``."""
        return Text(f"{task.completed:.0f}/{task.total:.0f}" if task.total else "", style="progress.download")
