"""A sweep over the hidden layers of a model: every layer's accuracy in every language, and a choice made on one.

The layer is chosen on the dev language alone, which therefore comes first; the others' figures never decide. What the
dev language itself scores under its own choice is a dev figure, and has to be shown as one.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from torch import nn

from isthmus.kinds.bitext import Bitext
from isthmus.kinds.core import Batcher, Feature, Prediction, Search
from isthmus.stage import Json
from isthmus.study.spec import Retrieval


class Sweep(Bitext):
    """The kind `bitext`, predicted by the layer that a sweep chooses."""

    def __init__(self, dev_language: str) -> None:
        self.dev_language = dev_language
        self.layer: int | None = None
        #: accuracy by layer, 0 to 100, of each language
        self.accuracy: dict[str, list[float]] = {}

    def first(self, rows: Mapping[str, int]) -> dict[str, int]:
        """The languages and their numbers of rows, the dev language first; planning sees to it that it is there."""
        return {self.dev_language: rows[self.dev_language], **rows}

    def predict(
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: Batcher,
        search: Search,
    ) -> list[Prediction]:
        """The predictions by the chosen layer, of equally good ones the lowest; notes what each layer scores."""
        layers = self.predict_layers(model, features, table, batcher, search)
        golds = self.golds(table)
        right = [sum(one.value == gold for one, gold in zip(layer, golds, strict=True)) for layer in layers]
        self.accuracy[search.language] = [100 * count / max(1, len(golds)) for count in right]
        if search.language == self.dev_language:
            self.layer = right.index(max(right))
        assert self.layer is not None, "the dev language comes first"
        return layers[self.layer]

    def save(self, folder: Path) -> dict[str, Json]:
        """Write ``layers.json``; returns what it holds."""
        found: dict[str, Json] = {"layer": self.layer, "dev_language": self.dev_language, "accuracy": self.accuracy}
        (folder / "layers.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
        return found


def sweep_of(options: Retrieval, kind: str) -> Sweep | None:
    """The sweep that ``options`` ask for, if they do. Raises SpecError where the kind has none."""
    if options.layer != "all":
        return None
    options.of(kind)
    assert options.dev_language is not None, "the options were checked"
    return Sweep(options.dev_language)
