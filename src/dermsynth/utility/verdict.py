"""What a utility experiment comes to, in a sentence with numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dermsynth.utility.arms import OVERSAMPLED, SYNTHETIC


def verdict(result: Mapping[str, Any], test: str) -> str:
    """One sentence with numbers: helps, no evidence, or hurts; of the best mixed arm, against real images shown as long."""
    figures = {f["arm"]: f for f in result["figures"] if f["test"] == test}
    rows = {c["arm"]: c for c in result["comparisons"] if c["test"] == test}
    mixed = [name for name in figures if name.startswith("mixed")]
    if not mixed:
        return "No arm mixes real and synthetic images: nothing is said of their use."
    best = max(mixed, key=lambda name: float(figures[name]["auc"]))
    row, control = rows[best], rows.get(OVERSAMPLED.name)
    mine, theirs = figures[best], figures[row["against"]]
    interval = f"95 % {row['low']:+.3f} to {row['high']:+.3f}, p {row['p_holm']:.3f} after Holm"
    said = (
        f"{best}: AUC {mine['auc']:.3f} against {theirs['auc']:.3f} on {mine['images']} real images of which "
        f"{mine['positive']} are positive (difference {row['difference']:+.3f}, {interval}, {mine['repeats']} repeats)"
    )
    if row["p_holm"] >= 0.05:
        return f"No evidence that the synthetic images help or hurt: {said}."
    if row["difference"] < 0:
        return f"The synthetic images hurt: {said}."
    if control is not None and control["difference"] >= row["difference"]:
        return f"No evidence that the synthetic images help: showing real ones longer gains as much: {said}."
    return f"The synthetic images help: {said}."


def worth(result: Mapping[str, Any], count: int, test: str) -> str:
    """How many of `count` real images give the AUC of the synthetic ones alone, read off the arms with fewer of them."""
    figures = [f for f in result["figures"] if f["test"] == test]
    shares = {
        arm["name"]: arm["real"] for arm in result["settings"]["arms"] if arm["synthetic"] == 0 and arm["length"] == 1
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
