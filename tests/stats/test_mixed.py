"""The mixed model: figures of another implementation, closed forms, and intervals that hold the truth."""

import numpy as np
import pytest

from isthmus.stats.mixed import fit


def crossed(seed: int, low: float = 0.7) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Eight targets and ten languages, two observations each; every other language is of the class."""
    generator = np.random.default_rng(seed)
    targets, languages = generator.normal(0, 1.5, 8), generator.normal(0, 0.8, 10)
    i, j = (codes.ravel() for codes in np.mgrid[:8, :10, :2][:2])
    y = 1 + low * (j % 2) + targets[i] + languages[j]
    for row in range(len(y)):  # one by one, as the published figures were made
        y[row] += generator.normal(0, 1)
    return y, np.column_stack([np.ones(len(y)), j % 2]), {"target": i, "language": j}


def test_it_gives_the_figures_of_statsmodels() -> None:
    """`smf.mixedlm("y ~ x", d, groups="one", vc_formula={"i": "0+C(i)", "j": "0+C(j)"}).fit(reml=True)`, 0.15.0."""
    y, x, factors = crossed(11)
    found = fit(y, x, factors)
    np.testing.assert_allclose(found.coefficients, [1.91868818, -0.14350791], atol=1e-7)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), [0.5105334, 0.45564233], rtol=1e-5)
    variances = [found.variances[name] for name in ("target", "language", "rest")]
    np.testing.assert_allclose(variances, [1.254715, 0.466193, 0.845306], rtol=1e-5)
    assert found.likelihood - 158 / 2 * np.log(2 * np.pi) == pytest.approx(-236.42063752, abs=1e-6)


def test_a_class_of_languages_is_known_with_as_many_degrees_of_freedom_as_there_are_languages() -> None:
    """Balanced data: the contrast is that of ten means of languages in two classes, an ordinary t test of 8 df."""
    y, x, factors = crossed(11)
    found = fit(y, x, factors).estimate(np.array([0.0, 1.0]))
    means = np.array([y[factors["language"] == language].mean() for language in range(10)])
    low, high = means[1::2], means[::2]
    pooled = np.sqrt((low.var(ddof=1) + high.var(ddof=1)) / 5)
    assert found.df == pytest.approx(8, abs=1e-6)
    assert (found.value, found.error) == pytest.approx((low.mean() - high.mean(), pooled), rel=1e-5)


def test_known_variances_weigh_as_in_a_meta_analysis() -> None:
    """Three studies and no heterogeneity: the mean weighted by the inverse of the variances."""
    sampling = np.repeat([1.0, 4.0, 0.25], 2)
    y = np.array([1.0, 1.1, 1.4, 0.8, 1.05, 1.0])
    found = fit(y, np.ones((6, 1)), {"study": np.repeat([0, 1, 2], 2)}, sampling)
    assert found.variances == {"study": 0, "rest": 0}
    assert found.coefficients[0] == pytest.approx((y / sampling).sum() / (1 / sampling).sum(), rel=1e-5)
    assert found.covariance[0, 0] == pytest.approx(1 / (1 / sampling).sum(), rel=1e-5)


def test_intervals_hold_the_truth_and_variances_are_recovered() -> None:
    held, variances = 0, []
    for study in range(60):
        y, x, factors = crossed(study)
        found = fit(y, x, factors)
        estimate = found.estimate(np.array([0.0, 1.0]))
        held += estimate.low <= 0.7 <= estimate.high
        variances.append([found.variances[name] for name in ("target", "language", "rest")])
    assert held >= 52
    np.testing.assert_allclose(np.mean(variances, axis=0), [1.5**2, 0.8**2, 1], rtol=0.25)
