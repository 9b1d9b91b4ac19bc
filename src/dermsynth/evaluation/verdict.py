"""Traffic lights: what the figures say, each by a rule that is printed with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from scipy.stats import betabinom

from dermsynth.evaluation.groups import EVERYTHING
from dermsynth.networks.features import EMBEDDED

Light = Literal["green", "amber", "red", "not measured"]
GOOD, FAIR = 0.9, 0.7
"""Shares of what real images reach against each other, from which a figure is green or amber."""
USEFULNESS = "usefulness.json"
"""Where a utility experiment leaves its outcome in the synthetic set."""
COMMON = 0.02
"""Share of the real images from which on a skin tone must not be missing."""


@dataclass(frozen=True)
class Line:
    """One row of the table on top of a report."""

    question: str
    light: Light
    says: str
    rule: str


def verdict(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Fidelity, diversity, copying, fairness from the figures of a result, and what a utility experiment has left."""
    lines = [
        _share(result, "fidelity", "precision"),
        _diversity(result),
        _copying(result),
        _useful(result),
        _fairness(result),
    ]
    return [asdict(line) for line in lines]


def _row(result: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    rows: Sequence[Mapping[str, Any]] = result["measurements"]
    return next((r for r in rows if r["group"] == EVERYTHING and r["metric"].split("-")[0] == name), None)


def _light(ratio: float) -> Light:
    return "green" if ratio >= GOOD else "amber" if ratio >= FAIR else "red"


def _share(result: Mapping[str, Any], question: str, name: str) -> Line:
    rule = f"{name} at equal n over that of real images: green from {GOOD}, amber from {FAIR}"
    row = _row(result, name)
    if row is None or row["floor"] <= 0:
        return Line(question, "not measured", "", rule)
    light = _light(row["matched"] / row["floor"])
    says = f"{row['metric']} {row['matched']:.2f}, real images {row['floor']:.2f} (n = {row['half']})"
    if light == "green" and result["extractor"]["name"] == EMBEDDED:
        return Line(question, "amber", f"{says}, in colour and texture alone; meaning needs another --extractor", rule)
    return Line(question, light, says, rule)


def _diversity(result: Mapping[str, Any]) -> Line:
    """The worse of recall and coverage."""
    order: list[Light] = ["red", "amber", "green", "not measured"]
    lines = [_share(result, "diversity", name) for name in ("recall", "coverage")]
    worst = min(lines, key=lambda line: order.index(line.light))
    rule = (
        f"the worse of recall and coverage at equal n over those of real images: green from {GOOD}, amber from {FAIR}"
    )
    return Line("diversity", worst.light, "; ".join(line.says for line in lines if line.says), rule)


def _copying(result: Mapping[str, Any]) -> Line:
    rule = (
        "flagged by the copy gate: green where chance explains as many (p > 0.05), red from five times the false alarms"
    )
    gate = result.get("copy_gate")
    if not gate:
        return Line("copying", "not measured", str(result.get("copying_refused", "")), rule)
    flagged, of, rate = gate["flagged"], gate["of"], gate["false_alarms"]
    held_out = gate["held_out"]
    below = (
        int(rate * (held_out - 1)) + 1
    )  # held-out images at or below the threshold: the true rate is known that well
    chance = float(betabinom.sf(flagged - 1, of, below, held_out + 1 - below))
    light: Light = "green" if chance > 0.05 else "red" if flagged > 5 * rate * of else "amber"
    return Line("copying", light, f"{flagged} of {of} flagged, {rate * of:.0f} expected of real images", rule)


def _useful(result: Mapping[str, Any]) -> Line:
    rule = "dermsynth utility: green helps, amber no evidence, red hurts"
    told = result.get("usefulness")
    if not told:
        return Line("usefulness", "not measured", "run dermsynth utility", rule)
    lights: dict[str, Light] = {"helps": "green", "no evidence": "amber", "hurts": "red"}
    return Line("usefulness", lights.get(told["outcome"], "not measured"), told["verdict"], rule)


def _fairness(result: Mapping[str, Any]) -> Line:
    rule = f"least ratio of a skin tone's shares, synthetic over real, tones of at least {COMMON:.0%}: as above from 0.5, 0.25"
    shares = {t: s for t, s in result.get("skin_tones", {}).items() if s["real"] >= COMMON}
    if not shares:
        seen = result.get("skin_tones_measured", {})
        parts = " and ".join(f"{share:.0%} of the {side}" for side, share in seen.items())
        text = f"the light lets skin tone be told in {parts} images only" if seen else ""
        return Line("fairness", "not measured", text, rule)
    tone, worst = min(shares.items(), key=lambda item: item[1]["synthetic"] / item[1]["real"])
    ratio = worst["synthetic"] / worst["real"]
    light: Light = "green" if ratio >= 0.5 else "amber" if ratio >= 0.25 else "red"
    return Line(
        "fairness",
        light,
        f"{tone} skin: {worst['synthetic']:.1%} of synthetic, {worst['real']:.1%} of real images",
        rule,
    )
