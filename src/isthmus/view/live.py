"""The studies of a store as a viewer sees them: planned once, their reports built anew when there are new results.

One thread does all that takes long (planning, collecting, building), so that requests are answered at once. Relative
names in a study mean what they meant where it was run: while planning, that thread has the process stand in that
folder, which is why nobody else may plan.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from isthmus import api
from isthmus.collect import collect
from isthmus.commands.studies_kept import where_it_was_run
from isthmus.errors import IsthmusError, StoreError
from isthmus.planning.cost import estimates
from isthmus.planning.plan import Plan
from isthmus.report.build import page
from isthmus.running.runner import State, states_of
from isthmus.store import Store
from isthmus.study.file import read_study
from isthmus.study.spec import Study
from isthmus.view.status import Status, status_of

#: Seconds between two looks at the store for one study, and those after a request in which it is still looked after.
_LOOK, _WANTED = 1.0, 30.0
#: A report is built anew in at most one part in so many of the time, so that it takes little from what is running.
_SHARE = 10


@dataclass
class Shown:
    """What is known of one study at the moment. Its plan and its report are made by the one thread."""

    name: str
    read: Callable[[], Study]
    study: Study | None = None
    plan: Plan | None = None
    states: dict[str, State] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)
    html: str = ""
    version: str = ""
    message: str = "Reading the study."
    wanted: float = 0.0
    looked: float = -1.0
    #: the most stages that were seen running at once
    workers: int = 1
    _changed: float = -1.0
    _built_from: frozenset[tuple[str, State]] = frozenset()
    _next_build: float = 0.0


class Studies:
    """The studies of a store, by name; ``only`` is one that need not be among those run in it."""

    def __init__(self, store: Store, only: Study | None = None, examples: bool = True) -> None:
        self.store = store
        self.examples = examples
        self._only = only
        self._shown: dict[str, Shown] = {}
        self._lock = threading.Lock()
        self._stop, self._ask = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="isthmus view", daemon=True)

    def names(self) -> list[str]:
        """Of all studies that were run in the store, and of the one that was asked for."""
        kept = [path.parent.name for path in (self.store.root / "studies").glob("*/study.yaml")]
        return sorted({*kept, *([self._only.name] if self._only else [])})

    def start(self) -> None:
        """Begin to look after studies."""
        self._thread.start()

    def close(self) -> None:
        """Stop; what is being built is given a moment."""
        self._stop.set()
        self._ask.set()
        if self._thread.is_alive():
            self._thread.join(2)

    def get(self, name: str) -> Shown | None:
        """The study of that name, which is looked after from now on for a while; None where there is none."""
        if name not in self.names():
            return None
        with self._lock:
            if name not in self._shown:
                self._shown[name] = Shown(name, self._reader(name))
            shown = self._shown[name]
        shown.wanted = time.monotonic()
        self._ask.set()
        return shown

    def status(self, shown: Shown) -> Status:
        """What there is to say of a study at the moment."""
        if shown.plan is None:
            return Status(shown.name, shown.message)
        if time.monotonic() - shown.looked > _LOOK:
            shown.looked, shown.states = time.monotonic(), states_of(shown.plan, self.store)
        shown.workers = max(shown.workers, list(shown.states.values()).count(State.RUNNING))
        left = (shown.expected, shown.workers)
        status = status_of(shown.name, shown.plan, self.store, shown.states, left, shown.version)
        return Status(**{**vars(status), "message": shown.message})

    def _reader(self, name: str) -> Callable[[], Study]:
        if self._only is not None and name == self._only.name:
            only = self._only
            return lambda: only
        return lambda: read_study(self._file(name))

    def _file(self, name: str) -> Path:
        return self.store.study_folder(name) / "study.yaml"

    # -- what the one thread does

    def _work(self) -> None:
        while not self._stop.is_set():
            self._ask.wait()
            self._ask.clear()
            while not self._stop.is_set():
                with self._lock:
                    wanted = [each for each in self._shown.values() if time.monotonic() - each.wanted < _WANTED]
                if not wanted:
                    break
                for shown in wanted:
                    self._look(shown)
                self._stop.wait(_LOOK)

    def _look(self, shown: Shown) -> None:
        """Bring what is known of a study up to date; what goes wrong becomes its message."""
        try:
            self._plan(shown)
            self._update(shown)
        except IsthmusError as error:
            shown.message = str(error)
        except Exception as error:  # a viewer stays: whatever it is, it is said
            shown.message = " ".join(f"The study cannot be shown ({type(error).__name__}: {error}).".split())

    def _plan(self, shown: Shown) -> None:
        """Plan, the first time and whenever the study was run anew with other fields."""
        file = self._file(shown.name)
        changed = file.stat().st_mtime if file.exists() else 0.0
        if shown.plan is not None and changed == shown._changed:
            return
        with where_it_was_run(shown.name, self.store):
            shown.study = shown.read()
            shown.plan = api.plan_to_look(shown.study, self.store)
        shown._changed, shown._built_from, shown._next_build = changed, frozenset(), 0.0

    def _update(self, shown: Shown) -> None:
        assert shown.plan is not None and shown.study is not None
        shown.states = states_of(shown.plan, self.store)
        ended = frozenset(item for item in shown.states.items() if item[1] in (State.DONE, State.FAILED))
        over = not any(state in (State.RUNNING, State.ELSEWHERE) for state in shown.states.values())
        if ended == shown._built_from:
            shown.message = ""
        elif over or time.monotonic() >= shown._next_build:
            self._build(shown, shown.study, shown.plan)
            shown._built_from, shown.message = ended, ""

    def _build(self, shown: Shown, study: Study, plan: Plan) -> None:
        """Collect and build the report. Raises StoreError where a file that scores are read from was altered."""
        begun = time.monotonic()
        if not shown.html:
            shown.message = "Making the report."
        settings = api.Resources().settle()[1]
        shown.expected = {key: cost.seconds for key, cost in estimates(plan, self.store, settings).items()}
        for chain in plan.chains:
            if chain.score and (damage := self.store.damage(chain.score)):
                raise StoreError(f"{damage[0]}: run the study again, which makes it anew.")
        yaml, command = api.study_yaml(study), f"isthmus run {study.name}"
        results = collect(plan, self.store, shown.states, {}, yaml, command, self.examples)
        html = page(results, live=True)
        shown.html, shown.version = html, sha256(html.encode(errors="replace")).hexdigest()[:16]
        now = time.monotonic()
        shown._next_build = now + _SHARE * (now - begun)
