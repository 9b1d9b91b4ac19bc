"""What the figures of a utility experiment mean: the verdict, the worth in real images, and cautions."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats

from dermsynth.statistics.roc import holm
from dermsynth.utility.arms import CLASSICAL, OVERSAMPLED, REAL, SYNTHETIC, Arm
from dermsynth.utility.results import ArmFigures, Comparison, Outcome, StratumFigure
from dermsynth.utility.spread import FEW_REPEATS

LEVEL = 0.05
FEW_GENERATORS = 5
FALL = 0.05
"""Loss of AUC within a stratum of the test images from which on a caution is given."""


class Verdict(NamedTuple):
    """An outcome and one sentence with its numbers."""

    outcome: Outcome
    text: str


def verdict(figures: Sequence[ArmFigures], comparisons: Sequence[Comparison], arms: Sequence[Arm]) -> Verdict:
    """Whether synthetic images help: of the mixed arm with the highest AUC, on one test set.

    They help if it beats real images and real images shown longer, and hurt if it loses to real images; p below 0.05 after Holm
    over all arms.
    """
    by_arm = {row.arm: row for row in figures}
    mixed = [by_arm[arm.name] for arm in arms if _is_mixed(arm) and arm.name in by_arm]
    if not mixed:
        return Verdict("not measured", "No arm mixes real and synthetic images: nothing is known of their use.")
    best = max(mixed, key=lambda row: row.auc)
    against = {row.against: row for row in comparisons if row.arm == best.arm}
    baseline, control = against[REAL.name], against.get(OVERSAMPLED.name)
    outcome, text = _outcome(baseline, control)
    compared = [baseline, control] if control is not None and _beats(baseline) else [baseline]
    return Verdict(outcome, f"{text}: {best.arm}: {'; '.join(_numbers(row, by_arm) for row in compared)}.")


def _outcome(baseline: Comparison, control: Comparison | None) -> tuple[Outcome, str]:
    if baseline.p_holm < LEVEL and baseline.difference < 0:
        return "hurts", "The synthetic images hurt"
    if not _beats(baseline):
        return "no evidence", "No evidence that the synthetic images help or hurt"
    if control is None:
        return (
            "no evidence",
            "The synthetic images help, or longer training does (no arm shows real images for as long)",
        )
    if control.p_holm >= LEVEL or control.difference <= 0:
        return "no evidence", "No evidence that the synthetic images help more than showing real ones longer"
    return "helps", "The synthetic images help"


def _beats(row: Comparison) -> bool:
    return row.p_holm < LEVEL and row.difference >= 0


def _numbers(row: Comparison, by_arm: Mapping[str, ArmFigures]) -> str:
    arm, against = by_arm[row.arm], by_arm[row.against]
    interval = f"95 % {row.low:+.3f} to {row.high:+.3f}, p {row.p_holm:.3f} after Holm"
    trainings = (
        f"{arm.repeats} repeats" if arm.generators == 1 else f"{arm.generators} generators of {arm.repeats} repeats"
    )
    return (
        f"AUC {arm.auc:.3f} against {against.auc:.3f} ({row.against}) on {arm.images} real images of which "
        f"{arm.positive} are positive (difference {row.difference:+.3f}, {interval}, {trainings})"
    )


def worth(figures: Sequence[ArmFigures], arms: Sequence[Arm], count: int) -> str:
    """How many of `count` real images give the AUC of the synthetic ones alone, on one test set.

    Read off the arms with fewer real images; empty where an arm for it is missing.
    """
    by_arm = {row.arm: row.auc for row in figures}
    curve = sorted(
        (round(arm.real * count), by_arm[arm.name]) for arm in arms if arm.is_real_only and arm.name in by_arm
    )
    if SYNTHETIC.name not in by_arm or len(curve) < 2:
        return ""
    alone = by_arm[SYNTHETIC.name]
    numbers, areas = np.array([n for n, _ in curve]), np.maximum.accumulate([area for _, area in curve])
    if alone < areas[0]:
        return f"Alone they are worth fewer than {numbers[0]} real images (AUC {alone:.3f})."
    if alone > areas[-1]:
        return f"Alone they reach the AUC of all {numbers[-1]} real images (AUC {alone:.3f} against {areas[-1]:.3f})."
    equal = float(np.interp(alone, areas, numbers))
    return f"Alone they are worth about {equal:.0f} real images (AUC {alone:.3f})."


def cautions(
    figures: Sequence[ArmFigures], comparisons: Sequence[Comparison], repeats: int, arms: Sequence[Arm] = ()
) -> list[str]:
    """Sentences that stand beside the verdict: too few repeats, arms as good without a generator, strata in which all fail."""
    test = figures[0].test
    first = [row for row in comparisons if row.test == test]
    falls = [line for row in figures if row.arm == REAL.name for line in _falls(row)]
    as_good = _as_good_without([row for row in figures if row.test == test], arms)
    few = _few_repeats([row for row in first if row.generators == 1] or first, repeats)
    return [*few, *_few_generators(first, arms), *as_good, *_seen_by_the_generator(arms), *falls]


def _seen_by_the_generator(arms: Sequence[Arm]) -> list[str]:
    """What a learning curve with synthetic images does not say."""
    if not any(arm.has_few_real for arm in arms):
        return []
    return [
        "the generator learned from all training images: arms of fewer real images with synthetic ones say what few images and a "
        "generator of many are worth, not what few images and a generator of these few are."
    ]


def _as_good_without(figures: Sequence[ArmFigures], arms: Sequence[Arm]) -> list[str]:
    """The best arm that needs no generator, where it is at least as good as the best one with synthetic images."""
    names = [{arm.name for arm in arms if test(arm)} for test in (_is_mixed, _is_baseline)]
    rows = [[row for row in figures if row.arm in some] for some in names]
    if not rows[0] or not rows[1]:
        return []
    mixed, plain = (max(some, key=lambda row: row.auc) for some in rows)
    if plain.auc < mixed.auc:
        return []
    return [
        f"No generator is needed for as much: {plain.arm} reaches an AUC of {plain.auc:.3f}, {mixed.arm} {mixed.auc:.3f}."
    ]


def _is_mixed(arm: Arm) -> bool:
    return arm.is_mixed and not arm.variant


def _is_baseline(arm: Arm) -> bool:
    return arm == CLASSICAL or bool(arm.way)


def _few_repeats(rows: Sequence[Comparison], repeats: int) -> list[str]:
    """How wide the widest interval is with so few repeats, and how many would do."""
    if repeats >= FEW_REPEATS or not rows:
        return []
    if repeats == 1:
        return [
            "One repeat an arm: nothing is known of other seeds, so no difference can be shown; "
            f"run {FEW_REPEATS} repeats or more."
        ]
    row = max(rows, key=lambda row: row.high - row.low)
    now = f"up to +- {(row.high - row.low) / 2:.2f} ({row.arm})"
    if row.generators > 1:
        return [f"{repeats} repeats an arm and generator: intervals are wide and themselves uncertain, {now}."]
    then = f"{row.repeats_wanted} repeats would bring that to about +- {row.reach_then:.2f}, and still more would help little"
    return [f"{repeats} repeats an arm: intervals are wide and themselves uncertain, {now}; {then}."]


def _few_generators(rows: Sequence[Comparison], arms: Sequence[Arm]) -> list[str]:
    """How much the generators of the mixed arm with the widest interval differ, where there are few of them."""
    mixed = {arm.name for arm in arms if _is_mixed(arm)}
    several = [row for row in rows if 1 < row.generators < FEW_GENERATORS and row.arm in mixed]
    if not several:
        return []
    row = max(several, key=lambda row: row.high - row.low)
    of = row.deviations
    apart = "" if of is None or of.generators is None else f": {_deviations(of.generators, of.seeds)} ({row.arm})"
    return [
        f"{row.generators} generators{apart}; how much others would differ is hardly known from fewer than {FEW_GENERATORS}."
    ]


def _deviations(generators: float, seeds: float) -> str:
    between = f"by {generators:.3f}" if generators >= 0.0005 else "by no more than trainings explain"
    return f"the difference deviates {between} between generators, by {seeds:.3f} between trainings of a classifier"


def _falls(figures: ArmFigures) -> list[str]:
    """Strata of a test set within which classifiers of real images are clearly worse than over all of it.

    What separates the classes over all images is then partly what separates the strata. p after Holm over all strata.
    """
    whole = figures.ensemble_auc
    strata = [row for row in figures.strata if 0 < row.auc < 1 and row.low < row.high]
    if not strata or not 0 < whole < 1:
        return []
    adjusted = holm([_p_of_fall(row, whole) for row in strata])
    return [
        _fall(figures, row) for row, p in zip(strata, adjusted, strict=True) if p < LEVEL and whole - row.auc >= FALL
    ]


def _p_of_fall(stratum: StratumFigure, whole: float) -> float:
    """One-sided p of a stratum's AUC below that of all images, on the logit scale of its interval."""
    value, low, high, whole = (float(scipy.special.logit(v)) for v in (stratum.auc, stratum.low, stratum.high, whole))
    deviation = (high - low) / (2 * scipy.stats.norm.ppf(0.975))
    return float(scipy.stats.norm.cdf((value - whole) / deviation))


def _fall(figures: ArmFigures, stratum: StratumFigure) -> str:
    within = f"{stratum.auc:.3f} (95 % {stratum.low:.3f} to {stratum.high:.3f})"
    where = f"{figures.test}: within {stratum.stratum} ({stratum.images} images, {stratum.positive} positive)"
    return (
        f"{where} the classifiers of real images reach an AUC of {within} instead of {figures.ensemble_auc:.3f} over all: "
        f"part of that figure comes from telling values of {stratum.column} apart, not the labels."
    )
