"""Classification of one text (`sequence`) or of two together (`pair`)."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.errors import DataError
from isthmus.kinds.core import Batcher, Feature, Method, Prediction, Tokenizer, device_of, pad_texts


class Classification:
    """One label a row, read by the head of ``AutoModelForSequenceClassification``."""

    auto_class = "AutoModelForSequenceClassification"
    independent = True
    splittable = True

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str], max_length: int) -> list[Feature]:
        """One feature a row; of two texts, the longer is cut first."""
        texts = [table.column(name).to_pylist() for name in self.columns]
        ids = tokenizer(*texts, truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]
        index = {label: number for number, label in enumerate(labels)}
        targets = [_target(label, index, row) for row, label in enumerate(self.golds(table))] if labels else None
        return [Feature(row, (text,), targets[row] if targets else None) for row, text in enumerate(ids)]

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of examples."""
        return float(len(features))

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """Cross-entropy over the labels."""
        logits = self._logits(model, features, pad)
        targets = torch.tensor([feature.target for feature in features], device=logits.device)
        return functional.cross_entropy(logits.float(), targets)

    def predict(
        self, model: nn.Module, features: Sequence[Feature], table: pa.Table, labels: Sequence[str], batcher: Batcher
    ) -> list[Prediction]:
        """The likeliest label of each row and its probability."""
        found: list[Prediction | None] = [None] * len(table)
        for positions in batcher.batches([feature.length for feature in features]):
            batch = [features[position] for position in positions]
            best = self._logits(model, batch, batcher.pad).float().softmax(-1).max(-1)
            for feature, label, confidence in zip(batch, best.indices.tolist(), best.values.tolist(), strict=True):
                found[feature.example] = Prediction(labels[label], confidence)
        return [prediction for prediction in found if prediction is not None]

    def golds(self, table: pa.Table) -> list[Any]:
        """The labels."""
        return list(table.column("label").to_pylist())

    def _logits(self, model: nn.Module, features: Sequence[Feature], pad: int) -> Tensor:
        encoded = pad_texts([feature.texts[0] for feature in features], pad, device_of(model))
        logits: Tensor = model(**encoded._asdict()).logits
        return logits


def _target(label: str, index: dict[str, int], row: int) -> int:
    if label not in index:
        raise DataError(f"row {row + 1}: the label {label!r} is not one of {', '.join(index)}.")
    return index[label]


SEQUENCE: Method = Classification(("text",))
PAIR: Method = Classification(("text", "text_pair"))
