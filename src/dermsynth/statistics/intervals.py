"""Confidence intervals: bootstrap (Efron & Tibshirani 1993), and jackknife for statistics that repeated images would falsify.

Every interval is one for the figure itself: where it would lie with other images, as many of them, from the same sources. It
therefore holds the figure. How far the figure of few images lies above that of many is no part of it; the floor shows that.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import scipy.stats
from numpy.typing import NDArray

LEVEL = 0.95
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
GROUPS = 10

Indices = NDArray[np.int64]
Values = NDArray[np.float64]
Statistic = Callable[[Indices, Indices], float]


def bootstrap(
    statistic: Statistic,
    sizes: tuple[int, int],
    estimate: float,
    *,
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """95 % interval of a two-sample statistic, which gets two arrays of indices drawn with replacement."""
    return basic_interval(estimate, np.array([statistic(i, j) for i, j in resample_indices(sizes, resamples, seed)]))


def resample_indices(sizes: Sequence[int], resamples: int, seed: int) -> Iterator[tuple[Indices, ...]]:
    """Indices of every sample drawn with replacement, `resamples` times."""
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield tuple(random.integers(0, size, size) for size in sizes)


def basic_interval(estimate: float, draws: NDArray[np.floating]) -> tuple[float, float]:
    """The interval e - (q_97.5 - m) ... e - (q_2.5 - m) of draws with mean m about the estimate e.

    A basic bootstrap interval (Davison & Hinkley 1997, section 5.2) of draws without their bias: images drawn twice
    lift a distance in every draw, as few images lift the estimate. It targets the expected figure of as many images.
    """
    low, high = np.quantile(draws, TAILS)
    middle = float(draws.mean())
    return min(float(estimate - (high - middle)), estimate), max(float(estimate - (low - middle)), estimate)


def percentile_bootstrap(
    statistic: Callable[[Values, Values], float], a: Values, b: Values, *, resamples: int, seed: int
) -> tuple[float, float]:
    """95 % percentile interval of a statistic of two samples of scores, each drawn within itself."""
    draws = [statistic(a[i], b[j]) for i, j in resample_indices((len(a), len(b)), resamples, seed)]
    low, high = np.quantile(draws, TAILS)
    return float(low), float(high)


def mean_interval(values: Values, *, resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean of one sample [n], drawn with replacement."""
    draws = values[np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(draws, TAILS)
    return float(low), float(high)


def draw_counts(sizes: tuple[int, int], resamples: int, seed: int) -> tuple[Values, Values]:
    """How often each item of both samples is drawn: [resamples, n] and [resamples, m]."""
    draws = resample_indices(sizes, resamples, seed)
    counts = [[np.bincount(side, minlength=size) for side, size in zip(both, sizes, strict=True)] for both in draws]
    left, right = (np.array(side, dtype=np.float64) for side in zip(*counts, strict=True))
    return left, right


def jackknife(
    statistic: Statistic, sizes: tuple[int, int], estimate: float, *, groups: int = GROUPS, seed: int
) -> tuple[float, float]:
    """95 % interval from leaving out one random group of both samples at a time (Shao & Tu 1995, section 2.3).

    For statistics of nearest neighbours, which images drawn twice would falsify.
    """
    values = np.array([statistic(i, j) for i, j in leave_out_indices(sizes, groups=groups, seed=seed)])
    reach = float(jackknife_reach(values))
    return estimate - reach, estimate + reach


def leave_out_indices(sizes: tuple[int, int], *, groups: int = GROUPS, seed: int) -> Iterator[tuple[Indices, Indices]]:
    """What is left of both samples without one random group each, a group at a time."""
    random = np.random.default_rng(seed)
    places = [random.permutation(size) % groups for size in sizes]
    for group in range(groups):
        yield np.flatnonzero(places[0] != group), np.flatnonzero(places[1] != group)


def jackknife_reach(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the width of the 95 % interval from the values without each group, along the first axis; Student's quantile."""
    groups = len(values)
    deviation = np.sqrt((groups - 1) / groups * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
    reach: NDArray[np.float64] = scipy.stats.t.ppf((1 + LEVEL) / 2, groups - 1) * deviation
    return reach
