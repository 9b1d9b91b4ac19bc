"""How well rows of features tell a label, measured on groups that the classifier never saw."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from dermsynth.seeds import sklearn_seed
from dermsynth.statistics.roc import delong_interval_of_folds

Rows = NDArray[np.floating]
Truth = NDArray[np.bool_]
Scores = Callable[[Rows], NDArray[np.float64]]
FOLDS = 5


def held_out_auc(
    rows: Rows, truth: Truth, groups: NDArray[np.int64], fit: Callable[[Rows, Truth], Scores], seed: int
) -> tuple[float, float, float]:
    """Area of a cross-validation that never cuts through a group, with its 95 % interval.

    Areas are made in each fold and averaged: scores of differently trained classifiers are no common scale, and pooling
    them costs a weak predictor several hundredths (Forman and Scholz 2010; Airola et al. 2011).
    Rows [n, d], truth [n] and groups [n]; `fit` makes a scoring function from rows and truth. Folds with fewer than two images of
    either kind are left out; NaN where that leaves none.
    """
    parts = []
    dealer = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=sklearn_seed(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer groups than folds is expected
        for training, held in dealer.split(rows, truth, groups):
            if min(np.bincount(truth[held], minlength=2)) > 1 and 0 < truth[training].sum() < len(training):
                parts.append((truth[held], fit(rows[training], truth[training])(rows[held])))
    return delong_interval_of_folds(parts)
