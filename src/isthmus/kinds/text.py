"""Texts without labels (`text`): masked language modelling, as an intermediate task or to measure.

As in BERT (arXiv 1810.04805, section 3.1 and appendix A.1) 15% of the tokens of a window are predicted, and at least
one: 80% of these are masked, 10% replaced by another token, 10% left as they are. Masks are drawn anew in every step,
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
from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer, device_of, inputs_of

_SHARE = 0.15
_MASKED, _REPLACED = 0.8, 0.1

Ints = NDArray[np.int64]


class Vocabulary(NamedTuple):
    """What masking must know of a tokenizer: shared by all features."""

    mask: int
    #: the special tokens, which are never masked and never stand in for another
    special: Ints
    #: all other tokens
    ordinary: Ints


class Blanks(NamedTuple):
    """The positions of a window that are to be predicted, rising, and what stood there."""

    positions: Ints
    tokens: Ints


class Text:
    """The masked tokens, read by the head of ``AutoModelForMaskedLM``."""

    auto_class = "AutoModelForMaskedLM"
    independent = True
    splittable = True

    def encode(
        self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits
    ) -> list[Feature]:
        """One feature a window; windows of a long text follow each other. One without ordinary tokens is left out.

        Raises:
            ModelError: the tokenizer has no mask token.
            DataError: there is nothing to learn from.
        """
        vocabulary = _vocabulary(tokenizer)
        before, after = _around(tokenizer)
        room = limits.max_length - len(before) - len(after)
        texts = table.column("text").to_pylist()
        encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)["input_ids"]
        features = []
        for row, (name, ids) in enumerate(zip(table.column("id").to_pylist(), encoded, strict=True)):
            for first in range(0, len(ids), room):
                window = Feature(row, (before + ids[first : first + room] + after,), vocabulary, (), first)
                if not len(_ordinary(window)):
                    continue
                features.append(window if labels is not None else _measured(window, name))
        if labels is not None and not features:
            raise DataError("None of the texts has a token to learn from.")
        return features

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of tokens that are predicted: the same whichever they are."""
        return float(sum(_count(len(_ordinary(feature))) for feature in features))

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """Cross-entropy at the masked tokens. Masks follow from the seed last given to ``torch.manual_seed``."""
        masked = [mask(feature, torch.initial_seed()) for feature in features]
        blanks: list[Blanks] = [feature.target for feature in masked]
        logits = logits_at(model, masked, [blank.positions for blank in blanks], pad)
        wanted = torch.from_numpy(np.concatenate([blank.tokens for blank in blanks])).to(logits.device)
        return functional.cross_entropy(logits.float(), wanted)

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
        for numbers in batcher.batches([feature.length for feature in features]):
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


def mask(window: Feature, seed: int) -> Feature:
    """The window with 15% of its tokens masked, replaced or to be guessed as they are; its target becomes `Blanks`."""
    vocabulary: Vocabulary = window.target
    generator = np.random.Generator(np.random.PCG64([seed, window.example, window.first_word]))
    positions = _drawn(window, generator)
    ids = np.asarray(window.texts[0])
    tokens = ids[positions]
    lot = generator.random(len(positions))
    others = generator.choice(vocabulary.ordinary, len(positions))
    ids[positions] = np.select([lot < _MASKED, lot < _MASKED + _REPLACED], [vocabulary.mask, others], tokens)
    return Feature(window.example, (ids.tolist(),), Blanks(positions, tokens), (), window.first_word)


def _measured(window: Feature, name: str) -> Feature:
    """The window with the tokens masked that its row's id says, all by the mask token."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    positions = _drawn(window, np.random.Generator(np.random.PCG64([seed, window.first_word])))
    ids = np.asarray(window.texts[0])
    tokens = ids[positions]
    ids[positions] = window.target.mask
    return Feature(window.example, (ids.tolist(),), Blanks(positions, tokens), (), window.first_word)


def _drawn(window: Feature, generator: np.random.Generator) -> Ints:
    """The positions to predict, rising."""
    ordinary = _ordinary(window)
    return np.sort(generator.choice(ordinary, _count(len(ordinary)), replace=False))


def _ordinary(window: Feature) -> Ints:
    """The positions of a window's tokens that are not special."""
    return np.flatnonzero(~np.isin(window.texts[0], window.target.special))


def _count(tokens: int) -> int:
    """How many of so many tokens are predicted."""
    return max(1, round(_SHARE * tokens))


def logits_at(model: nn.Module, features: Sequence[Feature], positions: Sequence[Ints], pad: int) -> Tensor:
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


def _around(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens before and after a single text."""
    encoded = tokenizer("a")
    ids, texts = encoded["input_ids"], encoded.sequence_ids()
    return ids[: texts.index(0)], ids[len(texts) - texts[::-1].index(0) :]


def _names(ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """Tokens as written; a row of the embeddings that the tokenizer has no token for is an empty one."""
    return [name or "" for name in tokenizer.convert_ids_to_tokens(ids)]


TEXT: Method = Text()
