"""The panel's accuracy: against numerical integration, and recovered from simulated panels of known ability."""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
from numpy.typing import NDArray
from scipy.special import expit

from dermsynth.study.panel import PanelFit, fit_panel

Array = NDArray[np.float64]


def simulated(seed: int, raters: int, images: int, log_odds: float, s: float, t: float) -> Array:
    random = np.random.default_rng(seed)
    odds = log_odds + random.normal(0, s, raters)[:, None] + random.normal(0, t, images)
    return (random.random((raters, images)) < expit(odds)).astype(float)


def marginal(log_odds: float, deviation: float) -> float:
    return float(scipy.integrate.quad(lambda x: expit(log_odds + deviation * x) * scipy.stats.norm.pdf(x), -9, 9)[0])


def test_without_deviations_it_is_plain_logistic_regression() -> None:
    right = simulated(0, 12, 60, 0.6, 0.0, 0.0)
    fit = fit_panel(right, np.ones_like(right))
    assert fit.accuracy == pytest.approx(right.mean(), abs=0.01)
    assert fit.error == pytest.approx(1 / np.sqrt(right.size * right.mean() * (1 - right.mean())), rel=0.2)


def test_one_random_effect_agrees_with_numerical_integration() -> None:
    """Images hardly deviate: then every rater's answers are binomial, and the likelihood is one integral a rater."""
    right = simulated(3, 30, 60, 0.5, 0.8, 0.0)
    fit = fit_panel(right, np.ones_like(right))
    sums = right.sum(axis=1)

    def negative(parameters: Array) -> float:
        b, deviation = parameters[0], np.exp(parameters[1])
        nodes, weights = np.polynomial.hermite_e.hermegauss(41)
        odds = b + deviation * nodes
        table = np.exp(
            sums[:, None] * odds - 60 * np.logaddexp(0, odds) - (sums * b - 60 * np.logaddexp(0, b))[:, None]
        )
        return -float((np.log(table @ weights) + sums * b - 60 * np.logaddexp(0, b)).sum())

    best = scipy.optimize.minimize(negative, [0.3, -0.5], method="Nelder-Mead").x
    assert fit.log_odds == pytest.approx(best[0], abs=0.03)
    assert fit.raters_deviation == pytest.approx(np.exp(best[1]), abs=0.06)
    assert fit.images_deviation < 0.35


@pytest.mark.parametrize(
    ("raters", "images", "log_odds", "s", "t"),
    [(8, 80, 0.4, 0.3, 0.7), (12, 200, 0.0, 0.4, 0.5), (20, 40, 0.9, 0.6, 0.6)],
)
def test_a_simulated_panel_is_recovered(raters: int, images: int, log_odds: float, s: float, t: float) -> None:
    """The 95 % interval holds the true accuracy in 93 to 97 of a hundred of 500 panels."""
    true, inside, values = marginal(log_odds, float(np.hypot(s, t))), [], []
    for seed in range(500):
        right = simulated(seed, raters, images, log_odds, s, t)
        fit = fit_panel(right, np.ones_like(right))
        low, high = fit.interval()
        inside.append(low <= true <= high)
        values.append(fit.accuracy)
    assert np.mean(values) == pytest.approx(true, abs=0.01)
    assert 0.93 <= np.mean(inside) <= 0.97


def test_equivalence_needs_evidence() -> None:
    few = PanelFit(0.0, 0.4, 0.2, 0.3, 5, 20, 100)
    many = PanelFit(0.02, 0.05, 0.2, 0.3, 60, 300, 18_000)
    assert (few.p > 0.9, few.equivalent) == (True, False)  # no difference found is no proof of none
    assert many.equivalent
    assert not PanelFit(0.5, 0.05, 0.2, 0.3, 60, 300, 18_000).equivalent


def test_panels_that_tell_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two of each"):
        fit_panel(np.ones((1, 5)), np.ones((1, 5)))
    with pytest.raises(ValueError, match="all answers are right"):
        fit_panel(np.ones((3, 5)), np.ones((3, 5)))
