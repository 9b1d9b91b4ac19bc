"""Splits that keep class shares and never cut through a patient, a lesion or a pair of twins."""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from dermsynth.errors import UserError

SPLITS = ("train", "validation", "test")
FOLDS = 20


def joined_groups(groups: NDArray[np.object_], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the sets of images that belong together: the same group name, or linked by pairs [k, 2].

    A blank group name is a group of its own.
    """
    count = len(groups)
    _, number = np.unique(groups.astype(str), return_inverse=True)
    blank = groups.astype(str) == ""
    number[blank] = number.max(initial=0) + 1 + np.arange(blank.sum())
    first = {int(n): i for i, n in reversed(list(enumerate(number)))}
    same_name = np.array([[i, first[int(n)]] for i, n in enumerate(number)], dtype=np.int64).reshape(-1, 2)
    links = np.concatenate([same_name, pairs.reshape(-1, 2)])
    graph = coo_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def parse_shares(text: str) -> tuple[float, float, float]:
    """Read `0.8/0.1/0.1`: shares of training, validation and test.

    Raises UserError unless there are three shares that sum to one.
    """
    try:
        train, validation, test = (float(part) for part in text.split("/"))
    except ValueError as error:
        raise UserError(f"--split {text!r}: write three shares, for example 0.8/0.1/0.1") from error
    if min(train, validation, test) < 0 or abs(train + validation + test - 1) > 1e-6:
        raise UserError(f"--split {text!r}: shares must be at least 0 and sum to 1")
    return train, validation, test


def split(
    labels: NDArray[np.object_], groups: NDArray[np.int64], shares: tuple[float, float, float], seed: int
) -> NDArray[np.object_]:
    """Assign `train`, `validation` or `test` to every image: stratified by label, whole groups together.

    The images are dealt into 20 folds, so shares are met to about 5 %; with fewer groups than folds, by fewer folds.
    A class of fewer images than folds is all for training: it could not be measured, and there it is at least noticed.
    """
    codes = np.unique(labels.astype(str), return_inverse=True)[1]
    folds = min(FOLDS, len(np.unique(groups)), int(np.bincount(codes).max()))
    result = np.full(len(labels), "train", dtype=object)
    if folds < 3:
        return result
    dealer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    number = np.empty(len(labels), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class smaller than the number of folds is expected
        for fold, (_, chosen) in enumerate(dealer.split(np.zeros(len(codes)), codes, groups)):
            number[chosen] = fold
    test = round(shares[2] * folds) or (1 if shares[2] else 0)
    validation = round(shares[1] * folds) or (1 if shares[1] else 0)
    result[number < test] = "test"
    result[(number >= test) & (number < test + validation)] = "validation"
    rare = np.bincount(codes)[codes] < folds
    result[np.isin(groups, groups[rare])] = "train"
    return result
