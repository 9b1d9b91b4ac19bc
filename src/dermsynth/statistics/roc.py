"""Statistics of classifiers: AUC with DeLong's variance, paired tests, operating points, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from dermsynth.statistics.intervals import LEVEL, group_bootstrap, percentile_bootstrap

Array = NDArray[np.float64]
Truth = NDArray[np.bool_]
BINS = 10


def placements(truth: Truth, scores: Array) -> tuple[Array, Array]:
    """For every positive the share of negatives it beats, for every negative the share of positives that beat it.

    DeLong et al. 1988, equation 2 (psi = 1/2 for ties), by the ranks of Sun & Xu 2014.
    """
    positive, negative = scores[truth], scores[~truth]
    together = scipy.stats.rankdata(np.concatenate([positive, negative]))
    m, n = len(positive), len(negative)
    return (
        (together[:m] - scipy.stats.rankdata(positive)) / n,
        1 - (together[m:] - scipy.stats.rankdata(negative)) / m,
    )


def auc(truth: Truth, scores: Array) -> float:
    """Area under the receiver operating characteristic: the chance that a positive scores above a negative."""
    return float(placements(truth, scores)[0].mean())


def auc_interval(
    truth: Truth, scores: Array, *, resamples: int, seed: int, groups: NDArray[Any] | None = None
) -> tuple[float, float]:
    """95 % percentile interval; positives and negatives are drawn separately, so that no resample lacks either.

    Where `groups` are known, whole groups are drawn, and draws without either class are left out.
    """
    if groups is not None:

        def of_rows(rows: NDArray[np.int64]) -> list[float]:
            return [auc(truth[rows], scores[rows]) if 0 < truth[rows].sum() < len(rows) else float("nan")]

        low, high = group_bootstrap(of_rows, groups, resamples=resamples, seed=seed)
        return float(low[0]), float(high[0])

    def area(positive: Array, negative: Array) -> float:
        both = np.concatenate([positive, negative])
        return auc(np.arange(len(both)) < len(positive), both)

    return percentile_bootstrap(area, scores[truth], scores[~truth], resamples=resamples, seed=seed)


def delong_covariance(truth: Truth, scores: Sequence[Array]) -> NDArray[np.float64]:
    """Covariance matrix of the AUCs of several classifiers on the same images (DeLong et al. 1988, equation 5)."""
    both = [placements(truth, score) for score in scores]
    positive, negative = (np.stack([pair[side] for pair in both]) for side in (0, 1))
    covariance: NDArray[np.float64] = (
        np.atleast_2d(np.cov(positive)) / positive.shape[1] + np.atleast_2d(np.cov(negative)) / negative.shape[1]
    )
    return covariance


def delong_interval(truth: Truth, scores: Array, groups: NDArray[Any] | None = None) -> tuple[float, float, float]:
    """AUC with its 95 % interval, made on the logit scale so that it stays within 0 and 1; of clustered images with `groups`."""
    return delong_interval_of_folds([(truth, scores)], None if groups is None else [groups])


def delong_interval_of_folds(
    folds: Sequence[tuple[Truth, Array]], groups: Sequence[NDArray[Any]] | None = None
) -> tuple[float, float, float]:
    """Mean AUC of folds that share no image, with its 95 % interval; nan without a fold.

    With `groups`, a person, lesion or photograph for each image of each fold, which no fold cuts, the variance is that of
    clustered images (Obuchowski 1997), and the quantile Student's. Of as few groups of a class as there are folds nothing is
    known: the interval is then 0 to 1.
    """
    if not folds:
        return (float("nan"),) * 3
    value = float(np.mean([auc(truth, scores) for truth, scores in folds]))
    if groups is None:
        variance = sum(float(delong_covariance(truth, [scores])[0, 0]) for truth, scores in folds) / len(folds) ** 2
        quantile = float(scipy.stats.norm.ppf((1 + LEVEL) / 2))
    else:
        variance, freedom = _clustered_variance(folds, groups)
        quantile = float(scipy.stats.t.ppf((1 + LEVEL) / 2, freedom))
    if not 0 < value < 1 or variance == 0:
        return value, value, value
    if not np.isfinite(variance):
        return value, 0.0, 1.0
    reach = quantile * np.sqrt(variance) / (value * (1 - value))
    low, high = scipy.special.expit(scipy.special.logit(value) + np.array([-reach, reach]))
    return value, float(low), float(high)


def _clustered_variance(folds: Sequence[tuple[Truth, Array]], groups: Sequence[NDArray[Any]]) -> tuple[float, int]:
    """Variance of the mean AUC of folds, and its degrees of freedom (Obuchowski 1997, equations 5 to 8, in each fold).

    Of each group the sums of what its positives and its negatives add to the area; those of one group go together. Without
    folds and with groups of one image it is DeLong's.
    """
    sums = [_group_sums(truth, scores, names) for (truth, scores), names in zip(folds, groups, strict=True)]
    return _variance_of_sums(np.concatenate(sums), len(folds))


def _variance_of_sums(sums: Array, count: int) -> tuple[float, int]:
    having = sums[:, 2:] > 0
    present = np.array([having[:, 0].sum(), having[:, 1].sum(), having.any(axis=1).sum()])
    if present.min() <= count:
        return float("inf"), 1
    positive, negative = sums[:, 0], sums[:, 1]
    parts = np.array([(positive**2).sum(), (negative**2).sum(), 2 * (positive * negative).sum()])
    variance = float((present / (present - count) * parts).sum()) / count**2
    return max(variance, 0.0), int(present.min()) - count


def _group_sums(truth: Truth, scores: Array, groups: NDArray[Any]) -> Array:
    """Of each group what its positives and its negatives add to the area beyond the mean, and how many it has: [groups, 4]."""
    number = np.unique(groups, return_inverse=True)[1]
    columns = []
    for side, places in zip((truth, ~truth), placements(truth, scores), strict=True):
        columns += [np.bincount(number[side], (places - places.mean()) / len(places), minlength=number.max() + 1)]
    columns += [np.bincount(number[side], minlength=number.max() + 1) for side in (truth, ~truth)]
    return np.stack(columns, axis=1).astype(np.float64)


@dataclass(frozen=True)
class Difference:
    """Of two AUCs on the same images: second minus first, its interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float


