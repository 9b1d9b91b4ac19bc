"""How far raters agree, with each other and with themselves."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from dermsynth.statistics.intervals import TAILS, resample_indices
from dermsynth.statistics.rates import rate

Table = NDArray[np.float64]
Level = Literal["nominal", "ordinal"]
RESAMPLES = 1000


def fleiss_kappa(counts: Table) -> float:
    """Fleiss 1971: how far the raters' agreement exceeds chance, 1 at most; NaN where nobody could disagree.

    `counts` [images, categories] says how many raters chose each; every image needs at least two. Where images have
    different numbers of raters, an image weighs as many as it has, less one (Fleiss, Levin & Paik 2003, section 18.3).
    """
    n = counts.sum(axis=1)
    if len(counts) == 0 or (n < 2).any():
        raise ValueError("every image needs at least two answers")
    agreement = ((counts**2).sum(axis=1) - n) / (n * (n - 1))
    chance = ((counts.sum(axis=0) / n.sum()) ** 2).sum()
    mean = np.average(agreement, weights=n - 1)
    return float((mean - chance) / (1 - chance)) if chance < 1 else float("nan")


def krippendorff_alpha(ratings: Table, level: Level = "nominal") -> float:
    """1 - D_o / D_e (Krippendorff 2011, sections C and D): [raters, images] of category numbers, NaN where there is no answer.

    Images with one answer tell nothing of agreement and are left out. NaN where there is one category only.
    """
    values = np.unique(ratings[~np.isnan(ratings)])
    coincidences = _coincidences(ratings, values)
    totals = coincidences.sum(axis=1)
    difference = _differences(totals, level)
    observed = (coincidences * difference).sum()
    expected = (np.outer(totals, totals) * difference).sum() / max(totals.sum() - 1, 1)
    return float(1 - observed / expected) if expected > 0 else float("nan")


def _coincidences(ratings: Table, values: Table) -> Table:
    """o_ck: ordered pairs of answers to one image, each image weighing as many as it has answers."""
    coincidences = np.zeros((len(values), len(values)))
    for column in ratings.T:
        counts = (column[:, None] == values).sum(axis=0).astype(float)
        answers = counts.sum()
        if answers >= 2:
            coincidences += (np.outer(counts, counts) - np.diag(counts)) / (answers - 1)
    return coincidences


def _differences(totals: Table, level: Level) -> Table:
    """Squared difference of two categories: 1 for names, the answers that lie between them for ranks."""
    if level == "nominal":
        return 1.0 - np.eye(len(totals))
    reach = np.cumsum(totals) - totals / 2
    squares: Table = (reach[:, None] - reach) ** 2
    return squares


def bootstrap_images(
    statistic: Callable[[NDArray[np.int64]], float], images: int, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """95 % percentile interval of a statistic of image numbers drawn with replacement; resamples without a value do not count.

    The tails are those of Student's quantile, widened by sqrt(n / (n - 1)), so that few images claim no more than they know
    (Hesterberg 2015, section 5.2).
    """
    draws = np.array([statistic(rows) for (rows,) in resample_indices((images,), resamples, seed)])
    values = draws[np.isfinite(draws)]
    if images < 2 or len(values) < resamples / 2:
        return float("nan"), float("nan")
    reach = np.sqrt(images / (images - 1)) * scipy.stats.t.ppf(TAILS[1], images - 1)
    tail = float(scipy.stats.norm.cdf(-reach))
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)


def alike_interval(value: float, counts: Table) -> tuple[float, float]:
    """95 % interval of kappa or alpha where all images agree alike, so that resampling them has nothing to vary.

    An image of another kind may be as frequent as the exact limit for none of n allows (Clopper & Pearson 1934); it could
    split its raters in halves, or unite them. `counts` [images, categories] is as for `fleiss_kappa`.
    """
    expected = float(1 - ((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    if expected <= 0 or not np.isfinite(value):
        return float("nan"), float("nan")
    n, unseen = counts.sum(axis=1).max(), rate(0, len(counts)).high
    split = 2 * (n // 2) * (n - n // 2) / (n * (n - 1))
    observed = (1 - value) * expected
    low, high = (1 - ((1 - unseen) * observed + unseen * other) / expected for other in (split, 0.0))
    return min(value, max(-1.0, float(low))), max(value, min(1.0, float(high)))


def agreement_interval(
    value: float,
    statistic: Callable[[NDArray[np.int64]], float],
    images: int,
    counts: Table,
    seed: int,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """Interval of kappa or alpha over images, which holds the value and is never without width."""
    low, high = bootstrap_images(statistic, images, seed, resamples)
    if high - low < 1e-9:
        return alike_interval(value, counts)
    return min(low, value), max(high, value)
