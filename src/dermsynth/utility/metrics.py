"""Figures of arms on test sets, and of arms against one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from dermsynth.statistics.roc import (
    Array,
    adjust_to_prevalence,
    auc,
    auc_interval,
    balanced_accuracy,
    calibration,
    delong_difference,
    delong_interval,
    holm,
    sensitivity_at,
    specificity_at,
)
from dermsynth.utility.arms import OVERSAMPLED, Arm
from dermsynth.utility.material import FEWEST, HeldOut
from dermsynth.utility.results import ArmFigures, Comparison, Confusion, StratumFigure

FIXED = 0.9
"""Specificity, and sensitivity, at which the other is reported."""
RESAMPLES = 2000
FEW_REPEATS = 5
"""With fewer repeats the intervals are wide and themselves uncertain."""
MOST_REPEATS = 100


@dataclass(frozen=True)
class ArmScores:
    """Probabilities of one arm on one test set, [repeats, n].

    `threshold`, and the share of positives that probabilities are calibrated to, come from the validation images.
    """

    arm: Arm
    test: HeldOut
    scores: Array
    threshold: float
    prevalence: float

    @property
    def ensemble(self) -> Array:
        """Mean probability over repeats, [n]."""
        mean: Array = self.scores.mean(axis=0)
        return mean

    @property
    def areas(self) -> list[float]:
        """AUC of every repeat."""
        return [auc(self.test.truth, scores) for scores in self.scores]


def arm_figures(arm: ArmScores, seed: int) -> ArmFigures:
    """Every figure of an arm on a test set: the mean over repeats, and intervals over test images of the ensemble."""
    truth, ensemble, areas = arm.test.truth, arm.ensemble, arm.areas
    people = arm.test.rows.people
    value, low, high = delong_interval(truth, ensemble, people)
    called = ensemble >= arm.threshold
    error, bins = calibration(truth, adjust_to_prevalence(ensemble, arm.prevalence))
    return ArmFigures(
        arm=arm.arm.name,
        test=arm.test.name,
        images=len(truth),
        positive=int(truth.sum()),
        repeats=len(areas),
        auc=float(np.mean(areas)),
        auc_deviation=float(np.std(areas, ddof=1)) if len(areas) > 1 else 0.0,
        auc_repeats=tuple(round(area, 5) for area in areas),
        ensemble_auc=value,
        delong=(low, high),
        bootstrap=auc_interval(truth, ensemble, resamples=RESAMPLES // 4, seed=seed, groups=people),
        balanced_accuracy=balanced_accuracy(truth, called),
        threshold=arm.threshold,
        confusion=_confusion(truth, called),
        sensitivity_at_90_specificity=sensitivity_at(truth, ensemble, FIXED),
        specificity_at_90_sensitivity=specificity_at(truth, ensemble, FIXED),
        calibration_error=error,
        calibration=tuple(bins),
        average_precision=float(average_precision_score(truth, ensemble)),
        roc=_roc(truth, ensemble),
        precision_recall=_precision_recall(truth, ensemble),
        strata=_strata(arm),
    )


def _confusion(truth: NDArray[np.bool_], called: NDArray[np.bool_]) -> Confusion:
    return Confusion(
        true_positive=int((called & truth).sum()),
        false_negative=int((~called & truth).sum()),
        false_positive=int((called & ~truth).sum()),
        true_negative=int((~called & ~truth).sum()),
    )


def _strata(arm: ArmScores) -> tuple[StratumFigure, ...]:
    """AUC of the ensemble in strata of the test set that have enough images of either class."""
    figures = []
    for stratum in arm.test.strata:
        truth = arm.test.truth[stratum.rows]
        if min(truth.sum(), (~truth).sum()) >= FEWEST:
            people = arm.test.rows.people
            of_stratum = None if people is None else people[stratum.rows]
            value, low, high = delong_interval(truth, arm.ensemble[stratum.rows], of_stratum)
            figures.append(
                StratumFigure(
                    stratum=stratum.name, column=stratum.column, images=len(truth), positive=int(truth.sum()),
                    auc=value, low=low, high=high,
                )
            )  # fmt: skip
    return tuple(figures)


Curve = tuple[tuple[float, ...], tuple[float, ...]]


def _roc(truth: NDArray[np.bool_], scores: Array) -> Curve:
    """False positive rates and true positive rates of all thresholds where the curve turns."""
    false_positive, true_positive, _ = roc_curve(truth, scores)
    return _rounded(false_positive), _rounded(true_positive)


def _precision_recall(truth: NDArray[np.bool_], scores: Array) -> Curve:
    """Sensitivities and positive predictive values of all thresholds."""
    precision, recall, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
    return _rounded(recall), _rounded(precision)


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)


def comparisons(arms: Sequence[ArmScores], seed: int) -> list[Comparison]:
    """Every arm against the first, mixed arms against real images shown longer too, and arms of some real images with synthetic
    ones against these real images alone; p after Holm over all of them.

    Intervals of means are for other images and other seeds; ensembles are compared by DeLong's test.
    """
    pairs = [(arms[0], other) for other in arms[1:]]
    controls = [arm for arm in arms if arm.arm == OVERSAMPLED]
    pairs += [(control, other) for control in controls for other in arms if other.arm.is_mixed and other.arm.synthetic]
    alone = {arm.arm.real: arm for arm in arms if arm.arm.is_real_only and arm.arm.real < 1}
    pairs += [(alone[arm.arm.real], arm) for arm in arms if arm.arm.has_few_real and arm.arm.real in alone]
    rows = [_comparison(baseline, other, seed) for baseline, other in pairs]
    adjusted = holm([row.p for row in rows])
    return [row.model_copy(update={"p_holm": p}) for row, p in zip(rows, adjusted, strict=True)]


def _comparison(baseline: ArmScores, other: ArmScores, seed: int) -> Comparison:
    low, high, p = paired_difference(baseline, other, seed)
    repeats, reach = wanted_repeats(*variances(baseline, other, seed))
    return Comparison(
        test=other.test.name,
        arm=other.arm.name,
        against=baseline.arm.name,
        difference=float(np.mean(other.areas) - np.mean(baseline.areas)),
        low=low,
        high=high,
        p=p,
        repeats_wanted=repeats,
        reach_then=reach,
        delong=delong_difference(baseline.test.truth, baseline.ensemble, other.ensemble, baseline.test.rows.people),
        p_holm=p,
    )


def paired_difference(
    first: ArmScores, second: ArmScores, seed: int, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """95 % interval and two-sided p of the difference of mean AUCs, for other test images and other seeds of training.

    The variance is that of the mean difference over test images drawn anew, plus s^2 / k over the k repeats; the quantile is
    Student's with k - 1 degrees of freedom, for with few repeats s^2 is hardly known. One repeat tells nothing of seeds.
    """
    differences = np.array(second.areas) - np.array(first.areas)
    repeats, mean = len(differences), float(differences.mean())
    if repeats < 2:
        return mean, mean, 1.0
    of_tests, of_seeds = variances(first, second, seed, resamples)
    deviation, reach = float(np.sqrt(of_tests + of_seeds / repeats)), half_width(of_tests, of_seeds, repeats)
    p = 1.0 if deviation == 0 else float(2 * scipy.stats.t.sf(abs(mean) / deviation, repeats - 1))
    return max(mean - reach, -1.0), min(mean + reach, 1.0), p


def variances(first: ArmScores, second: ArmScores, seed: int, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Variances of the difference of mean AUCs over test images drawn anew, and of single repeats' differences (0 of one).

    Where people are known, they are drawn with all their images.
    """
    random, truth = np.random.default_rng(seed), first.test.truth
    positive, negative = np.flatnonzero(truth), np.flatnonzero(~truth)
    people = first.test.rows.people
    if people is None:
        shares = [_multiplicities(random, resamples, len(side)) for side in (positive, negative)]
    else:
        shares = _shares_of_people(random, resamples, people, truth)
    wins = [
        _wins(b, positive, negative) - _wins(a, positive, negative)
        for a, b in zip(first.scores, second.scores, strict=True)
    ]
    draws = np.einsum("kn,kn->k", shares[0] @ np.mean(wins, axis=0), shares[1])
    differences = np.array([w.mean() for w in wins])
    return float(draws.var()), float(differences.var(ddof=1)) if len(differences) > 1 else 0.0


