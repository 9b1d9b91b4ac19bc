"""Do synthetic images show their label? A classifier of real images is applied to them and to held-out real images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from dermsynth.evaluation.floors import FAIR, GOOD, Light
from dermsynth.evaluation.refusals import Refusal
from dermsynth.statistics.cross_validation import FOLDS, stratified_group_folds
from dermsynth.statistics.intervals import LEVEL

Features = NDArray[np.floating]
Labels = NDArray[np.str_]
STRENGTH = 0.01
"""Inverse of the penalty of the logistic regression."""
FEWEST_GROUPS, FEWEST_SYNTHETIC = 20, 20
"""Groups of real images, and synthetic images, of a class below which nothing is said of it."""


@dataclass(frozen=True)
class Recognition:
    """Share of a class's synthetic images that the classifier takes for it; `floor` is that of held-out real images.

    `others` is the share of held-out real images of other classes that it takes for this one, every class weighing alike,
    `others_high` the upper end of its interval;
    `groups` of real images (patients, lesions) are what its interval counts. `mistaken_for` is the other class that synthetic
    images are most often taken for, and `mistaken` the share of those; `passing` is the share of synthetic images of other
    classes that are taken for this one, and `passing_high` the upper end of its interval.
    """

    label: str
    value: float
    low: float
    high: float
    synthetic: int
    floor: float
    floor_low: float
    floor_high: float
    others: float
    others_high: float
    real: int
    groups: int
    mistaken_for: str
    mistaken: float
    passing: float
    passing_high: float
    classes: int
    extractor: str
    seed: int


def label_fidelity(
    synthetic: tuple[Features, Labels],
    real: tuple[Features, Labels],
    groups: NDArray[np.int64],
    extractor: str,
    seed: int,
) -> tuple[list[Recognition], list[Refusal]]:
    """A row a class, and why classes have none, from features [n, d] and labels of both sides and groups of the real one.

    Five folds of the real images, which cut no group. The images of a fold are classified by a logistic regression trained on
    the other four, all classes weighing alike, and so is a random fifth of the synthetic images: each image of both sides is
    classified once, by classifiers of equally many real images.
    """
    classes, refused = _known_classes(real[1], groups, set(synthetic[1]))
    if len(classes) < 2:
        reason = f"{len(classes)} classes of real images; two are needed to tell one from another"
        return [], [*refused, Refusal.of_label_fidelity(reason)]
    chosen = np.isin(real[1], classes)
    predicted = _predictions(real[0][chosen], real[1][chosen], groups[chosen], synthetic[0], seed)
    rows = []
    for label in classes:
        count = int((synthetic[1] == label).sum())
        if count < FEWEST_SYNTHETIC:
            what = f"{count} synthetic images, at least {FEWEST_SYNTHETIC} are needed"
            refused.append(Refusal.of_label_fidelity(what, label))
            continue
        sides = (synthetic[1], predicted[0]), (real[1][chosen], predicted[1])
        rows.append(_recognition(label, *sides, groups[chosen], extractor, seed))
    return rows, refused


def _recognition(
    label: str,
    synthetic: tuple[Labels, Labels],
    real: tuple[Labels, Labels],
    groups: NDArray[np.int64],
    extractor: str,
    seed: int,
) -> Recognition:
    """The row of a class, from labels and predictions of both sides."""
    predictions, held_out = (predicted[truth == label] for truth, predicted in (synthetic, real))
    of_class, names = real[0] == label, sorted(set(real[0]))
    mistakes, counts = np.unique(predictions[predictions != label], return_counts=True)
    wrong = (str(mistakes[counts.argmax()]), float(counts.max() / len(predictions))) if len(mistakes) else ("", 0.0)
    value, low, high = _interval(float((predictions == label).mean()), len(predictions))
    count = len(np.unique(groups[of_class]))
    floor = _interval(float((held_out == label).mean()), count)
    taken, _, taken_high = _interval(_elsewhere(label, *real), len(np.unique(groups[~of_class])))
    away = max(int((synthetic[0] != label).sum()), 1)
    passing, _, passing_high = _interval(_elsewhere(label, *synthetic), away)
    return Recognition(
        label, value, low, high, len(predictions), *floor, taken, taken_high, len(held_out), count, *wrong, passing, passing_high,
        len(names), extractor, seed,
    )  # fmt: skip


def _elsewhere(label: str, truth: Labels, predicted: Labels) -> float:
    """Share of the images of other classes that are taken for this one, every class weighing alike."""
    shares = [float((predicted[truth == other] == label).mean()) for other in sorted(set(truth)) if other != label]
    return float(np.mean(shares)) if shares else 0.0


def _known_classes(
    labels: Labels, groups: NDArray[np.int64], labels_of_set: set[str]
) -> tuple[list[str], list[Refusal]]:
    """Classes with enough groups of real images to learn them and to hold some out; why others are left out."""
    classes: list[str] = []
    refused: list[Refusal] = []
    for label in sorted(map(str, labels_of_set - {""})):
        count = len(np.unique(groups[labels == label]))
        if count >= FEWEST_GROUPS:
            classes.append(label)
        else:
            what = f"real images of {count} patients, lesions or single images"
            refused.append(Refusal.of_label_fidelity(f"{what}, at least {FEWEST_GROUPS} are needed", label))
    return classes, refused


def _predictions(
    rows: Features, truth: Labels, groups: NDArray[np.int64], synthetic: Features, seed: int
) -> tuple[Labels, Labels]:
    """Predicted labels of synthetic images, a fifth by each classifier, and of real ones whose group it has not seen."""
    of_real, of_synthetic = np.empty(len(rows), dtype=object), np.empty(len(synthetic), dtype=object)
    parts = np.random.default_rng(seed).permutation(len(synthetic)) % FOLDS
    for number, (training, held_out) in enumerate(stratified_group_folds(truth, groups, seed)):
        model = _classifier().fit(rows[training].astype(np.float64), truth[training].astype(str))
        part = parts == number
        if len(held_out):
            of_real[held_out] = model.predict(rows[held_out].astype(np.float64))
        if part.any():
            of_synthetic[part] = model.predict(synthetic[part].astype(np.float64))
    return of_synthetic.astype(str), of_real.astype(str)


def _classifier() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=500))


def _interval(share: float, count: int) -> tuple[float, float, float]:
    """A share and its 95 % interval (Wilson 1927), of `count` independent ones."""
    interval = scipy.stats.binomtest(round(share * count), count).proportion_ci(LEVEL, "wilson")
    return share, min(float(interval.low), share), max(float(interval.high), share)


def recognition_light(row: Recognition) -> tuple[Light, str]:
    """Green from 0.9 times the share of real images; red below 0.7 times where the intervals do not overlap; amber between.

    Red, too, where the synthetic images of other classes pass for this one as often, and amber where they may.
    Not measured where the classifier takes real images of the class for it no more often than those of other classes.
    """
    real = f"{row.floor:.0%} ({row.floor_low:.0%} to {row.floor_high:.0%}) of {row.real} held-out real ones"
    if row.floor_low <= row.others_high:
        return (
            "not measured",
            f"the classifier cannot recognise this class: it assigns it to {real}, and to {row.others:.0%} of real images "
            "of other classes",
        )
    says = f"{row.value:.0%} ({row.low:.0%} to {row.high:.0%}) of {row.synthetic} are recognised, {real}"
    if row.mistaken >= 0.1:
        says += f"; {row.mistaken:.0%} pass for {row.mistaken_for}"
    alike = row.value <= row.passing
    if row.low <= row.passing_high:
        says += f"; {row.passing:.0%} of synthetic images of other classes are also classified as it"
    if alike or (row.value < FAIR * row.floor and row.high < row.floor_low):
        return "red", says
    return ("green" if row.value >= GOOD * row.floor and row.low > row.passing_high else "amber"), says


def refusal_for_one_class(classes: Sequence[str]) -> Refusal:
    """Why a set of one class or none has no label fidelity."""
    has = "one class" if classes else "no labels"
    return Refusal.of_label_fidelity(f"the set has {has}; two are needed to tell one from another")
