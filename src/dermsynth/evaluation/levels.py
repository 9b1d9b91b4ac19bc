"""Levels of diagnosis above the label: benign and malignant above melanoma and nevus, as the real set's columns say."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.values import is_missing, plain_identifier

LEVELS = (
    "diagnosis_1", "diagnosis_2", "diagnosis_3", "diagnosis_4", "diagnosis_5", "three_partition_label", "nine_partition_label",
    "benign_malignant", "malignant", "melanocytic",
)  # fmt: skip
"""Columns of published data sets that hold a diagnosis at some level, of one data set the widest first."""


def values_of_labels(real: DataSet, column: str) -> Mapping[str, str]:
    """Label -> the one value of a column that all its images have, as far as they have any.

    Empty where a label has none or several: then the column is no level above the labels.
    """
    if column not in real.table or not real.classes:
        return {}
    spelling: dict[str, str] = {}
    found: dict[str, set[str]] = {label: set() for label in real.classes}
    for label, cell in zip(real.labels, real.table[column], strict=True):
        if label and not is_missing(str(cell)):
            found[str(label)].add(spelling.setdefault(plain_identifier(str(cell)), str(cell)))
    if any(len(values) != 1 for values in found.values()):
        return {}
    return {label: next(iter(values)) for label, values in found.items()}


def levels_above(real: DataSet) -> list[str]:
    """Columns of the real set that divide its labels into fewer groups, at least two."""
    return [column for column in LEVELS if 2 <= len({*values_of_labels(real, column).values()}) < len(real.classes)]


def cells_by_label(data_set: DataSet, values: Mapping[str, str]) -> NDArray[np.object_]:
    """The value of every image by its label, [n]; empty for labels that have none."""
    return np.array([values.get(str(label), "") for label in data_set.labels], object)
