"""How fast stages are on this machine: what a calibration measured (``calibration.json`` in the store), or a guess."""

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.disk import write_atomic
from isthmus.stage import Settings
from isthmus.store import Store

if TYPE_CHECKING:
    from isthmus.planning.cost import Size

#: Of a plain matrix product's speed, what a training or prediction step reaches on short texts.
_EFFICIENCY = 0.45
#: Seconds that stages of a small model take besides their work: loading, writing.
_OVERHEAD: Mapping[str, float] = {"model": 4.0, "translate": 5.0, "train": 3.0, "predict": 3.0, "score": 0.4}
_FIXED = 1.0  # of these, seconds that do not grow with the model
_MEMORY = 4e9  # bytes a second that an optimiser step reads and writes
_STEP_BYTES = 28.0  # that AdamW reads and writes for each parameter: weight, gradient and two moments


@dataclass(frozen=True)
class Rates:
    """Seconds for what stages do.

    Attributes:
        machine: as records name it (`isthmus.stage.Record`).
        train, predict: seconds a token and parameter of the model's body, of a whole training step and of a prediction.
        step: seconds a trained parameter of an optimiser step.
        overhead: seconds of a stage besides, by function, for a model of ``parameters`` with its word embeddings.
        measured: when, in ISO 8601; empty for a guess.
    """

    machine: str
    train: float
    predict: float
    step: float
    overhead: Mapping[str, float]
    parameters: int
    measured: str = ""

    def train_token(self, size: "Size") -> float:
        """Seconds of a token in training."""
        return self.train * size.body

    def predict_token(self, size: "Size") -> float:
        """Seconds of a token in a prediction."""
        return self.predict * size.body

    def train_step(self, parameters: float) -> float:
        """Seconds that the optimiser takes for a step, besides those of the tokens."""
        return self.step * parameters

    def train_overhead(self, size: "Size") -> float:
        """Seconds of a training besides its steps."""
        return self._of_size("train", size)

    def predict_overhead(self, size: "Size") -> float:
        """Seconds of a prediction besides its tokens."""
        return self._of_size("predict", size)

    def _of_size(self, function: str, size: "Size") -> float:
        whole = self.overhead[function]
        fixed = min(whole, _FIXED)
        return fixed + (whole - fixed) * (size.body + size.embeddings) / max(1, self.parameters)


def machine() -> str:
    """This machine, as records name it."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


@cache
def processor() -> str:
    """The name of the processor, and its cores."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {os.cpu_count()} cores"


def path_of(store: Store) -> Path:
    """Where the calibrations of a store are kept."""
    return store.root / "calibration.json"


def calibrations(store: Store) -> list[dict[str, Any]]:
    """What was measured: one entry for each machine, number of threads and device."""
    try:
        found = json.loads(path_of(store).read_bytes())
        return [entry for entry in found if isinstance(entry, dict)]
    except (OSError, ValueError, TypeError):
        return []


def keep(store: Store, rates: Rates, settings: Settings, told: Mapping[str, Any]) -> None:
    """Keep what was measured, in place of what was known for that many threads of this machine and device."""
    here = _where(settings)
    others = [entry for entry in calibrations(store) if {name: entry.get(name) for name in here} != here]
    entries = [*others, {**here, **told, "rates": asdict(rates)}]
    write_atomic(path_of(store), json.dumps(entries, indent=1, ensure_ascii=False).encode())


def _where(settings: Settings) -> dict[str, Any]:
    return {"processor": processor(), "threads": settings.threads, "device": settings.device}


def rates_of(store: Store, settings: Settings) -> Rates:
    """What was measured here for that device and number of threads, or for the nearest; a guess where nothing was."""
    here = _where(settings)
    same = ("processor", "device")
    found = [entry for entry in calibrations(store) if all(entry.get(name) == here[name] for name in same)]
    try:
        nearest = min(found, key=lambda entry: abs(entry["threads"] - settings.threads))
        rates = Rates(**nearest["rates"])
        faster = settings.threads / nearest["threads"]
    except (ValueError, KeyError, TypeError):
        return _guess(settings)
    return Rates(**{**asdict(rates), "train": rates.train / faster, "predict": rates.predict / faster})


def _guess(settings: Settings) -> Rates:
    forward = 2 / (flops_per_second() * settings.threads)
    return Rates(machine(), 3 * forward, forward, _STEP_BYTES / _MEMORY, _OVERHEAD, 117_000_000)


@cache
def flops_per_second() -> float:
    """Float operations that a stage is expected to do in a second of one processor; measured in a fifth of one.

    Of time on the processor, so that what else the machine is doing at the moment does not count.
    """
    import numpy as np

    left, right = np.ones((512, 384), np.float32), np.ones((384, 1536), np.float32)
    _ = left @ right
    rounds, begun = 0, time.process_time()
    while time.process_time() - begun < 0.2:
        _ = left @ right
        rounds += 1
    return _EFFICIENCY * 2 * 512 * 384 * 1536 * rounds / (time.process_time() - begun)
