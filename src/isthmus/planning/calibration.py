"""Measuring this machine for estimates: a few real stages in a folder of their own, half a minute in all.

Trainings of few and many steps, with small and large batches, and predictions of few and many rows: what they differ
by is the time of an optimiser step, of a token in training and of one in prediction, and what is left of the shortest
is what every stage takes besides. The rows are made up: names of languages.
"""

import contextlib
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from isthmus.data.schema import Kind, fingerprint, to_table
from isthmus.disk import link_or_copy, plainly
from isthmus.errors import ModelError
from isthmus.languages import known
from isthmus.planning.cost import Size, size_of
from isthmus.planning.plan import Plan
from isthmus.planning.rates import Rates, keep, machine
from isthmus.running.execute import execute, versions
from isthmus.stage import Record, Settings, Stage
from isthmus.store import Store

_WORDS = 12  # names in a row
_LENGTH = 64  # tokens: about what a row has
_ROWS = 256
_FEW, _MANY = 2, 6  # optimiser steps
_SMALL, _LARGE = 2, 12  # examples of a step
_TESTED = (8, 136)  # rows
_WRITTEN = 64 << 20  # bytes of the file that the speed of writing is measured with


class Measured(NamedTuple):
    """What a calibration found, for people.

    Attributes:
        model: that was measured with.
        train, predict: tokens a second.
        load: seconds of a prediction besides its tokens: loading, for the most part.
        write: bytes a second that reach the disk.
        rates: what estimates are made from.
    """

    model: str
    train: float
    predict: float
    load: float
    write: float
    rates: Rates


def calibrate(plan: Plan, store: Store, settings: Settings, say: Callable[[str], None] = lambda _: None) -> Measured:
    """Measure this machine with a model of the plan, and keep what was found in the store.

    A model that is on the hub is measured with only if it is in the store already; the others of a plan are put into
    the store first, which a run of the plan would do, too.

    Raises:
        ModelError: there is no such model.
    """
    with plainly(store.root):
        model = _model(plan, store, settings, say)
        with tempfile.TemporaryDirectory(prefix=".calibration.", dir=store.root) as folder:
            measured = _measure(Store.open(Path(folder) / "store"), store, model, settings, say)
        told = {
            "model": measured.model,
            "train_tokens_per_second": round(measured.train, 1),
            "predict_tokens_per_second": round(measured.predict, 1),
            "load_seconds": round(measured.load, 2),
            "write_bytes_per_second": round(measured.write),
            "versions": versions(),
        }
        keep(store, measured.rates, settings, told)
    return measured


def _model(plan: Plan, store: Store, settings: Settings, say: Callable[[str], None]) -> Stage:
    """The stage of the model to measure with: the first of the plan that is at hand."""
    stages = [stage for stage in plan.stages.values() if stage.function == "model"]
    for stage in stages:
        if store.record(stage.key) is None and "hub" not in stage.identity:
            say(stage.title)
            _execute(store, stage, settings)
        if store.record(stage.key) is not None:
            return stage
    name = stages[0].title.removeprefix("get ")
    raise ModelError(
        f"No model of the study is in the store, and {name} would have to be downloaded: for a calibration run the "
        "study first, or add --set 'models=[embedded]'."
    )


