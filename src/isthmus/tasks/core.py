"""What a task is: metadata and a source of rows. The metadata is the only place any other part looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import pyarrow as pa

from isthmus.data.schema import Kind

#: ``candidates`` and ``dev_candidates`` are what the rows of test and dev are looked for among, for kinds that search.
Split = Literal["train", "dev", "test", "candidates", "dev_candidates"]


@dataclass(frozen=True)
class Where:
    """Where published data sets lie, and what to accept of what is there.

    Attributes:
        folders: in the official layout, or with the files of the data sets as their authors publish them; the first
            that has a file is believed.
        hub: look on the Hugging Face hub for what no folder has; ``hub_first``, before any folder.
        partial: accept fewer rows than expected and missing languages, and measure on the dev split where the labels of
            the test split are withheld; each is noted.
        labelled: are labels needed? Predictions for a submission are made without.
    """

    folders: tuple[Path, ...] = ()
    hub: bool = True
    partial: bool = False
    labelled: bool = True
    hub_first: bool = False


class Source(Protocol):
    """Where a task's rows come from. Building one is cheap and touches neither disk nor network."""

    def identity(self) -> Mapping[str, str]:
        """What the rows depend on (package versions, file contents): equal identities mean equal rows.

        Raises:
            MissingPackage, DataError: what the rows come from is not there.
        """

    def load(self, split: Split, language: str) -> pa.Table:
        """The rows of one split in one language, in the kind's column schema (`isthmus.data.schema.SCHEMAS`)."""


@runtime_checkable
class Published(Source, Protocol):
    """A source of rows that lie in a folder of the user's, or on the hub."""

    def at(self, where: Where) -> "Source":
        """The same, looking there."""

    def languages(self) -> tuple[str, ...]:
        """The languages that have rows to measure on where it looks, as BCP 47 tags."""


@dataclass(frozen=True)
class Task:
    """A data set with a kind, languages, splits, a metric and a licence."""

    name: str
    kind: Kind
    description: str
    #: The languages of the test split, as BCP 47 tags.
    languages: tuple[str, ...]
    #: The name of its main metric in `isthmus.evaluate.metrics`.
    metric: str
    source: Source
    licence: str
    #: Were the labels written by people for this purpose, or derived from something else by a rule?
    labels_are: Literal["annotated", "derived"]
    #: The language of the train and dev splits; None for a task that is only ever evaluated.
    train_language: str | None = "en"
    #: The label set in its fixed order (tags with their B-/I- prefixes for tagging); empty where a kind has none.
    labels: tuple[str, ...] = ()
    #: May other splits hold labels that the training rows have not? No model can predict these: they count as wrong.
    open_labels: bool = False
    #: Metrics that are reported beside the main one.
    also: tuple[str, ...] = ()
    #: The English tasks a model is trained on before it is measured, in order; None for its own training split.
    trains_on: tuple[str, ...] | None = None
    #: The languages whose candidates are searched for every query; empty where each language has its own.
    pool: tuple[str, ...] = ()
    #: Recipe fields that the field uses for this task, such as ``max_length``; what a study says comes before them.
    recipe: Mapping[str, Any] = field(default_factory=dict)
    #: Fields of `isthmus.study.spec.Retrieval` that the benchmark of this task has; what a study says comes before.
    retrieval: Mapping[str, Any] = field(default_factory=dict)
    #: False where labels are withheld, and rows are good for predictions only.
    labelled: bool = True
    #: Rows expected, by "split/language" or "split" for any language; a mismatch is an error.
    expected_rows: Mapping[str, int] = field(default_factory=dict)
    #: True where fewer rows than expected will do (`Where.partial`).
    partial: bool = False
    #: How the labels came about, in a sentence, when derived; where the data is published; how to cite it.
    derivation: str = ""
    homepage: str = ""
    citation: str = ""

    @property
    def training(self) -> tuple[str, ...]:
        """The names of the tasks a model is trained on before it is measured on this one; none for some."""
        if self.trains_on is not None:
            return self.trains_on
        return (self.name,) if self.train_language is not None else ()
