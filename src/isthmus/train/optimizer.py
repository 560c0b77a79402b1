"""What is trained, how fast, and with which weight decay."""

from typing import Any

import torch
from torch import nn

from isthmus.errors import StageFailed
from isthmus.study.spec import Recipe

_NO_DECAY_BELOW = 2  # dimensions: biases and norms are vectors


def make_optimizer(model: Any, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over what is trained, in groups; ``share`` is the part of the learning rate that a group has.

    Biases and norms are exempt from weight decay, and word embeddings unless the recipe has them decay. With
    ``layer_decay`` d the head learns at the full rate, the layer that is n layers below it at d to the power of n.
    """
    embedding = model.get_input_embeddings().weight
    depths = _depths(model)
    top = max(depths.values(), default=0) + 1
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            decays = parameter.ndim >= _NO_DECAY_BELOW and (recipe.decay_embeddings or parameter is not embedding)
            share = recipe.layer_decay ** (top - depths.get(parameter, top))
            groups.setdefault((recipe.weight_decay if decays else 0.0, share), []).append(parameter)
    made = [
        {"params": parameters, "weight_decay": decay, "share": share} for (decay, share), parameters in groups.items()
    ]
    return torch.optim.AdamW(made, lr=recipe.learning_rate, fused=True)


def freeze(model: Any, recipe: Recipe) -> None:
    """Stop gradients to what the recipe leaves as it is. Freezing layers freezes all embeddings below them too."""
    model.get_input_embeddings().weight.requires_grad_(not recipe.freeze_embeddings)
    if not recipe.freeze_layers:
        return
    there = layers(model)
    if recipe.freeze_layers > len(there):
        raise StageFailed(f"freeze_layers is {recipe.freeze_layers}, but the model has {len(there)} layers.")
    for part in (model.base_model.embeddings, *there[: recipe.freeze_layers]):
        part.requires_grad_(False)


def layers(model: Any) -> list[nn.Module]:
    """The layers of the encoder, the lowest first; none where they are not found."""
    count = model.config.num_hidden_layers
    lists = (part for part in model.base_model.modules() if isinstance(part, nn.ModuleList) and len(part) == count)
    return list(next(lists, ()))


def _depths(model: Any) -> dict[nn.Parameter, int]:
    """How high above the embeddings, which are 0, the parameters of the layers lie; the rest belongs to the head."""
    inside = {parameter: number + 1 for number, layer in enumerate(layers(model)) for parameter in layer.parameters()}
    below = getattr(model.base_model, "embeddings", None)
    return inside | dict.fromkeys(below.parameters() if below is not None else (), 0)
