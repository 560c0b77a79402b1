"""Which GPUs this machine lends to stages, and which stage has which.

A stage sees its GPUs through ``CUDA_VISIBLE_DEVICES``, which is set before CUDA begins in its process.
"""

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"


@cache
def of_this_machine() -> tuple[str, ...]:
    """The GPUs that the driver knows of; in a container, those that it was given."""
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
        return listed(listing)
    except (OSError, subprocess.SubprocessError):
        return tuple(str(number) for number, _ in enumerate(Path("/proc/driver/nvidia/gpus").glob("*")))


def visible(environment: Mapping[str, str], there: Callable[[], tuple[str, ...]] = of_this_machine) -> tuple[str, ...]:
    """The GPUs that a process with this environment may use, as ``CUDA_VISIBLE_DEVICES`` names them.

    A variable that is set chooses among those that are ``there``; as in CUDA, what follows an entry that is no device
    does not count.
    """
    found, preset = there(), environment.get(VISIBLE)
    if preset is None or not found:
        return found
    entries = [entry.strip() for entry in preset.split(",")]
    wrong = next((place for place, entry in enumerate(entries) if not _is_device(entry)), len(entries))
    return tuple(entries[:wrong])


def listed(listing: str) -> tuple[str, ...]:
    """The devices in what ``nvidia-smi -L`` prints, by UUID; the parts of a GPU that was divided instead of the GPU."""
    found: list[str] = []
    divided = False
    for line in listing.splitlines():
        if match := re.match(r"\s+MIG .*\(UUID: (MIG-\S+)\)", line):
            if not divided:
                found.pop()  # the GPU that these are the parts of
            divided = True
            found.append(match[1])
        elif match := re.match(r"GPU \d+: .*\(UUID: (GPU-\S+)\)", line):
            divided = False
            found.append(match[1])
    return tuple(found)


def _is_device(entry: str) -> bool:
    return entry.isdecimal() or entry.startswith(("GPU-", "MIG-"))


class Gpus:
    """Lends GPUs to stages: a stage has its own, as long as no more stages run than there are GPUs for."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._lent: dict[str, tuple[str, ...]] = {}

    def lend(self, key: str, count: int) -> tuple[str, ...]:
        """``count`` GPUs for the stage ``key``: those that the fewest stages have. Empty when there are none."""
        load = {name: sum(name in lent for lent in self._lent.values()) for name in self._names}
        chosen = sorted(self._names, key=lambda name: load[name])[:count]  # sorted is stable: the first of equals
        self._lent[key] = tuple(chosen)
        return self._lent[key]

    def take_back(self, key: str) -> None:
        """The stage has ended."""
        self._lent.pop(key, None)
