"""Rates of a rater from four counts: with exact intervals, in the terms of signal detection, and against chance."""

from dataclasses import dataclass
from math import sqrt

import scipy.stats

from dermsynth.statistics.intervals import LEVEL


@dataclass(frozen=True)
class Counts:
    """How often the positive kind was called so or not (TP, FN), and the other one (TN, FP)."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def total(self) -> int:
        """Answers."""
        return self.tp + self.fp + self.fn + self.tn


@dataclass(frozen=True)
class Rate:
    """A share with its exact 95 % interval (Clopper & Pearson 1934); None where nothing was counted."""

    value: float | None
    low: float
    high: float
    n: int


def rate(successes: int, trials: int) -> Rate:
    """`successes` of `trials`."""
    if trials == 0:
        return Rate(None, 0.0, 1.0, 0)
    interval = scipy.stats.binomtest(successes, trials).proportion_ci(LEVEL, "exact")
    return Rate(successes / trials, float(interval.low), float(interval.high), trials)


def rates(counts: Counts) -> dict[str, Rate]:
    """Accuracy, sensitivity (TPR), specificity (TNR), false positive rate, precision and F1.

    F1 = 2 J / (1 + J) rises with J = TP / (TP + FP + FN), whose exact interval it therefore takes over.
    """
    tp, fp, fn, tn = counts.tp, counts.fp, counts.fn, counts.tn
    jaccard = rate(tp, tp + fp + fn)
    value, low, high = (None if j is None else 2 * j / (1 + j) for j in (jaccard.value, jaccard.low, jaccard.high))
    return {
        "accuracy": rate(tp + tn, counts.total),
        "sensitivity": rate(tp, tp + fn),
        "specificity": rate(tn, tn + fp),
        "false_positive_rate": rate(fp, tn + fp),
        "precision": rate(tp, tp + fp),
        "f1": Rate(value, low or 0.0, 1.0 if high is None else high, jaccard.n),
    }


@dataclass(frozen=True)
class Detection:
    """d', its interval, and the criterion c: above 0 where the positive kind is rarely called so.

    `bounded` says that a rate was 0 or 1: d' is then what the correction makes of it, and grows with the number of images.
    """

    sensitivity_index: float
    low: float
    high: float
    criterion: float
    bounded: bool = False


def detection(counts: Counts) -> Detection | None:
    """d' = z(H) - z(F), c = -(z(H) + z(F)) / 2 (Green & Swets 1966).

    Half an answer is added to every count, so that rates of 0 and 1 have a place (Hautus 1995); the variance is that of
    Gourevitch & Galanter 1967. None where only one kind was seen.
    """
    if 0 in (counts.tp + counts.fn, counts.fp + counts.tn):
        return None
    positive, negative = counts.tp + counts.fn + 1, counts.fp + counts.tn + 1
    hits, alarms = (counts.tp + 0.5) / positive, (counts.fp + 0.5) / negative
    z = [float(scipy.stats.norm.ppf(share)) for share in (hits, alarms)]
    variance = sum(
        share * (1 - share) / (n * float(scipy.stats.norm.pdf(at)) ** 2)
        for share, n, at in zip((hits, alarms), (positive, negative), z, strict=True)
    )
    value, reach = z[0] - z[1], float(scipy.stats.norm.ppf((1 + LEVEL) / 2)) * sqrt(variance)
    bounded = 0 in (counts.tp, counts.fn, counts.fp, counts.tn)
    return Detection(value, value - reach, value + reach, -(z[0] + z[1]) / 2, bounded)


def against_chance(counts: Counts) -> float:
    """Two-sided exact p of both kinds being called positive equally often (Fisher 1935).

    Not of half the answers being right: who calls most images real is right more often than not where most are.
    """
    if counts.total == 0:
        return 1.0
    return float(scipy.stats.fisher_exact([[counts.tp, counts.fn], [counts.fp, counts.tn]]).pvalue)
