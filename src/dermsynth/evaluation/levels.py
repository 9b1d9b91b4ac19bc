"""Levels of diagnosis above the label: benign and malignant above melanoma and nevus, as the real set's columns say."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.values import is_missing, meaning

LEVELS = (
    "diagnosis_1", "diagnosis_2", "diagnosis_3", "diagnosis_4", "diagnosis_5", "three_partition_label", "nine_partition_label",
    "benign_malignant", "malignant", "melanocytic",
)  # fmt: skip
"""Columns of published data sets that hold a diagnosis at some level, of one data set the widest first."""
NEARLY = 0.9
"""Share of a label's images that agree from which on the others are taken for slips, and named."""


def _counts(real: DataSet, column: str) -> dict[str, Counter[str]]:
    """Label -> how many of its images have each value of a column, in the first of the spellings that mean the same."""
    spelling: dict[object, str] = {}
    counts: dict[str, Counter[str]] = {label: Counter() for label in real.classes}
    pairs = Counter(zip(map(str, real.labels), map(str, real.table[column]), strict=True))
    for (label, cell), count in pairs.items():
        if label and not is_missing(cell):
            counts[label][spelling.setdefault(meaning(cell), cell)] += count
    return counts


def values_of_labels(real: DataSet, column: str) -> Mapping[str, str]:
    """Label -> the one value of a column that all its images have, as far as they have any.

    Empty where a label has none or several: then the column is no level above the labels.
    """
    if column not in real.table or not real.classes:
        return {}
    counts = _counts(real, column)
    if any(len(values) != 1 for values in counts.values()):
        return {}
    return {label: next(iter(values)) for label, values in counts.items()}


def why_no_level(real: DataSet, column: str) -> str:
    """Which label has no value of a column, or several, so that it is no level; empty where it is one, or is not there."""
    if column not in real.table:
        return ""
    for label, values in _counts(real, column).items():
        if len(values) != 1:
            several = " and ".join(f"{count} {value!r}" for value, count in values.most_common(3))
            return f"{column!r} is no level above the labels of {real.folder}: {label} has {several or 'no value'}"
    return ""


def slips(real: DataSet) -> list[str]:
    """Columns that would be levels but for few images, and which these are."""
    lines = []
    for column in LEVELS:
        if column in real.table and real.classes:
            counts = _counts(real, column)
            largest = [max(values.values(), default=0) / max(values.total(), 1) for values in counts.values()]
            values = {values.most_common(1)[0][0] for values in counts.values() if values}
            if min(largest) >= NEARLY and 2 <= len(values) < len(counts) and (why := why_no_level(real, column)):
                lines.append(why)
    return lines


def levels_above(real: DataSet) -> list[str]:
    """Columns of the real set that divide its labels into fewer groups, at least two; of those that divide alike the first."""
    found: dict[frozenset[frozenset[str]], str] = {}
    for column in LEVELS:
        values = values_of_labels(real, column)
        groups = frozenset(
            frozenset(label for label, value in values.items() if value == one) for one in {*values.values()}
        )
        if 2 <= len(groups) < len(real.classes):
            found.setdefault(groups, column)
    return list(found.values())


def cells_by_label(data_set: DataSet, values: Mapping[str, str]) -> NDArray[np.object_]:
    """The value of every image by its label, [n]; empty for labels that have none."""
    return np.array([values.get(str(label), "") for label in data_set.labels], object)
