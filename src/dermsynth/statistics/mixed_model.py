"""What a whole panel of raters can do: skill separated from habit, for other raters and images; chance, and equivalence."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special
import scipy.stats
from numpy.typing import NDArray

from dermsynth.statistics.intervals import LEVEL

Array = NDArray[np.float64]
MARGIN, CHANCE = 0.05, 0.5
STEPS, TOLERANCE = 50, 1e-8
BOUNDS = (np.log(1e-3), np.log(5.0))
"""Logarithms of the deviations on the logit scale between which they are looked for."""
FIXED_RIDGE = 0.04
"""Inverse variance of the normal density of b and a: deviation 5 on the logit scale, felt only where all answers are right."""
RATE = 2.0
"""Of the gamma density with shape 2 that keeps estimated deviations off zero; its mode is 0.5."""
NODES = np.polynomial.hermite_e.hermegauss(31)
LIMIT = 30.0
SMALLEST = -200.0
"""Logarithm of the smallest p that is distinguished from 0."""


@dataclass(frozen=True)
class PanelFit:
    """A panel's skill: the log-odds of a right answer, the same for both kinds, with its standard error.

    `habit` is how much likelier, in log-odds, a right answer to the positive kind is: who calls most images positive has
    much of it and needs no skill. The deviations say how skill and habit vary between raters, and ease between images.
    """

    skill: float
    error: float
    habit: float
    skill_deviation: float
    habit_deviation: float
    images_deviation: float
    raters: int
    images: int
    answers: int

    @property
    def accuracy(self) -> float:
        """Balanced accuracy, (sensitivity + specificity) / 2, of other raters with other images."""
        return self._balanced(self.skill)

    def interval(self) -> tuple[float, float]:
        """95 %, of the balanced accuracy."""
        reach = self.reach(1 - LEVEL)
        return self._balanced(self.skill - reach), self._balanced(self.skill + reach)

    @property
    def p(self) -> float:
        """Two-sided, of this much skill or more if there were none: the level at which the interval of skill just holds 0."""
        if self.skill == 0:
            return 1.0
        beyond = lambda logarithm: self.reach(float(np.exp(logarithm))) - abs(self.skill)  # noqa: E731
        return float(np.exp(scipy.optimize.brentq(beyond, SMALLEST, 0.0))) if beyond(SMALLEST) > 0 else 0.0

    @property
    def equivalent(self) -> bool:
        """Whether the 95 % interval of the balanced accuracy lies within 50 +- 5 %: only that means indistinguishable."""
        low, high = self.interval()
        return low >= CHANCE - MARGIN and high <= CHANCE + MARGIN

    def reach(self, level: float) -> float:
        """Half the interval of the skill that leaves out `level`: squared, the sum of what each source of error reaches.

        Raters, images and tossing each have Student's quantile of their own degrees of freedom (Banerjee 1960): more of
        either never widens the interval. One approximate quantile of the sum (Satterthwaite 1946) would do so: more images
        leave the deviation between few raters as the main error, whose quantile is large. The density that keeps the
        deviation between raters off zero tells as much of it as one more rater.
        """
        raters, images = self.skill_deviation**2 / self.raters, self.images_deviation**2 / self.images
        tossing = max(0.0, self.error**2 - raters - images)
        sources = ((raters, self.raters), (images, max(self.images - 2, 1)), (tossing, np.inf))
        return float(np.sqrt(sum(variance * scipy.stats.t.isf(level / 2, free) ** 2 for variance, free in sources)))

    def _balanced(self, skill: float) -> float:
        return _balanced(skill, self.habit, (self.skill_deviation, self.habit_deviation, self.images_deviation))


def fit_panel(right: Array, answers: Array, positive: NDArray[np.bool_]) -> PanelFit:
    """logit P(right) = b + a t + u_rater + w_rater t + v_image, with t = 1/2 for images of the positive kind, else -1/2.

    DeCarlo 1998, equation 4, of the answer being right, with crossed random effects u, w, v (Rouder & Lu 2005). `right` and
    `answers` [raters, images] count right answers and answers. The three deviations maximise the Laplace approximation of
    the marginal likelihood, from which a and b are integrated out too (Breslow & Clayton 1993, sections 2.1 and 2.3), times a
    gamma density that keeps them off zero (Chung et al. 2013, section 3). Then b is moved to where the expected balanced
    accuracy is the observed one, for the approximation draws it towards one half.

    Raises ValueError for fewer than two raters, or two images of either kind.
    """
    raters, kinds = right.shape[0], (int(positive.sum()), int((~positive).sum()))
    if raters < 2 or min(kinds) < 2:
        raise ValueError(
            f"{raters} raters, {kinds[0]} images of one kind and {kinds[1]} of the other: two of each are needed"
        )
    truth, start = np.where(positive, 0.5, -0.5), np.zeros(2 + 2 * raters + right.shape[1])
    sizes = np.array([raters, raters, right.shape[1]])

    def negative_posterior(logarithms: Array) -> float:
        deviations = np.exp(logarithms)
        state = _mode(right, answers, truth, deviations, start)
        start[:] = state.effects
        prior = float((logarithms - RATE * deviations).sum())
        return state.loss + float(sizes @ logarithms) + state.log_determinant / 2 - prior

    first = np.log([0.3, 0.3, 0.5])
    optimum = scipy.optimize.minimize(
        negative_posterior, first, method="Nelder-Mead", bounds=[BOUNDS] * 3,
        options={"xatol": 0.02, "fatol": 2e-3, "initial_simplex": np.vstack([first, first + np.eye(3)])},
    )  # fmt: skip
    deviations = np.exp(optimum.x)
    state = _mode(right, answers, truth, deviations, start)
    habit, widths = float(state.effects[1]), (float(deviations[0]), float(deviations[1]), float(deviations[2]))
    skill = _skill_of(_observed(right, answers, positive), habit, widths)
    return PanelFit(
        skill,
        _error(skill, habit, widths, state.covariance),
        habit,
        *widths,
        raters,
        right.shape[1],
        int(answers.sum()),
    )


def _balanced(skill: float, habit: float, deviations: tuple[float, float, float]) -> float:
    """Mean of the logistic function over raters and images, by Gauss-Hermite quadrature, of both kinds."""
    nodes, weights = NODES
    width = np.sqrt(deviations[0] ** 2 + deviations[1] ** 2 / 4 + deviations[2] ** 2)
    both = [scipy.special.expit(skill + side * habit / 2 + width * nodes) @ weights for side in (1, -1)]
    return float(np.mean(both) / weights.sum())


def _observed(right: Array, answers: Array, positive: NDArray[np.bool_]) -> float:
    """Balanced accuracy of the answers; half an answer is added to both outcomes, so that none is 0 or 1 (Hautus 1995)."""
    shares = [(right[:, kind].sum() + 0.5) / (answers[:, kind].sum() + 1) for kind in (positive, ~positive)]
    return float(np.mean(shares))


def _skill_of(accuracy: float, habit: float, deviations: tuple[float, float, float]) -> float:
    return float(scipy.optimize.brentq(lambda b: _balanced(b, habit, deviations) - accuracy, -LIMIT, LIMIT))


def _error(skill: float, habit: float, deviations: tuple[float, float, float], covariance: Array) -> float:
    """Standard error of the balanced accuracy by the delta method, as one of the skill."""
    step = 1e-4
    by_skill = _balanced(skill + step, habit, deviations) - _balanced(skill - step, habit, deviations)
    by_habit = _balanced(skill, habit + step, deviations) - _balanced(skill, habit - step, deviations)
    slope = np.array([1.0, by_habit / by_skill])
    return float(np.sqrt(slope @ covariance @ slope))


@dataclass(frozen=True)
class _State:
    effects: Array
    """b and a, then u and w of every rater, then the images' v."""
    loss: float
    log_determinant: float
    covariance: Array
    """Of b and a."""


