"""The scores of a study, arranged to be compared: one board for each model, target and metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from isthmus.results import Results, Score
from isthmus.study.spec import NONE


@dataclass(frozen=True)
class Board:
    """The usable scores of one target with one model by its main metric: by language, then intermediate and seed."""

    model: str
    target: str
    metric: str
    training: str | None
    scores: Mapping[str, Mapping[tuple[str, int], Score]]

    @property
    def intermediates(self) -> tuple[str, ...]:
        """Those with any score, ``none`` first, the others as they come."""
        found = dict.fromkeys(name for by_chain in self.scores.values() for name, _ in by_chain)
        return tuple(sorted(found, key=lambda name: name != NONE))

    def seeds(self, intermediate: str) -> tuple[int, ...]:
        """The seeds that have any score."""
        by_chain = self.scores.values()
        return tuple(sorted({seed for chains in by_chain for name, seed in chains if name == intermediate}))

    def mean(self, tag: str, intermediate: str, seeds: Sequence[int]) -> float | None:
        """The mean score over ``seeds``; None unless every one of them is there."""
        found = [self.scores[tag].get((intermediate, seed)) for seed in seeds]
        values = [score.value for score in found if score is not None]
        return float(np.mean(values)) if values and len(values) == len(found) else None

    def tuned(self, tag: str, *intermediates: str) -> bool:
        """Is a score in that language, with one of these intermediates, no longer zero-shot?"""
        found = self.scores[tag].items() if tag != self.training else ()
        return any(score.tuned for (name, _), score in found if name in intermediates)


def usable(score: Score) -> bool:
    """Whether a score can stand in an average: a number, over examples that there are, with finite statistics."""
    values = score.statistics.values
    return isfinite(score.value) and len(values) > 0 and bool(np.isfinite(values).all())


def boards(results: Results) -> tuple[Board, ...]:
    """The scores by model, target and metric, in the order of the study."""
    training = {task.name: task.train_language for task in results.tasks}
    found: dict[tuple[str, str, str], dict[str, dict[tuple[str, int], Score]]] = {}
    for score in filter(usable, results.scores):
        chain = score.chain
        board = found.setdefault((chain.setting, chain.target, score.metric), {})
        board.setdefault(score.language, {})[chain.intermediate, chain.seed] = score
    chains = [*results.chains, *(score.chain for score in results.scores)]
    models = list(dict.fromkeys(chain.setting for chain in chains))
    targets = list(dict.fromkeys(chain.target for chain in chains))
    made = (Board(*key, training.get(key[1]), scores) for key, scores in found.items())
    return tuple(sorted(made, key=lambda board: (models.index(board.model), targets.index(board.target))))
