"""Traffic lights: what the figures say, each by a rule that is printed with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scipy.stats import betabinom

from dermsynth.backbones.extractors import EMBEDDED
from dermsynth.evaluation import floors
from dermsynth.evaluation.floors import FAIR, GOOD, ORDER, Judged, Light
from dermsynth.evaluation.label_fidelity import Recognition, recognition_light
from dermsynth.evaluation.subgroups import EVERYTHING

USEFULNESS = "usefulness.json"
"""File of a utility experiment's folder with its outcome and the content hash of the synthetic set."""
COMMON = 0.02
"""Share of the real images from which on a skin tone must not be missing."""
CLOSE, TOO_CLOSE = -2.0, -3.0
"""C_T from which on a set is amber, and red: Meehan et al. 2020 speak of copying below -3."""
NEARER, MUCH_NEARER = 0.95, 0.8
"""Distance to training images over that to held-out ones, below which a set is amber, and red."""
TELLS, TELLS_MUCH = 0.55, 0.65
"""AUC of membership by distance, above which a set is amber, and red."""
NO_NETWORK = (
    "name a network: `extractor` inception=FILE, mobilenet=FILE or timm:NAME=FILE; colour and texture alone cannot tell "
    "good images from bad ones"
)


@dataclass(frozen=True)
class Line:
    """One row of the table on top of a report."""

    question: str
    light: Light
    says: str
    rule: str


def verdict(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """Fidelity, diversity, copying, usefulness, fairness, labels from the figures of a result."""
    rows = _rows(result, EVERYTHING)
    lines = [
        _of_figures(result, "fidelity", floors.fidelity_figures(rows)),
        _of_figures(result, "diversity", floors.diversity_figures(rows)),
        _copying(result),
        _useful(result),
        _fairness(result),
        _labels(result),
    ]
    return [asdict(line) for line in lines]


def class_verdicts(result: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Fidelity, diversity and label of every class of the synthetic set: class -> lines."""
    found = {}
    for label in result.get("synthetic", {}).get("classes", []):
        rows = _rows(result, label)
        fidelity = _of_figures(result, "fidelity", floors.fidelity_figures(rows))
        diversity = _of_figures(result, "diversity", floors.diversity_figures(rows))
        found[label] = [asdict(line) for line in (fidelity, diversity, _label(result, label))]
    return found


def _rows(result: Mapping[str, Any], group: str) -> list[Mapping[str, Any]]:
    return [row for row in result["measurements"] if row["group"] == group]


def _of_figures(result: Mapping[str, Any], question: str, found: Sequence[Judged]) -> Line:
    """The worst figure decides; without a network's features only that something is wrong can be told."""
    light = floors.worst(found)
    if not found:
        return Line(question, "not measured", "too few images for figures", floors.RULE)
    if light != "red" and result.get("extractor", {}).get("name") == EMBEDDED:
        return Line(question, "not measured", f"{NO_NETWORK}. By these: {floors.told(found)}", floors.RULE)
    return Line(question, light, floors.told(found), floors.RULE)


def _copying(result: Mapping[str, Any]) -> Line:
    rule = (
        "the worst of: real images among the synthetic ones (red); flagged by the copy gate: green where chance explains as "
        f"many (p > 0.05), red from five times the false alarms; C_T: amber from {CLOSE:g} down, red from {TOO_CLOSE:g}; "
        f"distance ratio: interval below {NEARER:g}, {MUCH_NEARER:g}; membership by distance: interval above {TELLS:g}, "
        f"{TELLS_MUCH:g}"
    )
    found = [*_shared(result), *_gate(result), *_closeness(result)]
    if not found:
        return Line("copying", "not measured", str(result.get("copying_refused", "")), rule)
    worst = min((light for light, _ in found), key=ORDER.index)
    if not result.get("copy_gate"):
        found.append(("not measured", f"copy gate not run: {result.get('copying_refused', '')}"))
    told = [says for light, says in found if light != "green"] if worst != "green" else []
    return Line("copying", worst, "; ".join(told or [says for _, says in found]), rule)


def _shared(result: Mapping[str, Any]) -> list[tuple[Light, str]]:
    shared = result.get("shared_images", 0)
    of = result.get("synthetic", {}).get("images", 0)
    return [("red", f"{shared} of {of} synthetic images are real ones of the set compared with")] if shared else []


def _gate(result: Mapping[str, Any]) -> list[tuple[Light, str]]:
    gate = result.get("copy_gate")
    if not gate:
        return []
    flagged, of, rate = gate["flagged"], gate["of"], gate["false_alarms"]
    held_out = gate["held_out"]
    below = (
        int(rate * (held_out - 1)) + 1
    )  # held-out images at or below the threshold: the true rate is known that well
    chance = float(betabinom.sf(flagged - 1, of, below, held_out + 1 - below))
    light: Light = "green" if chance > 0.05 else "red" if flagged > 5 * rate * of else "amber"
    return [(light, f"{flagged} of {of} flagged, {rate * of:.0f} expected of real images")]


def _closeness(result: Mapping[str, Any]) -> list[tuple[Light, str]]:
    """What the figures against held-out images say of the set as a whole."""
    found: list[tuple[Light, str]] = []
    for row in result.get("copying") or []:
        name, low, high = row["metric"], row["low"], row["high"]
        says = f"{name} {row['value']:.2f} ({low:.2f} to {high:.2f}), {row['without']:g} without copying"
        if name.startswith("C_T"):
            found.append((_falling(row["value"], CLOSE, TOO_CLOSE), says))
        elif name.startswith("distance ratio"):
            found.append((_falling(high, NEARER, MUCH_NEARER), says))
        elif name.startswith("membership by distance"):
            found.append((_falling(-low, -TELLS, -TELLS_MUCH), says))
    return found


def _falling(value: float, amber: float, red: float) -> Light:
    return "red" if value <= red else "amber" if value <= amber else "green"


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


def _label_rule() -> str:
    return (
        "share recognised as their class by a classifier of real images, over that of held-out real images: green from "
        f"{GOOD:g}, red below {FAIR:g} where the intervals are apart, or where other classes pass for it as often; else amber"
    )


def _label(result: Mapping[str, Any], label: str) -> Line:
    """Whether images of a class are recognised as what they are said to be."""
    rows = [row for row in result.get("label_fidelity", []) if row["label"] == label]
    if not rows:
        refused = [line for line in result.get("refused", []) if line.startswith("label fidelity")]
        mine = [line for line in refused if line.startswith(f"label fidelity of {label}:")] or refused
        return Line("label", "not measured", mine[0] if mine else "", _label_rule())
    light, says = recognition_light(Recognition(**rows[0]))
    if result.get("extractor", {}).get("name") == EMBEDDED and light in ("green", "amber"):
        says += "; told by colour and texture alone"
    return Line("label", light, says, _label_rule())


def _labels(result: Mapping[str, Any]) -> Line:
    """The worst class decides."""
    lines = [(row["label"], _label(result, row["label"])) for row in result.get("label_fidelity", [])]
    if not lines:
        refused = [line for line in result.get("refused", []) if line.startswith("label fidelity")]
        return Line("labels", "not measured", "; ".join(refused), _label_rule())
    label, worst = min(lines, key=lambda pair: ORDER.index(pair[1].light))
    rule = f"{_label_rule()}; the worst class decides"
    return Line("labels", worst.light, f"{label}: {worst.says}", rule)
