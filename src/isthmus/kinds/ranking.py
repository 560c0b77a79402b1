"""Ranking a pool of candidates for each query (`ranking`): LAReQA's answers, Mewsli-X's entities.

A dual encoder as XTREME-R has it: one encoder for both sides, the vector of the first token, scaled to length 1.
Learned with the other candidates of the batch as negatives; what similarities are multiplied by is learned, too, from
100 on. Candidates of all languages are one pool. A candidate is a text and what it stands in, as one input.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.errors import DataError
from isthmus.evaluate.retrieval.search import nearest
from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer
from isthmus.kinds.pairs import template_of
from isthmus.kinds.vectors import Pooling, depth_of, embed, embed_all, pooling_of
from isthmus.model.folder import DUAL_ENCODER

#: Ids in a prediction; benchmarks look at the first 20.
TOP = 100
#: The name of a pool's vectors among what is known.
_POOL = "pool"
#: Candidates that are tokenised at once: a pool may have hundreds of thousands.
_SLICE = 20_000


class Ranking:
    """A query a row, and one of its candidates to learn from."""

    auto_class = DUAL_ENCODER
    independent = False
    splittable = False  # the other examples of the batch are the negatives

    def encode(
        self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits
    ) -> list[Feature]:
        """One feature a row: its query, and, to learn from, its right candidate."""
        queries = _encoded(table.column("text").to_pylist(), None, tokenizer, limits)
        if labels is None:
            return [Feature(row, (query,)) for row, query in enumerate(queries)]
        texts, contexts = (table.column(name).to_pylist() for name in ("target", "target_context"))
        right = _encoded(texts, contexts, tokenizer, limits)
        return [Feature(row, pair) for row, pair in enumerate(zip(queries, right, strict=True))]

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of queries."""
        return float(len(features))

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """Cross-entropy of finding each query's candidate among the batch's; the learned scale takes the place of a
        temperature."""
        encoder: Any = getattr(model, "module", model)
        pooling = Pooling(depth_of(encoder), "cls")
        queries, candidates = (
            functional.normalize(
                embed(model, [feature.texts[side] for feature in features], pad, pooling).float(), dim=-1
            )
            for side in (0, 1)
        )
        logits = queries @ candidates.T * encoder.logit_scale
        return functional.cross_entropy(logits, torch.arange(len(features), device=logits.device))

    def predict(
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: Batcher,
        search: Search,
    ) -> list[Prediction]:
        """For each query the ids of the `TOP` most similar candidates, the best first, and the best similarity.

        Raises:
            DataError: there are no candidates.
        """
        options = search.options.of("ranking")
        assert options.similarity is not None
        if not any(len(candidates) for candidates in search.candidates.values()):
            raise DataError(f"{search.language}: a ranking task needs the split candidates.")
        if not features:
            return []
        pooling = pooling_of(model, options)
        if _POOL not in batcher.known:
            batcher.known[_POOL] = _pool(model, search, batcher, pooling)
        queries = embed_all(model, [feature.texts[0] for feature in features], batcher, pooling)
        found = nearest(queries, batcher.known[_POOL], TOP, options.similarity)
        ids = [name for candidates in search.candidates.values() for name in candidates.column("id").to_pylist()]
        rows = zip(found.indices.tolist(), found.similarities[:, 0].tolist(), strict=True)
        return [Prediction([ids[candidate] for candidate in best], similarity) for best, similarity in rows]

    def golds(self, table: pa.Table) -> list[Any]:
        """The ids of all right candidates of each query."""
        return list(table.column("targets").to_pylist())


def _pool(model: nn.Module, search: Search, batcher: Batcher, pooling: Pooling) -> Tensor:
    """The vectors of all candidates, in the order of the tables."""
    parts = []
    for table in search.candidates.values():
        for start in range(0, len(table), _SLICE):
            some = table.slice(start, _SLICE)
            texts, contexts = (some.column(name).to_pylist() for name in ("text", "context"))
            ids = _encoded(texts, contexts, search.tokenizer, search.limits)
            parts.append(embed_all(model, ids, batcher._replace(known={}), pooling))
    return torch.cat(parts)


def _encoded(
    texts: Sequence[str], contexts: Sequence[str] | None, tokenizer: Tokenizer, limits: Limits
) -> list[list[int]]:
    """Token ids of texts, each with as much of its context, where it has one, as there is room for."""
    if not any(contexts or ()):
        return _ids(texts, tokenizer, limits.max_length)
    assert contexts is not None
    template = template_of(tokenizer)
    room = limits.max_length - template.size
    around = dict.fromkeys(contexts)  # that of all sentences of a paragraph is the same
    pieces = dict(zip(around, _ids(list(around), tokenizer, room, special=False), strict=True))
    encoded = []
    for text, context in zip(_ids(texts, tokenizer, room, special=False), contexts, strict=True):
        encoded.append(template.join(text, pieces[context][: room - len(text)]).ids)
    alone = [row for row, context in enumerate(contexts) if not context]
    for row, ids in zip(alone, _ids([texts[row] for row in alone], tokenizer, limits.max_length), strict=True):
        encoded[row] = ids
    return encoded


def _ids(texts: Sequence[str], tokenizer: Tokenizer, length: int, special: bool = True) -> list[list[int]]:
    """Token ids of texts, at most so many."""
    if not texts:
        return []
    settings = {"truncation": True, "max_length": length, "return_attention_mask": False}
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=special, **settings)["input_ids"]
    return ids


RANKING: Method = Ranking()
