"""Traffic lights from the estimates, each with the rule that it follows."""

import math
from collections.abc import Iterable

from dermsynth.backbones.extractors import EMBEDDED
from dermsynth.evaluation import floors
from dermsynth.evaluation.copy_detection import gate_light
from dermsynth.evaluation.floors import FAIR, GOOD, ORDER, Light
from dermsynth.evaluation.label_fidelity import recognition_light
from dermsynth.evaluation.refusals import LABEL_FIDELITY, Refusal
from dermsynth.evaluation.results import Evaluation, Line
from dermsynth.metrics.estimate import ALL, CopyEstimate
from dermsynth.metrics.registry import Question

COMMON = 0.02
"""Share of the real images from which on a skin tone must not be missing."""
MEMORISATION_AMBER, MEMORISATION_RED = -2.0, -3.0
"""C_T from which on a set is amber, and red: Meehan et al. 2020 speak of copying below -3."""
DISTANCE_AMBER, DISTANCE_RED = 0.95, 0.8
"""Distance to training images over that to held-out ones, below which a set is amber, and red."""
MEMBERSHIP_AMBER, MEMBERSHIP_RED = 0.55, 0.65
"""AUC of membership by distance, above which a set is amber, and red."""
NO_NETWORK = (
    "name a network: `extractor` inception=FILE, mobilenet=FILE or timm:NAME=FILE; colour and texture alone cannot tell "
    "good images from bad ones"
)


Finding = tuple[Light, str]
"""A light, and what was found."""


def verdict(result: Evaluation) -> tuple[Line, ...]:
    """Fidelity, diversity, copying, usefulness, fairness, labels from the estimates of a result."""
    return (
        _of_estimates(result, "fidelity", ALL),
        _of_estimates(result, "diversity", ALL),
        _copying(result),
        _useful(result),
        _fairness(result),
        _labels(result),
    )


def class_verdicts(result: Evaluation) -> dict[str, tuple[Line, ...]]:
    """Fidelity, diversity and label of every class of the synthetic set: class -> lines."""
    return {
        label: (
            _of_estimates(result, "fidelity", label),
            _of_estimates(result, "diversity", label),
            _label(result, label),
        )
        for label in result.synthetic.classes
    }


def with_verdict(result: Evaluation) -> Evaluation:
    """The result with its lights."""
    return result.model_copy(update={"verdict": verdict(result), "class_verdicts": class_verdicts(result)})


def _line(question: str, light: Light, says: str, rule: str) -> Line:
    return Line(question=question, light=light, says=says, rule=rule)


def _of_estimates(result: Evaluation, question: Question, group: str) -> Line:
    """The worst estimate decides; without a network's features it can only show that something is wrong."""
    judgements = floors.judgements(result.of_group(group), question)
    light = floors.worst(judgements)
    if not judgements:
        return _line(question, "not measured", "too few images for figures", floors.RULE)
    if light != "red" and result.extractor.name == EMBEDDED:
        return _line(question, "not measured", f"{NO_NETWORK}. By these: {floors.summary(judgements)}", floors.RULE)
    return _line(question, light, floors.summary(judgements), floors.RULE)


def _copying(result: Evaluation) -> Line:
    rule = (
        "the worst of: real images among the synthetic ones (red); flagged by the copy gate: green where chance explains as "
        "many (p > 0.05), red from five times the false alarms; "
        f"C_T: amber from {MEMORISATION_AMBER:g} down, red from {MEMORISATION_RED:g}; "
        f"distance ratio: interval below {DISTANCE_AMBER:g}, {DISTANCE_RED:g}; "
        f"membership by distance: interval above {MEMBERSHIP_AMBER:g}, {MEMBERSHIP_RED:g}"
    )
    findings = [*_shared(result), *_gate(result), *_closeness(result.copying or ())]
    if not findings:
        return _line("copying", "not measured", result.copying_refused, rule)
    worst = min((light for light, _ in findings), key=ORDER.index)
    if result.copy_gate is None:
        findings.append(("not measured", f"copy gate not run: {result.copying_refused}"))
    bad = [says for light, says in findings if light != "green"] if worst != "green" else []
    claimed = "; its training images are claimed, not checked" if result.synthetic.generator.claimed else ""
    return _line("copying", worst, "; ".join(bad or [says for _, says in findings]) + claimed, rule)


