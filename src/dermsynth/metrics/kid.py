"""Unbiased squared maximum mean discrepancies: KID with a cubic kernel (Binkowski et al. 2018), MMD with a Gaussian one."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

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
    some = np.random.default_rng(0).permutation(len(x))[:MEDIAN_OF]
    return max(float(np.median(pdist(np.asarray(x[np.sort(some)], dtype=np.float64)))), 1e-12)


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
    found: Array = within[0] + within[1] - 2 * across
    return found


def _within(x: NDArray[np.floating], weights: Array, kernel: Kernel) -> Array:
    own = np.array([kernel(row[None], row[None])[0, 0] for row in x])
    squares = weights**2
    total = _pairs(x, x, weights, weights, kernel) - squares @ own
    found: Array = total / (weights.sum(axis=1) ** 2 - squares.sum(axis=1))
    return found


def _pairs(
    x: NDArray[np.floating], y: NDArray[np.floating], weights_x: Array, weights_y: Array, kernel: Kernel
) -> Array:
    """Sum over all pairs of weight times weight times kernel, for every row of weights, block by block."""
    total = np.zeros(len(weights_x))
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        total += np.einsum("rm,rm->r", weights_x[:, rows] @ kernel(x[rows], y), weights_y)
    return total
