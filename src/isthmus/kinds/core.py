"""The contract between a kind of task and the rest: features in, a loss or predictions out.

A new kind is a column schema (`isthmus.data.schema`), one implementation of `Method`, and its line in `isthmus.kinds`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from isthmus.errors import DataError
from isthmus.spec import Retrieval

#: A Hugging Face fast tokenizer; the library gives its tokenizers no useful types.
Tokenizer = Any
#: Padded tokens in one forward pass. On a CPU a matrix product of 512 rows is as fast as it gets, and small batches of
#: texts sorted by length are little padding; a GPU wants more to do at once.
TOKEN_BUDGET: Mapping[str, int] = {"cpu": 512, "cuda": 32_768}


@dataclass(frozen=True)
class Feature:
    """One model input, or two for kinds that compare texts, made from (a part of) one example.

    Attributes:
        example: the row it was made from; a long sentence gives several features.
        texts: token ids of each text, special tokens included.
        target: what the loss compares with: a label index, one index a token (-100 where there is none), or whatever
            else the kind's own loss reads; None where there is nothing to learn from.
        words: where word number ``first_word + i`` starts in ``texts[0]``, for kinds that label words.
        first_word: the number of the first word, or the first token, of a window.
        second: where the second of two texts begins in each of ``texts``, for models that tell them apart by
            ``token_type_ids``; empty for others.
        places: for kinds that answer with a stretch of a text, the code points [start, end) of it that each token of
            ``texts[0]`` stands for, int32 of shape (tokens, 2); -1 where an answer can neither start nor end.
    """

    example: int
    texts: tuple[list[int], ...]
    target: Any = None
    words: tuple[int, ...] = ()
    first_word: int = 0
    second: tuple[int, ...] = ()
    places: NDArray[np.int32] | None = field(default=None, compare=False)

    @property
    def length(self) -> int:
        """Tokens of its longest text."""
        return max(len(text) for text in self.texts)


class Encoded(NamedTuple):
    """Model inputs, padded. Both of shape (batch, tokens), int64."""

    input_ids: Tensor
    attention_mask: Tensor


class Prediction(NamedTuple):
    """A predicted value (a label, one tag a word, a text, the ids of rows) and how sure the model is of it (0 to 1)."""

    value: Any
    confidence: float
    #: the likeliest texts and their scores, the likeliest first, for kinds that weigh many
    n_best: tuple[tuple[str, float], ...] = ()
    #: the right value, for a kind whose rows do not hold it; else None
    gold: Any = None


class Limits(NamedTuple):
    """How long an input may be (tokens, special ones included), and how far apart two windows of a text begin."""

    max_length: int
    stride: int = 128


class Search(NamedTuple):
    """What the rows of one language are looked for among, for the kinds that search (`schema.SEARCHING`, bitext)."""

    language: str
    options: Retrieval
    tokenizer: Tokenizer
    limits: Limits
    #: tables of candidates (`schema.CANDIDATES`), by language
    candidates: Mapping[str, pa.Table] = {}
    #: rows of the dev split and their candidates, where a threshold has to be chosen
    dev: pa.Table | None = None
    dev_candidates: pa.Table | None = None
    #: may a question have no answer? (span)
    no_answer: bool = False


class Method(Protocol):
    """How a kind is encoded, learned and predicted."""

    #: the transformers class that has the right head, such as ``AutoModelForTokenClassification``
    auto_class: str
    #: are rows predicted one by one? Not when they are looked for among each other.
    independent: bool
    #: may a batch be split into micro-batches? Not when its examples are each other's negatives.
    splittable: bool

    def encode(
        self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits
    ) -> list[Feature]:
        """Features of the rows of ``table``; targets are set unless ``labels`` is None, which is for predicting.

        Raises:
            DataError: a row has a label that is not among ``labels``.
        """

    def weight(self, features: Sequence[Feature]) -> float:
        """What ``loss`` is a mean over: examples, or labelled tokens."""

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """The mean loss over ``features``, a scalar."""

    def predict(
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: "Batcher",
        search: Search,
    ) -> list[Prediction]:
        """One prediction for each row of ``table``."""

    def golds(self, table: pa.Table) -> list[Any]:
        """The right value of each row, as ``predict`` would give it; None where `Prediction.gold` says it."""


class Batcher(NamedTuple):
    """How predictions are batched: sorted by length, under a budget of padded tokens; nothing is embedded twice."""

    pad: int
    token_budget: int
    #: vectors of texts met before, by their token ids (the English side of a parallel set is the same in every
    #: language), and those of whole pools of candidates, by name
    known: dict[tuple[int, ...] | str, Tensor]

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
    """What the model's head says of features of one text each: (features, labels) or (features, tokens, labels)."""
    logits: Tensor = model(**inputs_of(features, pad, device_of(model))).logits
    return logits


def inputs_of(features: Sequence[Feature], pad: int, device: torch.device) -> dict[str, Tensor]:
    """All texts of ``features``, in order, as what a model is called with: tensors of shape (texts, tokens)."""
    encoded = pad_texts([text for feature in features for text in feature.texts], pad, device)
    inputs = encoded._asdict()
    second = [start for feature in features for start in feature.second]
    if second:
        position = torch.arange(encoded.input_ids.shape[1], device=device)
        inside = position >= torch.tensor(second, device=device)[:, None]
        inputs["token_type_ids"] = inside.long() * encoded.attention_mask
    return inputs


def label_index(label: str, index: Mapping[str, int], row: int) -> int:
    """The number of a label. Raises DataError when it is not one of the task's."""
    if label not in index:
        raise DataError(f"row {row + 1}: the label {label!r} is not one of {', '.join(index)}.")
    return index[label]


def device_of(model: nn.Module) -> torch.device:
    """The device a model's parameters are on."""
    return next(model.parameters()).device
