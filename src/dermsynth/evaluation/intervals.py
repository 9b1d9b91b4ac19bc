"""Bootstrap intervals (Efron & Tibshirani 1993)."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


def bootstrap(
    statistic: Callable[[NDArray[np.int64], NDArray[np.int64]], float],
    sizes: tuple[int, int],
    estimate: float,
    *,
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """Basic (pivotal) 95 % interval of a two-sample statistic.

    `statistic` gets two arrays of indices drawn with replacement. The interval 2 e - q_97.5 ... 2 e - q_2.5 reflects
    the resamples about the estimate e, which takes out the upward bias that repeated images give to a distance.
    """
    generator = np.random.default_rng(seed)
    values = [
        statistic(generator.integers(0, sizes[0], sizes[0]), generator.integers(0, sizes[1], sizes[1]))
        for _ in range(resamples)
    ]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(2 * estimate - high), float(2 * estimate - low)


def multiplicities(indices: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """How often each of `count` items was drawn."""
    return np.bincount(indices, minlength=count).astype(np.float64)
