"""The splits of an import: those that the source gives, or new ones that keep together what belongs together."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.duplicates import near_duplicates
from dermsynth.data.identity import identifying_columns, identity_pairs
from dermsynth.data.importers.files import ImportedImage
from dermsynth.data.importers.folder_layout import split_name
from dermsynth.data.splits import SPLITS, joined_groups, split, unmet_shares
from dermsynth.errors import UserError

Shares = tuple[float, float, float]
Groups = NDArray[np.int64]


def divide(
    table: pd.DataFrame, images: Sequence[ImportedImage], shares: Shares, seed: int
) -> tuple[NDArray[np.object_], list[str]]:
    """Split of every row, and what is to be said about it.

    Raises UserError for a given split that is none.
    """
    joined, notes = _joined_groups(table, images)
    if (table["split"] != "").any():
        splits = _source_splits(table)
        notes += _cut_groups(splits, joined)
    else:
        splits = split(table["label"].to_numpy(dtype=object), joined, shares, seed)
        notes += [note for note in [unmet_shares(splits, joined, shares)] if note]
    if set(splits) == {"train"}:
        notes.append("no image is held out (validation or test): the copy gate, floors and classifiers need some")
    return splits, notes


def _joined_groups(table: pd.DataFrame, images: Sequence[ImportedImage]) -> tuple[Groups, list[str]]:
    """Numbers of what no split may cut: groups, what other columns identify, and near-duplicates."""
    hashes = np.array([image.hash for image in images], dtype=np.uint64)
    thumbnails = np.stack([image.thumbnail for image in images if image.thumbnail is not None])
    groups = table["group"].to_numpy(dtype=object) if "group" in table else np.full(len(table), "", dtype=object)
    columns, doubtful = identifying_columns(table.drop(columns="group", errors="ignore"))
    notes = [f"splits keep together what one {' or '.join(columns)} holds"] if columns else []
    notes += [
        f"column {name!r}: a value that more than a fifth of the images share is taken for nobody's; splits may cut it"
        for name in doubtful
    ]
    pairs = [near_duplicates(hashes, thumbnails), identity_pairs([list(table[name]) for name in columns])]
    return joined_groups(groups, np.concatenate(pairs)), notes


def _source_splits(table: pd.DataFrame) -> NDArray[np.object_]:
    splits = table["split"].map(split_name)
    unknown = np.flatnonzero(~splits.isin(SPLITS))
    if len(unknown):
        first = table.iloc[int(unknown[0])]
        raise UserError(f"split {first['split']!r} of {first['file_name']}: must be train, validation or test")
    return splits.to_numpy(dtype=object)


def _cut_groups(splits: NDArray[np.object_], joined: Groups) -> list[str]:
    several = np.unique(joined[np.bincount(joined)[joined] > 1])
    count = sum(len(set(splits[joined == number])) > 1 for number in several)
    cut = f"the given split cuts {count} groups (patient, lesion or twins); dermsynth audit names them"
    return [cut] if count else []
