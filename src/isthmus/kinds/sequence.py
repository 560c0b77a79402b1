"""Classification of one text (`sequence`) or of two together (`pair`)."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer, label_index, logits_of


class Classification:
    """One label a row, read by the head of ``AutoModelForSequenceClassification``."""

    auto_class = "AutoModelForSequenceClassification"
    independent = True
    splittable = True

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns

    def encode(
        self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits
    ) -> list[Feature]:
        """One feature a row; of two texts, the longer is cut first."""
        texts = [table.column(name).to_pylist() for name in self.columns]
        encoded = tokenizer(*texts, truncation=True, max_length=limits.max_length, return_attention_mask=False)
        ids = encoded["input_ids"]
        numbers = encoded.get("token_type_ids") or [[] for _ in ids]  # of the texts, where the tokenizer numbers them
        second = [(row.index(1),) if 1 in row else () for row in numbers]
        index = {label: number for number, label in enumerate(labels or ())}
        targets = None
        if labels is not None:
            targets = [label_index(label, index, row) for row, label in enumerate(self.golds(table))]
        return [
            Feature(row, (text,), targets[row] if targets else None, second=second[row]) for row, text in enumerate(ids)
        ]

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
        for positions in batcher.batches([feature.length for feature in features]):
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
