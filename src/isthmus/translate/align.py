"""Which word translates which: by the similarity of an encoder's states (SimAlign, arXiv 2004.08728).

A word's vector is the mean of its sub-words' states in the middle layer. Similarities (cosines of
vectors from which the mean over each sentence is taken away) become probabilities by a softmax over the words of the
other side, in both directions, as in Awesome-align (arXiv 2101.08231). An encoder without any parallel training finds
most counterparts so; nothing is trained here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from isthmus.kinds.core import Batcher, device_of, pad_texts
from isthmus.kinds.vectors import depth_of, states_of

Floats = NDArray[np.float32]
#: The share of a model's layers below the states that are compared: chosen on XQuAD in German (docs/translation.md).
DEPTH = 1 / 2
#: Divides similarities before the softmax; chosen there, too.
TEMPERATURE = 0.05
#: How much more recall counts than precision when a stretch of words is chosen (beta squared of the F measure).
RECALL = 1.5


class Sentence(NamedTuple):
    """A text and where its words stand in it: code points [start, end)."""

    text: str
    words: tuple[tuple[int, int], ...]


class Alignment(NamedTuple):
    """How sure it is that words of two sentences translate each other; both of shape (source words, target words).

    Attributes:
        forward: for each source word, probabilities over the target words: rows sum to 1.
        backward: for each target word, probabilities over the source words: columns sum to 1.
    """

    forward: Floats
    backward: Floats


class Aligner:
    """Aligns words by the states of ``model``, a transformers encoder without a head."""

    def __init__(self, model: Any, tokenizer: Any, token_budget: int, layer: int | None = None) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.layer = layer if layer is not None else max(1, round(DEPTH * depth_of(model)))
        self._batcher = Batcher(tokenizer.pad_token_id, token_budget, {})

    def align(self, pairs: Sequence[tuple[Sentence, Sentence]]) -> list[Alignment]:
        """The alignment of each pair; a sentence that is in several is read once."""
        vectors = self.vectors(sentence for pair in pairs for sentence in pair)
        return [alignment(vectors[source], vectors[target]) for source, target in pairs]

    @torch.inference_mode()
    def vectors(self, sentences: Iterable[Sentence]) -> Mapping[Sentence, Floats]:
        """The vectors of each sentence's words, (words, width); those of words without sub-words are zero."""
        distinct = list(dict.fromkeys(sentences))
        if not distinct:
            return {}
        encoded = self.tokenizer(
            [sentence.text for sentence in distinct],
            truncation=True,
            max_length=min(self.tokenizer.model_max_length, 512),
            return_offsets_mapping=True,
            return_attention_mask=False,
        )
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        found: dict[Sentence, Floats] = {}
        for batch in self._batcher.batches([len(text) for text in ids]):
            inputs = pad_texts([ids[row] for row in batch], self._batcher.pad, device_of(self.model))
            states = states_of(self.model, inputs, self.layer)
            for row, tokens in zip(batch, states.float().cpu().numpy(), strict=True):
                found[distinct[row]] = _by_word(distinct[row], offsets[row], tokens)
        return found


def _by_word(sentence: Sentence, offsets: Sequence[tuple[int, int]], states: Floats) -> Floats:
    """The mean of the states of each word's tokens; of a token over two words, each has its share."""
    owner = np.full(len(sentence.text) + 1, -1)
    for number, (start, end) in enumerate(sentence.words):
        owner[start:end] = number
    sums = np.zeros((len(sentence.words), states.shape[1]), np.float32)
    counts = np.zeros((len(sentence.words), 1), np.float32)
    for (start, end), state in zip(offsets, states, strict=False):
        for number in {int(one) for one in owner[start:end] if one >= 0}:
            sums[number] += state
            counts[number] += 1
    return np.asarray(sums / np.maximum(counts, 1), np.float32)


def alignment(source: Floats, target: Floats) -> Alignment:
    """The alignment of words by their vectors, (source words, width) and (target words, width)."""
    scores = similarities(source, target) / TEMPERATURE
    return Alignment(_softmax(scores, 1), _softmax(scores, 0))


def similarities(source: Floats, target: Floats) -> Floats:
    """Cosines of the centred vectors: (source words, target words)."""
    return _unit(source) @ _unit(target).T


def _unit(vectors: Floats) -> Floats:
    there = np.any(vectors != 0, axis=1, keepdims=True)
    centred = (vectors - vectors.sum(0) / max(1, int(there.sum()))) * there
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9), np.float32)


def _softmax(scores: Floats, axis: int) -> Floats:
    powers = np.exp(scores - scores.max(axis, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(axis, keepdims=True), np.float32)


class Match(NamedTuple):
    """Target words [first, last] that stand for some source words, and how well, 0 to 1."""

    first: int
    last: int
    quality: float


def best_match(found: Alignment, first: int, last: int, slack: int = 8) -> Match | None:
    """The target words that stand for the source words [first, last]: the stretch with the best F measure.

    Its recall is how much of the source words' probability falls into it; its precision, how much of the probability of
    its words falls into the source words. So a stretch is as long as its counterpart wants it to be, with no words that
    belong elsewhere, and the measure is the quality. None where the target has no words.
    """
    gained = found.forward[first : last + 1].sum(0)  # of each target word
    belongs = found.backward[first : last + 1].sum(0)
    words, wanted = len(gained), last + 1 - first
    if not words:
        return None
    recalled = np.concatenate([[0], np.cumsum(gained)])
    inside = np.concatenate([[0], np.cumsum(belongs)])
    longest = min(words, 3 * wanted + slack)
    lengths = np.arange(1, longest + 1)
    ends = np.arange(words)[:, None] + lengths[None, :]
    fits = ends <= words
    ends = np.minimum(ends, words)
    recall = (recalled[ends] - recalled[:words, None]) / wanted
    precision = (inside[ends] - inside[:words, None]) / lengths
    f = np.where(fits, (1 + RECALL) * recall * precision / np.maximum(RECALL * precision + recall, 1e-9), -1.0)
    start, length = divmod(int(f.argmax()), longest)
    return Match(start, start + length, float(min(1.0, f[start, length])))
