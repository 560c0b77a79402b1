"""Metrics by name. Scores run from 0 to 100, as XTREME reports them."""

from isthmus.errors import SpecError, nearest
from isthmus.evaluate.metrics.accuracy import ACCURACY
from isthmus.evaluate.metrics.core import Metric
from isthmus.evaluate.metrics.spans import SPAN_F1

METRICS: dict[str, Metric] = {metric.name: metric for metric in (ACCURACY, SPAN_F1)}


def metric(name: str) -> Metric:
    """The metric called ``name``. Raises SpecError naming the nearest ones."""
    if name not in METRICS:
        raise SpecError(f"No metric is called {name!r}: {nearest(name, METRICS)}")
    return METRICS[name]