def _execute(store: Store, stage: Stage, settings: Settings) -> None:
    """Run a stage here; what a log would hold is not shown."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        execute(store, stage, settings)


def _measure(scratch: Store, store: Store, model: Stage, settings: Settings, say: Callable[[str], None]) -> Measured:
    """Run the stages in ``scratch``, which shares the model."""
    _share(model, store, scratch)
    rows = _rows(scratch, "train", _ROWS)
    tested = {count: _rows(scratch, "test", count) for count in _TESTED}
    size = _size(scratch, model)

    def train(steps: int, batch: int, seed: int) -> Stage:
        recipe = {"steps": steps, "batch_size": batch, "max_length": _LENGTH, "freeze_embeddings": True}
        identity = {"kind": "sequence", "train": rows, "labels": ["a", "b"], "seed": seed, "recipe": recipe}
        return Stage("train", identity, {"model": model.key}, f"train {steps} steps of {batch} rows", {"task": "rows"})

    def run(stage: Stage) -> Record:
        say(stage.title)
        _execute(scratch, stage, settings)
        record = scratch.record(stage.key)
        assert record is not None
        return record

    run(train(1, _SMALL, 0))  # libraries are loaded, and the rows tokenised
    short, long, wide = (run(train(*how, 1)) for how in ((_FEW, _SMALL), (_MANY, _SMALL), (_MANY, _LARGE)))
    head = train(_FEW, _SMALL, 1).key
    few, many = (
        run(Stage("predict", {"kind": "sequence", "test": {"en": name}, "max_length": _LENGTH}, {"model": head},
                  f"predict {count} rows", {"task": "rows"}))
        for count, name in tested.items()
    )  # fmt: skip
    each = wide.result["tokens"] / wide.result["examples"]  # of one row: all are about as long
    token = _slope(wide.seconds - long.seconds, (_LARGE - _SMALL) * _MANY * each)
    step = max(0.0, (long.seconds - short.seconds) / (_MANY - _FEW) - _SMALL * each * token)
    predicted = _slope(many.seconds - few.seconds, (_TESTED[1] - _TESTED[0]) * each)
    load = max(0.1, few.seconds - _TESTED[0] * each * predicted)
    overhead = {
        "model": _seconds(store, model),
        "translate": load,
        "train": max(0.1, short.seconds - _FEW * (step + _SMALL * each * token)),
        "predict": load,
        "score": 0.4,
    }
    now = datetime.now(UTC).isoformat(timespec="seconds")
    parameters = size.body + size.embeddings
    rates = Rates(machine(), token / size.body, predicted / size.body, step / size.body, overhead, parameters, now)
    name = model.title.removeprefix("get ")
    return Measured(name, 1 / token, 1 / predicted, load, _write_speed(scratch), rates)


def _slope(seconds: float, tokens: float) -> float:
    """Seconds a token; a machine that was busy in between may have made the larger part the faster one."""
    return max(seconds, 1e-3) / tokens


def _share(model: Stage, store: Store, scratch: Store) -> None:
    source, target = store.stage_folder(model.key), scratch.stage_folder(model.key)
    for path in source.rglob("*"):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, target / path.relative_to(source))


def _rows(scratch: Store, split: str, count: int) -> str:
    """Put so many rows of text into the store; returns their fingerprint."""
    names = sorted({language.name for language in known()})
    chosen = [[names[(31 * row + 7 * word) % len(names)] for word in range(_WORDS)] for row in range(count)]
    columns: dict[str, Sequence[Any]] = {
        "id": [f"{split}-{row}" for row in range(count)],
        "text": [" ".join(words) for words in chosen],
        "label": ["ab"[row % 2] for row in range(count)],
    }
    table = to_table(Kind.SEQUENCE, columns, "calibration")
    name = fingerprint(table)
    with pa.ipc.new_file(str(scratch.data_file(name)), table.schema) as writer:
        writer.write_table(table)
    return name


def _size(store: Store, model: Stage) -> Size:
    path = store.stage_folder(model.key) / "model" / "config.json"
    try:
        return size_of(json.loads(path.read_text(encoding="utf-8")))
    except (KeyError, TypeError) as error:
        raise ModelError(f"{model.title}: its configuration does not say how large it is ({error}).") from None


def _seconds(store: Store, model: Stage) -> float:
    record = store.record(model.key)
    return record.seconds if record else 4.0


def _write_speed(scratch: Store) -> float:
    """Bytes a second that reach the disk of the store."""
    block, begun = bytes(1 << 20), time.perf_counter()
    with (scratch.root / "written").open("wb") as file:
        for _ in range(_WRITTEN >> 20):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return _WRITTEN / max(1e-6, time.perf_counter() - begun)