def _multiplicities(random: np.random.Generator, resamples: int, count: int) -> Array:
    """How often each of `count` items is drawn, as shares, in every resample: [resamples, count]."""
    return random.multinomial(count, np.full(count, 1 / count), resamples) / count


def _shares_of_people(
    random: np.random.Generator, resamples: int, people: NDArray[np.int64], truth: NDArray[np.bool_]
) -> list[Array]:
    """How often each positive and each negative is drawn, as shares of its class, where whole people are drawn.

    Draws without either class are left out.
    """
    count = int(people.max()) + 1
    drawn = random.multinomial(count, np.full(count, 1 / count), resamples)[:, people].astype(np.float64)
    sides = [drawn[:, truth], drawn[:, ~truth]]
    usable = np.all([side.sum(axis=1) > 0 for side in sides], axis=0)
    return [side[usable] / side[usable].sum(axis=1, keepdims=True) for side in sides]


def _wins(scores: Array, positive: NDArray[np.int64], negative: NDArray[np.int64]) -> Array:
    """1 where a positive scores above a negative, one half for ties: [positives, negatives]; its mean is the AUC."""
    difference = scores[positive][:, None] - scores[negative]
    return (np.sign(difference) + 1) / 2


def wanted_repeats(of_tests: float, of_seeds: float) -> tuple[int, float]:
    """Repeats that bring the interval within a quarter of what any number of repeats could reach, and its half width then.

    `of_tests` and `of_seeds` are the variances of a difference over test images drawn anew, and over single repeats.
    """
    limit = 1.25 * float(scipy.stats.norm.ppf(0.975)) * float(np.sqrt(of_tests))
    widths = {count: half_width(of_tests, of_seeds, count) for count in range(FEW_REPEATS, MOST_REPEATS + 1)}
    return next(
        ((count, width) for count, width in widths.items() if width <= limit), (MOST_REPEATS, widths[MOST_REPEATS])
    )


def half_width(of_tests: float, of_seeds: float, repeats: int) -> float:
    """Half of the 95 % interval of a mean difference over `repeats`: Student's quantile, both variances."""
    return float(scipy.stats.t.ppf(0.975, repeats - 1) * np.sqrt(of_tests + of_seeds / repeats))
