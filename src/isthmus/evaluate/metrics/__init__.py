"""Metrics by name. Scores run from 0 to 100, as XTREME reports them."""

from isthmus.errors import SpecError, nearest
from isthmus.evaluate.metrics.accuracy import ACCURACY, TOKEN_ACCURACY
from isthmus.evaluate.metrics.answers import ANSWER_METRICS
from isthmus.evaluate.metrics.core import Metric
from isthmus.evaluate.metrics.mining import MINING_METRICS
from isthmus.evaluate.metrics.rankings import RANKING_METRICS
from isthmus.evaluate.metrics.spans import SPAN_METRICS

_ALL = (ACCURACY, TOKEN_ACCURACY, *SPAN_METRICS, *ANSWER_METRICS, *RANKING_METRICS, *MINING_METRICS)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def metric(name: str) -> Metric:
    """The metric called ``name``. Raises SpecError naming the nearest ones."""
    if name not in METRICS:
        raise SpecError(f"No metric is called {name!r}: {nearest(name, METRICS)}")
    return METRICS[name]
