"""How much better a classifier looks when images of one group are on both sides of a split than when they are not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from dermsynth.seeds import sklearn_seed
from dermsynth.statistics.cross_validation import FOLDS, two_class_folds
from dermsynth.statistics.intervals import TAILS
from dermsynth.statistics.roc import auc

NEIGHBOURS, RESAMPLES, MOST = 5, 500, 3_000
"""Nearest neighbours that vote, resamples of groups, and images beyond which whole groups are drawn."""
FEWEST_GROUPS = 10
"""Groups of several images, and groups of either class, below which nothing is compared."""
Rows = NDArray[np.floating]
Truth = NDArray[np.bool_]
Groups = NDArray[np.int64]
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Area:
    """Area under the ROC curve, or a difference of two, with its 95 % interval over groups."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SplitComparison:
    """A classifier judged by random folds and by folds that cut no group, of the same images.

    Attributes
    ----------
    random, grouped
        Area when images of one group lie on both sides, and when none does.
    gain
        The first minus the second: what is only apparent.
    images, groups, sharing
        Images, their groups, and images that share their group with another.
    """

    random: Area
    grouped: Area
    gain: Area
    images: int
    groups: int
    sharing: int


def comparison_problem(truth: Truth, groups: Groups) -> str:
    """Why random and grouped folds cannot be compared; the empty string where they can."""
    several = int((np.unique(groups, return_counts=True)[1] > 1).sum())
    if several < FEWEST_GROUPS:
        return f"{several} groups have more than one image, at least {FEWEST_GROUPS} are needed"
    fewest = min(len(np.unique(groups[side])) for side in (truth, ~truth))
    if fewest < FEWEST_GROUPS:
        return f"a class has images of {fewest} groups, at least {FEWEST_GROUPS} are needed"
    return ""


def compare_splits(rows: Rows, truth: Truth, groups: Groups, *, seed: int = 0) -> SplitComparison:
    """Cross-validate a classifier by five nearest neighbours with random folds, and with folds that cut no group.

    Its scores are shares of neighbours, so those of all folds have one scale and are pooled. The intervals are percentiles
    over whole groups drawn with replacement, the same draws for both. Of more than 3,000 images whole groups are drawn.

    Parameters
    ----------
    rows
        Features [n, d]; they are standardised within the training part of each fold.
    truth
        Which images are of the first class, [n].
    groups
        Patient, lesion or photograph of each image, [n].
    seed
        Seed of folds and draws.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> groups = np.repeat(np.arange(40), 4)
    >>> rows = random.normal(size=(40, 8))[groups] + 0.1 * random.normal(size=(160, 8))
    >>> result = compare_splits(rows, groups % 2 == 0, groups)
    >>> bool(result.random.value > 0.95 and result.gain.low > 0.2)
    True
    """
    chosen = _drawn_rows(groups, seed)
    rows, truth, groups = rows[chosen], truth[chosen], groups[chosen]
    both = [held_out_scores(rows, truth, folds, seed) for folds in (np.arange(len(truth)), groups)]
    areas = np.array([_areas(truth, both, index) for index in _group_draws(groups, seed)])
    random, grouped = (auc(truth, scores) for scores in both)
    estimates = (random, grouped, random - grouped)
    draws = np.column_stack([areas, areas[:, 0] - areas[:, 1]])
    first, second, gain = (_area(value, column) for value, column in zip(estimates, draws.T, strict=True))
    counts = np.unique(groups, return_counts=True)[1]
    return SplitComparison(first, second, gain, len(truth), len(counts), int(counts[counts > 1].sum()))


def _drawn_rows(groups: Groups, seed: int) -> NDArray[np.int64]:
    """Rows of whole groups, so many that there are no more than 3,000."""
    if len(groups) <= MOST:
        return np.arange(len(groups))
    names, counts = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.flatnonzero(np.isin(groups, names[order[np.cumsum(counts[order]) <= MOST]]))


def held_out_scores(rows: Rows, truth: Truth, groups: Groups, seed: int) -> Scores:
    """Share of the five nearest training images, weighted by nearness, that are of the first class, [n]."""
    scores = np.full(len(truth), truth.mean())
    for training, held in two_class_folds(truth, groups, seed, min(FOLDS, len(np.unique(groups)))):
        middle, width = rows[training].mean(axis=0), np.maximum(rows[training].std(axis=0), 1e-9)
        known, unknown = ((rows[part] - middle) / width for part in (training, held))
        model = KNeighborsClassifier(min(NEIGHBOURS, len(training)), weights="distance").fit(known, truth[training])
        scores[held] = model.predict_proba(unknown)[:, 1]
    return scores


def _group_draws(groups: Groups, seed: int) -> list[NDArray[np.int64]]:
    """Rows of as many groups as there are, drawn with replacement, once a resample."""
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    random = np.random.default_rng(sklearn_seed(seed))
    return [
        np.concatenate([members[i] for i in random.integers(0, len(members), len(members))]) for _ in range(RESAMPLES)
    ]


def _areas(truth: Truth, both: Sequence[Scores], index: NDArray[np.int64]) -> tuple[float, ...]:
    """Areas of both scorings of the drawn rows; NaN where these are of one class."""
    drawn = truth[index]
    if drawn.all() or not drawn.any():
        return (float("nan"),) * len(both)
    return tuple(auc(drawn, scores[index]) for scores in both)


def _area(value: float, draws: Scores) -> Area:
    low, high = np.nanquantile(draws, TAILS)
    return Area(value, min(float(low), value), max(float(high), value))
