"""The heads of a model that was trained on several tasks at once, in files beside it.

An ordinary folder has one head. A mixture's has the encoder alone, which every ``Auto*`` class reads, and beside it
``heads.json`` (name -> number, class and labels) and ``heads.safetensors`` (``number/parameter``).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from isthmus.errors import ModelError, nearest
from isthmus.model.layout import HEADS_INDEX

_WEIGHTS = "heads.safetensors"


class Head(NamedTuple):
    """One of them: the transformers class that it belongs to, its labels, its weights by their names in the model."""

    auto_class: str
    labels: tuple[str, ...]
    weights: Mapping[str, Tensor]


def save_heads(
    models: Mapping[str, Any], classes: Mapping[str, str], labels: Mapping[str, Sequence[str]], folder: Path
) -> None:
    """Write the heads of ``models`` (by name) into a model's folder; those that have none are left out."""
    told: dict[str, dict[str, Any]] = {}
    tensors: dict[str, Tensor] = {}
    for name, model in models.items():
        prefix = f"{model.base_model_prefix}."
        tied = set(model.all_tied_weights_keys)
        if model is model.base_model:
            continue
        own = {
            key: value for key, value in model.state_dict().items() if not key.startswith(prefix) and key not in tied
        }
        tensors |= {f"{len(told)}/{key}": value.detach().cpu().clone() for key, value in own.items()}
        told[name] = {"number": len(told), "class": classes[name], "labels": list(labels[name])}
    write_tensors(tensors, folder / _WEIGHTS)
    (folder / HEADS_INDEX).write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")


def head_of(folder: Path, name: str) -> Head:
    """The head of that name. Raises ModelError when the folder has none."""
    from safetensors import safe_open

    path = folder / HEADS_INDEX
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if name not in told:
        raise ModelError(f"{folder} has no head for {name}: {nearest(name, told)}")
    prefix = f"{told[name]['number']}/"
    with safe_open(folder / _WEIGHTS, framework="pt") as file:
        weights = {
            key.removeprefix(prefix): file.get_tensor(key)
            for key in file.keys()  # noqa: SIM118 - no mapping
            if key.startswith(prefix)
        }
    return Head(told[name]["class"], tuple(told[name]["labels"]), weights)


def put(head: Head, model: nn.Module, wanting: Collection[str]) -> None:
    """Give ``model`` the weights of the head. Raises ModelError where they do not fit, or lack what is ``wanting``."""
    parameters = dict(model.named_parameters()) | dict(model.named_buffers())
    if left := set(wanting) - set(head.weights):
        raise ModelError(f"The head has no {min(left)}: it is one of {head.auto_class}.")
    for key, value in head.weights.items():
        if key not in parameters or parameters[key].shape != value.shape:
            raise ModelError(f"The head's {key} does not fit the model.")
        parameters[key].data.copy_(value)


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file that others may read: the library itself makes files for their owner alone."""
    from safetensors.torch import save_file

    path.touch()
    mode = path.stat().st_mode
    save_file(dict(tensors), path, metadata={"format": "pt"})
    path.chmod(mode)
