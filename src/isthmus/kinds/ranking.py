"""Ranking a pool of candidates for each query (`ranking`): LAReQA's answers, Mewsli-X's entities.

A dual encoder as XTREME-R has it: one encoder for both sides, the vector of the first token, scaled to length 1.
Learned with the other candidates of the batch as negatives; what similarities are multiplied by is learned, too, from
100 on. Candidates of all languages are one pool. A candidate is a text and what it stands in, as one input.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.errors import DataError
from isthmus.evaluate.retrieval.search import nearest
from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer
from isthmus.kinds.features import Features, Ragged, joined
from isthmus.kinds.pairs import template_of
from isthmus.kinds.pieces import distinct_pieces, features_of_sides, inputs_for, woven
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

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits) -> Features:
        """One feature a row: its query, and, to learn from, its right candidate."""
        queries = inputs_for([table.column("text")], tokenizer, limits.max_length).texts
        if labels is None:
            return features_of_sides([queries])
        right = _candidates(table.column("target"), table.column("target_context"), tokenizer, limits)
        return features_of_sides([queries, right])

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
            ids = _candidates(some.column("text"), some.column("context"), search.tokenizer, search.limits)
            parts.append(embed_all(model, ids.rows(), batcher._replace(known={}), pooling))
    return torch.cat(parts)


def _candidates(texts: pa.ChunkedArray, contexts: pa.ChunkedArray, tokenizer: Tokenizer, limits: Limits) -> Ragged:
    """Token ids of texts, each with as much of its context, where it has one, as there is room for."""
    alone = inputs_for([texts], tokenizer, limits.max_length).texts
    within = np.flatnonzero(pc.not_equal(contexts, "").to_numpy())
    if not len(within):
        return alone
    template = template_of(tokenizer)
    room = limits.max_length - template.size
    tokens, places = distinct_pieces([texts.take(within), contexts.take(within)], tokenizer)
    text, context = tokens.at(places[0]).shorter(room), tokens.at(places[1])
    pairs = woven((template.before, template.between, template.after), [text, context.shorter(room - text.lengths)])
    order = np.arange(len(texts))
    order[within] = len(texts) + np.arange(len(within))
    return joined([alone, pairs]).take(order)


RANKING: Method = Ranking()
