"""A utility experiment in plain words: what to do about its verdict, and what its words mean."""

from dermsynth.utility.arms import CLASSICAL, REAL
from dermsynth.utility.results import ArmFigures, UtilityResult

WORDS = {
    "arm": "one way to train the same classifier; only the training images differ",
    "AUC": "the chance that the classifier gives a random positive image a higher score than a random negative one; 0.5 is "
    "guessing, 1 is perfect",
    "repeat": "one more training of the arm from another seed, of several generators for each; the mean over all is shown, "
    "and how far they lie apart",
    "ensemble": "the mean score of all trainings of an arm, for each test image",
    "95 %": "where the figure would lie in 95 of 100 such experiments, with other test images, other "
    "trainings and, where there are several, other generators",
    "p after Holm": "how likely a difference as large as this is without any true one, corrected for how many arms were compared",
    "sensitivity, specificity": "shares of the positive and of the negative images that are called right, at a threshold "
    "that the validation images chose (Youden)",
    "calibration error": "how far predicted probabilities lie from the shares of positives, on average; 0 is best",
    "net benefit": "true positives less weighted false ones for each image, when everybody from some probability on is called "
    "positive; a curve above both dashed ones is worth using there",
}
"""Word of the page -> what it means."""


def next_step(result: UtilityResult) -> str:
    """What to do about the verdict."""
    if result.settings.view != "whole":
        return "This view says what classifiers see; whether the images help, an experiment with whole images says."
    step = {
        "helps": "Train with real and synthetic images together, and confirm it on images of another clinic (--test) before "
        "you rely on it.",
        "hurts": "Do not train a classifier with these images.",
        "no evidence": f"Train with real images; {_cheaper(result)}.",
        "not measured": "Add an arm that shows real and synthetic images together (--arms mixed=1).",
    }[result.outcome]
    return " ".join([step, *_more(result)])


def _cheaper(result: UtilityResult) -> str:
    """The best arm that needs no generator, or where to find one."""
    arms = {row.arm: result.settings.arm(row.arm) for row in result.figures}
    plain = [row for row in _of_first_test(result) if arms[row.arm] == CLASSICAL or arms[row.arm].way]
    if not plain:
        return "classical augmentation, class weights or mixup cost less and were not tried (--arms classical, weights, mixup)"
    best = max(plain, key=lambda row: row.auc)
    real = next((row.auc for row in _of_first_test(result) if row.arm == REAL.name), best.auc)
    if best.auc <= real:
        return "no way without a generator was better than them either"
    return f"{best.arm} reached an AUC of {best.auc:.3f} without a generator"


def _more(result: UtilityResult) -> list[str]:
    """What would make the answer surer."""
    arms = [result.settings.arm(row.arm) for row in result.figures]
    shown = [row for row, arm in zip(result.figures, arms, strict=True) if arm.synthetic != 0 and not arm.variant]
    if all(row.generators > 1 for row in shown):
        return []
    return [
        "All synthetic images come from one generator: whether another training of it would do as well is not known "
        "(--generator)."
    ]


def _of_first_test(result: UtilityResult) -> list[ArmFigures]:
    name = result.settings.tests[0].name
    return [row for row in result.figures if row.test == name]
