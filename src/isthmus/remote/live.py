"""A run that shares a remote store: what is finished there is fetched, what is finished here is brought at once.

`Link` is used by `isthmus run --remote` in three places: `rows` before planning, `store` and `watcher` for the walk.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace

from isthmus.errors import IsthmusError
from isthmus.planning.plan import Plan
from isthmus.remote.layout import Remote
from isthmus.remote.leases import Leases
from isthmus.remote.pull import Order, of_study, pull
from isthmus.remote.push import Load, of_plan, push
from isthmus.remote.transfer import Moved
from isthmus.running.walk import State, Walk, Watcher
from isthmus.store import Damage, Store

_LOOK = 2.0  # seconds between looks at the lease of a stage that another machine has


class Link:
    """The remote store of a run; one without an address does nothing."""

    def __init__(self, store: Store, url: str | None, quiet: bool) -> None:
        self._plain, self._quiet = store, quiet
        self._remote = None if url is None else Remote.open(url, create=True)
        self._shared = _SharedStore(store, self._remote) if self._remote else None

    @property
    def store(self) -> Store:
        """The store for the walk: in it, a stage that another machine has is running."""
        return self._shared or self._plain

    def rows(self, name: str) -> None:
        """Fetch the rows that a study of that name needed there, so that planning need not load them."""
        if self._remote is None:
            return
        with suppress(FileNotFoundError):
            try:
                order = of_study(self._remote, name)
            except IsthmusError as error:
                self._say(str(error))
                return
            self._tell(pull(self._plain, self._remote, Order(rows=order.rows), self._quiet), "fetched")

    def stages(self, planned: Plan) -> None:
        """Fetch what is finished there of a plan, and bring what is finished here."""
        if self._remote is None:
            return
        there = self._remote.stages()
        wanted = tuple(key for key in planned.stages if key in there)
        self._tell(pull(self._plain, self._remote, Order(stages=wanted), self._quiet), "fetched")
        load = of_plan(self._plain, planned.study.name, planned)
        self._tell(push(self._plain, self._remote, replace(load, studies={}), self._quiet), "brought")

    def watcher(self, inner: Watcher) -> Watcher:
        """``inner``, and the stages of the walk are brought as they finish."""
        return _Bringing(inner, self._shared, self._say) if self._shared else inner

    def study(self, planned: Plan) -> None:
        """Bring the study itself and its report."""
        if self._remote is not None:
            load = Load((), (), {planned.study.name: planned})
            self._tell(push(self._plain, self._remote, load, self._quiet), "brought")

    def close(self) -> None:
        """Release what is held there."""
        if self._shared:
            self._shared.close()

    def _tell(self, moved: Moved, word: str) -> None:
        if moved.stages and not self._quiet:
            self._say(f"{word} {len(moved.stages)} stage{'s' if len(moved.stages) > 1 else ''}")
        for what, why in moved.failed.items():
            self._say(f"{what} was not {word}: {why}")
        for note in moved.notes:
            self._say(note)

    def _say(self, text: str) -> None:
        print(f"remote store: {text}", file=sys.stderr, flush=True)


@contextmanager
def linked(store: Store, url: str | None, quiet: bool) -> Iterator[Link]:
    """The remote store of a run, for as long as it lasts."""
    link = Link(store, url, quiet)
    try:
        yield link
    finally:
        link.close()


class _SharedStore(Store):
    """A store in which a stage that another machine works at is running. It is fetched once it is finished there."""

    def __init__(self, store: Store, remote: Remote) -> None:
        super().__init__(store.root)
        self.plain, self.remote, self.leases = store, remote, Leases(remote.place)
        self._elsewhere: dict[str, float] = {}  # when its lease was last looked at
        self._fetching: dict[str, Future[Moved]] = {}
        self._refused: set[str] = set()
        self._threads = ThreadPoolExecutor(1, "fetch")

    def running(self, key: str) -> bool:
        """Is a process here, or a run elsewhere, holding the stage? If none is, this run holds it from now on."""
        if super().running(key):
            return True
        try:
            return self._held_elsewhere(key)
        except IsthmusError:  # it cannot be reached: a stage done twice is better than none
            return False

    def _held_elsewhere(self, key: str) -> bool:
        if key in self._fetching:
            return self._is_coming(key)
        if key in self._elsewhere:
            return self._is_still_elsewhere(key)
        if not self.leases.take(key):
            self._elsewhere[key] = time.monotonic()
            return True
        if self._fetch(key):  # finished there since this run began
            self.leases.release(key)
            return True
        return False

    def _is_coming(self, key: str) -> bool:
        """Is a stage that was finished elsewhere being fetched? If that came to nothing, it is to be made here."""
        if not self._fetching[key].done():
            return True
        future = self._fetching.pop(key)
        if future.exception() or future.result().failed:
            self._refused.add(key)
        self._elsewhere.pop(key, None)
        return False

    def _is_still_elsewhere(self, key: str) -> bool:
        """Has another machine the stage? A look now and then is enough."""
        if time.monotonic() - self._elsewhere[key] < _LOOK:
            return True
        self._elsewhere[key] = time.monotonic()
        if self._fetch(key) or not self.leases.free(key):
            return True
        del self._elsewhere[key]
        return False

    def _fetch(self, key: str) -> bool:
        """Begin to fetch the stage, where it is finished there."""
        if key in self._refused or not self.remote.has(key):
            return False
        self._fetching[key] = self._threads.submit(pull, self.plain, self.remote, Order(stages=(key,)))
        return True

    def close(self) -> None:
        """Fetch no more, and hold nothing."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.leases.close()


