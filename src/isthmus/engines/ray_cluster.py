"""What the Ray engine must know of a cluster before it gives it anything to do.

Ray waits for ever for a resource that no node has, and a stage on a node that does not see the store has nothing to
read. Both are found out here, and said.
"""

import logging
import os
import platform
import socket
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.disk import lock, locked
from isthmus.errors import MissingPackage, ResourceError

#: Has Ray listen on the loopback address alone where it is started; the name is Ray's.
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_OBJECTS = 80_000_000  # bytes for Ray's own store, through which nothing goes
_PATIENCE = 120.0  # seconds that a node has to answer
_STARTS = 3
_KNOCK = 10.0  # seconds to answer at all
_GPU_CPUS, _CPU_PARTS = 8, 8  # most CPUs beside a GPU; stages on a node without one


class Need(NamedTuple):
    """What a stage needs: CPUs, GPUs, gigabytes of memory (0: is not asked for)."""

    cpus: int
    gpus: float = 0
    memory: float = 0

    def __str__(self) -> str:
        parts = [_several(self.cpus, "CPU")]
        parts += [_several(self.gpus, "GPU")] if self.gpus else []
        parts += [f"{self.memory:g} GB of memory"] if self.memory else []
        return " and ".join(parts) if len(parts) < 3 else f"{parts[0]}, {parts[1]} and {parts[2]}"


