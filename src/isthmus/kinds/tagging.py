"""One tag a word (`tagging`). The first sub-word carries the tag, and nothing is ever cut.

A sentence longer than the limit becomes several windows that meet at word boundaries; a word that the tokenizer leaves
nothing of becomes the unknown token. So every word is predicted exactly once.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
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
from isthmus.kinds.features import Bounds, Features, Ragged, Stretches, bounds_of, gathered, joined, lengths_of
from isthmus.kinds.pieces import distinct_pieces, woven

_IGNORE = -100


class Tagging:
    """One tag a word, read by the head of ``AutoModelForTokenClassification``."""

    auto_class = "AutoModelForTokenClassification"
    independent = True
    splittable = True

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits) -> Features:
        """One feature a window; a sentence without words gives none."""
        sentences = table.column("tokens")
        words, limit = pc.list_flatten(sentences), limits.max_length - 2
        numbers = bounds_of(pc.list_value_length(sentences).to_numpy())  # of the first word of each sentence
        pieces = _pieces(words, tokenizer, limit)
        starts = _starts(numbers, pieces.bounds, limit)
        ends = np.append(starts, len(words))
        windows = Stretches(pieces.values, pieces.bounds[starts], pieces.bounds[ends[1:]])
        texts = woven([[tokenizer.cls_token_id], [tokenizer.sep_token_id]], [windows])
        places = pieces.bounds[:-1] - np.repeat(windows.first, np.diff(ends)) + 1
        target: tuple[Ragged, ...] = ()
        if labels is not None:
            rows = np.repeat(np.arange(len(table), dtype=np.int32), np.diff(numbers))
            target = (Ragged(np.full(len(texts.values), _IGNORE, dtype=np.int32), texts.bounds),)
            tags = label_numbers(pc.list_flatten(table.column("tags")), labels, rows)
            target[0].values[np.repeat(texts.bounds[:-1], np.diff(ends)) + places] = tags
        example = np.searchsorted(numbers, starts, side="right") - 1
        return Features(
            example.astype(np.int32),
            texts,
            "tokens" if target else "none",
            target,
            words=Ragged(places.astype(np.int32), ends),
            first_word=(starts - numbers[example]).astype(np.int32),
        )

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of words."""
        return float(sum(len(feature.words) for feature in features))

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """Cross-entropy over the words' tags."""
        logits = logits_of(model, features, pad)
        targets = torch.full(logits.shape[:2], _IGNORE, device=logits.device)
        for row, feature in enumerate(features):
            assert isinstance(feature.target, list)
            targets[row, : len(feature.target)] = torch.tensor(feature.target, device=logits.device)
        return functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=_IGNORE)

    def predict(
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: Batcher,
        search: Search,
    ) -> list[Prediction]:
        """The likeliest tag of every word; the confidence is the mean over the sentence's words."""
        lengths = [len(words) for words in table.column("tokens").to_pylist()]
        tags = [[""] * length for length in lengths]
        sure = [0.0] * len(lengths)
        for positions in batcher.batches(lengths_of(features)):
            batch = [features[position] for position in positions]
            best = logits_of(model, batch, batcher.pad).float().softmax(-1).max(-1)
            chosen, values = best.indices.tolist(), best.values.tolist()
            for row, feature in enumerate(batch):
                for number, start in enumerate(feature.words):
                    tags[feature.example][feature.first_word + number] = labels[chosen[row][start]]
                    sure[feature.example] += values[row][start]
        return [Prediction(row, total / max(1, len(row))) for row, total in zip(tags, sure, strict=True)]

    def golds(self, table: pa.Table) -> list[Any]:
        """The tags of each sentence."""
        return list(table.column("tags").to_pylist())


def _pieces(words: pa.ChunkedArray, tokenizer: Tokenizer, limit: int) -> Ragged:
    """The sub-words of each word: at least one, and never more than fit between the special tokens."""
    tokens, (places,) = distinct_pieces([words], tokenizer)
    nothing = tokens.lengths == 0
    tokens = joined([tokens, Ragged.of([[tokenizer.unk_token_id]])])
    places = np.where(nothing[places], len(nothing), places)
    return gathered(tokens.at(places).shorter(limit))


def _starts(sentences: Bounds, words: Bounds, limit: int) -> NDArray[np.int64]:
    """The first word of each window, rising. Sentences are stretches of words, and words are stretches of sub-words."""
    sizes = words[sentences[1:]] - words[sentences[:-1]]
    found = [sentences[:-1][sizes > 0]]
    for row in np.flatnonzero(sizes > limit):
        first, last = sentences[row], sentences[row + 1]
        found.append(first + np.asarray(_breaks(np.diff(words[first : last + 1]).tolist(), limit), dtype=np.int64))
    return np.sort(np.concatenate(found))


def _breaks(words: Sequence[int], limit: int) -> list[int]:
    """Which words of so many sub-words begin a window of at most ``limit`` sub-words; without the first one."""
    found, size = [], 0
    for number, word in enumerate(words):
        if size + word > limit:
            found.append(number)
            size = 0
        size += word
    return found


TAGGING: Method = Tagging()
