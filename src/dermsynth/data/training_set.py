"""A data set as training sees it: decoded images, class numbers, and the order in which they are shown."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding, decoded
from dermsynth.data.dataset import DataSet
from dermsynth.data.sampling import Order
from dermsynth.errors import UserError

SMALLEST_CLASS = 10
SMALLEST_SET = 16
HELD_OUT = "validation"


@dataclass(frozen=True)
class TrainingSet:
    """Images uint8 [n, 3, h, w], the class of each, the class names, the order, and a hash of the rows."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    order: Order
    rows_hash: str

    def take(self, start: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images and class numbers at positions start ... start + count - 1 of the order."""
        index = self.order.take(start, count)
        return self.images[index], self.labels[index]


@dataclass(frozen=True)
class Selection:
    """Which rows a generator is trained on; `conditional` None means: where there are at least two classes."""

    split: str = "train"
    exclude: tuple[str, ...] = ()
    conditional: bool | None = None


def chosen_rows(data_set: DataSet, selection: Selection) -> DataSet:
    """The rows of one split, without excluded labels, and only labelled ones unless training is unconditional.

    Raises UserError for a label that does not occur.
    """
    for label in selection.exclude:
        if label not in data_set.classes:
            raise UserError(f"--exclude {label!r}: no such label; there are: {', '.join(data_set.classes)}")
    keep = np.array([label not in selection.exclude for label in data_set.labels], dtype=bool)
    if "split" in data_set.table and selection.split != "all":
        keep &= (data_set.table["split"] == selection.split).to_numpy()
    if selection.conditional is not False and data_set.classes:
        keep &= data_set.labels != ""
    return data_set.select(keep)


def training_set(
    data_set: DataSet,
    decoding: Decoding,
    selection: Selection = Selection(),
    *,
    temperature: float = 1.0,
    seed: int = 0,
) -> TrainingSet:
    """Decode what is trained on, and fix the order in which it is shown.

    Raises UserError when too few images, or too few of one class, are left.
    """
    rows = chosen_rows(data_set, selection)
    classes = tuple(rows.classes)
    conditional = len(classes) >= 2 if selection.conditional is None else selection.conditional
    if conditional:
        _check_classes(rows, selection.split)
    if len(rows.table) < SMALLEST_SET:
        raise UserError(f"{data_set.folder}: {len(rows.table)} images to train on, at least {SMALLEST_SET} are needed")
    classes = classes if conditional else ()
    number = {label: i for i, label in enumerate(classes)}
    labels = np.array([number.get(label, 0) for label in rows.labels], dtype=np.int64)
    order = Order(labels, temperature=temperature, seed=seed)
    return TrainingSet(decoded(rows, decoding), labels, classes, order, _rows_hash(rows))


def held_out(
    data_set: DataSet, decoding: Decoding, selection: Selection, classes: tuple[str, ...]
) -> TrainingSet | None:
    """Images of the same classes that are not trained on: the validation split, or None where it has too few."""
    if "split" not in data_set.table or selection.split in ("all", HELD_OUT):
        return None
    rows = chosen_rows(data_set, replace(selection, split=HELD_OUT))
    number = {label: i for i, label in enumerate(classes)}
    rows = rows.select(np.array([not classes or label in number for label in rows.labels], dtype=bool))
    if len(rows.table) < SMALLEST_SET:
        return None
    labels = np.array([number.get(label, 0) for label in rows.labels], dtype=np.int64)
    return TrainingSet(decoded(rows, decoding), labels, classes, Order(labels), _rows_hash(rows))


def _rows_hash(rows: DataSet) -> str:
    """Hash of which images are shown with which label: edited labels or splits are another training."""
    text = "\n".join(f"{name}\t{label}" for name, label in zip(rows.table["file_name"], rows.labels, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _check_classes(rows: DataSet, split: str) -> None:
    """Refuse classes that cannot be learned, and say what can be done."""
    if len(rows.classes) < 2:
        raise UserError(f"{rows.folder}: conditional training needs two labels; it has {len(rows.classes)}")
    for label in rows.classes:
        if rows.count(label) < SMALLEST_CLASS:
            raise UserError(
                f"label {label!r} has {rows.count(label)} images in the split {split!r}, at least {SMALLEST_CLASS} "
                f"are needed; leave it out with --exclude {label!r}, or train with --unconditional"
            )