class Node(NamedTuple):
    """A node of the cluster, and what it has in all: memory in gigabytes."""

    id: str
    name: str
    cpus: float
    gpus: float
    memory: float

    def places(self, need: Need) -> int:
        """How many stages fit on it at once."""
        fits = [self.cpus // need.cpus]
        fits += [self.gpus // need.gpus] if need.gpus else []
        fits += [self.memory // need.memory] if need.memory else []
        return int(min(fits))


def nodes_of(told: Sequence[Mapping[str, Any]]) -> list[Node]:
    """The nodes that are there, from what ``ray.nodes()`` says."""
    found = []
    for node in told:
        if node["Alive"]:
            has = node["Resources"]
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            size = Node(node["NodeID"], name, has.get("CPU", 0), has.get("GPU", 0), has.get("memory", 0) / 1e9)
            found.append(size)
    return found


def need_of(nodes: Sequence[Node], device: str, processes: int, options: Mapping[str, Any]) -> Need:
    """What a stage of this run needs on this cluster, where the options do not say.

    On a GPU, its share of the CPUs; without, what leaves room for several stages on a node.
    """
    wants = device == "cuda" or (device == "auto" and any(node.gpus for node in nodes))
    gpus = options.get("gpus", processes if wants else 0)
    having = [node for node in nodes if node.cpus and (node.gpus or not gpus)]
    shares = [
        min(_GPU_CPUS, node.cpus / node.gpus) * max(1, gpus) if gpus else node.cpus / _CPU_PARTS for node in having
    ]
    return Need(options.get("cpus", max(1, int(min(shares, default=1)))), gpus, options.get("memory", 0))


def check_places(nodes: Sequence[Node], need: Need) -> None:
    """Raises ResourceError where no node has room for a stage."""
    if any(node.places(need) for node in nodes):
        return
    has = max(nodes, key=lambda node: (node.gpus, node.cpus), default=None)
    largest = f"the largest has {Need(int(has.cpus), has.gpus, round(has.memory, 1))}" if has else "there is none"
    raise ResourceError(
        f"A stage needs {need}, which no node of the Ray cluster has ({largest}): change --engine-option cpus, gpus or "
        "memory, or --device."
    )


def check_store(ray: Any, root: Path, nodes: Sequence[Node]) -> None:
    """Have every node look at the store and at a lock that is held here.

    Raises:
        ResourceError: a node has another version of Isthmus or none, does not see the store, or not its locks.
    """
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    path = root / "locks" / f"ray-{platform.node()}-{os.getpid()}.lock"
    ask = ray.remote(num_cpus=0, max_retries=0)(look)
    try:
        with lock(path):
            asked = [ask.options(scheduling_strategy=strategy(node.id, soft=False)).remote(str(path)) for node in nodes]
            for node, answer in zip(nodes, asked, strict=True):
                check_look(node, _answer(ray, node, answer), root)
    finally:
        path.unlink(missing_ok=True)


def _answer(ray: Any, node: Node, answer: Any) -> "Look":
    try:
        return Look(*ray.get(answer, timeout=_PATIENCE))
    except ray.exceptions.GetTimeoutError:
        raise ResourceError(f"The node {node.name} of the Ray cluster does not answer.") from None
    except Exception as error:
        raise ResourceError(
            f"The node {node.name} of the Ray cluster cannot run Isthmus ({_first_line(error)}): install the same "
            "version of it there."
        ) from None


class Look(NamedTuple):
    """What a node sees."""

    version: str
    sees: bool
    locked: bool


def look(path: str) -> tuple[str, bool, bool]:
    """On a node: the version of Isthmus, whether the lock file is there, and whether it is held."""
    return metadata.version("isthmus"), Path(path).exists(), locked(Path(path))


def check_look(node: Node, seen: Look, root: Path) -> None:
    """Raises ResourceError where the node would not find the work, or do what another does."""
    here = metadata.version("isthmus")
    if seen.version != here:
        raise ResourceError(f"The node {node.name} has Isthmus {seen.version}, and here is {here}: install the same.")
    if not seen.sees:
        raise ResourceError(
            f"The node {node.name} does not see the store {root}: put it into a folder that all nodes share, at the "
            "same path."
        )
    if not seen.locked:
        raise ResourceError(
            f"The node {node.name} sees the store {root}, but not its locks: two nodes could run the same stage. Mount "
            "the file system with locks that all nodes share (flock)."
        )


def import_ray(starting: bool) -> Any:
    """The package, told to be quiet. Raises MissingPackage when it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # a stage without a GPU sees none; and no warning
    if starting:
        os.environ.setdefault(_LOOPBACK, "0")
        os.environ.setdefault("RAY_raylet_start_wait_time_s", "60")  # a busy machine takes its time
        os.environ.setdefault("RAY_agent_register_timeout_ms", "60000")
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError:
        raise MissingPackage("ray", "--engine ray", "ray") from None
    return ray


def connect(ray: Any, address: str, namespace: str | None, cpus: int) -> None:
    """Join the cluster at ``address``, or start one on this machine that has at least ``cpus`` where it is ``local``.

    Raises:
        ResourceError: there is no cluster, or none that these versions of Python and Ray can join.
    """
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": namespace}
    ray._private.worker._worker_logs_enabled = False  # or it writes of lost nodes among our results
    if address == "local":
        _start(ray, {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": _OBJECTS, **quiet})
        return
    try:
        _knock(address)
        ray.init(address, **quiet)
    except ImportError as error:  # a ray:// address needs more than Ray's core
        raise MissingPackage("ray[client]", f"--engine-option address={address}") from error
    except Exception as error:
        where = "on this machine" if address == "auto" else f"at {address}"
        raise ResourceError(
            f"There is no Ray cluster to join {where} ({_first_line(error)}): start one with `ray start --head`, or "
            "leave --engine-option address out to have one started for this run."
        ) from None


def _start(ray: Any, how: Mapping[str, Any]) -> None:
    """Start Ray here; again where it gave up, as it does when its helpers take longer than 15 seconds to begin."""
    for left in reversed(range(_STARTS)):
        try:
            ray.init("local", **how)
            return
        except Exception as error:
            ray.shutdown()
            if not left:
                raise ResourceError(
                    f"Ray does not start on this machine ({_first_line(error)}): it may be too busy; try again, or "
                    "start it with `ray start --head` and join it with --engine-option address=auto."
                ) from error


def _knock(address: str) -> None:
    """Is somebody there at all? Ray itself asks for minutes. Raises OSError or ValueError."""
    if address != "auto":
        host, _, port = address.removeprefix("ray://").rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError("an address is HOST:PORT, such as head:6379")
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK).close()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")[:160]


def _several(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if 0 < number <= 1 else 's'}"
