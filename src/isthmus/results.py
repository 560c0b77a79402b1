"""What finished records say, in one tidy shape: chain x target x language x metric, with per-example statistics.

Reports and statistics read this and nothing else: no model is loaded, no stage is run.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Chain:
    """One path from a model to a score. The chain with ``intermediate == "none"`` is the baseline of the others."""

    model: str
    intermediate: str
    target: str
    seed: int


@dataclass(frozen=True)
class Statistics:
    """A metric's per-example statistics of one chain in one language.

    Attributes:
        ids: n example ids, in the order of the test split; chains of one target and language have the same.
        groups: n names of what examples share (`isthmus.data.schema`): the unit that intervals resample.
        values: float64 (n, k), the k columns of the metric (`isthmus.evaluate.metrics.core.Metric`).
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """One figure: a chain's score on its target in one language."""

    chain: Chain
    language: str
    metric: str
    value: float
    statistics: Statistics
    #: did dev rows in this language decide when a training of the chain stopped, or which checkpoint it kept? Then the
    #: score is not zero-shot
    tuned: bool = False


@dataclass(frozen=True)
class CurvePoint:
    """The training loss (mean since the last point) after ``step`` optimiser steps."""

    step: int
    loss: float
    learning_rate: float
    #: of a mixture: the task, or the language of the masked language model, whose steps these are
    member: str = ""


@dataclass(frozen=True)
class DevPoint:
    """The score on dev rows after ``step`` optimiser steps, 0 to 100, and its 95% interval over these rows.

    ``low`` and ``high`` are None where there is no second group of rows to tell the variance from. ``collapsed`` is the
    one value that was predicted throughout, if there was only one.
    """

    step: int
    member: str
    language: str
    metric: str
    score: float
    low: float | None = None
    high: float | None = None
    collapsed: str | None = None


@dataclass(frozen=True)
class StageSummary:
    """What one stage did and cost."""

    key: str
    title: str
    function: str
    status: str  # done, failed, skipped, waiting
    seconds: float = 0.0
    peak_memory: int = 0  # bytes
    curve: tuple[CurvePoint, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""
    dev: tuple[DevPoint, ...] = ()
    #: the step whose weights a training kept; 0 where there was none
    kept_step: int = 0


@dataclass(frozen=True)
class TaskFacts:
    """What the report says of a task."""

    name: str
    kind: str
    description: str
    labels_are: str
    derivation: str
    licence: str
    train_language: str | None


@dataclass(frozen=True)
class Results:
    """Everything a finished (or half-finished) study has to show."""

    study_name: str
    study_yaml: str
    tasks: tuple[TaskFacts, ...]
    chains: tuple[Chain, ...]
    scores: tuple[Score, ...]
    stages: tuple[StageSummary, ...]
    versions: dict[str, str] = field(default_factory=dict)  # isthmus, torch, python, ... that made the stages
    machine: str = ""
    command: str = ""
    model_notes: tuple[str, ...] = ()  # what a reader must know of a model before believing its numbers
