"""Splits that keep class shares and never cut through a patient, a lesion or a pair of twins."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from dermsynth.data.identity import identifying_columns, identity_pairs
from dermsynth.errors import UserError
from dermsynth.statistics.cross_validation import stratified_group_folds
from dermsynth.values import identifiers

SPLITS = ("train", "validation", "test")
FOLDS = 20
SHARE_TOLERANCE = 0.06
"""How far a share may lie from the wanted one before it is said."""


def joined_groups(groups: NDArray[np.object_], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the sets of images that belong together: the same group name, or linked by pairs [k, 2].

    Names are compared as identifiers (`P001` is `p001`); a missing one is a group of its own.
    """
    count, names = len(groups), identifiers(groups).astype(str)
    _, number = np.unique(names, return_inverse=True)
    blank = names == ""
    number[blank] = number.max(initial=0) + 1 + np.arange(blank.sum())
    first = {int(n): i for i, n in reversed(list(enumerate(number)))}
    same_name = np.array([[i, first[int(n)]] for i, n in enumerate(number)], dtype=np.int64).reshape(-1, 2)
    links = np.concatenate([same_name, pairs.reshape(-1, 2)])
    graph = coo_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def people(table: pd.DataFrame) -> NDArray[np.int64]:
    """Number the sets of images, [n], that the table's group or any other column which identifies somebody holds together."""
    groups = table["group"].to_numpy(dtype=object) if "group" in table else np.full(len(table), "", dtype=object)
    columns = [name for name in identifying_columns(table)[0] if name != "group"]
    return joined_groups(groups, identity_pairs([list(table[name]) for name in columns]))


def linked(groups: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the groups [n] anew, with those as one that pairs [k, 2] of rows link."""
    return joined_groups(groups.astype(str).astype(object), pairs)


def parse_shares(text: str) -> tuple[float, float, float]:
    """Read `0.8/0.1/0.1`: shares of training, validation and test.

    Raises UserError unless there are three shares that sum to one.
    """
    try:
        train, validation, test = (float(part) for part in text.split("/"))
    except ValueError as error:
        raise UserError(f"`shares` {text!r}: write three shares, for example 0.8/0.1/0.1") from error
    if not min(train, validation, test) >= 0 or not abs(train + validation + test - 1) <= 1e-6:
        raise UserError(f"`shares` {text!r}: must be at least 0 and sum to 1")
    return train, validation, test


def split(
    labels: NDArray[np.object_], groups: NDArray[np.int64], shares: tuple[float, float, float], seed: int
) -> NDArray[np.object_]:
    """Assign `train`, `validation` or `test` to every image: stratified by label, whole groups together.

    The images are dealt into 20 folds, so shares are met to about 5 %; by fewer folds where there are fewer groups, or
    where 20 would leave a part empty that was asked for. A class of fewer images than folds is all for training: it
    could not be measured, and there it is at least noticed. Whether the shares were met, `unmet_shares` says.
    """
    codes = np.unique(labels.astype(str), return_inverse=True)[1]
    most = min(FOLDS, len(np.unique(groups)), int(np.bincount(codes).max()))
    names = [name for name, share in zip(SPLITS, shares, strict=True) if share]
    first = None
    for folds in dict.fromkeys((most, 10, 5, 3)):
        if not 3 <= folds <= most:
            continue
        result = _deal(codes, groups, shares, seed, folds)
        if set(names) <= set(result):
            return result
        first = result if first is None else first
    return np.full(len(labels), "train", dtype=object) if first is None else first


def _deal(
    codes: NDArray[np.int64], groups: NDArray[np.int64], shares: tuple[float, float, float], seed: int, folds: int
) -> NDArray[np.object_]:
    result = np.full(len(codes), "train", dtype=object)
    number = np.empty(len(codes), dtype=np.int64)
    for fold, (_, held_out) in enumerate(stratified_group_folds(codes, groups, seed, folds)):
        number[held_out] = fold
    test = round(shares[2] * folds) or (1 if shares[2] else 0)
    validation = round(shares[1] * folds) or (1 if shares[1] else 0)
    result[number < test] = "test"
    result[(number >= test) & (number < test + validation)] = "validation"
    rare = np.bincount(codes)[codes] < folds
    result[np.isin(groups, groups[rare])] = "train"
    return result


def unmet_shares(splits: NDArray[np.object_], groups: NDArray[np.int64], shares: tuple[float, float, float]) -> str:
    """What of the wanted shares could not be had, and why, as a sentence; the empty string where they were met."""
    got = tuple(float((splits == name).mean()) for name in SPLITS)
    empty = [name for name, share, target in zip(SPLITS, got, shares, strict=True) if target and not share]
    if not empty and all(abs(a - b) <= max(SHARE_TOLERANCE, b / 2) for a, b in zip(got, shares, strict=True)):
        return ""
    sizes = np.unique(groups, return_counts=True)[1]
    said = "/".join(f"{share:.2f}" for share in got)
    none = f" (no {' and no '.join(empty)} images)" if empty else ""
    asked = "/".join(f"{share:g}" for share in shares)
    return (
        f"the wanted shares {asked} could not be met: {said}{none}. No split cuts a group: there are {len(sizes)} groups, "
        f"the largest holds {sizes.max() / len(splits):.0%} of the images, and a class of too few images is all for "
        "training. Way out: a finer `group`, other `split` shares, or `split_column`"
    )
