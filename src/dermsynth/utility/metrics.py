"""Figures of arms on test sets, and of arms against one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from dermsynth.statistics.roc import (
    Array,
    adjust_to_prevalence,
    auc_interval,
    balanced_accuracy,
    calibration,
    delong_difference,
    delong_interval,
    holm,
    net_benefit,
    sensitivity_at,
    specificity_at,
)
from dermsynth.utility.arms import OVERSAMPLED, Arm
from dermsynth.utility.material import FEWEST, HeldOut
from dermsynth.utility.results import THRESHOLDS, ArmFigures, Comparison, Confusion, Deviations, StratumFigure
from dermsynth.utility.spread import RESAMPLES, Scores, interval_and_p, variances, wanted_repeats

FIXED = 0.9
"""Specificity, and sensitivity, at which the other is reported."""


@dataclass(frozen=True)
class ArmScores:
    """Probabilities of one arm on one test set, [generators x repeats, n], one generator after the other.

    `threshold`, and the share of positives that probabilities are calibrated to, come from the validation images.
    """

    arm: Arm
    test: HeldOut
    scores: Array
    threshold: float
    prevalence: float
    generators: int = 1

    @property
    def of_trainings(self) -> Scores:
        """The same as [generators, repeats, n]."""
        return Scores(self.test, self.scores.reshape(self.generators, -1, self.scores.shape[1]))

    @property
    def ensemble(self) -> Array:
        """Mean probability over generators and repeats, [n]."""
        mean: Array = self.scores.mean(axis=0)
        return mean

    @property
    def areas(self) -> list[float]:
        """AUC of every training."""
        return [float(area) for area in self.of_trainings.areas.ravel()]


def arm_figures(arm: ArmScores, seed: int) -> ArmFigures:
    """Every figure of an arm on a test set: the mean over repeats, and intervals over test images of the ensemble."""
    truth, ensemble, areas = arm.test.truth, arm.ensemble, arm.areas
    people = arm.test.rows.people
    value, low, high = delong_interval(truth, ensemble, people)
    called = ensemble >= arm.threshold
    adjusted = adjust_to_prevalence(ensemble, arm.prevalence)
    error, bins = calibration(truth, adjusted)
    return ArmFigures(
        arm=arm.arm.name,
        test=arm.test.name,
        images=len(truth),
        positive=int(truth.sum()),
        repeats=len(areas) // arm.generators,
        generators=arm.generators,
        people=None if people is None else len(np.unique(people)),
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
        net_benefit=_rounded(net_benefit(truth, adjusted, np.array(THRESHOLDS))),
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
    spread = variances(baseline.of_trainings, other.of_trainings, seed)
    low, high, p = interval_and_p(baseline.of_trainings, other.of_trainings, spread)
    of_generators = spread.training.generators
    repeats, reach = wanted_repeats(spread.of_tests, spread.training.seeds)
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
        generators=other.generators,
        deviations=Deviations(
            tests=float(np.sqrt(spread.of_tests)),
            generators=None if of_generators is None else float(np.sqrt(of_generators)),
            seeds=float(np.sqrt(spread.training.seeds)),
        ),
    )
