"""How much better a classifier looks when images of one group are on both sides of a split than when they are not."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsRegressor

from dermsynth.statistics.cross_validation import FOLDS, stratified_group_folds
from dermsynth.statistics.intervals import group_jackknife
from dermsynth.statistics.roc import auc

NEIGHBOURS, MOST = 5, 3_000
"""Nearest neighbours that vote, and images beyond which whole groups are drawn."""
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
        return f"groups of more than one image: {several}, at least {FEWEST_GROUPS} are needed"
    fewest = min(len(np.unique(groups[side])) for side in (truth, ~truth))
    if fewest < FEWEST_GROUPS:
        return f"groups of the class that has fewer: {fewest}, at least {FEWEST_GROUPS} are needed"
    return ""


def compare_splits(rows: Rows, truth: Truth, groups: Groups, *, seed: int = 0) -> SplitComparison:
    """Cross-validate a classifier by five nearest neighbours with random folds, and with folds that cut no group.

    Its scores are shares of neighbours, so those of all folds have one scale and are pooled. The intervals are from halves of
    the groups, each with all done again: they are for other groups to train on and to test on, and rather wide. Of more than
    3,000 images whole groups are drawn.

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
    figures = partial(_areas, rows, truth, groups, seed)
    values, reaches = figures(np.arange(len(truth))), group_jackknife(figures, groups, seed=seed)
    first, second, gain = (
        Area(value, max(value - float(reach), lowest), min(value + float(reach), 1.0))
        for value, reach, lowest in zip(values, reaches, (0.0, 0.0, -1.0), strict=True)
    )
    counts = np.unique(groups, return_counts=True)[1]
    return SplitComparison(first, second, gain, len(truth), len(counts), int(counts[counts > 1].sum()))


def _drawn_rows(groups: Groups, seed: int) -> NDArray[np.int64]:
    """Rows of whole groups, so many that there are no more than 3,000."""
    if len(groups) <= MOST:
        return np.arange(len(groups))
    names, counts = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.flatnonzero(np.isin(groups, names[order[np.cumsum(counts[order]) <= MOST]]))


def held_out_scores(rows: Rows, truth: Truth, fold: Groups) -> Scores:
    """Share of the five nearest images of the other folds, weighted by nearness, that are of the first class, [n].

    Parameters
    ----------
    rows
        Features [n, d].
    truth
        Which images are of the first class, [n].
    fold
        Number of the fold in which each image is held out, [n].
    """
    scores = np.full(len(truth), np.nan)
    for held in (fold == number for number in np.unique(fold)):
        middle, width = rows[~held].mean(axis=0), np.maximum(rows[~held].std(axis=0), 1e-9)
        seen, unseen = ((rows[part] - middle) / width for part in (~held, held))
        model = KNeighborsRegressor(min(NEIGHBOURS, len(seen)), weights="distance").fit(
            seen, truth[~held].astype(float)
        )
        scores[held] = model.predict(unseen)
    return scores


def _random_folds(truth: Truth, seed: int) -> Groups:
    """The fold in which each image is held out, images of either class dealt by chance."""
    fold = np.empty(len(truth), np.int64)
    random = np.random.default_rng(seed)
    for side in (truth, ~truth):
        fold[side] = random.permutation(int(side.sum())) % FOLDS
    return fold


def _grouped_folds(truth: Truth, groups: Groups, seed: int) -> Groups:
    """The fold in which each image is held out; folds cut no group."""
    fold = np.empty(len(truth), np.int64)
    for number, (_, held) in enumerate(stratified_group_folds(truth, groups, seed)):
        fold[held] = number
    return fold


def _areas(rows: Rows, truth: Truth, groups: Groups, seed: int, index: NDArray[np.int64]) -> tuple[float, ...]:
    """Areas by random and by grouped folds of the chosen rows alone, and their difference; NaN where these are of one class."""
    rows, truth, groups = rows[index], truth[index], groups[index]
    if truth.all() or not truth.any():
        return (float("nan"),) * 3
    folds = (_random_folds(truth, seed), _grouped_folds(truth, groups, seed))
    random, grouped = (auc(truth, held_out_scores(rows, truth, fold)) for fold in folds)
    return random, grouped, random - grouped
