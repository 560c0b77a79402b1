"""Student's t distribution with any number of degrees of freedom, not only whole ones."""

from functools import lru_cache
from math import exp, fabs, isinf, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist

_NORMAL = NormalDist()


def two_sided_p(t: float, df: float) -> float:
    """P(|T| >= |t|) for ``df`` > 0 degrees of freedom; an infinite ``df`` is the normal distribution."""
    if isinf(t):
        return 0.0
    if isinf(df):
        return 2 * _NORMAL.cdf(-fabs(t))
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t))


@lru_cache(maxsize=4096)
def critical(level: float, df: float) -> float:
    """The t that |T| exceeds with probability ``1 - level``.

    Newton's method from the normal quantile, which lies below: the tail is convex there, so every step stays below.
    """
    alpha = 1 - level
    t = _NORMAL.inv_cdf(1 - alpha / 2)
    if isinf(df):
        return t
    for _ in range(200):
        step = (two_sided_p(t, df) - alpha) / (2 * _density(t, df))
        t += step
        if fabs(step) < 1e-12 * t:
            break
    return t


def _density(t: float, df: float) -> float:
    return exp(lgamma((df + 1) / 2) - lgamma(df / 2) - (df + 1) / 2 * log1p(t * t / df)) / sqrt(pi * df)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Abramowitz and Stegun 26.5.8)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= c * d
        if fabs(c * d - 1) < 1e-15:
            break
    return front * value
