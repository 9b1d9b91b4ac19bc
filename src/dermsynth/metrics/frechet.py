"""Frechet distance between two sets of features (Heusel et al. 2017)."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray


def inception_score(probabilities: NDArray[np.floating]) -> float:
    """exp(E_x KL(p(y | x) || p(y))) of rows [n, classes] that sum to 1 (section 4): between 1 and the number of classes.

    It knows no real images: it rises with sure and varied predictions, whatever the images are.
    """
    p = np.clip(np.asarray(probabilities, np.float64), 1e-16, None)
    divergence = (p * (np.log(p) - np.log(p.mean(axis=0)))).sum(axis=1)
    return float(np.exp(divergence.mean()))


Array = NDArray[np.float64]


def frechet_distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """|mu_x - mu_y|^2 + Tr(S_x + S_y - 2 (S_x S_y)^1/2) (Heusel et al. 2017, equation 6).

    `x` [n, d] and `y` [m, d] are features, n and m at least 2. The trace of the root is the sum of singular values of
    X' Y where X and Y are the centred features over sqrt(n - 1): with fewer images than dimensions that is exact and
    cheap; otherwise it is taken from float64 eigenvalues of S_x^1/2 S_y S_x^1/2.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    a, b = (x - mean_x) / np.sqrt(len(x) - 1), (y - mean_y) / np.sqrt(len(y) - 1)
    root = _root_trace(a, b)
    return float(((mean_x - mean_y) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * root)


def _root_trace(a: Array, b: Array) -> float:
    """Tr (A'A B'B)^1/2: the nuclear norm of A B'."""
    if min(len(a), len(b)) < a.shape[1]:
        return float(scipy.linalg.svdvals(a @ b.T, check_finite=False).sum())
    values, vectors = scipy.linalg.eigh(a.T @ a, check_finite=False)
    half = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    inner = scipy.linalg.eigvalsh(half @ (b.T @ b) @ half, check_finite=False)
    return float(np.sqrt(np.clip(inner, 0, None)).sum())


POINTS, SMALLEST_SHARE, IMAGES_A_DIMENSION = 10, 0.5, 4
"""Subsets, the least of them, and images for each dimension below which the line is no line."""


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
