"""The contract between a kind of task and the rest: features in, a loss or predictions out.

A new kind is a column schema (`isthmus.data.schema`), one implementation of `Method`, and its line in `isthmus.kinds`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor, nn

from isthmus.errors import DataError
from isthmus.kinds.features import Feature as Feature  # noqa: PLC0414 - part of the contract
from isthmus.kinds.features import Features, Ints
from isthmus.study.spec import Retrieval

#: A Hugging Face fast tokenizer; the library gives its tokenizers no useful types.
Tokenizer = Any
#: Padded tokens in one forward pass. On a CPU a matrix product of 512 rows is as fast as it gets, and small batches of
#: texts sorted by length are little padding; a GPU wants more to do at once.
TOKEN_BUDGET: Mapping[str, int] = {"cpu": 512, "cuda": 32_768}


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
    """What a recipe says of how rows are encoded.

    Attributes:
        max_length: how long an input may be, in tokens, special ones included.
        stride: how far apart two windows of a context begin (span).
        whole_words: are all pieces of a word masked, or none (text)?
    """

    max_length: int
    stride: int = 128
    whole_words: bool = False


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

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits) -> Features:
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

    def batches(self, lengths: Sequence[int] | Ints) -> Iterator[list[int]]:
        """As the function of that name, under its own budget."""
        return batches(lengths, self.token_budget)


def batches(lengths: Sequence[int] | Ints, token_budget: int) -> Iterator[list[int]]:
    """Positions, longest first, in batches whose padded size keeps within the budget (or single)."""
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")
    start = 0
    while start < len(order):
        count = max(1, token_budget // max(1, int(sizes[order[start]])))
        yield order[start : start + count].tolist()
        start += count


def golds_of(method: Method, table: pa.Table, predictions: Sequence[Prediction]) -> list[Any]:
    """The right value of each row: what its prediction says of it, or else its method."""
    said = zip(method.golds(table), predictions, strict=True)
    return [gold if prediction.gold is None else prediction.gold for gold, prediction in said]


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


def label_numbers(column: pa.ChunkedArray | pa.Array, labels: Sequence[str], rows: Ints | None = None) -> Ints:
    """The number of each label among ``labels``, int32. ``rows`` are those that they stand in, if not one each.

    Raises:
        DataError: a label is not one of the task's.
    """
    found = pc.index_in(column, pa.array(labels, pa.string()))
    if found.null_count:
        place = found.is_null().to_pylist().index(True)
        row = place if rows is None else rows[place]
        raise DataError(f"row {row + 1}: the label {column[place].as_py()!r} is not one of {', '.join(labels)}.")
    return np.asarray(found.to_numpy(), dtype=np.int32)


def device_of(model: nn.Module) -> torch.device:
    """The device a model's parameters are on."""
    return next(model.parameters()).device


def device_called(name: str) -> torch.device:
    """The device of that name; of ``auto``, the GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
