"""What a utility experiment comes to, in a sentence with numbers."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from dermsynth.utility.arms import OVERSAMPLED, REAL, SYNTHETIC

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
