"""What a reader must know before believing a utility experiment's verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.special
import scipy.stats

from dermsynth.statistics.roc import holm
from dermsynth.utility.arms import REAL

FEW_REPEATS = 5
"""Repeats below which the interval is said to be one of few."""
FALL = 0.05
"""Loss of AUC within a part of the test images from which on it is told."""


def cautions(result: Mapping[str, Any]) -> list[str]:
    """Sentences that stand beside the verdict: too few repeats, and parts of the test images in which classifiers fail."""
    return [*_few_repeats(result), *_falls(result)]


def _few_repeats(result: Mapping[str, Any]) -> list[str]:
    """How much of the interval is owed to so few repeats, and how many would do; of the widest difference."""
    repeats = int(result["settings"]["repeats"])
    rows = [row for row in result["comparisons"] if row["test"] == result["figures"][0]["test"]]
    if repeats >= FEW_REPEATS or not rows:
        return []
    if repeats == 1:
        return [
            "One repeat an arm: nothing is known of other seeds, so no difference can be shown; "
            f"take `repeats` {FEW_REPEATS} or more."
        ]
    row = max(rows, key=lambda one: one["high"] - one["low"])
    now = f"up to +- {(row['high'] - row['low']) / 2:.2f} ({row['arm']})"
    said = f"{repeats} repeats an arm: intervals are wide and themselves uncertain, {now}"
    then = f"with `repeats` {row['repeats_wanted']} about +- {row['reach_then']:.2f}, and more would take little away"
    return [f"{said}; {then}."]


def _falls(result: Mapping[str, Any]) -> list[str]:
    """Parts of a test set within which the arm of real images is clearly worse than over all of it.

    What tells the classes apart over all images is then partly what tells the parts apart. p after Holm over all parts.
    """
    found = []
    for figure in result["figures"]:
        parts = [part for part in figure["strata"] if 0 < part["auc"] < 1 and part["low"] < part["high"]]
        if figure["arm"] != REAL.name or not parts or not 0 < figure["ensemble_auc"] < 1:
            continue
        adjusted = holm([_p_of_fall(part, figure["ensemble_auc"]) for part in parts])
        for part, p in zip(parts, adjusted, strict=True):
            if p < 0.05 and figure["ensemble_auc"] - part["auc"] >= FALL:
                found.append(_fall(figure, part))
    return found


def _p_of_fall(part: Mapping[str, Any], whole: float) -> float:
    """Of a part's AUC being below that of all images, one-sided, on the logit scale of its interval."""
    value, low, high, whole = (float(scipy.special.logit(v)) for v in (part["auc"], part["low"], part["high"], whole))
    deviation = (high - low) / (2 * scipy.stats.norm.ppf(0.975))
    return float(scipy.stats.norm.cdf((value - whole) / deviation))


def _fall(figure: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    column = part["stratum"].partition(": ")[0]
    within = f"{part['auc']:.3f} (95 % {part['low']:.3f} to {part['high']:.3f})"
    where = f"{figure['test']}: within {part['stratum']} ({part['images']} images, {part['positive']} positive)"
    return (
        f"{where} the classifiers of real images reach an AUC of {within} instead of {figure['ensemble_auc']:.3f} over all: "
        f"part of that figure comes from telling values of {column} apart, not the labels."
    )


def wanted_repeats(of_tests: float, of_seeds: float, most: int = 100) -> tuple[int, float]:
    """Repeats from which on the interval is at most a quarter wider than with any number, and its half width then.

    `of_tests` and `of_seeds` are the variances of a difference over test images drawn anew, and over single repeats.
    """
    least = 1.25 * float(scipy.stats.norm.ppf(0.975)) * float(np.sqrt(of_tests))
    counts: Sequence[int] = range(FEW_REPEATS, most + 1)
    widths = [half_width(of_tests, of_seeds, count) for count in counts]
    return next(((n, w) for n, w in zip(counts, widths, strict=True) if w <= least), (most, widths[-1]))


def half_width(of_tests: float, of_seeds: float, repeats: int) -> float:
    """Half of the 95 % interval of a mean difference of so many repeats: Student's quantile, both variances."""
    return float(scipy.stats.t.ppf(0.975, repeats - 1) * np.sqrt(of_tests + of_seeds / repeats))
