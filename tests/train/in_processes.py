"""Trains small models in the processes of one group, and in one process alone, and says how far apart they end.

    python -m tests.train.in_processes MODEL PORT RANK COUNT

MODEL is a folder whose tokenizer has a mask token. The first process prints a JSON line a case.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from tests.train.rows_of_kinds import member_of, model_for

from isthmus.data.schema import Kind
from isthmus.study.spec import MaskedText, Mixture, Recipe
from isthmus.train import checkpoint, distributed
from isthmus.train.loop import Training, run
from isthmus.train.optimizer import layers, make_optimizer

RECIPE = Recipe(steps=5, batch_size=4, learning_rate=1e-3, max_length=32)


class Case(NamedTuple):
    """What is trained, and how: by several processes only."""

    kinds: tuple[Kind, ...]
    rows: int = 16
    micro_batch: int | None = None
    sharded: bool = False
    #: memory runs out in the last process when it is given more examples than this
    room: int | None = None
    #: stop after this step, and begin anew from a checkpoint
    stop: int | None = None


EVERY = (Kind.SEQUENCE, Kind.TAGGING, Kind.BITEXT, Kind.TEXT)
CASES = {
    "bitext": Case((Kind.BITEXT,)),
    "a mixture": Case(EVERY),
    "micro-batches": Case((Kind.TAGGING,), micro_batch=1),
    "a last batch of one": Case((Kind.SEQUENCE,), rows=5),
    "memory that runs out in one": Case((Kind.SEQUENCE,), room=1),
    "a mixture, sharded": Case(EVERY, sharded=True),
    "ranking, sharded": Case((Kind.RANKING,), sharded=True),
    "micro-batches and a last batch of one, sharded": Case((Kind.TAGGING,), 5, 1, True),
    "stopped and resumed": Case((Kind.TAGGING, Kind.TEXT), stop=3),
    "stopped and resumed, sharded": Case((Kind.TAGGING, Kind.TEXT), sharded=True, stop=3),
}


class Stop(Exception):
    """Raised between steps."""


class Outcome(NamedTuple):
    """A training, and its weights, whole."""

    training: Training
    weights: dict[str, torch.Tensor]


def train(
    case: Case, folder: Path, together: bool, checkpoints: Path | None = None, stop: int | None = None
) -> Outcome:
    """Train, from the checkpoint where there is one."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model = model_for(case.kinds, folder)
    members = [member_of(kind, folder, case.rows, RECIPE.batch_size) for kind in case.kinds]
    if case.room and distributed.together() and dist.get_rank() == dist.get_world_size() - 1:
        members = [dataclasses.replace(member, method=Cramped(member.method, case.room)) for member in members]
    if case.sharded and together:
        distributed.shard(model, layers(model), torch.device("cpu"), offload=False)
    mixture = None
    if len(case.kinds) > 1:
        names = tuple(str(kind) for kind in case.kinds if kind is not Kind.TEXT)
        mixture = Mixture(tasks=names, mlm=MaskedText(share=0.3, tasks=("text",)) if Kind.TEXT in case.kinds else None)
    optimizer = make_optimizer(model, RECIPE)
    recipe = RECIPE.model_copy(update={"steps": 3 * len(members)}) if mixture else RECIPE
    training = Training(model, members, recipe, 1, 1, mixture)
    training.micro_batch = case.micro_batch if together else None

    def after(now: Training) -> None:
        if now.step == stop:
            with torch.inference_mode():  # as when it is measured
                members[0].method.loss(model, members[0].features[:2], 1, 1.0)
            distributed.reshard(model)
            checkpoint.save(checkpoints, now.progress, model, optimizer)
            raise Stop

    if checkpoints is not None:
        progress = checkpoint.restore(checkpoints, model, optimizer)
        training.step, training.curve = progress.step, list(progress.curve)
    prepared = accelerator.prepare_model(model, evaluation_mode=True)
    run(training, accelerator, accelerator.prepare(optimizer), prepared, after)
    weights = {name: distributed.whole(value) for name, value in model.state_dict().items()}
    return Outcome(training, weights)


class Cramped:
    """A method in a process with little memory."""

    def __init__(self, method: Any, room: int) -> None:
        self.method, self.room = method, room

    def __getattr__(self, name: str) -> Any:
        return getattr(self.method, name)

    def loss(self, model: Any, features: Any, pad: int, temperature: float) -> Any:
        if len(features) > self.room:
            raise torch.OutOfMemoryError("made up")
        return self.method.loss(model, features, pad, temperature)


def differences(one: Outcome, other: Outcome) -> dict[str, float]:
    """The largest difference of a weight, and of a loss of the curve."""
    assert [point.step for point in one.training.curve] == [point.step for point in other.training.curve]
    losses = zip(one.training.curve, other.training.curve, strict=True)
    weights = [float((value - other.weights[name]).abs().max()) for name, value in one.weights.items()]
    return {"weights": max(weights), "losses": max(abs(a.loss - b.loss) for a, b in losses)}


def resumed(case: Case, folder: Path) -> Outcome:
    """Train until the case says stop, and go on with fresh models from the checkpoint."""
    shared = distributed.said_by_first(TemporaryDirectory().name)
    Path(shared).mkdir(exist_ok=True)
    try:
        train(case, folder, True, Path(shared), case.stop)
    except Stop:
        dist.barrier()
    return train(case, folder, True, Path(shared))


def main(model: str, port: str, rank: str, count: str) -> None:
    from accelerate.state import AcceleratorState

    folder, first = Path(model), rank == "0"
    torch.set_num_threads(1)
    same = {(case.kinds, case.rows): case for case in CASES.values()} if first else {}
    expected = {key: train(case, folder, together=False) for key, case in same.items()}
    AcceleratorState._reset_state(True)
    os.environ.update(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=count, LOCAL_WORLD_SIZE=count)
    meeting = dist.TCPStore("127.0.0.1", int(port), None, is_master=False)
    dist.init_process_group("gloo", store=meeting, rank=int(rank), world_size=int(count))
    for name, case in CASES.items():
        found = train(case, folder, together=True)
        agree = [None] * int(count)
        sums = {name: float(value.double().sum()) for name, value in found.weights.items()}
        dist.all_gather_object(agree, sums)
        told: dict[str, object] = {"case": name, "agree": all(each == sums for each in agree)}
        if case.stop:
            told["resumed"] = differences(found, resumed(case, folder))
        if first:
            told |= {
                "alone": differences(found, expected[case.kinds, case.rows]),
                "micro_batch": found.training.micro_batch,
            }
            told |= {"warnings": found.training.warnings, "curve": len(found.training.curve)}
            print(json.dumps(told), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
