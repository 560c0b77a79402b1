"""Texts without labels (`text`): masked language modelling, as an intermediate task or to measure.

As in BERT (arXiv 1810.04805, section 3.1 and appendix A.1) 15% of the tokens of a window are predicted, and at least
one: 80% of these are masked, 10% replaced by another token, 10% left as they are. With `Limits.whole_words` all pieces
of a word are predicted or none (BERT's whole-word masking, of 2019), which leaves few windows a token short of the 15%;
words are those of the tokenizer and of white space (`pieces.worded_pieces`). Masks are drawn anew in every step,
as a function of the step's seed and the window alone, so that neither micro-batches nor a resumed run change them. For
measuring, masks are a function of the row's id and all are the mask token.

The head is tied to the word embeddings and its softmax is over all of them, so training sees the whole vocabulary
(`isthmus.model.vocabulary` trims no model that has output embeddings). Logits are computed at the masked tokens alone.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from isthmus.errors import DataError, ModelError
from isthmus.kinds.core import Batcher, Limits, Method, Prediction, Search, Tokenizer, device_of, inputs_of
from isthmus.kinds.features import (
    Blanks,
    Feature,
    Features,
    Ragged,
    Stretches,
    Vocabulary,
    bounds_of,
    gathered,
    lengths_of,
)
from isthmus.kinds.pairs import around
from isthmus.kinds.pieces import pieces, worded_pieces, woven

_SHARE = 0.15
_MASKED, _REPLACED = 0.8, 0.1

Ints = NDArray[np.int64]


class Text:
    """The masked tokens, read by the head of ``AutoModelForMaskedLM``."""

    auto_class = "AutoModelForMaskedLM"
    independent = True
    splittable = True

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits) -> Features:
        """One feature a window; windows of a long text follow each other. One without ordinary tokens is left out.

        Raises:
            ModelError: the tokenizer has no mask token.
            DataError: there is nothing to learn from.
        """
        vocabulary = _vocabulary(tokenizer)
        before, after = around(tokenizer)
        room = limits.max_length - len(before) - len(after)
        texts = table.column("text").to_pylist()
        whole = limits.whole_words and labels is not None
        tokens, begins = worded_pieces(texts, tokenizer) if whole else (pieces(texts, tokenizer), None)
        windows = _windows(tokens, begins, room)
        ordinary = bounds_of((~np.isin(tokens.values, vocabulary.special)).astype(np.int64))
        windows = windows.take(ordinary[windows.last] > ordinary[windows.first])
        if labels is not None and not len(windows.row):
            raise DataError("None of the texts has a token to learn from.")
        features = Features(
            windows.row.astype(np.int32),
            woven((before, after), [Stretches(tokens.values, windows.first, windows.last)]),
            "shared",
            vocabulary=vocabulary,
            first_word=(windows.first - tokens.bounds[windows.row]).astype(np.int32),
            words=None if begins is None else _words(begins, windows, len(before)),
        )
        if labels is not None:
            return features
        names = table.column("id").to_pylist()
        return Features.of([_measured(window, names[window.example]) for window in features])

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of tokens that are predicted: the same whichever they are."""
        columns = Features.of(features)
        ordinary = bounds_of((~np.isin(columns.texts.values, features[0].target.special)).astype(np.int64))
        return float(_counts(np.diff(ordinary[columns.texts.bounds])).sum())

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """Cross-entropy at the masked tokens. Masks follow from the seed last given to ``torch.manual_seed``."""
        masked = mask(features, torch.initial_seed())
        positions, tokens = masked.target
        assert isinstance(positions, Ragged) and isinstance(tokens, Ragged)
        logits = logits_at(model, masked, [positions.row(row) for row in range(len(masked))], pad)
        wanted = torch.from_numpy(tokens.values.astype(np.int64)).to(logits.device)
        # Whole words may be a token short of what the weight says, which is the same in any micro-batches.
        return functional.cross_entropy(logits.float(), wanted) * (len(wanted) / self.weight(features))

    def predict(
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: Batcher,
        search: Search,
    ) -> list[Prediction]:
        """The likeliest tokens at the masked places of each row, the tokens that stood there, and the mean probability.

        A text without ordinary tokens has no such places.
        """
        guessed: list[list[int]] = [[] for _ in features]
        sure: list[list[float]] = [[] for _ in features]
        for numbers in batcher.batches(lengths_of(features)):
            batch = [features[number] for number in numbers]
            positions = [feature.target.positions for feature in batch]
            logits = logits_at(model, batch, positions, batcher.pad).float()
            best = logits.max(-1)
            shares = (best.values - logits.logsumexp(-1)).exp().tolist()
            tokens, start = best.indices.tolist(), 0
            for number, places in zip(numbers, positions, strict=True):
                guessed[number], sure[number] = (part[start : start + len(places)] for part in (tokens, shares))
                start += len(places)
        rows: list[tuple[list[str], list[str], list[float]]] = [([], [], []) for _ in range(len(table))]
        for feature, tokens, shares in zip(features, guessed, sure, strict=True):
            value, gold, confidence = rows[feature.example]
            value.extend(_names(tokens, search.tokenizer))
            gold.extend(_names(feature.target.tokens.tolist(), search.tokenizer))
            confidence.extend(shares)
        return [Prediction(value, sum(shares) / max(1, len(shares)), gold=gold) for value, gold, shares in rows]

    def golds(self, table: pa.Table) -> list[Any]:
        """None: which tokens are masked is for the tokenizer to say, and `predict` says what stood there."""
        return [None] * len(table)


