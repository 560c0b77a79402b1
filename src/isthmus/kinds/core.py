"""The contract between a kind of task and the rest: features in, a loss or predictions out.

A new kind is a column schema (`isthmus.data.schema`), one implementation of `Method`, and its line in `isthmus.kinds`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from isthmus.errors import DataError

#: A Hugging Face fast tokenizer; the library gives its tokenizers no useful types.
Tokenizer = Any


@dataclass(frozen=True)
class Feature:
    """One model input, or two for kinds that compare texts, made from (a part of) one example.

    Attributes:
        example: the row it was made from; a long sentence gives several features.
        texts: token ids of each text, special tokens included.
        target: what the loss compares with: a label index, one index a token (-100 where there is none), or nothing.
        words: where word number ``first_word + i`` starts in ``texts[0]``, for kinds that label words.
    """

    example: int
    texts: tuple[list[int], ...]
    target: int | list[int] | None = None
    words: tuple[int, ...] = ()
    first_word: int = 0

    @property
    def length(self) -> int:
        """Tokens of its longest text."""
        return max(len(text) for text in self.texts)


class Encoded(NamedTuple):
    """Model inputs, padded. Both of shape (batch, tokens), int64."""

    input_ids: Tensor
    attention_mask: Tensor


class Prediction(NamedTuple):
    """A predicted value (a label, one tag a word, or the id of a row) and how sure the model is of it (0 to 1)."""

    value: Any
    confidence: float


class Method(Protocol):
    """How a kind is encoded, learned and predicted."""

    #: the transformers class that has the right head, such as ``AutoModelForTokenClassification``
    auto_class: str
    #: are rows predicted one by one? Not when they are looked for among each other.
    independent: bool
    #: may a batch be split into micro-batches? Not when its examples are each other's negatives.
    splittable: bool

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str], max_length: int) -> list[Feature]:
        """Features of the rows of ``table``; targets are set when ``labels`` are given.

        Raises:
            DataError: a row has a label that is not among ``labels``.
        """

    def weight(self, features: Sequence[Feature]) -> float:
        """What ``loss`` is a mean over: examples, or labelled tokens."""

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """The mean loss over ``features``, a scalar."""

    def predict(
        self, model: nn.Module, features: Sequence[Feature], table: pa.Table, labels: Sequence[str], batcher: "Batcher"
    ) -> list[Prediction]:
        """One prediction for each row of ``table``."""

    def golds(self, table: pa.Table) -> list[Any]:
        """The right value of each row, as ``predict`` would give it."""


class Batcher(NamedTuple):
    """How predictions are batched: sorted by length, under a budget of padded tokens; nothing is embedded twice."""

    pad: int
    token_budget: int
    #: vectors of texts met before: the English side of a parallel set is the same in every language
    known: dict[tuple[int, ...], Tensor]

    def batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Positions, longest first, in batches whose padded size keeps within the budget (or single)."""
        order = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
        start = 0
        while start < len(order):
            size = max(1, self.token_budget // max(1, lengths[order[start]]))
            yield order[start : start + size]
            start += size


def pad_texts(texts: Sequence[Sequence[int]], pad: int, device: torch.device) -> Encoded:
    """Token ids as one padded batch on ``device``."""
    lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
    inside = np.arange(lengths.max())[None, :] < lengths[:, None]
    ids = np.full(inside.shape, pad, dtype=np.int64)
    ids[inside] = np.concatenate([np.asarray(text, dtype=np.int64) for text in texts])
    return Encoded(torch.from_numpy(ids).to(device), torch.from_numpy(inside.astype(np.int64)).to(device))


def logits_of(model: nn.Module, features: Sequence[Feature], pad: int) -> Tensor:
    """What the model's head says of each feature's first text: (features, labels) or (features, tokens, labels)."""
    encoded = pad_texts([feature.texts[0] for feature in features], pad, device_of(model))
    logits: Tensor = model(**encoded._asdict()).logits
    return logits


def label_index(label: str, index: Mapping[str, int], row: int) -> int:
    """The number of a label. Raises DataError when it is not one of the task's."""
    if label not in index:
        raise DataError(f"row {row + 1}: the label {label!r} is not one of {', '.join(index)}.")
    return index[label]


def device_of(model: nn.Module) -> torch.device:
    """The device a model's parameters are on."""
    return next(model.parameters()).device
