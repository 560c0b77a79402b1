"""A Ray cluster of a head and two nodes of one CPU, on this machine alone, that does as it is told line by line.

address    print where it is
kill       kill the node that has the most to do, as a machine is lost
count      print how many nodes there are
"""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

NODES = "tests.engines.two_nodes"
#: Loopback alone, quiet, and patient with a busy machine. Those who join it from here need the first, too.
ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "60",
    "RAY_agent_register_timeout_ms": "60000",
}


def main() -> None:
    os.environ |= ENVIRONMENT
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster

    of_each = {"num_cpus": 1, "object_store_memory": 80_000_000}
    head = {"include_dashboard": False, **of_each}
    cluster = _patiently(lambda: Cluster(initialize_head=True, head_node_args=head))
    second = _patiently(lambda: cluster.add_node(**of_each))
    cluster.wait_for_nodes()
    (raylet,) = second.all_processes["raylet"]
    for line in sys.stdin:
        order, *rest = line.split()
        match order:
            case "address":
                answer = cluster.address
            case "has":
                answer = str(_is_below(int(rest[0]), raylet.process.pid))
            case "kill":
                cluster.remove_node(second, allow_graceful=False)
                answer = "killed"
            case _:
                answer = str(1 + len(cluster.worker_nodes))
        print(answer, file=answers, flush=True)
    cluster.shutdown()


def _patiently(begin: Callable[[], Any]) -> Any:
    """Ray gives a node up whose agents are not there within 15 seconds, which a busy machine may need for them."""
    for _ in range(9):
        with contextlib.suppress(Exception):
            return begin()
    return begin()


def _is_below(process: int, above: int) -> bool:
    import psutil

    try:
        return above in {each.pid for each in psutil.Process(process).parents()}
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    main()
