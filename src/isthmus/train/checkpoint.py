"""Checkpoints inside a training stage: what is needed to go on as if nothing had happened.

The order of the data, the learning rate and the random numbers of step n are functions of the seed and of n, so a
checkpoint is the trained parameters, the two moments of AdamW, the step, the learning curves so far, and in fp16 the
scale of the loss. It does not depend on the number of processes, nor on how these hold the model.

The weights that were best on dev rows lie in a file of their own, named after their step. The best step that the newest
checkpoint knows of keeps its file until another checkpoint is there: a killed training goes on from that checkpoint,
and whether it then comes to the same scores, or on another machine to slightly other ones, the file of the step that is
best in the end is there, written by this attempt or by the one that the checkpoint is of.

A file is written beside its place and moved there, so that a full disk or a kill leaves the one before.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isthmus.disk import replacing
from isthmus.results import CurvePoint, DevPoint
from isthmus.train.distributed import is_first, like, whole

_PATTERN = "checkpoint-*.safetensors"
_BEST = "best-*.safetensors"
_UNFINISHED = ".*.tmp"


class Progress(NamedTuple):
    """How far a training has come: its step, and the curves up to there."""

    step: int = 0
    curve: Sequence[CurvePoint] = ()
    dev: Sequence[DevPoint] = ()

    @property
    def best(self) -> int:
        """The step whose dev scores have the highest mean, the first of several; 0 before any evaluation."""
        found: dict[int, list[float]] = {}
        for point in self.dev:
            found.setdefault(point.step, []).append(point.score)
        return max(found, key=lambda step: (math.fsum(found[step]) / len(found[step]), -step), default=0)

    def renamed(self, name: str) -> "Progress":
        """The same of a member of that name, where there is but one."""
        curve = [replace(point, member=name) for point in self.curve]
        return Progress(self.step, curve, [replace(point, member=name) for point in self.dev])


def save(
    folder: Path, progress: Progress, model: nn.Module, optimizer: torch.optim.Optimizer, scaler: Any = None
) -> None:
    """Write the state after ``progress.step`` steps, durably, and only then drop the one before.

    All processes of a training call it and the first one writes.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in _trained(model):
        _add(tensors, f"parameter/{name}", parameter)
        for moment, value in optimizer.state.get(parameter, {}).items():
            _add(tensors, f"{moment}/{name}", value)
    if not is_first():
        return
    curves = {name: json.dumps([asdict(point) for point in getattr(progress, name)]) for name in ("curve", "dev")}
    scale = {"scaler": json.dumps(scaler.state_dict())} if scaler is not None else {}
    path = folder / f"checkpoint-{progress.step:08d}.safetensors"
    _write(tensors, path, {"step": str(progress.step), **curves, **scale})
    _drop(folder, _PATTERN, [path])
    _drop(folder, _BEST, [_best(folder, progress.best)])


def save_best(folder: Path, step: int, model: nn.Module) -> None:
    """Keep the trained weights as they are now, after ``step`` steps, the best so far."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in _trained(model):
        _add(tensors, name, parameter)
    if is_first():
        _write(tensors, _best(folder, step))
        known = next((each.best for path in _newest_first(folder) if (each := _read(path)) is not None), 0)
        _drop(folder, _BEST, [_best(folder, step), _best(folder, known)])


def restore_best(folder: Path, step: int, model: nn.Module) -> None:
    """Load the weights that `save_best` kept after ``step`` steps."""
    from safetensors import safe_open

    with safe_open(_best(folder, step), framework="pt") as file:
        for name, parameter in _trained(model):
            parameter.data.copy_(like(file.get_tensor(name), parameter.data))


def restore(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, scaler: Any = None) -> Progress:
    """Load the newest checkpoint into ``model`` and ``optimizer``; step 0 when there is none.

    A checkpoint that cannot be read (it is written in one step, so a disk fault) is passed over; what a killed process
    left half-written is deleted.
    """
    from safetensors import safe_open

    if is_first():
        _drop(folder, _UNFINISHED, [])
    for path in _newest_first(folder):
        progress = _read(path)
        if progress is None:
            continue
        with safe_open(path, framework="pt") as file:
            _load(file, model, optimizer)
            if scaler is not None:
                scaler.load_state_dict(json.loads(file.metadata()["scaler"]))
        return progress
    return Progress()


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob(_PATTERN), reverse=True)


def _best(folder: Path, step: int) -> Path:
    return folder / _BEST.replace("*", f"{step:08d}")


def _add(tensors: dict[str, Tensor], name: str, value: Tensor) -> None:
    """Put ``value``, whole, among what the first process writes; all processes must call it."""
    held = whole(value)
    if is_first():
        tensors[name] = held.cpu().contiguous()


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    import safetensors.torch

    with replacing(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, metadata=metadata)


def _drop(folder: Path, pattern: str, kept: Sequence[Path]) -> None:
    for path in folder.glob(pattern):
        if path not in kept:
            path.unlink(missing_ok=True)


def _read(path: Path) -> Progress | None:
    """How far the checkpoint in ``path`` is; None where it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata()
    except (SafetensorError, OSError):
        return None
    curve = [CurvePoint(**point) for point in json.loads(metadata["curve"])]
    return Progress(int(metadata["step"]), curve, [DevPoint(**point) for point in json.loads(metadata["dev"])])


def _load(file: Any, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    there = set(file.keys())
    for name, parameter in _trained(model):
        parameter.data.copy_(like(file.get_tensor(f"parameter/{name}"), parameter.data))
        state = {
            moment: like(file.get_tensor(f"{moment}/{name}"), parameter.data)
            for moment in ("exp_avg", "exp_avg_sq")
            if f"{moment}/{name}" in there
        }
        if state:
            step = file.get_tensor(f"step/{name}").to(parameter.device)  # where the fused AdamW wants it
            optimizer.state[parameter] = {"step": step, **state}


def _trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
