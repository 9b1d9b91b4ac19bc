"""What a whole panel of raters can do: crossed random effects of raters and images, chance, and equivalence."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special
import scipy.stats
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
LEVEL, MARGIN, CHANCE = 0.95, 0.05, 0.5
STEPS, TOLERANCE = 50, 1e-8
BOUNDS = (np.log(1e-3), np.log(5.0))
"""Logarithms of the deviations on the logit scale between which the raters' and images' are looked for."""
NODES = 31


@dataclass(frozen=True)
class PanelFit:
    """The panel's log-odds of a right answer with its standard error, and how much raters and images deviate from it."""

    log_odds: float
    error: float
    raters_deviation: float
    images_deviation: float
    raters: int
    images: int
    answers: int

    @property
    def accuracy(self) -> float:
        """Share of right answers of another rater to another image."""
        return self._marginal(self.log_odds)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Of the accuracy, with Student's quantile."""
        reach = float(scipy.stats.t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self._marginal(self.log_odds - reach), self._marginal(self.log_odds + reach)

    @property
    def p(self) -> float:
        """Two-sided, of this or more if log-odds were those of tossing."""
        return float(2 * scipy.stats.t.sf(abs(self.log_odds) / self.error, self.freedom))

    @property
    def equivalent(self) -> bool:
        """Whether the 95 % interval of the accuracy lies within 50 +- 5 %: only that means indistinguishable."""
        low, high = self.interval()
        return low >= CHANCE - MARGIN and high <= CHANCE + MARGIN

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error (Satterthwaite 1946): few raters, or images, tell little of their deviation."""
        sides = ((self.raters_deviation, self.raters), (self.images_deviation, self.images))
        own = sum((deviation**2 / n) ** 2 / (n - 1) for deviation, n in sides)
        return float(self.error**4 / own) if own > 0 else float("inf")

    def _marginal(self, log_odds: float) -> float:
        """Mean of the logistic function over raters and images, by Gauss-Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        deviation = np.hypot(self.raters_deviation, self.images_deviation)
        return float(scipy.special.expit(log_odds + deviation * nodes) @ weights / weights.sum())


def fit_panel(right: Array, answers: Array) -> PanelFit:
    """Logistic regression with random effects: logit P(right) = b + u_rater + v_image, u ~ N(0, s^2), v ~ N(0, t^2), crossed.

    `right` and `answers` [raters, images] count right answers and answers; s and t maximise the Laplace approximation of
    the marginal likelihood, from which b is integrated out too (Breslow & Clayton 1993, sections 2.1 and 2.3).

    Raises ValueError for fewer than two raters or images, or where all answers are right, or wrong.
    """
    raters, images = right.shape
    if min(raters, images) < 2:
        raise ValueError(f"raters: {raters}, images: {images}; at least two of each are needed")
    if right.sum() in (0, answers.sum()):
        raise ValueError("all answers are right, or all are wrong: no log-odds")
    start = np.zeros(1 + raters + images)

    def negative_marginal(logarithms: Array) -> float:
        state = _mode(right, answers, np.exp(logarithms), start)
        start[:] = state.effects
        return state.loss + raters * logarithms[0] + images * logarithms[1] + state.log_determinant / 2

    found = scipy.optimize.minimize(
        negative_marginal, np.log([0.3, 0.3]), method="Nelder-Mead", bounds=[BOUNDS, BOUNDS],
        options={"xatol": 0.01, "fatol": 1e-3, "initial_simplex": np.log([[0.3, 0.3], [0.8, 0.3], [0.3, 0.8]])},
    )  # fmt: skip
    deviations = np.exp(found.x)
    state = _mode(right, answers, deviations, start)
    return PanelFit(
        float(state.effects[0]), float(np.sqrt(state.variance)), float(deviations[0]), float(deviations[1]), raters, images,
        int(answers.sum()),
    )  # fmt: skip


@dataclass(frozen=True)
class _State:
    effects: Array
    """b, then the raters', then the images'."""
    loss: float
    log_determinant: float
    variance: float
    """Of b."""


def _mode(right: Array, answers: Array, deviations: Array, start: Array) -> _State:
    """Newton's method for the most likely effects; the images' diagonal block is eliminated first."""
    raters = len(right)
    ridge = 1 / deviations**2
    effects, last = start.copy(), np.inf
    for _ in range(STEPS):
        b, u, v = effects[0], effects[1 : 1 + raters], effects[1 + raters :]
        odds = b + u[:, None] + v
        loss = float(
            (answers * np.logaddexp(0, odds) - right * odds).sum() + ridge[0] * u @ u / 2 + ridge[1] * v @ v / 2
        )
        share = scipy.special.expit(odds)
        weights, slope = answers * share * (1 - share), right - answers * share
        across = np.vstack([weights.sum(axis=0), weights])
        own = weights.sum(axis=0) + ridge[1]
        each = weights.sum(axis=1)
        head = np.diag(np.concatenate([[each.sum()], each + ridge[0]]))
        head[0, 1:] = head[1:, 0] = each
        schur = head - (across / own) @ across.T
        factor = scipy.linalg.cho_factor(schur)
        if abs(last - loss) < TOLERANCE * (1 + abs(loss)):
            break
        last = loss
        top = np.concatenate([[slope.sum()], slope.sum(axis=1) - ridge[0] * u])
        bottom = slope.sum(axis=0) - ridge[1] * v
        step = scipy.linalg.cho_solve(factor, top - across @ (bottom / own))
        effects = effects + np.concatenate([step, (bottom - across.T @ step) / own])
    determinant = float(2 * np.log(np.diag(factor[0])).sum() + np.log(own).sum())
    unit = np.zeros(len(schur))
    unit[0] = 1
    return _State(effects, loss, determinant, float(scipy.linalg.cho_solve(factor, unit)[0]))
