"""Confidence intervals: bootstrap (Efron & Tibshirani 1993), and jackknife for statistics that repeated images would falsify.

Images of one person are alike: where groups are known, whole groups are drawn (`group_bootstrap`).

Every interval is one for the figure itself: where it would lie with other images, as many of them, from the same sources. It
therefore holds the figure. How far the figure of few images lies above that of many is no part of it; the floor shows that.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

LEVEL = 0.95
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
GROUPS, HALVES = 10, 30

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
    groups: NDArray[Any] | None = None,
) -> tuple[float, float]:
    """95 % interval of a two-sample statistic, which gets two arrays of indices drawn with replacement.

    Where `groups` are known of the second sample, whole groups of it are drawn.
    """
    draws = resample_indices(sizes, resamples, seed, groups)
    return moved_interval(estimate, np.array([statistic(i, j) for i, j in draws]), groups)


def resample_indices(
    sizes: Sequence[int], resamples: int, seed: int, groups: NDArray[Any] | None = None
) -> Iterator[tuple[Indices, ...]]:
    """Indices of every sample drawn with replacement, `resamples` times; of the last one whole `groups`, where they are known."""
    random = np.random.default_rng(seed)
    members = None if groups is None else _members(groups)
    for _ in range(resamples):
        drawn = [random.integers(0, size, size) for size in sizes]
        if members is not None:
            drawn[-1] = np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
        yield tuple(drawn)


def _members(groups: NDArray[Any]) -> list[Indices]:
    """The rows of each group."""
    number = np.unique(groups, return_inverse=True)[1]
    order = np.argsort(number, kind="stable")
    return list(np.split(order, np.flatnonzero(np.diff(number[order])) + 1))


def resample_groups(groups: NDArray[Any], resamples: int, seed: int) -> Iterator[Indices]:
    """Rows of as many groups as there are, drawn with replacement, `resamples` times.

    Parameters
    ----------
    groups
        Person, lesion or photograph of each row, [n], of any type.
    resamples
        How many draws.
    seed
        Seed of the draws, at least 0.

    Examples
    --------
    >>> groups = np.array(["b", "a", "b", "a"])
    >>> {tuple(sorted(rows.tolist())) for rows in resample_groups(groups, 50, 0)} == {(0, 0, 2, 2), (0, 1, 2, 3), (1, 1, 3, 3)}
    True
    """
    members, random = _members(groups), np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])


def group_bootstrap(
    statistic: Callable[[Indices], Sequence[float]],
    groups: NDArray[Any],
    *,
    resamples: int,
    seed: int,
) -> tuple[Values, Values]:
    """Lower and upper ends [k] of 95 % intervals of k figures, for other groups from the same source.

    Whole groups are drawn with replacement. The percentiles are expanded for few groups (Hesterberg 2015, section 4.3): plain
    ones are too narrow by Student's quantile and by the variance of n instead of n - 1. A figure that a draw does not have is
    NaN there; that draw is left out for it. With one group nothing is known, and the ends are NaN.

    Parameters
    ----------
    statistic
        From rows, drawn with repetitions, to k figures, or NaN for those that these rows do not have.
    groups
        Person, lesion or photograph of each row, [n].
    resamples
        How many draws.
    seed
        Seed of the draws, at least 0.

    References
    ----------
    Hesterberg 2015, What Teachers Should Know About the Bootstrap, The American Statistician 69(4).

    Examples
    --------
    >>> values, groups = np.array([0.0, 0.0, 1.0, 1.0] * 10), np.repeat(np.arange(20), 2)
    >>> low, high = group_bootstrap(lambda rows: [values[rows].mean()], groups, resamples=500, seed=0)
    >>> bool(0.2 < low[0] < 0.3 and 0.7 < high[0] < 0.8)
    True
    """
    draws = np.array([statistic(rows) for rows in resample_groups(groups, resamples, seed)], np.float64)
    count = len(np.unique(groups))
    usable = np.isfinite(draws).any(axis=0)
    if count < 2 or not usable.any():
        return np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    ends = np.full((2, draws.shape[1]), np.nan)
    ends[:, usable] = np.nanquantile(draws[:, usable], expanded_tails(count), axis=0)
    return ends[0], ends[1]


def expanded_tails(count: int) -> tuple[float, float]:
    """Shares of draws of `count` groups, at least 2, below either end of a 95 % interval (Hesterberg 2015, section 4.3)."""
    reach = np.sqrt(count / (count - 1)) * scipy.stats.t.ppf((1 + LEVEL) / 2, count - 1)
    tail = float(scipy.stats.norm.sf(reach))
    return tail, 1 - tail


def moved_interval(
    estimate: float, draws: NDArray[np.floating], groups: NDArray[Any] | None = None
) -> tuple[float, float]:
    """The interval e + (q_2.5 - m) ... e + (q_97.5 - m) of draws with mean m about the estimate e.

    Percentiles of draws that are moved to the estimate: images drawn twice lift a distance in every draw, as few images lift the
    estimate. It targets the expected figure of as many images. Distances are skewed to the right, and spread more where they are
    larger: mirrored percentiles (Davison & Hinkley 1997, section 5.2) are then short on the wrong side. Where whole
    `groups` were drawn, it is wider for few of them, as in `expanded_tails`; of one group nothing is known, and the ends are NaN.
    """
    count = None if groups is None else len(np.unique(groups))
    if count == 1:
        return float("nan"), float("nan")
    low, high = np.quantile(draws, TAILS if count is None else expanded_tails(count))
    middle = float(draws.mean())
    return min(float(estimate + low - middle), estimate), max(float(estimate + high - middle), estimate)


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


def draw_counts(
    sizes: tuple[int, int], resamples: int, seed: int, groups: NDArray[Any] | None = None
) -> tuple[Values, Values]:
    """How often each item of both samples is drawn, of the second in whole `groups`: [resamples, n] and [resamples, m]."""
    draws = resample_indices(sizes, resamples, seed, groups)
    counts = [[np.bincount(side, minlength=size) for side, size in zip(both, sizes, strict=True)] for both in draws]
    left, right = (np.array(side, dtype=np.float64) for side in zip(*counts, strict=True))
    return left, right


def jackknife(
    statistic: Statistic,
    sizes: tuple[int, int],
    estimate: float,
    *,
    parts: int = GROUPS,
    seed: int,
    groups: NDArray[Any] | None = None,
) -> tuple[float, float]:
    """95 % interval from leaving out one random part of both samples at a time (Shao & Tu 1995, section 2.3).

    For statistics of nearest neighbours, which images drawn twice would falsify. Parts of the second sample hold whole `groups`.
    """
    left = leave_out_indices(sizes, parts=parts, seed=seed, groups=groups)
    reach = float(jackknife_reach(np.array([statistic(i, j) for i, j in left])))
    return estimate - reach, estimate + reach


def group_jackknife(
    statistic: Callable[[Indices], Sequence[float]], groups: NDArray[Any], *, halves: int = HALVES, seed: int
) -> Values:
    """Half the widths [k] of 95 % intervals of k figures, from random halves of the groups: the jackknife that deletes half.

    For figures that hang on what was trained, too, such as those of a cross-validation: drawing again what is held out, while
    the classifiers stay as they are, makes intervals that are too narrow. The statistic does all again on each half. The
    variance among halves, (n - d) / d times it, is that of the figure. Deleting fewer groups would multiply what trees and
    neighbours change at random.

    Parameters
    ----------
    statistic
        From rows, in order and without repetitions, to k figures, or NaN for those that these rows do not have.
    groups
        Person, lesion or photograph of each row, [n].
    halves
        How many halves, at least 2.
    seed
        Seed of the halves, at least 0.

    References
    ----------
    Shao & Tu 1995, The Jackknife and Bootstrap, section 2.3.

    Examples
    --------
    >>> values, groups = np.array([0.0, 0.0, 1.0, 1.0] * 10), np.repeat(np.arange(20), 2)
    >>> reach = group_jackknife(lambda rows: [values[rows].mean()], groups, halves=400, seed=0)
    >>> bool(0.21 < reach[0] < 0.27)  # Student's quantile of 19 degrees of freedom x 0.5 / sqrt(19) is 0.24
    True
    """
    number = np.unique(groups, return_inverse=True)[1]
    count = int(number.max()) + 1
    if count < 2:
        return np.full(len(statistic(np.arange(len(number)))), np.nan)
    random = np.random.default_rng(seed)
    chosen = (np.isin(number, random.permutation(count)[: (count + 1) // 2]) for _ in range(halves))
    figures = np.array([statistic(np.flatnonzero(half)) for half in chosen], np.float64)
    kept = (count + 1) // 2
    deviation = np.sqrt(np.nanvar(figures, axis=0, ddof=1) * kept / (count - kept))
    reach: Values = scipy.stats.t.ppf((1 + LEVEL) / 2, min(count, halves) - 1) * deviation
    return reach


def leave_out_indices(
    sizes: tuple[int, int], *, parts: int = GROUPS, seed: int, groups: NDArray[Any] | None = None
) -> Iterator[tuple[Indices, Indices]]:
    """What is left of both samples without one random part each, a part at a time; of the second whole `groups`.

    There are at most as many parts as groups.
    """
    random = np.random.default_rng(seed)
    parts = parts if groups is None else min(parts, len(np.unique(groups)))
    places = [random.permutation(size) % parts for size in sizes]
    if groups is not None:
        places[1] = parts_of_groups(groups, parts, random)
    for part in range(parts):
        yield np.flatnonzero(places[0] != part), np.flatnonzero(places[1] != part)


def parts_of_groups(groups: NDArray[Any], parts: int, random: np.random.Generator) -> Indices:
    """The part from 0 to `parts` - 1 that each row belongs to, [n]: whole groups, drawn at random, about equally many of them."""
    number = np.unique(groups, return_inverse=True)[1]
    place: Indices = (random.permutation(int(number.max()) + 1) % parts)[number]
    return place


def jackknife_reach(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the width of the 95 % interval from the values without each part, along the first axis; Student's quantile."""
    parts = len(values)
    deviation = np.sqrt((parts - 1) / parts * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
    reach: NDArray[np.float64] = scipy.stats.t.ppf((1 + LEVEL) / 2, parts - 1) * deviation
    return reach
