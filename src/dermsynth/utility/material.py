"""The images of a utility experiment, decoded to one size: trained on, chosen by, tested on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import DataSet
from dermsynth.errors import UserError
from dermsynth.utility.arms import Arm
from dermsynth.utility.classifier import Examples
from dermsynth.utility.views import View

FEWEST = 10
"""Images a class below which nothing is trained or tested."""


@dataclass(frozen=True)
class Classes:
    """The positive label and the negative ones; images with other labels are left out."""

    positive: str
    negative: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.negative or self.positive in self.negative:
            raise UserError(f"`positive` {self.positive!r}: needs another label beside it: `negative` LABEL")

    def of(self, data_set: DataSet, what: str, *, both: bool = True) -> DataSet:
        """The rows with one of the labels; unless `both` classes are needed, one may have none.

        Raises UserError when a class has too few.
        """
        rows = data_set.part(np.isin(data_set.labels.astype(str), [self.positive, *self.negative]))
        for side, labels in (("positive", (self.positive,)), ("negative", self.negative)):
            count = int(np.isin(rows.labels.astype(str), labels).sum())
            if count < FEWEST and (both or count or rows.table.empty):
                raise UserError(
                    f"{what}: {count} {side} images ({', '.join(labels)}), at least {FEWEST} are needed; there are: "
                    f"{', '.join(data_set.classes) or 'no labels'}"
                )
        return rows

    def truth(self, rows: DataSet) -> NDArray[np.bool_]:
        """Which rows are positive, [n]."""
        positive: NDArray[np.bool_] = rows.labels.astype(str) == self.positive
        return positive


class Stratum(NamedTuple):
    """Images that agree in a column: which rows of the test set, [n]."""

    column: str
    value: str
    rows: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """Column and value."""
        return f"{self.column}: {self.value}"


@dataclass(frozen=True)
class HeldOut:
    """Real images uint8 [n, 3, h, w] that no generator and no classifier was trained on, and which are positive."""

    name: str
    rows: DataSet
    images: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    strata: Sequence[Stratum] = ()


class SyntheticImages(NamedTuple):
    """A synthetic set and its images uint8 [n, 3, h, w]."""

    rows: DataSet
    images: NDArray[np.uint8]


class Copies(NamedTuple):
    """Edited copies of training images: of which rows, in rising order, and the images uint8 [n, 3, h, w]."""

    rows: NDArray[np.int64]
    images: NDArray[np.uint8]
    content_hash: str


@dataclass(frozen=True)
class Material:
    """Everything that an experiment uses, decoded to one size."""

    training: DataSet
    training_images: NDArray[np.uint8]
    synthetic: DataSet
    synthetic_images: NDArray[np.uint8]
    validation: Examples
    validation_rows: DataSet
    tests: Sequence[HeldOut]
    classes: Classes
    decoding: Decoding
    chosen: bool = False
    """Whether the size was chosen, and is not that of the first synthetic image."""
    variants: Mapping[str, SyntheticImages] = field(default_factory=dict)
    generators: Sequence[SyntheticImages] = ()
    """Further sets by the same method, each from a generator of its own."""
    copies: Mapping[str, Copies] = field(default_factory=dict)
    view: View = "whole"

    @property
    def every_generator(self) -> list[SyntheticImages]:
        """The experiment's synthetic images, and those of further generators."""
        return [SyntheticImages(self.synthetic, self.synthetic_images), *self.generators]

    def generators_of(self, arm: Arm) -> int:
        """From how many generators an arm is trained, in turn: one where it shows none of theirs."""
        return len(self.every_generator) if arm.synthetic != 0 and not arm.variant else 1

    def synthetic_of(self, variant: str, generator: int = 0) -> SyntheticImages:
        """The synthetic images of an arm: those of a generator, or of a variant.

        Raises UserError for a variant that was not given.
        """
        if variant and variant not in self.variants:
            raise UserError(f"variant {variant!r}: missing; name it in `variants`")
        return self.variants[variant] if variant else self.every_generator[generator]

    @property
    def has_both_classes(self) -> bool:
        """Whether there are synthetic images of both classes, not of a rare one alone."""
        return self._has_both(self.synthetic)

    def _has_both(self, rows: DataSet) -> bool:
        return len(np.unique(self.classes.truth(rows))) == 2

    def synthetic_count(self, arm: Arm, generator: int = 0) -> int:
        """How many synthetic images of a generator an arm takes.

        Raises UserError when there are fewer, or none of a class without which nothing can be learned.
        """
        if arm.synthetic == 0:
            self._real_images(arm, np.arange(0))
            return 0
        rows = self.synthetic_of(arm.variant, generator).rows
        there = len(rows.table)
        count = there if arm.synthetic is None else round(arm.synthetic * len(self.training.table))
        if count > there:
            raise UserError(
                f"arm {arm.name!r}: needs {count} synthetic images, {rows.folder} has {there}; generate more "
                "(`count` LABEL=NUMBER), or choose `arms` without it"
            )
        if not arm.real and not self._has_both(rows):
            raise UserError(f"arm {arm.name!r}: needs both labels, {rows.folder} has {rows.labels[0]}")
        return count

    def examples(self, arm: Arm, seed: int, generator: int = 0) -> Examples:
        """The images of an arm, synthetic ones of a generator.

        Fewer real images are whole groups drawn by `seed`, synthetic ones are drawn by class. With synthetic ones beside
        them, real images are drawn as often as they would be alone.
        """
        random = np.random.default_rng(seed)
        real, real_images = self._real_images(arm, _draw_share(self.training, arm.real, random))
        rows, pixels = self.synthetic_of(arm.variant if arm.synthetic != 0 else "", generator)
        positive = self.classes.truth(rows)
        chosen = _draw_by_class(positive, self.synthetic_count(arm, generator), random)
        truth = np.concatenate([self.classes.truth(self.training)[real], positive[chosen]])
        images = np.concatenate([real_images, pixels[chosen]])
        return Examples(images, truth, _weights(truth, len(real), arm.length))

    def _real_images(self, arm: Arm, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Rows of the training set and their images; where the arm takes edited copies, the rows that have one."""
        if arm.synthetic != 0 or not arm.variant:
            return chosen, self.training_images[chosen]
        if arm.variant not in self.copies:
            raise UserError(f"variant {arm.variant!r}: missing; name it in `variants`")
        copies = self.copies[arm.variant]
        rows = chosen[np.isin(chosen, copies.rows)]
        return rows, copies.images[np.searchsorted(copies.rows, rows)]


def _weights(truth: NDArray[np.bool_], real: int, length: float) -> NDArray[np.float64]:
    """How often each image is drawn, in every class: `length` - 1 synthetic images for each of the first `real` images."""
    synthetic = np.arange(len(truth)) >= real
    weights = np.ones(len(truth))
    for side in (truth, ~truth):
        weights[side & ~synthetic] = 1 / max((side & ~synthetic).sum(), 1)
        weights[side & synthetic] = (length - 1 or 1.0) / max((side & synthetic).sum(), 1)
    return weights


def _draw_share(rows: DataSet, share: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Indices of about this share of the images, whole groups of them, of each label alike."""
    if share >= 1:
        return np.arange(len(rows.table))
    names, first = rows.table["file_name"].to_numpy(), dict[str, str]()
    for group, spelling in zip(rows.groups, rows.table.get("group", rows.groups), strict=True):
        first.setdefault(group, spelling)
    groups = np.array(
        [name if not group else first[group] for name, group in zip(names, rows.groups, strict=True)], object
    )
    chosen: list[int] = []
    for label in rows.classes:
        of_label = np.flatnonzero(rows.labels == label)
        drawn: list[int] = []
        for group in random.permutation(np.unique(groups[of_label])):
            if len(drawn) >= round(share * len(of_label)):
                break
            drawn += list(of_label[groups[of_label] == group])
        chosen += drawn
    return np.sort(np.array(chosen, np.int64))


def _draw_by_class(truth: NDArray[np.bool_], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Indices of `count` images, each class in its share of the set."""
    if not len(truth):
        return np.empty(0, np.int64)
    sides = [random.permutation(np.flatnonzero(truth == value)) for value in (True, False)]
    return np.sort(np.concatenate([side[: round(count * len(side) / len(truth))] for side in sides]))
