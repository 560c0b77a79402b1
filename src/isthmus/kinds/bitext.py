"""Sentence retrieval between two languages (`bitext`): for each sentence of one side, its nearest on the other.

Measured as Tatoeba is in XTREME: mean-pooled vectors, cosine similarity; the English sentences are the queries, the
foreign ones are the index. Learned, where there are pairs to learn from, with a symmetric contrastive loss over the
batch (InfoNCE).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from isthmus.evaluate.retrieval.margins import Scoring, best_matches
from isthmus.evaluate.retrieval.search import nearest
from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer
from isthmus.kinds.features import Features
from isthmus.kinds.pieces import features_of_sides, inputs_for
from isthmus.kinds.vectors import embed, embed_all, pooling_of
from isthmus.study.spec import Retrieval


class Bitext:
    """Two texts a row, embedded by the bare encoder."""

    auto_class = "AutoModel"
    independent = False  # the index is the language's
    splittable = False  # the other examples of the batch are the negatives

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits) -> Features:
        """One feature a row: its source and its target."""
        sides = [inputs_for([table.column(name)], tokenizer, limits.max_length).texts for name in ("source", "target")]
        return features_of_sides(sides)

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
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: Batcher,
        search: Search,
    ) -> list[Prediction]:
        """For the English text of each row, the id of the row whose foreign text is nearest, and the similarity.

        The other way round where the options say so; a margin decides, and is the confidence, where there is one.
        """
        options = search.options.of("bitext")
        assert options.layer != "all", "a sweep asks for every layer"
        ids = table.column("id").to_pylist()
        return _predictions(_sides(model, features, batcher, options), options, ids)

    def predict_layers(
        self, model: nn.Module, features: Sequence[Feature], table: pa.Table, batcher: Batcher, search: Search
    ) -> list[list[Prediction]]:
        """As `predict` by each hidden layer, from the embeddings on; every text is encoded once."""
        options = search.options.of("bitext")
        ids = table.column("id").to_pylist()
        source, target = _sides(model, features, batcher, options)
        layers = zip(source.unbind(1), target.unbind(1), strict=True)
        return [_predictions(_Sides(*pair), options, ids) for pair in layers]

    def golds(self, table: pa.Table) -> list[Any]:
        """The ids of the rows themselves."""
        return list(table.column("id").to_pylist())


class _Sides(NamedTuple):
    """The vectors of the foreign texts and of the English ones: (rows, width) each, or (rows, layers, width)."""

    source: Tensor
    target: Tensor


def _sides(model: nn.Module, features: Sequence[Feature], batcher: Batcher, options: Retrieval) -> _Sides:
    pooling = pooling_of(model, options)
    texts = [feature.texts[side] for side in (0, 1) for feature in features]
    vectors = embed_all(model, texts, batcher, pooling)
    return _Sides(vectors[: len(features)], vectors[len(features) :])


def _predictions(sides: _Sides, options: Retrieval, ids: Sequence[str]) -> list[Prediction]:
    """What each query finds, by the options (with nothing left out)."""
    if not ids:
        return []
    backward = options.direction == "backward"
    assert options.similarity is not None and options.margin is not None
    if options.margin == "none":
        queries, index = reversed(sides) if backward else sides
        found = nearest(queries, index, 1, options.similarity)
        rows, scores = found.indices[:, 0].tolist(), found.similarities[:, 0].tolist()
    else:
        matches = best_matches(*sides, Scoring(options.similarity, options.margin, options.neighbours))
        side = matches.backward if backward else matches.forward
        rows, scores = side.rows.tolist(), side.scores.tolist()
    return [Prediction(ids[row], score) for row, score in zip(rows, scores, strict=True)]


BITEXT: Method = Bitext()
