"""Checkpoints inside a training stage: what is needed to go on as if nothing had happened.

The order of the data, the learning rate and the random numbers of step n are functions of the seed and of n, so a
checkpoint is the trained parameters, the two moments of AdamW, the step, and the learning curve so far.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.disk import replacing
from isthmus.results import CurvePoint

_PATTERN = "checkpoint-*.safetensors"


def save(
    folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, curve: Sequence[CurvePoint]
) -> None:
    """Write the state after ``step`` steps, durably, and only then drop the one before."""
    from safetensors.torch import save_file

    older = list(folder.glob(_PATTERN))
    tensors: dict[str, Tensor] = {}
    for name, parameter in _trained(model):
        tensors[f"parameter/{name}"] = parameter.detach().cpu().contiguous()
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{moment}/{name}"] = value.detach().cpu().contiguous()
    metadata = {"step": str(step), "curve": json.dumps([asdict(point) for point in curve])}
    path = folder / f"checkpoint-{step:08d}.safetensors"
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)
    for file in older:
        if file != path:
            file.unlink(missing_ok=True)


def restore(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, list[CurvePoint]]:
    """Load the newest checkpoint into ``model`` and ``optimizer``; (0, []) when there is none.

    A checkpoint that cannot be read (it is written in one step, so a disk fault) is passed over.
    """
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.glob(_PATTERN), reverse=True):
        try:
            with safe_open(path, framework="pt") as file:
                metadata: dict[str, Any] = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError):
            path.unlink(missing_ok=True)
            continue
        _load(tensors, model, optimizer)
        return int(metadata["step"]), [CurvePoint(**point) for point in json.loads(metadata["curve"])]
    return 0, []


def _load(tensors: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for name, parameter in _trained(model):
        parameter.data.copy_(tensors[f"parameter/{name}"])
        state = {
            moment: tensors[f"{moment}/{name}"].to(parameter.device if moment != "step" else "cpu")
            for moment in ("step", "exp_avg", "exp_avg_sq")
            if f"{moment}/{name}" in tensors
        }
        if state:
            optimizer.state[parameter] = state


def _trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