def mask(windows: Sequence[Feature], seed: int) -> Features:
    """The windows with 15% of their tokens masked, replaced or to be guessed as they are; targets become `Blanks`."""
    vocabulary: Vocabulary = windows[0].target
    columns = Features.of(windows)
    ids, bounds = columns.texts.values.copy(), columns.texts.bounds
    ordinary = np.flatnonzero(~np.isin(ids, vocabulary.special))
    window = np.searchsorted(bounds, ordinary, side="right") - 1
    first = np.zeros(len(columns), np.int32) if columns.first_word is None else columns.first_word
    places, lots, others = _random(seed, columns.example[window], first[window], ordinary - bounds[window])
    counts = _counts(np.bincount(window, minlength=len(columns)))
    if columns.words is None:
        chosen = _smallest(places, window, counts)
    else:
        starts = columns.words.values + np.repeat(bounds[:-1], columns.words.lengths)
        chosen = _smallest_words(places, window, np.searchsorted(starts, ordinary, side="right"), counts)
    flat, window = ordinary[chosen], window[chosen]
    tokens, lot = ids[flat], lots[chosen] / 2.0**64
    replaced = vocabulary.ordinary[others[chosen] % np.uint64(len(vocabulary.ordinary))]
    ids[flat] = np.select([lot < _MASKED, lot < _MASKED + _REPLACED], [vocabulary.mask, replaced], tokens)
    blanks = bounds_of(np.bincount(window, minlength=len(columns)))
    positions = (flat - bounds[window]).astype(np.int32)
    target = Ragged(positions, blanks), Ragged(tokens, blanks)
    return Features(columns.example, Ragged(ids, bounds), "blanks", target, first_word=columns.first_word)


def _random(seed: int, *named: NDArray[np.integer[Any]]) -> list[NDArray[np.uint64]]:
    """Three random numbers for each token: functions of the seed, its row, its window and its position."""
    state = _mixed(np.asarray([seed % 2**64], dtype=np.uint64))
    for name in named:
        state = _mixed(state ^ name.astype(np.uint64))
    return [_mixed(state ^ np.uint64(stream)) for stream in (1, 2, 3)]


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One step of SplitMix64 (Steele, Lea and Flood 2014): numbers that differ give numbers that look random."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def _smallest(numbers: NDArray[np.uint64], window: Ints, counts: Ints) -> Ints:
    """Which tokens, rising, have the smallest numbers of their window: as many of each as ``counts`` says."""
    order = np.lexsort((numbers, window))
    rank = np.arange(len(order)) - np.searchsorted(window, window)  # windows are in order, before and after
    return np.sort(order[rank < counts[window]])


def _smallest_words(numbers: NDArray[np.uint64], window: Ints, words: Ints, counts: Ints) -> Ints:
    """As `_smallest`, of whole words: as many tokens of each window as ``counts`` says, or fewer.

    As in BERT, a word that is longer than what is left to be drawn is passed over. Where every word is longer than all
    that is to be drawn, the first drawn of the shortest is taken.
    """
    _, first, word, sizes = np.unique(words, return_index=True, return_inverse=True, return_counts=True)
    numbers, window = numbers[first], window[first]
    taken, left = np.zeros(len(first), dtype=np.bool_), counts.tolist()
    order = np.lexsort((numbers, window))
    for place, of, size in zip(order.tolist(), window[order].tolist(), sizes[order].tolist(), strict=True):
        if size <= left[of]:
            taken[place] = True
            left[of] -= size
    none = np.flatnonzero(np.asarray(left) == counts)
    shortest = np.lexsort((numbers, sizes, window))
    taken[shortest[np.searchsorted(window, none)]] = True
    return np.flatnonzero(taken[word])


