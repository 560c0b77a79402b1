"""Training on the part of the vocabulary that a stage uses.

A multilingual vocabulary has 250,000 entries and an English task touches a few percent of them, yet a plain training
step computes a gradient, two moments and an update for every row. The rows that no text of the stage touches have no
gradient; leaving them out changes nothing but the cost. Word embeddings are exempt from weight decay (as biases and
norms are), so rows that are left out are, bit for bit, what they would have been.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from isthmus.kinds.core import Feature


class Trimmed(NamedTuple):
    """Features over a trimmed vocabulary, and the ids (rising) that its entries had in the whole one."""

    features: list[Feature]
    kept: list[int]


def trim(model: Any, features: Sequence[Feature], pad: int) -> Trimmed | None:
    """Replace the model's word embeddings by the rows that ``features`` use; None where that cannot be done.

    Ids up to the padding token keep their places: some models compute positions from it. A language model is never
    trimmed: its loss is over the whole vocabulary, so that every row has a gradient.
    """
    embedding = model.get_input_embeddings()
    if pad > 1000 or model.get_output_embeddings() is not None:
        return None
    used = {token for feature in features for text in feature.texts for token in text}
    kept = sorted(used | set(range(pad + 1)))
    place = np.full(embedding.num_embeddings, -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    small = nn.Embedding(len(kept), embedding.embedding_dim, padding_idx=embedding.padding_idx)
    small.weight.data = embedding.weight.data[kept].clone()
    small.weight.requires_grad_(embedding.weight.requires_grad)
    model.set_input_embeddings(small)
    return Trimmed([_renumber(feature, place) for feature in features], kept)


def _renumber(feature: Feature, place: np.ndarray[Any, np.dtype[np.int64]]) -> Feature:
    return replace(feature, texts=tuple(place[text].tolist() for text in feature.texts))
