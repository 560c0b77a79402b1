"""Classification of one text (`sequence`) or of two together (`pair`)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.kinds.core import (
    Batcher,
    Feature,
    Limits,
    Method,
    Prediction,
    Search,
    Tokenizer,
    label_numbers,
    logits_of,
)
from isthmus.kinds.features import Features, lengths_of
from isthmus.kinds.pieces import inputs_for


class Classification:
    """One label a row, read by the head of ``AutoModelForSequenceClassification``."""

    auto_class = "AutoModelForSequenceClassification"
    independent = True
    splittable = True

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits) -> Features:
        """One feature a row; of two texts, the longer is cut first."""
        target = () if labels is None else (label_numbers(table.column("label"), labels),)
        inputs = inputs_for([table.column(name) for name in self.columns], tokenizer, limits.max_length)
        rows = np.arange(len(table), dtype=np.int32)
        return Features(rows, inputs.texts, "label" if target else "none", target, second=inputs.second)

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of examples."""
        return float(len(features))

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """Cross-entropy over the labels."""
        logits = logits_of(model, features, pad)
        targets = torch.tensor([feature.target for feature in features], device=logits.device)
        return functional.cross_entropy(logits.float(), targets)

    def predict(
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: Batcher,
        search: Search,
    ) -> list[Prediction]:
        """The likeliest label of each row and its probability."""
        found: list[Prediction | None] = [None] * len(table)
        for positions in batcher.batches(lengths_of(features)):
            batch = [features[position] for position in positions]
            best = logits_of(model, batch, batcher.pad).float().softmax(-1).max(-1)
            for feature, label, confidence in zip(batch, best.indices.tolist(), best.values.tolist(), strict=True):
                found[feature.example] = Prediction(labels[label], confidence)
        return [prediction for prediction in found if prediction is not None]

    def golds(self, table: pa.Table) -> list[Any]:
        """The labels."""
        return list(table.column("label").to_pylist())


SEQUENCE: Method = Classification(("text",))
PAIR: Method = Classification(("text", "text_pair"))
