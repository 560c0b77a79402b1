"""What finished records say, in one tidy shape: chain x target x language x metric, with per-example statistics.

Reports and statistics read this and nothing else: no model is loaded, no stage is run.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Chain:
    """One path from a model to a score. The chain with ``intermediate == "none"`` is the baseline of the others.

    Attributes:
        intermediate: as it stands in the study; with a size of its training data, ``task@rows``.
        recipe: which of the study's recipes; empty where it has but one.
    """

    model: str
    intermediate: str
    target: str
    seed: int
    recipe: str = ""

    @property
    def setting(self) -> str:
        """What a gain is compared within: the model, and the recipe where there are several."""
        return f"{self.model}, {self.recipe}" if self.recipe else self.model


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
    started: str = ""  # ISO 8601, UTC
    size: int = 0  # bytes of its files, without those that are second names of files of other stages
    builds_on: tuple[str, ...] = ()  # keys
    #: the attempts that ended without a result, in words
    attempts: tuple[str, ...] = ()


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
class DataFacts:
    """Rows that a study reads: those of one task in one language, for training or for measuring."""

    task: str
    used: str  # trained on, measured on
    language: str
    rows: int
    fingerprint: str
    #: what was seen, mended or left out when they were read
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    """A test example whose outcome differs with an intermediate task and without (`isthmus.examples`).

    Attributes:
        setting: as in `Chain.setting`.
        texts: what it consists of, each with what it is, cut to a length that can be shown.
        gold, without, after: the right value, and the predictions without and after the intermediate task in ``seed``.
        baseline, score: the metric of this example alone, 0 to 100, means over ``seeds`` seeds.
    """

    setting: str
    intermediate: str
    target: str
    language: str
    id: str
    texts: tuple[tuple[str, str], ...]
    gold: str
    without: str
    after: str
    seed: int
    baseline: float
    score: float
    seeds: int


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
    #: the keys of the stages of each chain, from the model to the scores; in the order of ``chains``
    paths: tuple[tuple[str, ...], ...] = ()
    data: tuple[DataFacts, ...] = ()
    examples: tuple[Example, ...] = ()
