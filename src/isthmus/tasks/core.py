"""What a task is: metadata and a source of rows. The metadata is the only place any other part looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import pyarrow as pa

from isthmus.data.schema import Kind

Split = Literal["train", "dev", "test"]


class Source(Protocol):
    """Where a task's rows come from. Building one is cheap and touches neither disk nor network."""

    def identity(self) -> Mapping[str, str]:
        """What the rows depend on (package versions, file contents): equal identities mean equal rows.

        Raises:
            MissingPackage, DataError: what the rows come from is not there.
        """

    def load(self, split: Split, language: str) -> pa.Table:
        """The rows of one split in one language, in the kind's column schema (`isthmus.data.schema.SCHEMAS`)."""


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
    #: Rows expected, by "split/language" or "split" for any language; a mismatch is an error.
    expected_rows: Mapping[str, int] = field(default_factory=dict)
    #: How the labels came about, in a sentence, when derived; where the data is published; how to cite it.
    derivation: str = ""
    homepage: str = ""
    citation: str = ""
