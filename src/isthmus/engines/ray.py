"""The Ray engine: stages on the nodes of a Ray cluster, an existing one or one that is started for this run.

A *slot* is a Ray actor that reserves what one stage needs and runs one stage at a time, as the local engine would on
that node: forked from a process that has the heavy imports done. Slots are made when stages need them, and kept. When
the run dies, Ray ends its slots, and they their stages.
"""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.engines import Ended
from isthmus.engines.local import LocalEngine
from isthmus.engines.options import COUNT, MEMORY, SHARE, TEXT
from isthmus.engines.ray_cluster import check_places, check_store, connect, import_ray, need_of, nodes_of
from isthmus.errors import IsthmusError, StageFailed
from isthmus.stage import Settings

OPTIONS = {"address": TEXT, "namespace": TEXT, "cpus": COUNT, "gpus": SHARE, "memory": MEMORY}
_LOOK = 5.0  # seconds between looks at what the cluster has
_WAIT = 600.0  # seconds to wait for a node, when none is left


class Slot:
    """On a node: runs one stage at a time. An actor of several threads, so that it can be told to stop."""

    def __init__(self, threads: int) -> None:
        self._engine = LocalEngine(1, threads)

    def home(self) -> str:
        """The node it is on; answers as soon as the slot is there."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def run(self, key: str, stage_file: str, log: str) -> tuple[int, str]:
        """Run a stage; returns its exit status, and what took it if that was not its own doing."""
        self._engine.start(key, Path(stage_file), Path(log))
        while True:
            for ended in self._engine.ended(1.0):
                return ended.code, ended.lost

    def cancel(self, key: str) -> None:
        """End the stage now."""
        self._engine.cancel(key)

    def stop(self) -> None:
        """Ask the stage to save and stop."""
        self._engine.ask_to_stop()


class _Place(NamedTuple):
    """A slot as it is known here: the actor, and the answer of `Slot.home`."""

    actor: Any
    home: Any


class RayEngine:
    """Runs stages on a Ray cluster, at most ``workers`` at once where that is given.

    Raises:
        ResourceError: there is no cluster to join, no node has what a stage needs, or a node does not see the store.
        MissingPackage: Ray is not installed.
    """

    def __init__(self, options: Mapping[str, Any], workers: int | None, settings: Settings, root: Path) -> None:
        address = options.get("address") or os.environ.get("RAY_ADDRESS") or "local"
        self._ray = import_ray(address == "local")
        self._own = not self._ray.is_initialized()
        if self._own:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            asked = (workers or 1) * options.get("cpus", settings.threads)
            connect(self._ray, address, options.get("namespace"), max(cores, asked))
        try:
            self._nodes = nodes_of(self._ray.nodes())
            given = {**options, "cpus": options.get("cpus", settings.threads)} if address == "local" else options
            self._need = need_of(self._nodes, settings.device, settings.processes, given)
            check_places(self._nodes, self._need)
            if address != "local":
                check_store(self._ray, root, [node for node in self._nodes if node.places(self._need)])
        except BaseException:
            self._leave()
            raise
        self.threads = self._need.cpus
        self._most = workers
        self._looked = self._had_room = time.monotonic()
        self._idle: list[_Place] = []
        self._busy: dict[str, _Place] = {}
        self._results: dict[Any, str] = {}
        self._cancelled: set[str] = set()

    @property
    def slots(self) -> int:
        """How many stages the cluster has room for, at this time.

        Raises:
            ResourceError: there has been none for ten minutes.
        """
        now = time.monotonic()
        if now - self._looked > _LOOK:
            self._looked, self._nodes = now, nodes_of(self._ray.nodes())
        room = sum(node.places(self._need) for node in self._nodes)
        if room:
            self._had_room = now
        elif now - self._had_room > _WAIT:
            check_places(self._nodes, self._need)
        return min(room, self._most or room)

    def start(self, key: str, stage_file: Path, log: Path) -> None:
        """Begin a stage."""
        place = self._idle.pop() if self._idle else self._place()
        self._busy[key] = place
        self._results[place.actor.run.remote(key, str(stage_file), str(log))] = key

    def ended(self, timeout: float) -> list[Ended]:
        """The stages that ended since the last call.

        Raises:
            StageFailed: stages cannot be started on a node.
        """
        if not self._results:
            time.sleep(timeout)
            return []
        done, _ = self._ray.wait(list(self._results), num_returns=1, timeout=timeout)
        more, _ = self._ray.wait(list(self._results), num_returns=len(self._results), timeout=0) if done else ([], [])
        return [self._outcome(self._results.pop(result), result) for result in more]

    def cancel(self, key: str) -> None:
        """End one stage now."""
        if place := self._busy.get(key):
            self._cancelled.add(key)
            if self._is_there(place):
                place.actor.cancel.remote(key)
            else:
                self._ray.kill(place.actor)

    def stop(self, patience: float) -> None:
        """Ask running stages to save and stop, and wait for them."""
        for place in self._busy.values():
            if self._is_there(place):
                place.actor.stop.remote()
            else:  # it waits for room
                self._ray.kill(place.actor)
        end = time.monotonic() + patience
        while self._results and time.monotonic() < end:
            self.ended(0.2)

    def close(self) -> None:
        """End the slots, and the cluster if it was started here."""
        if self._ray.is_initialized():
            for place in (*self._idle, *self._busy.values()):
                self._ray.kill(place.actor)
        self._idle.clear()
        self._busy.clear()
        self._results.clear()
        self._leave()

    def _leave(self) -> None:
        if self._own:
            self._ray.shutdown()

    def _place(self) -> _Place:
        need = self._need
        memory = {"memory": need.memory * 1e9} if need.memory else {}
        made = self._ray.remote(Slot).options(num_cpus=need.cpus, num_gpus=need.gpus, max_concurrency=4, **memory)
        actor = made.remote(need.cpus)
        return _Place(actor, actor.home.remote())

    def _is_there(self, place: _Place) -> bool:
        return bool(self._ray.wait([place.home], timeout=0)[0])

    def _outcome(self, key: str, result: Any) -> Ended:
        place = self._busy.pop(key)
        cancelled = key in self._cancelled
        self._cancelled.discard(key)
        try:
            code, lost = self._ray.get(result)
        except self._ray.exceptions.RayTaskError as error:  # the slot itself failed
            if isinstance(error.cause, IsthmusError):
                raise error.cause from None
            raise StageFailed(f"A slot on the Ray cluster failed ({error.cause!r}).") from None
        except self._ray.exceptions.RayError as error:
            self._ray.kill(place.actor)  # should it be alive after all
            self._looked = float("-inf")
            if cancelled or "running low on memory" in str(error):  # Ray ends what takes too much
                return Ended(key, -signal.SIGKILL)
            return Ended(key, -signal.SIGKILL, self._what_took(place))
        self._idle.append(place)
        return Ended(key, code, "" if cancelled else lost)

    def _what_took(self, place: _Place) -> str:
        """What became of a slot that does not answer any more, in words."""
        try:
            node = self._ray.get(place.home, timeout=0)
        except Exception:  # it never was there
            return "the node that it was to run on went away"
        told = {each["NodeID"]: each for each in self._ray.nodes()}
        name = told[node]["NodeManagerHostname"] if node in told else node
        return f"the node {name} went away" if not told.get(node, {}).get("Alive") else f"its slot on {name} was ended"
