"""Unbiased squared maximum mean discrepancies: KID with a cubic kernel (Binkowski et al. 2018), MMD with a Gaussian one."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from dermsynth.metrics.comparison import Comparison, Extractor, feature_sides
from dermsynth.metrics.estimate import Estimate, Groups, Sides
from dermsynth.statistics.intervals import draw_counts, moved_interval

Array = NDArray[np.float64]
Kernel = Callable[[NDArray[np.floating], NDArray[np.floating]], Array]
MEDIAN_OF, BLOCK = 1000, 512


def cubic_kernel(x: NDArray[np.floating], y: NDArray[np.floating]) -> Array:
    """k(x, y) = (x'y / d + 1)^3 (Binkowski et al. 2018, section 4): [n, d], [m, d] -> [n, m]."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return (x @ y.T / x.shape[1] + 1) ** 3


def gaussian_kernel(x: NDArray[np.floating], y: NDArray[np.floating], bandwidth: float) -> Array:
    """exp(-|x - y|^2 / (2 s^2)) (Jayasumana et al. 2024, equation 5): [n, d], [m, d] -> [n, m]."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T
    return np.exp(-np.clip(squares, 0, None) / (2 * bandwidth**2))


def median_distance(x: NDArray[np.floating]) -> float:
    """Median distance between two images of a set [n, d]: the bandwidth that suits features of any scale."""
    sample = np.random.default_rng(0).permutation(len(x))[:MEDIAN_OF]
    return max(float(np.median(pdist(np.asarray(x[np.sort(sample)], dtype=np.float64)))), 1e-12)


def kernel_distance(x: NDArray[np.floating], y: NDArray[np.floating], kernel: Kernel = cubic_kernel) -> float:
    """Unbiased estimate of the squared MMD from all pairs (Gretton et al. 2012, equation 3).

    Unlike the average over subsets it has no free parameter; being unbiased it can be negative.
    """
    return float(weighted_distances(x, y, np.ones((1, len(x))), np.ones((1, len(y))), kernel)[0])


def weighted_distances(
    x: NDArray[np.floating], y: NDArray[np.floating], weights_x: Array, weights_y: Array, kernel: Kernel = cubic_kernel
) -> Array:
    """The same with multiplicities [r, n] and [r, m], r times: [r].

    Pairs of one image with itself never count, so a bootstrap stays unbiased. No n x m matrix is ever held.
    """
    within = [_within(side, weights, kernel) for side, weights in ((x, weights_x), (y, weights_y))]
    across = _pairs(x, y, weights_x, weights_y, kernel) / (weights_x.sum(axis=1) * weights_y.sum(axis=1))
    distances: Array = within[0] + within[1] - 2 * across
    return distances


def _within(x: NDArray[np.floating], weights: Array, kernel: Kernel) -> Array:
    own = np.array([kernel(row[None], row[None])[0, 0] for row in x])
    squares = weights**2
    total = _pairs(x, x, weights, weights, kernel) - squares @ own
    means: Array = total / (weights.sum(axis=1) ** 2 - squares.sum(axis=1))
    return means


def _pairs(
    x: NDArray[np.floating], y: NDArray[np.floating], weights_x: Array, weights_y: Array, kernel: Kernel
) -> Array:
    """Sum over all pairs of weight times weight times kernel, for every row of weights, block by block."""
    total = np.zeros(len(weights_x))
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        total += np.einsum("rm,rm->r", weights_x[:, rows] @ kernel(x[rows], y), weights_y)
    return total


def kid_between(sides: Sides, resamples: int) -> Estimate:
    """KID x 1000 of two sets of features."""
    value = kernel_distance(sides.require_enough().synthetic, sides.real)
    interval = _interval(sides, value, cubic_kernel, resamples)
    return sides.estimate("kid", value, interval, kernel_distance, scale=1000)


def mmd_between(sides: Sides, resamples: int) -> Estimate:
    """Squared MMD x 1000 with a Gaussian kernel as wide as the median distance of the real images."""
    bandwidth = median_distance(sides.require_enough().real)
    sides = sides.in_random_order()

    def gauss(x: NDArray[np.floating], y: NDArray[np.floating]) -> Array:
        return gaussian_kernel(x, y, bandwidth)

    def distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
        return kernel_distance(x, y, gauss)

    value = distance(sides.synthetic, sides.real)
    return sides.estimate("mmd", value, _interval(sides, value, gauss, resamples), distance, scale=1000)


def _interval(sides: Sides, value: float, kernel: Kernel, resamples: int) -> tuple[float, float]:
    weights = draw_counts(sides.sizes, resamples, sides.seed, sides.groups)
    draws = weighted_distances(sides.synthetic, sides.real, *weights, kernel)
    return moved_interval(value, draws, sides.groups)


def kid_estimates(comparison: Comparison) -> list[Estimate]:
    """KID in an evaluation."""
    return [kid_between(comparison.features, comparison.effort.kernel_resamples)]


def mmd_estimates(comparison: Comparison) -> list[Estimate]:
    """MMD in an evaluation."""
    return [mmd_between(comparison.features, comparison.effort.kernel_resamples)]


def kid(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    resamples: int = 1000,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> Estimate:
    """Kernel inception distance x 1000: like FID, without its excess for few images.

    Parameters
    ----------
    real, synthetic, extractor, resamples, seed, white, groups
        As for `dermsynth.metrics.fid`.

    Returns
    -------
    Estimate
        KID x 1000, estimated from all pairs: about 0, or below, for equal distributions; lower is better.

    Raises
    ------
    UserError
        As `dermsynth.metrics.fid`.

    References
    ----------
    Binkowski et al. 2018, "Demystifying MMD GANs", section 4; Gretton et al. 2012, "A kernel two-sample test", equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> estimate = metrics.kid(random.normal(size=(100, 4)), random.normal(1, 1, size=(100, 4)), resamples=100)
    >>> estimate.low > 0
    True
    """
    return kid_between(feature_sides(real, synthetic, extractor, seed, white, groups), resamples)


def mmd(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    resamples: int = 1000,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> Estimate:
    """Squared maximum mean discrepancy x 1000 with a Gaussian kernel: like KID, also for features that are not normal.

    Parameters
    ----------
    real, synthetic, extractor, resamples, seed, white, groups
        As for `dermsynth.metrics.fid`.

    Returns
    -------
    Estimate
        MMD x 1000, at most 2000: about 0, or below, for equal distributions; lower is better.

    Raises
    ------
    UserError
        As `dermsynth.metrics.fid`.

    References
    ----------
    Jayasumana et al. 2024, "Rethinking FID: towards a better evaluation metric for image generation", equation 5.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> estimate = metrics.mmd(random.normal(size=(100, 4)), random.normal(1, 1, size=(100, 4)), resamples=100)
    >>> estimate.low > 0
    True
    """
    return mmd_between(feature_sides(real, synthetic, extractor, seed, white, groups), resamples)
