"""Figures of arms on test sets, and of arms against one another."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_curve

from dermsynth.statistics.roc import (
    Array,
    at_prevalence,
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
from dermsynth.utility.arms import OVERSAMPLED, REAL, SYNTHETIC, Arm
from dermsynth.utility.cautions import half_width, wanted_repeats
from dermsynth.utility.datasets import FEWEST, HeldOut

Outcome = Literal["helps", "no evidence", "hurts", "not measured"]


def verdict(result: Mapping[str, Any], test: str) -> tuple[Outcome, str]:
    """An outcome and one sentence with numbers, of the mixed arm with the highest AUC.

    It helps if it beats real images and real images shown longer, hurts if it loses to real images; p below 0.05 after Holm
    over all arms.
    """
    figures = {f["arm"]: f for f in result["figures"] if f["test"] == test}
    rows = {(c["arm"], c["against"]): c for c in result["comparisons"] if c["test"] == test}
    own = {arm["name"] for arm in result["settings"]["arms"] if not arm.get("variant")}  # not of sets edited since
    mixed = [name for name in figures if name.startswith("mixed") and name in own]
    if not mixed:
        return "not measured", "No arm mixes real and synthetic images: nothing is said of their use."
    best = max(mixed, key=lambda name: float(figures[name]["auc"]))
    row, control = rows[best, REAL.name], rows.get((best, OVERSAMPLED.name))
    said = f"{best}: {_numbers(row, figures)}"
    if row["p_holm"] >= 0.05:
        return "no evidence", f"No evidence that the synthetic images help or hurt: {said}."
    if row["difference"] < 0:
        return "hurts", f"The synthetic images hurt: {said}."
    if control is None:
        return "no evidence", f"The synthetic images help, or showing images longer does (no arm tells): {said}."
    said += f"; {_numbers(control, figures)}"
    if control["p_holm"] >= 0.05 or control["difference"] <= 0:
        return "no evidence", f"No evidence that the synthetic images help more than showing real ones longer: {said}."
    return "helps", f"The synthetic images help: {said}."


def _numbers(row: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    mine, theirs = figures[row["arm"]], figures[row["against"]]
    interval = f"95 % {row['low']:+.3f} to {row['high']:+.3f}, p {row['p_holm']:.3f} after Holm"
    return (
        f"AUC {mine['auc']:.3f} against {theirs['auc']:.3f} ({row['against']}) on {mine['images']} real images of which "
        f"{mine['positive']} are positive (difference {row['difference']:+.3f}, {interval}, {mine['repeats']} repeats)"
    )


def worth(result: Mapping[str, Any], count: int, test: str) -> str:
    """How many of `count` real images give the AUC of the synthetic ones alone, read off the arms with fewer of them."""
    figures = [f for f in result["figures"] if f["test"] == test]
    shares = {
        arm["name"]: arm["real"]
        for arm in result["settings"]["arms"]
        if arm["synthetic"] == 0 and arm["length"] == 1 and not arm.get("variant")
    }
    scale = sorted((round(shares[f["arm"]] * count), float(f["auc"])) for f in figures if f["arm"] in shares)
    alone = next((float(f["auc"]) for f in figures if f["arm"] == SYNTHETIC.name), None)
    if alone is None or len(scale) < 2:
        return ""
    numbers, areas = np.array([n for n, _ in scale]), np.maximum.accumulate([a for _, a in scale])
    if alone < areas[0]:
        return f"Alone they are worth fewer than {numbers[0]} real images (AUC {alone:.3f})."
    if alone > areas[-1]:
        return f"Alone they are worth more than all {numbers[-1]} real images (AUC {alone:.3f})."
    equal = float(np.interp(alone, areas, numbers))
    return f"Alone they are worth about {equal:.0f} real images (AUC {alone:.3f})."


FIXED = 0.9
"""Specificity, and sensitivity, at which the other is reported."""
RESAMPLES = 2000


@dataclass(frozen=True)
class Scored:
    """Probabilities of one arm on one test set, [repeats, n], and what the validation images say of it.

    That is the threshold, and the share of positives that probabilities are to expect.
    """

    arm: Arm
    test: HeldOut
    scores: Array
    threshold: float
    prevalence: float

    @property
    def mean(self) -> Array:
        """The repeats' mean probability: what an ensemble of them says."""
        found: Array = self.scores.mean(axis=0)
        return found

    @property
    def areas(self) -> list[float]:
        """AUC of every repeat."""
        return [auc(self.test.truth, scores) for scores in self.scores]


