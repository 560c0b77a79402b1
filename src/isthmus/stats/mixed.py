"""A linear mixed model with crossed random effects and known sampling variances, by restricted maximum likelihood.

y = X b + sum over factors k of Z_k u_k + e, with u_k ~ N(0, v_k I) and e_i ~ N(0, v + s_i): s_i is what is known of the
variance of y_i (zero for an ordinary mixed model, and a meta-analysis of crossed factors otherwise). The likelihood is
maximised by average information (Gilmour, Thompson and Cullis 1995), in the space of the random effects, which are far
fewer than the observations; where that goes too far, since y varies less than its sampling variances say, by the
expected information, and by EM steps at last. Degrees of freedom are Satterthwaite's (1946), as Giesbrecht and Burns
(1985) have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.stats.resampling import Floats, Ints
from isthmus.stats.student import critical, two_sided_p

_STEPS = 100
#: A variance below this share of that of y is none.
_NOTHING = 1e-7


class Estimate(NamedTuple):
    """A contrast of coefficients, its 95% interval and its p."""

    value: float
    low: float
    high: float
    p: float
    df: float
    error: float


@dataclass(frozen=True)
class Fit:
    """What was estimated.

    Attributes:
        coefficients: (p,). covariance: (p, p) of them.
        variances: v_k of each factor, then v, by name; ``rest`` is that of v.
        slopes: (K + 1, p, p), how the covariance changes with each variance. information: (K + 1, K + 1), that expected
            on these, zero for a variance that is none.
        likelihood: the restricted log-likelihood, without its constant.
    """

    coefficients: Floats
    covariance: Floats
    variances: Mapping[str, float]
    slopes: Floats
    information: Floats
    likelihood: float

    def estimate(self, contrast: Floats, most: float = inf) -> Estimate:
        """Of the sum of coefficients times ``contrast`` (p,), with ``most`` degrees of freedom at the most.

        Where variances are estimated as none, Satterthwaite's method takes that as known, which a few levels cannot
        show: then ``most`` decides.
        """
        value, variance = float(contrast @ self.coefficients), float(contrast @ self.covariance @ contrast)
        slope = np.einsum("p,kpq,q->k", contrast, self.slopes, contrast)
        free = np.diag(self.information) > 0
        spread = 0.0
        if free.any():
            spread = float(slope[free] @ np.linalg.pinv(self.information[np.ix_(free, free)]) @ slope[free])
        df = min(most, max(1.0, 2 * variance**2 / spread) if spread > 0 else inf)
        error = sqrt(variance)
        half = critical(0.95, df) * error
        return Estimate(value, value - half, value + half, two_sided_p(value / error, df), df, error)


def fit(y: Floats, x: Floats, factors: Mapping[str, Ints], sampling: Floats | None = None) -> Fit:
    """The estimates for n observations.

    ``x``: (n, p) of full rank. ``factors``: the levels (n,), numbered from 0, of each. ``sampling``: (n,) variances.
    """
    model = _Model(y, x, factors, np.zeros(len(y)) if sampling is None else sampling)
    scale = float(np.var(y - x @ np.linalg.lstsq(x, y, rcond=None)[0])) or 1.0
    least = _NOTHING * scale
    variances = np.full(len(factors) + 1, scale / (len(factors) + 1))
    at = model.at(variances)
    for _ in range(_STEPS):
        free = (variances > 1.01 * least) | (at.score > 0)
        better = (
            model.better(at, _scored(at.information, at.score, free), variances, least)
            or model.better(at, _scored(model.expected(variances), at.score, free), variances, least)
            or model.better(at, 2 * variances**2 * at.score / model.levels, variances, least)
        )
        if better is None:
            break
        gained, (variances, at) = better[1].likelihood - at.likelihood, better
        if gained < 1e-8:
            break
    none = variances <= 1.01 * least
    information = np.where(none[:, None] | none, 0.0, model.expected(variances))
    named = dict(zip([*factors, "rest"], np.where(none, 0.0, variances).tolist(), strict=True))
    return Fit(at.coefficients, at.covariance, named, at.slopes, information, at.likelihood)


def _scored(information: Floats, score: Floats, free: NDArray[np.bool_]) -> Floats:
    """The step that the information on the variances suggests; none for those that are held at the least one."""
    step = np.zeros_like(score)
    mine = information[np.ix_(free, free)]
    step[free] = np.linalg.lstsq(mine + 1e-9 * np.diag(np.diag(mine)), score[free], rcond=None)[0]
    return step


class _At(NamedTuple):
    """The likelihood and its derivatives at some variances."""

    likelihood: float
    score: Floats
    information: Floats
    coefficients: Floats
    covariance: Floats
    slopes: Floats


class _Model:
    def __init__(self, y: Floats, x: Floats, factors: Mapping[str, Ints], sampling: Floats) -> None:
        self.y, self.x, self.sampling = y, x, sampling
        self.sizes = [int(levels.max()) + 1 for levels in factors.values()]
        starts = np.concatenate([[0], np.cumsum(self.sizes)]).astype(int)
        self.blocks = [slice(*ends) for ends in pairwise(starts)]
        #: (n, K): the random effects that are in each observation
        self.places = np.stack([at + start for at, start in zip(factors.values(), starts, strict=False)], axis=1)
        self.effects = int(starts[-1])
        self.levels = np.array([*self.sizes, len(y)], dtype=np.float64)

    def at(self, variances: Floats) -> _At:
        """Everything at the variances of the factors and, last, of the rest."""
        weights = 1 / (variances[-1] + self.sampling)
        root = np.repeat(np.sqrt(variances[:-1]), self.sizes)
        inner = np.eye(self.effects) + root[:, None] * self._products(weights) * root
        lower = np.linalg.cholesky(inner)
        inverse = np.linalg.inv(inner)

        def solve(columns: Floats) -> Floats:
            """The inverse of the covariance of y times ``columns`` (n, c)."""
            weighted = weights[:, None] * columns
            effects = root[:, None] * (inverse @ (root[:, None] * self._sums(weighted)))
            return np.asarray(weighted - weights[:, None] * self._spread(effects))

        seen = solve(self.x)
        precision = self.x.T @ seen
        covariance = np.linalg.inv(precision)
        coefficients = covariance @ (seen.T @ self.y)
        rest = (self.y - self.x @ coefficients)[:, None]
        projected = solve(rest)[:, 0]
        determinants = 2 * np.log(np.diag(lower)).sum() - np.log(weights).sum() + np.linalg.slogdet(precision)[1]
        likelihood = -0.5 * (determinants + float(rest[:, 0] @ projected))
        seen_effects, of_effects = self._sums(seen), self._sums(projected[:, None])
        traces, squares, slopes, changes = [], [], [], []
        for block, variance, place in zip(self.blocks, variances, self.places.T, strict=False):
            size = block.stop - block.start
            traces.append((size - np.trace(inverse[block, block])) / variance)
            squares.append(float((of_effects[block] ** 2).sum()))
            slopes.append(seen_effects[block].T @ seen_effects[block])
            changes.append(of_effects[place, 0])
        gathered = sum(
            inverse[left, right] * root[left] * root[right] for left in self.places.T for right in self.places.T
        )
        traces.append(float((weights - weights**2 * gathered).sum()))
        squares.append(float((projected**2).sum()))
        slopes.append(seen.T @ seen)
        changes.append(projected)
        of_variances = np.stack([covariance @ slope @ covariance for slope in slopes])
        score = 0.5 * (np.array(squares) - np.array(traces) + [np.trace(slope @ covariance) for slope in slopes])
        moved = np.stack(changes, axis=1)
        solved = solve(moved)
        solved -= seen @ (covariance @ (seen.T @ moved))
        return _At(likelihood, score, 0.5 * moved.T @ solved, coefficients, np.asarray(covariance), of_variances)

    def better(self, at: _At, step: Floats, variances: Floats, least: float) -> tuple[Floats, _At] | None:
        """The step, or as much of it as raises the likelihood; None if nothing of it does."""
        for size in (1, 0.5, 0.25, 0.1, 0.01):
            tried = np.maximum(variances + size * step, least)
            found = self.at(tried)
            if found.likelihood > at.likelihood:
                return tried, found
        return None

    def expected(self, variances: Floats) -> Floats:
        """The information that is expected on the variances: half the traces of P Z_j Z_j' P Z_k Z_k'."""
        weights = 1 / (variances[-1] + self.sampling)
        root = np.repeat(np.sqrt(variances[:-1]), self.sizes)
        products = self._products(weights)
        lower = np.linalg.cholesky(np.eye(self.effects) + root[:, None] * products * root)
        # The inverse of the covariance of y is W - half half'; P is that less seen covariance seen'.
        half = weights[:, None] * self._spread(np.linalg.inv(lower).T * root[:, None])
        seen = weights[:, None] * self.x - half @ (half.T @ self.x)
        half = np.column_stack([half, seen @ np.linalg.cholesky(np.linalg.inv(self.x.T @ seen))])
        of_effects, weighted, within = self._sums(half), self._sums(weights[:, None] * half), half.T @ half
        between = products - of_effects @ of_effects.T
        found = np.zeros((len(variances), len(variances)))
        for row, left in enumerate(self.blocks):
            for column, right in enumerate(self.blocks):
                found[row, column] = (between[left, right] ** 2).sum()
            mine = of_effects[left]
            crossed = (mine @ within * mine).sum() - 2 * (weighted[left] * mine).sum()
            found[row, -1] = found[-1, row] = (weights**2).sum() + crossed
        found[-1, -1] = (weights**2).sum() - 2 * (weights[:, None] * half**2).sum() + (within**2).sum()
        return found / 2

    def _products(self, weights: Floats) -> Floats:
        """Z' W Z: (q, q)."""
        flat = (self.places[:, :, None] * self.effects + self.places[:, None, :]).ravel()
        every = np.repeat(weights, self.places.shape[1] ** 2)
        found = np.bincount(flat, every, self.effects**2).reshape(self.effects, self.effects)
        return np.asarray(found, dtype=np.float64)

    def _sums(self, columns: Floats) -> Floats:
        """Z' times columns (n, c): (q, c)."""
        return np.stack(
            [
                sum(np.bincount(place, column, self.effects) for place in self.places.T)
                for column in np.ascontiguousarray(columns.T)
            ],
            axis=1,
        )

    def _spread(self, effects: Floats) -> Floats:
        """Z times effects (q, c): (n, c)."""
        return np.asarray(effects[self.places].sum(axis=1))
