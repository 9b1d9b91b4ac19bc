"""Unbiased squared maximum mean discrepancies: KID with a cubic kernel (Binkowski et al. 2018), MMD with a Gaussian one."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

Array = NDArray[np.float64]
Kernel = Callable[[NDArray[np.floating], NDArray[np.floating]], Array]
MEDIAN_OF = 1000


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
    some = np.random.default_rng(0).permutation(len(x))[:MEDIAN_OF]
    return max(float(np.median(pdist(np.asarray(x[np.sort(some)], dtype=np.float64)))), 1e-12)


def kernel_distance(x: NDArray[np.floating], y: NDArray[np.floating], kernel: Kernel = cubic_kernel) -> float:
    """Unbiased estimate of the squared MMD from all pairs (Gretton et al. 2012, equation 3).

    Unlike the average over subsets it has no free parameter; being unbiased it can be negative.
    """
    weights_x, weights_y = np.ones(len(x)), np.ones(len(y))
    return weighted_distance(kernel(x, x), kernel(y, y), kernel(x, y), weights_x, weights_y)


def weighted_distance(xx: Array, yy: Array, xy: Array, weights_x: Array, weights_y: Array) -> float:
    """The same with multiplicities: pairs of one image with itself never count, so a bootstrap stays unbiased."""

    def within(kernel: Array, weights: Array) -> float:
        squares = weights**2
        total = weights @ kernel @ weights - squares @ np.diag(kernel)
        return float(total / (weights.sum() ** 2 - squares.sum()))

    across = weights_x @ xy @ weights_y / (weights_x.sum() * weights_y.sum())
    return within(xx, weights_x) + within(yy, weights_y) - 2 * float(across)