def figures_of(one: Scored, seed: int) -> dict[str, Any]:
    """Every figure of an arm on a test set: the mean over repeats, and intervals over test images of the ensemble."""
    truth, mean = one.test.truth, one.mean
    areas = one.areas
    ensemble, low, high = delong_interval(truth, mean)
    called = mean >= one.threshold
    error, bins = calibration(truth, at_prevalence(mean, one.prevalence))
    return {
        "arm": one.arm.name,
        "test": one.test.name,
        "images": len(truth),
        "positive": int(truth.sum()),
        "repeats": len(areas),
        "auc": float(np.mean(areas)),
        "auc_deviation": float(np.std(areas, ddof=1)) if len(areas) > 1 else 0.0,
        "auc_repeats": [round(area, 5) for area in areas],
        "ensemble_auc": ensemble,
        "delong": [low, high],
        "bootstrap": list(auc_interval(truth, mean, resamples=RESAMPLES // 4, seed=seed)),
        "balanced_accuracy": balanced_accuracy(truth, called),
        "threshold": one.threshold,
        "confusion": {
            "true_positive": int((called & truth).sum()),
            "false_negative": int((~called & truth).sum()),
            "false_positive": int((called & ~truth).sum()),
            "true_negative": int((~called & ~truth).sum()),
        },
        "sensitivity_at_90_specificity": sensitivity_at(truth, mean, FIXED),
        "specificity_at_90_sensitivity": specificity_at(truth, mean, FIXED),
        "calibration_error": error,
        "calibration": [list(row) for row in bins],
        "average_precision": float(average_precision_score(truth, mean)),
        "roc": _roc(truth, mean),
        "precision_recall": _precision_recall(truth, mean),
        "strata": _strata(one),
    }


def _strata(one: Scored) -> list[dict[str, Any]]:
    """AUC of the ensemble in parts of the test set that have enough images of either class."""
    found = []
    for name, rows in one.test.strata.items():
        truth = one.test.truth[rows]
        if min(truth.sum(), (~truth).sum()) >= FEWEST:
            value, low, high = delong_interval(truth, one.mean[rows])
            found.append(
                {
                    "stratum": name,
                    "images": len(truth),
                    "positive": int(truth.sum()),
                    "auc": value,
                    "low": low,
                    "high": high,
                }
            )
    return found


def _roc(truth: NDArray[np.bool_], scores: Array) -> list[list[float]]:
    """False positive rates and true positive rates of all thresholds where the curve turns."""
    false_positive, true_positive, _ = roc_curve(truth, scores)
    return [[round(float(v), 5) for v in side] for side in (false_positive, true_positive)]


def _precision_recall(truth: NDArray[np.bool_], scores: Array) -> list[list[float]]:
    """Sensitivities and positive predictive values of all thresholds."""
    precision, recall, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
    return [[round(float(v), 5) for v in side] for side in (recall, precision)]


def comparisons(found: Sequence[Scored], seed: int) -> list[dict[str, Any]]:
    """Every arm against the first, and mixed arms against real images shown longer too; p after Holm over all of them.

    Of means: for other images and other seeds. Of ensembles: DeLong.
    """
    longer = [one for one in found if one.arm == OVERSAMPLED]
    pairs = [(found[0], other) for other in found[1:]]
    pairs += [(control, other) for control in longer for other in found if other.arm.real and other.arm.synthetic]
    rows = [_comparison(baseline, other, seed) for baseline, other in pairs]
    adjusted = holm([float(row["p"]) for row in rows])
    return [{**row, "p_holm": p} for row, p in zip(rows, adjusted, strict=True)]


def _comparison(baseline: Scored, other: Scored, seed: int) -> dict[str, Any]:
    low, high, p = paired_difference(baseline, other, seed)
    wanted, reach = wanted_repeats(*variances(baseline, other, seed))
    return {
        "test": other.test.name,
        "arm": other.arm.name,
        "against": baseline.arm.name,
        "difference": float(np.mean(other.areas) - np.mean(baseline.areas)),
        "low": low,
        "high": high,
        "p": p,
        "repeats_wanted": wanted,
        "reach_then": reach,
        "delong": asdict(delong_difference(baseline.test.truth, baseline.mean, other.mean)),
    }


def paired_difference(
    first: Scored, second: Scored, seed: int, resamples: int = RESAMPLES
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


def variances(first: Scored, second: Scored, seed: int, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Of the difference of mean AUCs over test images drawn anew, and of single repeats' differences (0 of one)."""
    random, truth = np.random.default_rng(seed), first.test.truth
    positive, negative = np.flatnonzero(truth), np.flatnonzero(~truth)
    often = [_multiplicities(random, resamples, len(side)) for side in (positive, negative)]
    wins = [
        _wins(b, positive, negative) - _wins(a, positive, negative)
        for a, b in zip(first.scores, second.scores, strict=True)
    ]
    draws = np.einsum("kn,kn->k", often[0] @ np.mean(wins, axis=0), often[1])
    differences = np.array([w.mean() for w in wins])
    return float(draws.var()), float(differences.var(ddof=1)) if len(differences) > 1 else 0.0


def _multiplicities(random: np.random.Generator, resamples: int, count: int) -> Array:
    """How often each of `count` items is drawn, as shares, in every resample: [resamples, count]."""
    return random.multinomial(count, np.full(count, 1 / count), resamples) / count


def _wins(scores: Array, positive: NDArray[np.int64], negative: NDArray[np.int64]) -> Array:
    """1 where a positive scores above a negative, one half for ties: [positives, negatives]; its mean is the AUC."""
    difference = scores[positive][:, None] - scores[negative]
    return (np.sign(difference) + 1) / 2
