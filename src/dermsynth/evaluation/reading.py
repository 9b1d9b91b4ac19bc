"""The verdict in plain words: one sentence over all lights, and what to do about each."""

from collections.abc import Sequence

from dermsynth.evaluation import floors
from dermsynth.evaluation.results import Evaluation, Line
from dermsynth.metrics.estimate import ALL
from dermsynth.metrics.registry import Question

FINDINGS = {
    ("fidelity", "green"): "are as close to the real ones as real ones are to each other",
    ("fidelity", "amber"): "come near the real ones, but differ from them",
    ("fidelity", "red"): "do not look like the real ones",
    ("diversity", "green"): "are as varied as the real ones",
    ("diversity", "amber"): "are less varied than the real ones",
    ("diversity", "red"): "lack much of what the real ones show",
    ("copying", "green"): "show no sign of copied training images",
    ("copying", "amber"): "may repeat training images",
    ("copying", "red"): "repeat real images",
    ("usefulness", "green"): "help a classifier",
    ("usefulness", "amber"): "give no evidence that they help a classifier",
    ("usefulness", "red"): "make a classifier worse",
    ("fairness", "green"): "show the skin tones of the real ones",
    ("fairness", "amber"): "show one skin tone less often than the real ones",
    ("fairness", "red"): "hardly show one of the skin tones",
    ("labels", "green"): "show what their labels say",
    ("labels", "amber"): "show what their labels say less clearly than the real ones",
    ("labels", "red"): "do not all show what their labels say",
}
"""Question and light -> what the synthetic images do."""

UNTRUNCATED = "generate without truncation, which leaves rare looks out"
VARIED = (
    "train on more images, or take a later or the best checkpoint; what the real ones show and these lack is seen in the "
    "pictures"
)
STEPS = {
    "fid": "train longer, or begin with the generator that comes with dermsynth (--from-base)",
    "precision": "train longer, or begin with the generator that comes with dermsynth (--from-base)",
    "density": "train longer, or begin with the generator that comes with dermsynth (--from-base)",
    "swd": "see at which size the patches differ: the largest is fine detail, which takes the longest training; the "
    "smallest is colour and the place of lesions",
    "colour_jsd": "see which channel differs; were both sets cut, enlarged and colour-corrected alike?",
    "colour_wasserstein": "see which channel differs; were both sets cut, enlarged and colour-corrected alike?",
    "appearance_distance": "see which named features differ: they say what the generator draws too often or too rarely",
    "recall": VARIED,
    "coverage": VARIED,
    "ms_ssim": VARIED,
    "lpips": VARIED,
}
"""Metric -> what may help where it is the worst."""
OTHER_STEPS = {
    ("copying", "amber"): "look at the pairs below before you share the set; dermsynth gate lists the images flagged",
    ("copying", "red"): "do not share this set: look at the pairs below, leave the flagged images out (dermsynth gate), and "
    "train on more images or for a shorter time",
    ("usefulness", "amber"): "use real images, class weights or augmentation, which cost less",
    ("usefulness", "red"): "do not train with these images",
    ("fairness", "amber"): "report results by skin tone; only more real images of the rarer tone teach a generator to draw it",
    ("fairness", "red"): "do not use the set for people of that tone; only more real images of it teach a generator to draw it",
    ("labels", "amber"): "show the class more often in training (--imbalance 0), or filter its images by a classifier",
    ("labels", "red"): "do not train a classifier with images of that class; show it more often in training "
    "(--imbalance 0), or leave it out",
}  # fmt: skip
"""Question and light -> what to do, where no metric alone decides."""

BY_ESTIMATES: dict[str, Question] = {"fidelity": "fidelity", "diversity": "diversity"}
"""Questions of the verdict that figures with a floor decide."""


def sentence(result: Evaluation) -> str:
    """What the lights say together: the worst first, and what was not measured."""
    lines = sorted(result.verdict, key=lambda line: floors.ORDER.index(line.light))
    found = [FINDINGS[line.question, line.light] for line in lines if (line.question, line.light) in FINDINGS]
    missing = [line.question for line in lines if line.light == "not measured"]
    sentences = [f"The synthetic images {_listed(found)}."] if found else []
    return " ".join([*sentences, *([f"Not measured: {', '.join(missing)}."] if missing else [])])


def next_step(result: Evaluation, line: Line) -> str:
    """What to do about a line of the verdict; empty where its light is green, or where it says so itself."""
    if line.light == "green":
        return ""
    if line.question in BY_ESTIMATES:
        return _of_estimates(result, BY_ESTIMATES[line.question])
    return OTHER_STEPS.get((line.question, line.light), "")


def _of_estimates(result: Evaluation, question: Question) -> str:
    """What may help against the worst estimates, at most two steps; truncation first where there was any."""
    bad = [one.id for one in floors.judgements(result.of_group(ALL), question) if one.light in ("amber", "red")]
    steps = [STEPS[id] for id in bad if id in STEPS]
    if bad and question == "diversity" and result.synthetic.generator.truncation is not None:
        steps.insert(0, UNTRUNCATED)
    return "; ".join(list(dict.fromkeys(steps))[:2])


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
