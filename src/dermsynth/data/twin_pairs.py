"""The pairs of near-duplicates of a set, and of a set and others, as a table: the most similar first; and which to leave out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import readable_fingerprints, twins_of
from dermsynth.data.feature_twins import FeatureTwins

Pairs = NDArray[np.int64]
EXACT_LEVELS = 0.01
"""Mean difference of thumbnails in grey levels up to which two images are the same."""
NONE: Pairs = np.empty((0, 2), np.int64)
POSE = "pose"
"""How pairs were found whose lesion is the same, wherever it lies in the photograph."""
PROTECTED = {"test": 2, "validation": 1}
"""Of a pair the image of the higher number stays."""
EXCLUSION_COLUMNS = ("file_name", "reason", "twin", "set")


@dataclass(frozen=True)
class Twins:
    """Pairs of rows [k, 2] that are one photograph by their hashes, and thumbnails [n, d]: within a set, and with others.

    Thumbnails are NaN where an image cannot be read.
    """

    pairs: Pairs
    thumbnails: NDArray[np.float32]
    across: tuple[Pairs, ...] = ()
    other_thumbnails: tuple[NDArray[np.float32], ...] = ()

    def readable(self, place: int) -> NDArray[np.bool_]:
        """Which images of a further set could be read."""
        return np.asarray(~np.isnan(self.other_thumbnails[place]).any(axis=1), bool)


def twins_across(
    hashes: NDArray[np.uint64], thumbnails: NDArray[np.float32], rows: NDArray[np.int64], others: Sequence[DataSet],
    jobs: int | None = None,
) -> list[tuple[Pairs, NDArray[np.float32]]]:  # fmt: skip
    """Of each other set the pairs of a row and one of its images that are one photograph, and its thumbnails [m, d].

    Hashes [k] and thumbnails [k, d] are of the readable images, whose rows in the table `rows` [k] names. Thumbnails are NaN
    where an image of the other set cannot be read.
    """
    result = []
    for other in others:
        theirs, small, places = readable_fingerprints(other.paths, jobs)
        across = twins_of((hashes, thumbnails), (theirs, small))
        every = np.full((len(other), small.shape[1]), np.nan, np.float32)
        every[places] = small
        result.append((np.stack([rows[across[:, 0]], places[across[:, 1]]], axis=1), every))
    return result


def pair_table(
    data_set: DataSet, others: Sequence[DataSet], twins: Twins, features: FeatureTwins | None, lesions: Pairs = NONE
) -> pd.DataFrame:
    """Every pair once, found by hash, by features, by pose (`lesions`, within the set) or by several; the most similar first.

    Columns: `first`, `second`, `kind` (same, near, or lesion: found by pose alone), `labels`, `set` (of the second; blank for
    this one), `by`,
    `difference` (of thumbnails, mean, in grey levels), with features `distance` (cosine), `splits`, `one_group`.
    """
    rows = []
    for place, other in enumerate([data_set, *others]):
        by_hash = twins.pairs if place == 0 else twins.across[place - 1]
        by_features = NONE if features is None else _feature_pairs(features, place)
        found = dict[tuple[int, int], list[str]]()
        for word, pairs in (("hash", by_hash), ("features", by_features), (POSE, NONE if place else lesions)):
            for a, b in pairs:
                found.setdefault((int(a), int(b)), []).append(word)
        small = twins.thumbnails if place == 0 else twins.other_thumbnails[place - 1]
        for (a, b), ways in found.items():
            difference = float(np.abs(twins.thumbnails[a] - small[b]).mean())
            kind = "same" if difference < EXACT_LEVELS else "lesion" if ways == [POSE] else "near"
            row = {**_pair(data_set, other, a, b, place > 0), "kind": kind, "by": ", ".join(ways)}
            distance = {} if features is None else {"distance": _distance(features, place, a, b)}
            rows.append({**row, "difference": round(difference, 3), **distance})
    order = ["difference"] if features is None else ["distance", "difference"]
    return pd.DataFrame(rows).sort_values(order, kind="stable", ignore_index=True) if rows else pd.DataFrame()


def _feature_pairs(features: FeatureTwins, place: int) -> Pairs:
    return features.pairs if place == 0 else features.across[place - 1]


def _distance(features: FeatureTwins, place: int, a: int, b: int) -> float:
    """Cosine distance of a pair, to four places."""
    other = features.rows if place == 0 else features.others[place - 1]
    return round(max(0.0, 1 - float(features.rows[a] @ other[b])), 4)


def _pair(data_set: DataSet, other: DataSet, a: int, b: int, across: bool) -> dict[str, Any]:
    labels = (str(data_set.labels[a]), str(other.labels[b]))
    splits = (str(data_set.splits[a]), str(other.splits[b]))
    groups = (data_set.groups[a], other.groups[b])
    return {
        "first": data_set.table["file_name"].iloc[a],
        "second": other.table["file_name"].iloc[b],
        "kind": "near",
        "labels": labels[0] if labels[0] == labels[1] else " / ".join(labels),
        "set": str(other.folder) if across else "",
        "splits": splits[0] if splits[0] == splits[1] else " / ".join(splits),
        "one_group": not across and bool(groups[0]) and groups[0] == groups[1],
    }


def exclusions(pairs: pd.DataFrame) -> pd.DataFrame:
    """Which image of each pair is left out: a row an image, with the reason and the twin that stays.

    Of a pair in two sets the image of this one. Of a pair in one set the image that is not in the test split, or else not in
    the validation split, or else the later one. Pairs of one group (a patient, a lesion) stay, unless they are the same file:
    that they belong together is known. So do two photographs of a lesion that were found by pose alone: they are no
    duplicates. An image whose twin is left out already stays.

    Parameters
    ----------
    pairs
        The table of `pair_table`; the most similar pair decides first.
    """
    left_out, rows = set[str](), []
    for pair in pairs.to_dict("records"):
        first, second = str(pair["first"]), str(pair["second"])
        if first in left_out or (not pair["set"] and second in left_out):
            continue
        if pair["kind"] == "lesion" or (pair["one_group"] and pair["kind"] != "same"):
            continue
        name, twin = (first, second) if pair["set"] or _stays_less(str(pair["splits"])) else (second, first)
        left_out.add(name)
        differ = f"; labels differ: {pair['labels']}" if " / " in str(pair["labels"]) else ""
        reason = f"{'also in another set' if pair['set'] else 'near-duplicate'}, by {pair['by']}{differ}"
        rows.append({"file_name": name, "reason": reason, "twin": twin, "set": pair["set"]})
    return pd.DataFrame(rows, columns=list(EXCLUSION_COLUMNS))


def _stays_less(splits: str) -> bool:
    """Whether the first of the pair lies in a split that is protected less than the second's."""
    first, _, second = splits.partition(" / ")
    return bool(second) and PROTECTED.get(first, 0) < PROTECTED.get(second, 0)
