"""Measuring on dev rows while training: what early stopping and the best checkpoint go by."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from isthmus.data.subset import in_order
from isthmus.errors import DataError
from isthmus.evaluate.metrics import metric
from isthmus.evaluate.metrics.core import Floats, Metric
from isthmus.evaluate.score import collapse
from isthmus.kinds.core import TOKEN_BUDGET, Batcher, Feature, Limits, Method, Search, Tokenizer, device_of, golds_of
from isthmus.results import DevPoint, Statistics
from isthmus.stats.scores import Interval, score_intervals
from isthmus.study.spec import Retrieval


@dataclass(frozen=True)
class Dev:
    """The dev rows of one member.

    Attributes:
        number: of the member.
        name: of the member.
        tables: rows by language.
        features: of each table, without targets.
        labels: of the head.
        limits: how long inputs may be.
        no_answer: may a question have no answer?
    """

    number: int
    name: str
    method: Method
    metric: str
    tables: Mapping[str, pa.Table]
    features: dict[str, Sequence[Feature]]
    labels: Sequence[str]
    limits: Limits
    no_answer: bool

    @torch.inference_mode()
    def measure(self, model: Any, step: int, tokenizer: Tokenizer, precision: str) -> list[DevPoint]:
        """The score in each language after ``step`` steps; the model is left in training mode."""
        device, measure = device_of(model), metric(self.metric)
        model.eval()
        points = []
        for language, table in self.tables.items():
            batcher = Batcher(tokenizer.pad_token_id, TOKEN_BUDGET[device.type], {})
            search = Search(language, Retrieval(), tokenizer, self.limits, no_answer=self.no_answer)
            kept = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
            with torch.autocast(device.type, kept, enabled=kept is not None):
                found = self.method.predict(model, self.features[language], table, self.labels, batcher, search)
            golds = golds_of(self.method, table, found)
            predicted = [prediction.value for prediction in found]
            values = measure.statistics(golds, predicted, language)
            place = (step, self.name, language, measure.name)
            collapsed = collapse(measure, golds, predicted)
            points.append(DevPoint(*place, *_with_interval(measure, table, values), collapsed))
        model.train()
        return points


def _with_interval(measure: Metric, table: pa.Table, values: Floats) -> Interval:
    """The score of these per-example statistics (n, k), and its interval over the rows of ``table``."""
    score = float(measure.reduce(values.sum(axis=0)))
    if not (len(table) and isfinite(score) and np.isfinite(values).all()):
        return Interval(score, None, None)
    ids, groups = (tuple(table.column(name).to_pylist()) for name in ("id", "group"))
    _, found = score_intervals({"": Statistics(ids, groups, values)}, measure.reduce)
    return found._replace(value=score)


def held_out(table: pa.Table, size: int) -> tuple[pa.Table, pa.Table]:
    """The table without about ``size`` rows, and these: whole groups, so that no dev row shares its source with others.

    At most a fifth of the rows is held out, but for the first group. Which groups depends on their names alone.

    Raises:
        DataError: there is one group only.
    """
    groups = table.column("group").to_pylist()
    counts, chosen, taken = Counter(groups), set(), 0
    if len(counts) < 2:
        raise DataError(
            "All training rows share one group, so that none can be held out for dev: leave evaluate_every out."
        )
    for group in in_order(list(counts), "dev"):
        if taken and taken + counts[group] > min(size, len(groups) // 5):
            break
        chosen.add(group)
        taken += counts[group]
    inside = pa.array([group in chosen for group in groups])
    return table.filter(pc.invert(inside)), table.filter(inside)