def delong_difference(truth: Truth, first: Array, second: Array, groups: NDArray[Any] | None = None) -> Difference:
    """Paired test of two correlated AUCs (DeLong et al. 1988); of clustered images (Obuchowski 1997) with `groups`.

    Of one group of a class nothing is known: the interval is then -1 to 1.
    """
    value = auc(truth, second) - auc(truth, first)
    if groups is None:
        covariance = delong_covariance(truth, [first, second])
        variance, freedom = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]), np.inf
    else:
        sums = _group_sums(truth, second, groups)
        sums[:, :2] -= _group_sums(truth, first, groups)[:, :2]
        variance, freedom = _variance_of_sums(sums, 1)
    deviation = float(np.sqrt(max(variance, 0.0)))
    if deviation == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    if not np.isfinite(deviation):
        return Difference(value, -1.0, 1.0, 1.0)
    distribution = scipy.stats.t(freedom) if np.isfinite(freedom) else scipy.stats.norm
    reach = float(distribution.ppf((1 + LEVEL) / 2) * deviation)
    return Difference(value, value - reach, value + reach, float(2 * distribution.sf(abs(value) / deviation)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for as many tests (Holm 1979): step down, never falling, at most 1."""
    order = np.argsort(p_values)
    adjusted, highest = np.empty(len(p_values)), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min((len(p_values) - rank) * p_values[index], 1.0))
        adjusted[index] = highest
    return [float(p) for p in adjusted]


def sensitivity_at(truth: Truth, scores: Array, specificity: float) -> float:
    """Highest sensitivity of a threshold whose specificity is at least this."""
    false_positive, true_positive, _ = roc_curve(truth, scores, drop_intermediate=False)
    return float(true_positive[1 - false_positive >= specificity - 1e-12].max())


def specificity_at(truth: Truth, scores: Array, sensitivity: float) -> float:
    """Highest specificity of a threshold whose sensitivity is at least this."""
    false_positive, true_positive, _ = roc_curve(truth, scores, drop_intermediate=False)
    return float((1 - false_positive)[true_positive >= sensitivity - 1e-12].max())


def best_threshold(truth: Truth, scores: Array) -> float:
    """The score from which on images count as positive with the highest sensitivity + specificity (Youden 1950)."""
    false_positive, true_positive, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    return float(thresholds[1:][int(np.argmax((true_positive - false_positive)[1:]))])


def balanced_accuracy(truth: Truth, called: Truth) -> float:
    """Mean of sensitivity and specificity."""
    return float((called[truth].mean() + (~called[~truth]).mean()) / 2)


def adjust_to_prevalence(probabilities: Array, prevalence: float) -> Array:
    """Probabilities of a classifier trained on equally many of either class, where positives are this frequent.

    The odds are multiplied by those of the prevalence (Saerens et al. 2002, equation 4).
    """
    limited = np.clip(probabilities, 1e-12, 1 - 1e-12)
    adjusted: Array = scipy.special.expit(scipy.special.logit(limited) + scipy.special.logit(prevalence))
    return adjusted


def net_benefit(truth: Truth, probabilities: Array, thresholds: Array) -> Array:
    """True positives less weighted false ones, per image, of calling positive from a probability on (Vickers & Elkin 2006).

    A false positive weighs p / (1 - p) at the threshold p: whoever acts from p on holds that many times a false alarm to be as
    bad as a miss. `thresholds` [k] lie below 1.

    Examples
    --------
    >>> truth, probabilities = np.array([True, False, False, False]), np.array([0.9, 0.6, 0.2, 0.1])
    >>> net_benefit(truth, probabilities, np.array([0.0, 0.5, 0.8])).tolist()
    [0.25, 0.0, 0.25]
    """
    called = probabilities[None, :] >= thresholds[:, None]
    true, false = ((called & side).mean(axis=1) for side in (truth, ~truth))
    benefit: Array = true - false * thresholds / (1 - thresholds)
    return benefit


def calibration(truth: Truth, probabilities: Array, bins: int = BINS) -> tuple[float, list[tuple[float, float, int]]]:
    """Expected calibration error (Guo et al. 2017, equation 3), and mean probability, share of positives, n of every bin."""
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    rows = [
        (float(probabilities[places == b].mean()), float(truth[places == b].mean()), int((places == b).sum()))
        for b in range(bins)
        if (places == b).any()
    ]
    error = sum(n * abs(share - mean) for mean, share, n in rows) / len(truth)
    return float(error), rows
