"""Showing a run: bars with an ETA on a terminal, plain lines in a log. Everything goes to standard error."""

import sys
import time
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from isthmus.run import State, Walk, Watcher
from isthmus.store import Damage

_WIDEST = 62


def watcher_for(quiet: bool, estimates: Mapping[str, float]) -> Watcher:
    """What suits standard error: nothing, bars, or lines. ``estimates`` are seconds a stage."""
    if quiet:
        return Watcher()
    return Bars(estimates) if sys.stderr.isatty() else Lines()


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


class Bars(Lines):
    """A bar over all stages with the time left, and one for each that runs."""

    def __init__(self, estimates: Mapping[str, float]) -> None:
        super().__init__()
        self._estimates = estimates
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            transient=True,
        )
        self._bars: dict[str, TaskID] = {}
        self._begun = time.monotonic()
        self._spent_before = 0.0

    def begin(self, walk: Walk) -> None:
        """Show the bar over all, unless there is nothing to do."""
        done = walk.count(State.DONE)
        self._spent_before = self._expected(walk)
        if done < walk.total:
            self._overall = self._progress.add_task("all stages", total=walk.total, completed=done, left="")
            self._progress.start()

    def damaged(self, key: str, damage: list[Damage]) -> None:
        """Name the altered file."""
        self._console.print(Text(f"{'; '.join(map(str, damage))}: set aside, to be made anew.", style="yellow"))

    def changed(self, walk: Walk, key: str) -> None:
        """A bar appears with a running stage and goes with it; a failure leaves a line."""
        state, title = walk.states[key], walk.plan.stages[key].title
        if state is State.RUNNING:
            shown = title if len(title) <= _WIDEST else title[: _WIDEST - 1] + "…"
            self._bars[key] = self._progress.add_task(escape(shown), total=None, left="")
        elif key in self._bars:
            self._progress.remove_task(self._bars.pop(key))
        if state is State.FAILED:
            self._console.print(Text(f"failed: {title}: {walk.errors[key]}", style="red"))

    def tick(self, walk: Walk) -> None:
        """Move the bars."""
        if not self._progress.live.is_started:
            return
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
        """Time left: what is expected of the rest, at the pace of this run so far."""
        done, whole = self._expected(walk) - self._spent_before, sum(self._estimates.values()) - self._spent_before
        if done <= 0 or whole <= 0:
            return ""
        seconds = (time.monotonic() - self._begun) * (whole - done) / done
        return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"

    def _expected(self, walk: Walk) -> float:
        """Seconds expected of what is finished, running stages counted by their share."""
        total = 0.0
        for key, state in walk.states.items():
            if state in (State.DONE, State.FAILED, State.SKIPPED):
                total += self._estimates[key]
            elif state is State.RUNNING and (said := walk.store.progress(key)):
                total += self._estimates[key] * said["done"] / max(1, said["total"])
        return total
