"""Bitext mining (`mining`): which sentences of a foreign text have a translation in an English one, and which it is.

Measured as BUCC 2018 is in XTREME: mean-pooled vectors, the ratio margin over 4 neighbours, the best matches of either
side one to one, and a threshold chosen on the dev pairs of the same language.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from torch import Tensor, nn

from isthmus.errors import DataError
from isthmus.evaluate.retrieval.margins import Pairs, Scoring
from isthmus.evaluate.retrieval.mining import best_threshold, mine
from isthmus.kinds.core import Batcher, Feature, Limits, Method, Prediction, Search, Tokenizer
from isthmus.kinds.features import Features, Ragged
from isthmus.kinds.pieces import features_of_sides, inputs_for
from isthmus.kinds.vectors import Pooling, embed_all, pooling_of
from isthmus.study.spec import Retrieval


class Mining:
    """Foreign sentences, embedded by the bare encoder. It has no loss: there is nothing to train on."""

    auto_class = "AutoModel"
    independent = False
    splittable = False

    def encode(self, table: pa.Table, tokenizer: Tokenizer, labels: Sequence[str] | None, limits: Limits) -> Features:
        """One feature a row."""
        return features_of_sides([_encoded(table, tokenizer, limits)])

    def weight(self, features: Sequence[Feature]) -> float:
        """The number of sentences."""
        return float(len(features))

    def loss(self, model: nn.Module, features: Sequence[Feature], pad: int, temperature: float) -> Tensor:
        """There is none. Raises DataError."""
        raise DataError("A mining task has nothing to train on: train on a bitext task, and measure on this one.")

    def predict(
        self,
        model: nn.Module,
        features: Sequence[Feature],
        table: pa.Table,
        labels: Sequence[str],
        batcher: Batcher,
        search: Search,
    ) -> list[Prediction]:
        """For each sentence the id of its translation, or "" where it has none, and the margin of its best pair.

        The margin is no probability: a ratio is near 1, and 0 stands for a sentence that is in no pair. Where several
        targets have the same sentence as their best (direction ``backward``), it gets the one with the best score.

        Raises:
            DataError: the language has no candidates, or no dev pairs to choose the threshold on.
        """
        options = search.options.of("mining")
        pooling = pooling_of(model, options)
        candidates = search.candidates.get(search.language)
        if candidates is None or search.dev is None or search.dev_candidates is None:
            raise DataError(
                f"{search.language}: mining needs the split candidates, and dev and dev_candidates for a threshold."
            )
        threshold = _threshold(model, search, batcher, pooling)
        vectors = embed_all(model, [feature.texts[0] for feature in features], batcher, pooling)
        pairs = _mined(table, vectors, candidates, _embedded(model, candidates, batcher, search, pooling), options)
        return _predictions(pairs, threshold, len(table), candidates.column("id").to_pylist())

    def golds(self, table: pa.Table) -> list[Any]:
        """The ids of each sentence's translations; mostly none."""
        return list(table.column("targets").to_pylist())


def scoring_of(options: Retrieval) -> Scoring:
    """The options on pairs, of options with nothing left out."""
    assert options.similarity is not None and options.margin is not None and options.direction is not None
    return Scoring(
        options.similarity, options.margin, options.neighbours, options.direction, options.shift, options.official
    )


def _encoded(table: pa.Table, tokenizer: Tokenizer, limits: Limits) -> Ragged:
    return inputs_for([table.column("text")], tokenizer, limits.max_length).texts


def _embedded(model: nn.Module, table: pa.Table, batcher: Batcher, search: Search, pooling: Pooling) -> Tensor:
    return embed_all(model, _encoded(table, search.tokenizer, search.limits).rows(), batcher, pooling)


def _mined(sources: pa.Table, x: Tensor, targets: pa.Table, y: Tensor, options: Retrieval) -> Pairs:
    texts = (table.column("text").to_pylist() for table in (sources, targets))
    source_texts, target_texts = texts
    return mine(source_texts, x, target_texts, y, scoring_of(options))


def _threshold(model: nn.Module, search: Search, batcher: Batcher, pooling: Pooling) -> float:
    """The score from which on pairs count, chosen on the dev pairs."""
    dev, candidates = search.dev, search.dev_candidates
    assert dev is not None and candidates is not None
    x, y = (_embedded(model, table, batcher, search, pooling) for table in (dev, candidates))
    pairs = _mined(dev, x, candidates, y, search.options.of("mining"))
    ids = candidates.column("id").to_pylist()
    golds = [set(targets or ()) for targets in dev.column("targets").to_pylist()]
    found = zip(pairs.sources.tolist(), pairs.targets.tolist(), strict=True)
    correct = [ids[target] in golds[source] for source, target in found]
    return best_threshold(pairs.scores.tolist(), correct, sum(map(len, golds)))


def _predictions(pairs: Pairs, threshold: float, rows: int, ids: Sequence[str]) -> list[Prediction]:
    """The best pair of each row that has one, by the id of its target where the threshold lets it count."""
    found = [Prediction("", 0.0)] * rows
    best: dict[int, float] = {}
    for source, target, score in zip(*(part.tolist() for part in pairs), strict=True):
        if score > best.get(source, -float("inf")):
            best[source] = score
            found[source] = Prediction(ids[target] if score >= threshold else "", score)
    return found


MINING: Method = Mining()
