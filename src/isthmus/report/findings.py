"""What a report says, as data. The terminal, the HTML and ``--json`` all show this and compute nothing of their own."""

from dataclasses import dataclass
from math import nan
from typing import Literal

from isthmus.results import StageSummary, TaskFacts
from isthmus.stats.intervals import Gain

Direction = Literal["up", "down", "unclear"]

#: A difference counts as shown below this p, adjusted (Holm) for the number of figures in its table.
ALPHA = 0.05


@dataclass(frozen=True)
class Effect:
    """A gain as one figure of a table.

    Attributes:
        p: that of the gain, adjusted (Holm) for the number of figures in the table.
        permutation_p: that of the permutation test, adjusted over the same table; NaN where none was made.
    """

    gain: Gain
    p: float
    permutation_p: float = nan

    @property
    def no_larger_than(self) -> float:
        """The smallest margin, in points, within which the gain is shown to lie; infinite where nothing is.

        Two one-sided tests at 5% reject that it is as large as this, either way (Schuirmann 1987). Not adjusted for the
        number of figures, as the interval is not.
        """
        return self.gain.no_larger_than

    def equivalent(self, margin: float) -> bool:
        """Is it shown that there is no difference larger than ``margin`` points?"""
        return self.no_larger_than <= margin

    @property
    def direction(self) -> Direction:
        """Which way a difference is shown to go, if any is."""
        if self.p >= ALPHA or self.gain.estimate == 0:
            return "unclear"
        return "up" if self.gain.estimate > 0 else "down"


@dataclass(frozen=True)
class LanguageEffect:
    """The effect in one language, and the scores (means over seeds) that it is the difference of."""

    tag: str
    name: str
    family: str
    resource: str
    training: bool  # the language of the target's training data: not zero-shot
    effect: Effect
    score: float
    baseline: float
    tuned: bool = False  # dev rows in it decided something in a training of either side: not zero-shot any more
    baseline_tuned: bool = False  # of the side without


@dataclass(frozen=True)
class GroupEffect:
    """The mean effect over the zero-shot languages that share something: a family, a resource class, or all of them."""

    name: str
    languages: tuple[str, ...]  # names
    effect: Effect
    tuned: bool = False  # one of the languages is


@dataclass(frozen=True)
class Lead:
    """How far one intermediate task is ahead of another on the same target, and over how many languages."""

    over: str
    effect: Effect
    languages: int
    tuned: bool = False  # one of the languages is


@dataclass(frozen=True)
class Collapse:
    """A run that a cell of the gain matrix rests on, and that learned nothing.

    Attributes:
        language: its tag; empty where the training itself was lost, and with it all languages.
        seed: of the chain.
        side: with the intermediate task, or its baseline.
        value: what is predicted throughout, as text; "NaN loss" where the loss was no longer a finite number.
    """

    language: str
    seed: int
    side: Literal["with", "baseline"]
    value: str


@dataclass(frozen=True)
class Comparison:
    """One cell of the gain matrix: an intermediate task against none, on one target, with one model.

    Attributes:
        zero_shot: the mean over every language but that of the training data; over all for a target without training.
        training: the gain in the language of the training data, where the target has some and it was scored.
        languages: every language that both sides have, the largest gain first.
        lead: the lead over the next best intermediate task; None for all but the best.
        left_out: languages that only one side has, so that no gain can be shown.
        scripts: as families; the names are those of ISO 15924.
        collapsed: the runs on either side that learned nothing: their scores are in the gain all the same.
    """

    model: str
    intermediate: str
    target: str
    metric: str
    seeds: tuple[int, ...]
    zero_shot: GroupEffect | None
    training: LanguageEffect | None
    languages: tuple[LanguageEffect, ...]
    families: tuple[GroupEffect, ...]
    resources: tuple[GroupEffect, ...]
    lead: Lead | None
    left_out: tuple[str, ...]
    scripts: tuple[GroupEffect, ...] = ()
    collapsed: tuple[Collapse, ...] = ()

    @property
    def collapsed_runs(self) -> int:
        """How many runs that is: one may be listed for several languages."""
        return len({(one.side, one.seed) for one in self.collapsed})

    @property
    def negative(self) -> bool:
        """Is negative transfer shown: a zero-shot mean below zero?"""
        return self.zero_shot is not None and self.zero_shot.effect.direction == "down"


@dataclass(frozen=True)
class NegativeTransfer:
    """An intermediate task that is shown to lower the zero-shot mean of a target."""

    model: str
    intermediate: str
    target: str
    effect: Effect


@dataclass(frozen=True)
class Average:
    """The mean of an intermediate task's zero-shot means over several targets.

    Attributes:
        covered: the number of targets in the mean. of: how many of this name (with or without retrieval) the study has.
        languages_of: the different languages with any score on the targets of this name, zero-shot.
    """

    model: str
    intermediate: str
    name: str  # "all targets", "without retrieval"
    targets: tuple[str, ...]
    languages: int  # different ones, over all targets
    effect: Effect
    tuned: bool = False  # one of the languages is, on one of the targets
    covered: int = 0
    of: int = 0
    languages_of: int = 0