def _mode(right: Array, answers: Array, truth: Array, deviations: Array, start: Array) -> _State:
    """Newton's method for the most likely effects; the images' diagonal block is eliminated first."""
    raters, last = len(right), np.inf
    design = np.stack([np.ones_like(truth), truth])
    own_ridge, image_ridge = 1 / deviations[:2] ** 2, float(1 / deviations[2] ** 2)
    effects = start.copy()
    for _ in range(STEPS):
        fixed, own, images = effects[:2], effects[2 : 2 + 2 * raters].reshape(raters, 2), effects[2 + 2 * raters :]
        odds = (fixed + own) @ design + images
        penalty = float((own**2 @ own_ridge).sum() + image_ridge * images @ images + FIXED_RIDGE * fixed @ fixed) / 2
        loss = float((answers * np.logaddexp(0, odds) - right * odds).sum()) + penalty
        share = scipy.special.expit(odds)
        weights, slope = answers * share * (1 - share), right - answers * share
        diagonal = weights.sum(axis=0) + image_ridge
        across = np.vstack([weights.sum(axis=0) * design, (weights[:, None] * design).reshape(2 * raters, -1)])
        factor = scipy.linalg.cho_factor(_head(weights, design, own_ridge) - (across / diagonal) @ across.T)
        if abs(last - loss) < TOLERANCE * (1 + abs(loss)):
            break
        last = loss
        each = slope @ design.T
        top = np.concatenate([each.sum(axis=0) - FIXED_RIDGE * fixed, (each - own * own_ridge).ravel()])
        bottom = slope.sum(axis=0) - image_ridge * images
        step = scipy.linalg.cho_solve(factor, top - across @ (bottom / diagonal))
        effects = effects + np.concatenate([step, (bottom - across.T @ step) / diagonal])
    determinant = float(2 * np.log(np.diag(factor[0])).sum() + np.log(diagonal).sum())
    covariance = scipy.linalg.cho_solve(factor, np.eye(2 + 2 * raters)[:, :2])[:2]
    return _State(effects, loss, determinant, covariance)


def _head(weights: Array, design: Array, ridge: Array) -> Array:
    """Second derivatives by the fixed effects and the raters'."""
    each = np.einsum("ij,aj,bj->iab", weights, design, design)
    head = scipy.linalg.block_diag(each.sum(axis=0) + FIXED_RIDGE * np.eye(2), *(each + np.diag(ridge)))
    head[:2, 2:] = np.hstack(list(each))
    head[2:, :2] = head[:2, 2:].T
    return np.asarray(head)
