"""Folds that never cut a group, and how well rows of features predict a label on groups that the classifier never saw."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from dermsynth.seeds import sklearn_seed
from dermsynth.statistics.roc import delong_interval_of_folds

Rows = NDArray[np.floating]
Truth = NDArray[np.bool_]
Scores = Callable[[Rows], NDArray[np.float64]]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows to train on, and rows held out."""
FOLDS = 5


def stratified_group_folds(
    labels: NDArray[Any], groups: NDArray[np.int64], seed: int, count: int = FOLDS
) -> list[Fold]:
    """Folds that never cut a group, with about the same share of every label in each."""
    folds = StratifiedGroupKFold(count, shuffle=True, random_state=sklearn_seed(seed))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # large groups, or a class of fewer groups than folds, are expected
        return list(folds.split(np.zeros(len(labels)), labels, groups))


def two_class_folds(truth: Truth, groups: NDArray[np.int64], seed: int, count: int = FOLDS) -> list[Fold]:
    """The folds with two images of either kind held out, and either kind to train on."""
    folds = stratified_group_folds(truth, groups, seed, count)
    return [(a, b) for a, b in folds if min(np.bincount(truth[b], minlength=2)) > 1 and 0 < truth[a].sum() < len(a)]


def held_out_auc(
    rows: Rows, truth: Truth, groups: NDArray[np.int64], fit: Callable[[Rows, Truth], Scores], seed: int
) -> tuple[float, float, float]:
    """Area of a cross-validation that never cuts through a group, with its 95 % interval over groups.

    Areas are computed in each fold and averaged: scores of differently trained classifiers have no common scale, and pooling
    them costs a weak predictor several hundredths (Forman and Scholz 2010; Airola et al. 2011).
    Rows [n, d], truth [n] and groups [n]; `fit` makes a scoring function from rows and truth. Folds with fewer than two images of
    either kind are left out; NaN where that leaves none.
    """
    folds = two_class_folds(truth, groups, seed)
    parts = [(truth[b], fit(rows[a], truth[a])(rows[b])) for a, b in folds]
    return delong_interval_of_folds(parts, [groups[b] for _, b in folds])