class _Bringing(Watcher):
    """Tells another watcher of everything, and brings each stage that is finished here, by whichever run."""

    def __init__(self, inner: Watcher, store: _SharedStore, say: Callable[[str], None]) -> None:
        self._inner, self._store, self._say = inner, store, say
        self._lock = threading.Lock()
        self._failed: dict[str, str] = {}
        self._threads = ThreadPoolExecutor(2, "push")

    def begin(self, walk: Walk) -> None:
        """Bring what was finished here since it was last looked."""
        self._inner.begin(walk)
        self._threads.submit(self._bring, *(key for key, state in walk.states.items() if state is State.DONE))

    def damaged(self, key: str, damage: list[Damage]) -> None:
        """A stage was set aside."""
        self._inner.damaged(key, damage)

    def changed(self, walk: Walk, key: str) -> None:
        """Bring a stage that is finished, if it did not come from there; hold no longer what was given up."""
        self._inner.changed(walk, key)
        if walk.states[key] is State.DONE:
            self._threads.submit(self._bring, key)
        elif walk.states[key] in (State.FAILED, State.SKIPPED):
            self._threads.submit(self._store.leases.release, key)

    def again(self, walk: Walk, key: str) -> None:
        """There will be another attempt."""
        self._inner.again(walk, key)

    def tick(self, walk: Walk) -> None:
        """Some time has passed."""
        self._inner.tick(walk)

    def stopping(self, walk: Walk) -> None:
        """The run was asked to stop."""
        self._inner.stopping(walk)

    def end(self, walk: Walk) -> None:
        """Wait for what is on its way."""
        self._inner.end(walk)
        self._threads.shutdown(wait=True)
        if self._failed:
            count, first = len(self._failed), next(iter(self._failed.values()))
            told = "1 finished stage was" if count == 1 else f"{count} finished stages were"
            self._say(f"{told} not brought ({first}): run isthmus store push.")

    def _bring(self, *keys: str) -> None:
        """Bring stages that are not there, and hold them no longer. Whatever goes wrong is noted: this is a thread."""
        failed: dict[str, str] = {}
        try:
            failed = push(self._store.plain, self._store.remote, Load(keys, (), {})).failed
        except Exception as error:
            told = str(error) if isinstance(error, IsthmusError) else f"{type(error).__name__}: {error}"
            failed = dict.fromkeys(keys, told)
        finally:
            with self._lock:
                self._failed |= failed
            for key in keys:
                self._store.leases.release(key)
