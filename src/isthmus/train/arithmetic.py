"""How a training computes: on which device, with which attention, what it recomputes. Not what comes out of it."""

import contextlib
import ctypes
from typing import Any

import torch
from torch import nn

from isthmus.errors import ModelError, ResourceError
from isthmus.stage import Settings
from isthmus.study.spec import Recipe
from isthmus.train.heads import Heads
from isthmus.train.optimizer import layers

_BYTES_PER_TRAINED = 16  # weight, gradient and two moments, float32


def on_gpu(settings: Settings) -> bool:
    """Is it a GPU that computes?"""
    return settings.device != "cpu" and torch.cuda.is_available()


def check(settings: Settings, recipe: Recipe) -> None:
    """Refuse what this machine cannot do, before any work. Raises ResourceError."""
    if recipe.precision == "fp16" and not on_gpu(settings):
        raise ResourceError("precision: fp16 needs a CUDA device, and there is none: take bf16 or fp32.")
    if recipe.precision == "fp16" and settings.shard != "none":
        raise ResourceError("precision: fp16 does not go with --shard: take bf16.")
    if settings.shard != "none" and settings.processes == 1:
        raise ResourceError("--shard needs several processes to hold the model together: add --processes.")
    if on_gpu(settings) and settings.processes > torch.cuda.device_count():
        raise ResourceError(
            f"--processes {settings.processes} needs as many GPUs, and there are {torch.cuda.device_count()}."
        )


def check_memory(model: nn.Module, settings: Settings) -> None:
    """Refuse to begin what cannot fit: weights, gradients and moments, before any activation. Raises ResourceError."""
    parameters = list(model.parameters())
    needed = sum(p.numel() * (_BYTES_PER_TRAINED if p.requires_grad else 4) for p in parameters)
    sharded = settings.shard != "none"
    if on_gpu(settings) and settings.shard != "offload":
        needed, there = needed // (settings.processes if sharded else 1), torch.cuda.mem_get_info()[0]
    else:
        import psutil

        needed *= 1 if sharded else settings.processes
        there = psutil.virtual_memory().available + psutil.Process().memory_info().rss
    if needed > there:
        raise ResourceError(
            f"Training this model takes at least {needed / 1e9:.1f} GB of memory and {there / 1e9:.1f} GB are there: "
            "use a smaller model, freeze_embeddings or freeze_layers, or a machine with more memory."
        )


def give_back() -> None:
    """Return to the system what was freed since: the C library keeps it, some 300 MB after a model was loaded."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def arrange(whole: Any, settings: Settings) -> None:
    """Have a model (or several heads on one) compute as the settings say. Raises ModelError where it cannot."""
    models: Any = whole.models if isinstance(whole, Heads) else [whole]
    for model in models:
        if settings.attention is not None:
            _attend(model, settings.attention)
        if settings.gradient_checkpointing:
            if not model.supports_gradient_checkpointing:
                raise ModelError(f"--gradient-checkpointing is not for {type(model).__name__}: leave it out.")
            model.gradient_checkpointing_enable({"use_reentrant": False})
    if settings.compile:
        for layer in layers(whole):
            layer.compile(dynamic=True)


def _attend(model: Any, name: str) -> None:
    try:
        model.set_attn_implementation(name)
    except (ValueError, ImportError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"attention {name} is not for {type(model).__name__}: {reason}") from error
