"""Training on the part of the vocabulary that a stage uses.

A multilingual vocabulary has 250,000 entries and an English task touches a few percent of them, yet a plain training
step computes a gradient, two moments and an update for every row. The rows that no text of the stage touches have no
gradient; leaving them out changes nothing but the cost. Word embeddings are exempt from weight decay (as biases and
norms are), so rows that are left out are, bit for bit, what they would have been.

With ``Recipe.decay_embeddings`` the rows in use decay as they would untrimmed, and the others stay, bit for bit, as
they are in the model that training began with. Untrimmed AdamW would shrink those, too, each step by 1 - rate * decay:
in a whole stage with linear warm-up and decay of the rate to about exp(-decay * peak rate * steps / 2). That is 0.5%
for the 92,000 steps of the paper's largest task (ANLI+: rate 1e-5, decay 0.01), and less for all others. What a stage
has not seen is better left as pretraining made it; which rows those are depends on the rows of the stage alone.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from isthmus.kinds.features import Feature, Features


class Trimmed(NamedTuple):
    """Features over a trimmed vocabulary, and the ids (rising) that its entries had in the whole one."""

    features: list[Features]
    kept: list[int]


def trim(model: Any, members: Sequence[Sequence[Feature]], pad: int) -> Trimmed | None:
    """Replace the model's word embeddings by the rows that ``members`` use; None where that cannot be done.

    Ids up to the padding token keep their places: some models compute positions from it. A language model is never
    trimmed: its loss is over the whole vocabulary, so that every row has a gradient.

    Args:
        model: a transformers model.
        members: the features of everything that is trained on these embeddings, or measured meanwhile.
        pad: the padding token.

    Returns:
        The features of each member, renumbered.
    """
    embedding = model.get_input_embeddings()
    if pad > 1000 or model.get_output_embeddings() is not None:
        return None
    columns = [Features.of(features) for features in members]
    used = np.zeros(embedding.num_embeddings, dtype=np.bool_)
    used[: pad + 1] = True
    for features in columns:
        used[features.texts.values] = True
    kept = np.flatnonzero(used)
    place = np.full(embedding.num_embeddings, -1, dtype=np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    small = nn.Embedding(len(kept), embedding.embedding_dim, padding_idx=embedding.padding_idx)
    small.weight.data = embedding.weight.data[kept].clone()
    small.weight.requires_grad_(embedding.weight.requires_grad)
    model.set_input_embeddings(small)
    return Trimmed([features.renumbered(place) for features in columns], kept.tolist())
