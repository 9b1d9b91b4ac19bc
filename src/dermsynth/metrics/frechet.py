"""FID: the Frechet distance between two sets of features (Heusel et al. 2017), also for infinitely many synthetic images."""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.metrics.comparison import Comparison, Extractor, feature_sides
from dermsynth.metrics.estimate import Estimate, Groups, Sides
from dermsynth.statistics.intervals import GROUPS, Indices, bootstrap, jackknife

Array = NDArray[np.float64]
Counts = NDArray[np.integer]
FEW = 256
"""Images up to which singular values cost little."""
POINTS, SMALLEST_SHARE, IMAGES_A_DIMENSION = 10, 0.5, 4
"""Subsets, the least of them, and images for each dimension below which the line is no line."""


def frechet_distance(
    x: NDArray[np.floating], y: NDArray[np.floating], times_x: Counts | None = None, times_y: Counts | None = None
) -> float:
    """|mu_x - mu_y|^2 + Tr(S_x + S_y - 2 (S_x S_y)^1/2) (Heusel et al. 2017, equation 6).

    `x` [n, d] and `y` [m, d] are features, n and m at least 2, of rows that occur `times_x` [n] and `times_y` [m] times, once by
    default.
    """
    (mean_x, a), (mean_y, b) = (_deviations(side, times) for side, times in ((x, times_x), (y, times_y)))
    root = _root_trace(a, b) if len(a) <= len(b) else _root_trace(b, a)
    distance = ((mean_x - mean_y) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * root
    return max(float(distance), 0.0)  # of equal sets rounding leaves a little more or less than nought


def _deviations(x: NDArray[np.floating], times: Counts | None) -> tuple[Array, Array]:
    """The mean [d] of rows that occur so often, and A [k, d] of the different ones, for which A'A is their covariance."""
    if times is None:
        rows, weights = np.asarray(x, np.float64), np.ones(len(x))
    else:
        rows, weights = np.asarray(x[times > 0], np.float64), times[times > 0].astype(np.float64)
    mean = weights @ rows / weights.sum()
    return mean, (rows - mean) * np.sqrt(weights / (weights.sum() - 1))[:, None]


def _root_trace(a: Array, b: Array) -> float:
    """Tr (A'A B'B)^1/2: of A [n, d] and B [m, d], n at most m, the sum of the roots of the eigenvalues of A B'B A'.

    Of few images that of the singular values of A B', which has all digits; roots of eigenvalues near 0 lose half of theirs.
    """
    if len(a) < a.shape[1]:
        across = a @ b.T
        if len(a) <= FEW:
            return float(scipy.linalg.svdvals(across, check_finite=False).sum())
        inner = across @ across.T
    else:
        upper = scipy.linalg.qr(a, mode="r", check_finite=False)[0][: a.shape[1]]
        inner = upper @ (b.T @ b) @ upper.T
    values = scipy.linalg.eigvalsh(inner, check_finite=False)
    return float(np.sqrt(np.clip(values, 0, None)).sum())


def frechet_infinity(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """The Frechet distance of infinitely many synthetic images (Chong & Forsyth 2020, section 4).

    Distances to y [m, d] of the first rows of x [n, d], which must lie in random order, from half of them to all, fall with
    1 / n; the straight line through them is read off at 1 / n = 0. The images of y are as many as they are: their share of
    the bias stays.

    Raises ValueError with fewer than four images for each dimension.
    """
    if len(x) < IMAGES_A_DIMENSION * x.shape[1]:
        raise ValueError(f"{len(x)} images for {x.shape[1]} dimensions; {IMAGES_A_DIMENSION} times as many are needed")
    sizes = np.linspace(len(x) * SMALLEST_SHARE, len(x), POINTS).astype(int)
    values = [frechet_distance(x[:size], y) for size in sizes]
    return float(np.polynomial.Polynomial.fit(1 / sizes, values, 1)(0.0))


def fid_between(sides: Sides, resamples: int) -> Estimate:
    """FID of two sets of features; a resample of the bootstrap holds two thirds of the images, some of them several times."""
    x, y = sides.require_enough().synthetic, sides.real

    def of_resample(i: Indices, j: Indices) -> float:
        return frechet_distance(x, y, np.bincount(i, minlength=len(x)), np.bincount(j, minlength=len(y)))

    value = frechet_distance(x, y)
    interval = bootstrap(of_resample, sides.sizes, value, resamples=resamples, seed=sides.seed, groups=sides.groups)
    return sides.estimate("fid", value, (max(interval[0], 0.0), max(interval[1], 0.0)), frechet_distance)


def fid_infinity_between(sides: Sides) -> Estimate | None:
    """FID at infinity of two sets of features; None where a half has too few images for its line."""
    sides = sides.require_enough().in_random_order()
    smallest = min(len(part) for part in sides.parts) * (GROUPS - 1) // GROUPS
    if smallest < IMAGES_A_DIMENSION * sides.real.shape[1]:
        return None
    value = frechet_infinity(sides.synthetic, sides.real)
    interval = jackknife(sides.over_rows(frechet_infinity), sides.sizes, value, seed=sides.seed, groups=sides.groups)
    return sides.estimate("fid_infinity", value, interval, frechet_infinity)


def fid_estimates(comparison: Comparison) -> list[Estimate]:
    """FID in an evaluation."""
    return [fid_between(comparison.features, comparison.effort.distance_resamples)]


def fid_infinity_estimates(comparison: Comparison) -> list[Estimate]:
    """FID at infinity in an evaluation."""
    estimate = fid_infinity_between(comparison.features)
    return [] if estimate is None else [estimate]


def fid(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    resamples: int = 100,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> Estimate:
    """Frechet inception distance: how far apart means and covariances of two sets of features are.

    Parameters
    ----------
    real, synthetic : ndarray
        Images, uint8 [n, h, w, 3] of any size, or features, float [n, d]. At least 50 of each.
    extractor : callable, optional
        The network that makes features of images (`dermsynth.extractor`). Without one, fixed random filters: their figures
        rank generators of one data set and compare with nothing published.
    resamples : int
        Resamples of the bootstrap that gives the interval.
    seed : int
        Seed of the bootstrap and of the halves of the floor.
    white : float, optional
        The value of white (1 or 255), for images that are not uint8.
    groups : ndarray, optional
        Patient or lesion of every real image, [m]: the interval then counts these, not images, and none lies in both halves of
        the floor.

    Returns
    -------
    Estimate
        FID, 0 or more: 0 for equal distributions; lower is better. Its floor is the FID between two halves of the real images.

    Raises
    ------
    UserError
        For fewer than 50 images a side, images that are not uint8, and features that are not finite.

    References
    ----------
    Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", equation 6.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> real, synthetic = random.normal(size=(200, 4)), random.normal(0.5, 1, size=(100, 4))
    >>> estimate = metrics.fid(real, synthetic)
    >>> estimate.low <= estimate.value <= estimate.high
    True
    >>> estimate.matched > 3 * estimate.floor
    True
    """
    return fid_between(feature_sides(real, synthetic, extractor, seed, white, groups), resamples)


def fid_infinity(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> Estimate:
    """FID that infinitely many synthetic images would have: without the excess that few images bring.

    Parameters
    ----------
    real, synthetic : ndarray
        As for `fid`, but at least about nine images for each dimension of the features.
    extractor, seed, white, groups
        As for `fid`.

    Returns
    -------
    Estimate
        FID at infinity; lower is better. It can be a little below 0.

    Raises
    ------
    UserError
        As `fid`, and where the images are too few for the dimensions of the features.

    References
    ----------
    Chong & Forsyth 2020, "Effectively unbiased FID and Inception score and where to find them", section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> estimate = metrics.fid_infinity(random.normal(size=(300, 3)), random.normal(1, 1, size=(300, 3)))
    >>> 2.5 < estimate.value < 3.5
    True
    """
    sides = feature_sides(real, synthetic, extractor, seed, white, groups)
    estimate = fid_infinity_between(sides)
    if estimate is None:
        dimensions = sides.real.shape[1]
        needed = -(-IMAGES_A_DIMENSION * dimensions * GROUPS // (GROUPS - 1))
        raise UserError(
            f"`synthetic`: {len(sides.synthetic)} images, `real`: {len(sides.real)} for {dimensions} features; at least "
            f"{needed} synthetic and {2 * needed} real ones are needed"
        )
    return estimate
