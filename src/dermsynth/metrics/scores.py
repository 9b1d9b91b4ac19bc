"""The Inception score of class probabilities (Salimans et al. 2016): a figure of synthetic images alone."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.metrics.comparison import Comparison, Extractor, feature_sides
from dermsynth.metrics.estimate import Estimate, Groups, Rows, Sides


def exponential_divergence(probabilities: NDArray[np.floating]) -> float:
    """exp(E_x KL(p(y | x) || p(y))) of rows [n, classes] that sum to 1 (section 4): between 1 and the number of classes.

    It knows no real images: it rises with sure and varied predictions, whatever the images are.
    """
    p = np.clip(np.asarray(probabilities, np.float64), 1e-16, None)
    divergence = (p * (np.log(p) - np.log(p.mean(axis=0)))).sum(axis=1)
    return float(np.exp(divergence.mean()))


def score_between(sides: Sides, resamples: int) -> Estimate:
    """Inception score from class probabilities of both sets; the floor is that of half the real images."""

    def score(x: Rows, _: Rows) -> float:
        return exponential_divergence(x)

    return sides.require_enough().bootstrap_estimate("inception_score", score, resamples=resamples)


def score_estimates(comparison: Comparison) -> list[Estimate]:
    """The Inception score in an evaluation, where the extractor has a classifier."""
    sides = comparison.probabilities
    return [] if sides is None else [score_between(sides, comparison.effort.distance_resamples)]


def inception_score(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    resamples: int = 100,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> Estimate:
    """Inception score: how sure and how varied the predicted classes of synthetic images are.

    Parameters
    ----------
    real, synthetic : ndarray
        Images, uint8 [n, h, w, 3], with an extractor that has a classifier; or class probabilities, float [n, k], rows of
        sum 1. At least 50 of each. The real ones give the floor.
    extractor : callable, optional
        A network with a classifier: `dermsynth.extractor("inception=FILE")` with 2,048 dimensions, or `classifier=DIR`.
    resamples, seed, white, groups
        As for `dermsynth.metrics.fid`.

    Returns
    -------
    Estimate
        Between 1 and the number of classes. Good is near that of real images: alone it says little.

    Raises
    ------
    UserError
        For an extractor without a classifier, and as `dermsynth.metrics.fid` does.

    References
    ----------
    Salimans et al. 2016, "Improved techniques for training GANs", section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> real, synthetic = np.eye(4)[np.arange(200) % 4], np.eye(4)[np.arange(100) % 2]
    >>> estimate = metrics.inception_score(real, synthetic)
    >>> round(estimate.value, 3), round(estimate.floor, 1)
    (2.0, 4.0)
    """
    sides = feature_sides(real, synthetic, extractor, seed, white, groups)
    if extractor is None:
        if np.ndim(real) != 2:
            raise UserError("`extractor`: missing; images need a network with a classifier, such as inception=FILE")
        return score_between(replace(sides, features=""), resamples)
    if extractor.head is None:
        raise UserError("`extractor`: has no classifier; take inception=FILE with 2,048 dimensions, or classifier=DIR")
    rows = extractor.head(sides.synthetic), extractor.head(sides.real)
    return score_between(sides.with_rows(*rows), resamples)
