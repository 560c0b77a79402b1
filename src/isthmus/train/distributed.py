"""What the processes of one training say to each other; with one process, nothing.

Every process computes its share of each batch, and gradients are added up once a step. It is done here and not by
`DistributedDataParallel`, whose hooks want every parameter inside one forward pass: the heads of a mixture take turns,
a dual encoder uses its scale outside of the model, and when memory runs out in one process all of them must know.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from isthmus.kinds.core import Feature

_BUCKET = 16_000_000  # numbers that are added up at once: 64 MB of float32
#: Numbers between the beginnings of two processes' random sequences.
_APART = 1 << 16


class Total(NamedTuple):
    """A step's loss over all processes, and whether memory ran out in any of them."""

    loss: float
    ran_out: bool


def together() -> bool:
    """Are there several processes?"""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def is_first() -> bool:
    """Is this the process that writes? The only one, or the first of several."""
    return not together() or dist.get_rank() == 0


def said_by_first(value: Any) -> Any:
    """What the first process has as ``value``, in every process."""
    if not together():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    return box[0]


def share_of(
    batch: Sequence[Feature], splittable: bool, size: int, sharded: bool
) -> list[tuple[Sequence[Feature], bool]]:
    """This process's part of a batch, in micro-batches of ``size`` at most; each with whether it counts.

    A batch that cannot be split is the first process's. Processes that hold a model together must call it equally
    often: they make up for what they lack with an example that does not count.
    """
    rank, count = (dist.get_rank(), dist.get_world_size()) if together() else (0, 1)
    if not splittable:
        size, count, batch_of = len(batch), 1, batch if rank == 0 else batch[:0]
    else:
        batch_of = batch[rank::count]
    parts = [(batch_of[start : start + size], True) for start in range(0, len(batch_of), size)]
    turns = math.ceil(math.ceil(len(batch) / count) / size)
    return parts + [(batch[:1], False)] * (turns - len(parts) if sharded else 0)


def seed_all(seed: int) -> None:
    """Begin a step's random numbers: each process at another place of one sequence, so that dropout differs.

    Their seed is the same everywhere, as the masks of texts follow from it.
    """
    torch.manual_seed(seed)
    if together() and (rank := dist.get_rank()):
        torch.rand(_APART * rank)
        if torch.cuda.is_available():
            torch.cuda.manual_seed(seed + rank)


def add_up(model: nn.Module, loss: float, ran_out: bool) -> Total:
    """Add up the gradients and losses of all processes, in place; afterwards they are the same in each.

    Parameters that no process has a gradient of (of heads that are not in use) are left alone. The gradients of a model
    that the processes hold together are added up already.
    """
    if not together():
        return Total(loss, ran_out)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    has = [parameter.grad is not None for parameter in trained]
    told = torch.tensor([loss, ran_out, *has], dtype=torch.float64, device=trained[0].device)
    dist.all_reduce(told)
    total, out, *counts = told.tolist()
    if not out and not is_sharded(model):
        used = [parameter for parameter, count in zip(trained, counts, strict=True) if count]
        for bucket in _buckets(used):
            _add_up(bucket)
    return Total(total, bool(out))


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    bucket: list[nn.Parameter] = []
    for parameter in parameters:
        if bucket and sum(each.numel() for each in bucket) + parameter.numel() > _BUCKET:
            yield bucket
            bucket = []
        bucket.append(parameter)
    if bucket:
        yield bucket


def _add_up(parameters: Sequence[nn.Parameter]) -> None:
    gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in parameters]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for parameter, gradient, part in zip(parameters, gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
        parameter.grad = gradient


# -- a model that the processes hold together (FSDP)


@contextmanager
def in_turn(each: bool) -> Iterator[None]:
    """One process after another, if ``each``: so that the host holds one whole model at a time, not one a process."""
    waits = dist.get_rank() if each else 0
    for _ in range(waits):
        dist.all_reduce(torch.zeros(1))
    yield
    for _ in range(dist.get_world_size() - waits if each else 0):
        dist.all_reduce(torch.zeros(1))


def shard(model: Any, layers: Sequence[nn.Module], device: torch.device, offload: bool) -> None:
    """Have each process hold a part of every parameter, gradient and moment; a layer is whole only while it is used.

    FSDP as torch's ``fully_shard`` does it (FSDP2), in groups: one a layer, one for the rest. ``offload`` keeps the
    parts in the memory of the host.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import CPUOffloadPolicy, OffloadPolicy, fully_shard

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    policy = CPUOffloadPolicy() if offload else OffloadPolicy()
    for layer in layers:
        fully_shard(layer, mesh=mesh, offload_policy=policy)
    fully_shard(model, mesh=mesh, offload_policy=policy)


def reshard(model: nn.Module) -> None:
    """Take apart again what was put together for a forward pass that no backward pass followed."""
    from torch.distributed.fsdp import FSDPModule

    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def is_sharded(model: nn.Module) -> bool:
    """Do the processes hold the model together?"""
    return any(hasattr(parameter, "full_tensor") for parameter in model.parameters())


def whole(tensor: Tensor) -> Tensor:
    """The tensor, put together where the processes hold it together: all of them must ask."""
    found: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return found.detach()


def like(value: Tensor, held: Tensor) -> Tensor:
    """``value``, which every process has as a whole, as ``held`` is: on its device, and this process's part of it."""
    if not hasattr(held, "full_tensor"):
        return value.to(held.device)
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(held, DTensor)
    moved = value.to(held.device_mesh.device_type)
    part = distribute_tensor(moved, held.device_mesh, held.placements, src_data_rank=None)
    return part.to(held.device)


def gather(model: nn.Module) -> None:
    """Give the first process a whole model again, on the CPU, to be saved; the others keep none of it."""
    found: dict[Tensor, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter not in found:
                value = whole(parameter)
                kept = value.cpu() if is_first() else value.new_empty(0, device="cpu")
                found[parameter] = nn.Parameter(kept, parameter.requires_grad)
            module._parameters[name] = found[parameter]