def _shared(result: Evaluation) -> list[Finding]:
    shared, count = result.shared_images, result.synthetic.images
    return [("red", f"{shared} of {count} synthetic images are real ones of the set compared with")] if shared else []


def _gate(result: Evaluation) -> list[Finding]:
    gate = result.copy_gate
    if gate is None:
        return []
    light = gate_light(gate.flagged, gate.of, gate.held_out, gate.false_alarms)
    return [(light, f"{gate.flagged} of {gate.of} flagged, {gate.false_alarms * gate.of:.0f} expected of real images")]


def _closeness(copying: Iterable[CopyEstimate]) -> list[Finding]:
    """What the estimates against held-out images say of the set as a whole."""
    findings: list[Finding] = []
    for estimate in copying:
        if estimate.id == "memorisation":
            findings.append((_falling(estimate.value, MEMORISATION_AMBER, MEMORISATION_RED), str(estimate)))
        elif estimate.id == "distance_ratio":
            findings.append((_falling(estimate.high, DISTANCE_AMBER, DISTANCE_RED), str(estimate)))
        elif estimate.id == "membership_distance":
            findings.append((_falling(-estimate.low, -MEMBERSHIP_AMBER, -MEMBERSHIP_RED), str(estimate)))
    return findings


def _falling(value: float, amber: float, red: float) -> Light:
    """The light of a value of which less is worse; none of NaN."""
    if math.isnan(value):
        return "not measured"
    return "red" if value <= red else "amber" if value <= amber else "green"


def _useful(result: Evaluation) -> Line:
    rule = "dermsynth utility: green helps, amber no evidence, red hurts"
    useful = result.usefulness
    if useful is None:
        return _line("usefulness", "not measured", "run dermsynth utility", rule)
    lights: dict[str, Light] = {"helps": "green", "no evidence": "amber", "hurts": "red"}
    return _line("usefulness", lights.get(useful.outcome, "not measured"), useful.verdict, rule)


def _fairness(result: Evaluation) -> Line:
    rule = f"least ratio of a skin tone's shares, synthetic over real, tones of at least {COMMON:.0%}: as above from 0.5, 0.25"
    shares = {tone: share for tone, share in result.skin_tones.items() if share["real"] >= COMMON}
    if not shares:
        parts = " and ".join(f"{share:.0%} of the {side}" for side, share in result.skin_tones_measured.items())
        says = f"skin tone could be measured in only {parts} images" if parts else ""
        return _line("fairness", "not measured", says, rule)
    tone, worst = min(shares.items(), key=lambda item: item[1]["synthetic"] / item[1]["real"])
    ratio = worst["synthetic"] / worst["real"]
    light: Light = "green" if ratio >= 0.5 else "amber" if ratio >= 0.25 else "red"
    says = f"{tone} skin: {worst['synthetic']:.1%} of synthetic, {worst['real']:.1%} of real images"
    return _line("fairness", light, says, rule)


LABEL_RULE = (
    "share recognised as their class by a classifier of real images, over that of held-out real images: green from "
    f"{GOOD:g}, red below {FAIR:g} where the intervals are apart, or where other classes pass for it as often; else amber"
)


def _label_refusals(result: Evaluation) -> list[Refusal]:
    return [refusal for refusal in result.refused if refusal.kind == LABEL_FIDELITY]


def _label(result: Evaluation, label: str) -> Line:
    """Whether images of a class are recognised as what they are said to be."""
    rows = [row for row in result.label_fidelity if row.label == label]
    if not rows:
        refused = _label_refusals(result)
        reasons = [refusal for refusal in refused if refusal.label in (label, "")] or refused
        return _line("label", "not measured", str(reasons[0]) if reasons else "", LABEL_RULE)
    light, says = recognition_light(rows[0])
    if result.extractor.name == EMBEDDED and light in ("green", "amber"):
        says += "; told by colour and texture alone"
    return _line("label", light, says, LABEL_RULE)


def _labels(result: Evaluation) -> Line:
    """The worst class decides."""
    lines = [(row.label, _label(result, row.label)) for row in result.label_fidelity]
    if not lines:
        return _line("labels", "not measured", "; ".join(map(str, _label_refusals(result))), LABEL_RULE)
    label, worst = min(lines, key=lambda pair: ORDER.index(pair[1].light))
    return _line("labels", worst.light, f"{label}: {worst.says}", f"{LABEL_RULE}; the worst class decides")