def _measured(window: Feature, name: str) -> Feature:
    """The window with the tokens masked that its row's id says, all by the mask token."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    generator = np.random.Generator(np.random.PCG64([seed, window.first_word]))
    ids = np.asarray(window.texts[0])
    ordinary = np.flatnonzero(~np.isin(ids, window.target.special))
    count = int(_counts(np.asarray([len(ordinary)]))[0])
    positions = np.sort(generator.choice(ordinary, count, replace=False))
    tokens = ids[positions]
    ids[positions] = window.target.mask
    return Feature(window.example, (ids.tolist(),), Blanks(positions, tokens), (), window.first_word)


def _counts(tokens: Ints) -> Ints:
    """How many of so many tokens are predicted."""
    counts: Ints = np.maximum(1, np.rint(_SHARE * tokens).astype(np.int64))
    return counts


def logits_at(
    model: nn.Module, features: Sequence[Feature], positions: Sequence[NDArray[np.integer[Any]]], pad: int
) -> Tensor:
    """The scores of the whole vocabulary at ``positions`` of each feature: (positions of all, vocabulary)."""
    inputs = inputs_of(features, pad, device_of(model))
    width = inputs["input_ids"].shape[1]
    flat = np.concatenate([row * width + places for row, places in enumerate(positions)])
    with _head_sees(model, torch.from_numpy(flat).to(inputs["input_ids"].device)):
        logits: Tensor = model(**inputs).logits
    return logits[0]


@contextmanager
def _head_sees(model: nn.Module, flat: Tensor) -> Iterator[None]:
    """Give the head of ``model`` only those of its encoder's states, as one sequence.

    With a vocabulary of 250,000 the logits of the other tokens would be most of a step's time and memory.
    """

    def pick(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        output["last_hidden_state"] = output["last_hidden_state"].flatten(0, 1)[flat][None]
        return output

    whole: Any = getattr(model, "module", model)  # as wrapped for several processes
    hook = whole.base_model.register_forward_hook(pick)
    try:
        yield
    finally:
        hook.remove()


def _vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    if tokenizer.mask_token_id is None:
        raise ModelError("The model's tokenizer has no mask token, so the model cannot be trained or measured on text.")
    special = np.asarray(sorted(tokenizer.all_special_ids), dtype=np.int64)
    ordinary = np.setdiff1d(np.fromiter(tokenizer.get_vocab().values(), dtype=np.int64), special)
    return Vocabulary(tokenizer.mask_token_id, special, ordinary)


class _Windows(NamedTuple):
    """Stretches [first, last) of all tokens, and the row each is of."""

    row: Ints
    first: Ints
    last: Ints

    def take(self, some: NDArray[Any]) -> "_Windows":
        return _Windows(*(part[some] for part in self))


def _windows(tokens: Ragged, begins: NDArray[np.bool_] | None, room: int) -> _Windows:
    """The texts in windows of at most ``room`` tokens, which end where a word begins if they can."""
    counts = -(-tokens.lengths // room)
    row = np.repeat(np.arange(len(counts)), counts)
    first = tokens.bounds[row] + room * (np.arange(len(row)) - np.repeat(bounds_of(counts)[:-1], counts))
    windows = _Windows(row, first, np.minimum(first + room, tokens.bounds[row + 1]))
    if begins is None:
        return windows
    long = [
        (one, *window)
        for one in np.flatnonzero(counts > 1).tolist()
        for window in _between_words(begins, int(tokens.bounds[one]), int(tokens.bounds[one + 1]), room)
    ]
    parts = zip(windows.take(counts[row] == 1), np.asarray(long, dtype=np.int64).reshape(-1, 3).T, strict=True)
    every = _Windows(*(np.concatenate(part) for part in parts))
    return every.take(np.argsort(every.first, kind="stable"))


def _between_words(begins: NDArray[np.bool_], first: int, end: int, room: int) -> Iterator[tuple[int, int]]:
    """The windows of the tokens [first, end): each ends before the word that it cannot hold, if it holds another."""
    while first < end:
        last = min(first + room, end)
        if last < end:
            starts = np.flatnonzero(begins[first + 1 : last + 1])
            last = first + 1 + int(starts[-1]) if len(starts) else last
        yield first, last
        first = last


def _words(begins: NDArray[np.bool_], windows: _Windows, before: int) -> Ragged:
    """Where words begin in each window, after so many special tokens; its first token always begins one."""
    tokens = gathered(Stretches(begins.astype(np.int32), windows.first, windows.last))
    tokens.values[tokens.bounds[:-1]] = 1
    starts = np.flatnonzero(tokens.values)
    places = starts - np.repeat(tokens.bounds[:-1], tokens.lengths)[starts] + before
    return Ragged(places.astype(np.int32), bounds_of(tokens.values)[tokens.bounds])


def _names(ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """Tokens as written; a row of the embeddings that the tokenizer has no token for is an empty one."""
    return [name or "" for name in tokenizer.convert_ids_to_tokens(ids)]


TEXT: Method = Text()
