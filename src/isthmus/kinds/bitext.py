"""Sentence retrieval between two languages (`bitext`): mean-pooled vectors, cosine similarity, nearest neighbour.

Measured as Tatoeba is in XTREME: the English sentences are the queries, the foreign ones are the index. Learned, where
there are pairs to learn from, with a symmetric contrastive loss over the batch (InfoNCE).
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.evaluate.retrieval import nearest_rows
from isthmus.kinds.core import Batcher, Feature, Method, Prediction, Tokenizer, device_of, pad_texts


class Bitext:
    """Two texts a row, embedded by the bare encoder."""

    auto_class = "AutoModel"
    independent = False  # the index is the language's
    splittable = False  # the other examples of the batch are the negatives

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str], max_length: int) -> list[Feature]:
        """One feature a row: its source and its target."""
        source, target = (
            tokenizer(table.column(name).to_pylist(), truncation=True, max_length=max_length)["input_ids"]
            for name in ("source", "target")
        )
        return [Feature(row, pair) for row, pair in enumerate(zip(source, target, strict=True))]

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of pairs."""
        return float(len(features))

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """Cross-entropy of finding each text's counterpart among the batch's, averaged over both directions."""
        texts = [feature.texts[side] for side in (0, 1) for feature in features]
        vectors = functional.normalize(embed(model, texts, pad).float(), dim=-1)
        source, target = vectors.chunk(2)
        logits = source @ target.T / temperature
        wanted = torch.arange(len(features), device=logits.device)
        return (functional.cross_entropy(logits, wanted) + functional.cross_entropy(logits.T, wanted)) / 2

    def predict(
        self, model: nn.Module, features: Sequence[Feature], table: pa.Table, labels: Sequence[str], batcher: Batcher
    ) -> list[Prediction]:
        """For the English text of each row, the id of the row whose foreign text is nearest, and their cosine."""
        source = embed_all(model, [feature.texts[0] for feature in features], batcher)
        target = embed_all(model, [feature.texts[1] for feature in features], batcher)
        found = nearest_rows(functional.normalize(target, dim=-1), functional.normalize(source, dim=-1))
        ids = table.column("id").to_pylist()
        pairs = zip(found.indices.tolist(), found.similarities.tolist(), strict=True)
        return [Prediction(ids[row], similarity) for row, similarity in pairs]

    def golds(self, table: pa.Table) -> list[Any]:
        """The ids of the rows themselves."""
        return list(table.column("id").to_pylist())


def embed(model: nn.Module, texts: Sequence[Sequence[int]], pad: int) -> Tensor:
    """The mean of the last layer's states over all tokens, special ones included: (texts, width)."""
    encoded = pad_texts(texts, pad, device_of(model))
    states: Tensor = model(**encoded._asdict()).last_hidden_state
    mask = encoded.attention_mask.unsqueeze(-1).to(states.dtype)
    return (states * mask).sum(1) / mask.sum(1)


def embed_all(model: nn.Module, texts: Sequence[list[int]], batcher: Batcher) -> Tensor:
    """As `embed`, for any number of texts; each distinct text is encoded once. Float32, on the CPU."""
    new = list(dict.fromkeys(tuple(text) for text in texts if tuple(text) not in batcher.known))
    for positions in batcher.batches([len(text) for text in new]):
        batch = [new[position] for position in positions]
        for text, vector in zip(batch, embed(model, batch, batcher.pad), strict=True):
            batcher.known[text] = vector.float().cpu()
    return torch.stack([batcher.known[tuple(text)] for text in texts])


BITEXT: Method = Bitext()
