"""One tag a word (`tagging`). The first sub-word carries the tag, and nothing is ever cut.

A sentence longer than the limit becomes several windows that meet at word boundaries; a word that the tokenizer leaves
nothing of becomes the unknown token. So every word is predicted exactly once.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer, label_index, logits_of

_IGNORE = -100


class Tagging:
    """One tag a word, read by the head of ``AutoModelForTokenClassification``."""

    auto_class = "AutoModelForTokenClassification"
    independent = True
    splittable = True

    def encode(
        self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits
    ) -> list[Feature]:
        """One feature a window; a sentence without words gives none."""
        sentences = table.column("tokens").to_pylist()
        pieces = _pieces({word for sentence in sentences for word in sentence}, tokenizer, limits.max_length)
        index = {label: number for number, label in enumerate(labels or ())}
        features = []
        for row, (words, tags) in enumerate(zip(sentences, table.column("tags").to_pylist(), strict=True)):
            for first, window in _windows([pieces[word] for word in words], limits.max_length - 2):
                starts, ids = [], [tokenizer.cls_token_id]
                for word in window:
                    starts.append(len(ids))
                    ids.extend(word)
                ids.append(tokenizer.sep_token_id)
                target = None
                if labels is not None:
                    target = [_IGNORE] * len(ids)
                    for start, tag in zip(starts, tags[first:], strict=False):
                        target[start] = label_index(tag, index, row)
                features.append(Feature(row, (ids,), target, tuple(starts), first))
        return features

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
        for positions in batcher.batches([feature.length for feature in features]):
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


def _pieces(words: set[str], tokenizer: Tokenizer, max_length: int) -> dict[str, list[int]]:
    """The sub-words of each word: at least one, and never more than fit between the special tokens."""
    ordered = sorted(words)
    if not ordered:
        return {}
    ids = tokenizer(ordered, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
    return {
        word: (list(piece) or [tokenizer.unk_token_id])[: max_length - 2]
        for word, piece in zip(ordered, ids, strict=True)
    }


def _windows(words: list[list[int]], limit: int) -> Iterator[tuple[int, list[list[int]]]]:
    """The sentence in stretches of at most ``limit`` sub-words, each with the number of its first word."""
    first, size = 0, 0
    for number, word in enumerate(words):
        if size + len(word) > limit:
            yield first, words[first:number]
            first, size = number, 0
        size += len(word)
    if words:
        yield first, words[first:]


TAGGING: Method = Tagging()