@dataclass(frozen=True)
class SizePoint:
    """The effect of one size of an intermediate task's training data; ``rows`` is None for all there are."""

    rows: int | None
    effect: Effect


@dataclass(frozen=True)
class SizeCurve:
    """The effect of an intermediate task by the size of its training data, the smallest first.

    Attributes:
        model: the setting. intermediate: without its size. target: a target, or the name of an average over targets.
    """

    model: str
    intermediate: str
    target: str
    average: bool
    points: tuple[SizePoint, ...]


@dataclass(frozen=True)
class MixedTerm:
    """One coefficient of the mixed model, in points, with its 95% interval.

    Attributes:
        kind: ``intermediate``: the adjusted mean gain of ``name``; ``resource``, ``script``, ``family``: how much more
            languages of the class ``name`` (``low``, ``medium``; ``same`` as that of the training language) gain than
            those of ``against``.
        p: adjusted (Holm) over the intermediate tasks, or over everything else. df: degrees of freedom (Satterthwaite).
    """

    kind: Literal["intermediate", "resource", "script", "family"]
    name: str
    against: str
    estimate: float
    low: float
    high: float
    p: float
    df: float


@dataclass(frozen=True)
class MixedComponent:
    """How far gains vary with one thing: a standard deviation in points, and the number of its levels."""

    name: str
    levels: int
    deviation: float


@dataclass(frozen=True)
class MixedFinding:
    """What a mixed model says of all gains of one setting together.

    Attributes:
        model: the setting. targets: those whose gains are in it.
        gains: how many: one for each intermediate task, target, zero-shot language and seed.
        terms, components: of the fit; ``components`` end with the rest, beyond the choice of test examples.
        sentences: what it says. reason: why it could not be fitted, in one sentence; empty where it was.
    """

    model: str
    targets: tuple[str, ...]
    gains: int
    terms: tuple[MixedTerm, ...] = ()
    components: tuple[MixedComponent, ...] = ()
    sentences: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class ScoreRow:
    """The scores of one language, a column each (mean over seeds); None where there is none.

    ``tuned`` says of each column whether dev rows in the language decided something in a training of it.
    """

    tag: str
    name: str
    training: bool
    values: tuple[float | None, ...]
    tuned: tuple[bool, ...]


@dataclass(frozen=True)
class ScoreTable:
    """All scores of one target by one metric.

    Attributes:
        columns: the intermediate tasks, "none" first. seeds: of each column.
        means: of each column, over the zero-shot languages that *every* column has: ``covered`` names them.
        tuned: of each column, whether a language in its mean is tuned on.
    """

    model: str
    target: str
    metric: str
    columns: tuple[str, ...]
    seeds: tuple[int, ...]
    rows: tuple[ScoreRow, ...]
    means: tuple[float | None, ...]
    covered: tuple[str, ...]
    tuned: tuple[bool, ...]


@dataclass(frozen=True)
class Problem:
    """Something a reader must know before believing a figure, or why one is not there."""

    kind: Literal["failed", "warning", "missing"]
    where: str
    text: str


@dataclass(frozen=True)
class Summary:
    """Everything the report of a study says.

    Attributes:
        headline: the answer, in one sentence (one for each model).
        details: what goes with it, a sentence each.
        caveats: what the figures do not cover, a sentence each.
        chains, finished: how many the study has, and how many of them have scores.
        tuned: tags of the languages in which some scores are not zero-shot, since dev rows in them decided something.
        footnote: what the mark at these scores, and at means that have them, says; empty where there is no mark.
        negative_transfer: the cells that are shown to lose, the largest loss first.
        mixed: one for each setting (model and recipe). sizes: of intermediate tasks with several sizes.
    """

    study: str
    headline: str
    details: tuple[str, ...]
    caveats: tuple[str, ...]
    chains: int
    finished: int
    seeds: int
    comparisons: tuple[Comparison, ...]
    averages: tuple[Average, ...]
    scores: tuple[ScoreTable, ...]
    problems: tuple[Problem, ...]
    stages: tuple[StageSummary, ...]
    tasks: tuple[TaskFacts, ...]
    model_notes: tuple[str, ...]
    study_yaml: str
    command: str
    machine: str
    versions: tuple[tuple[str, str], ...]
    tuned: tuple[str, ...] = ()
    footnote: str = ""
    negative_transfer: tuple[NegativeTransfer, ...] = ()
    mixed: tuple[MixedFinding, ...] = ()
    sizes: tuple[SizeCurve, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """In the order of the study."""
        return tuple(dict.fromkeys(table.model for table in self.scores))

    @property
    def languages(self) -> int:
        """How many different ones have a score."""
        return len({row.tag for table in self.scores for row in table.rows})

    @property
    def seconds(self) -> float:
        """Of all stages together."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def peak_memory(self) -> int:
        """Bytes, of the stage that took most."""
        return max((stage.peak_memory for stage in self.stages), default=0)
