"""The images of a utility experiment: trained on, chosen by, tested on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding, decoded
from dermsynth.data.dataset import DataSet
from dermsynth.data.verification import verify
from dermsynth.errors import UserError
from dermsynth.evaluation.feature_cache import appearances, decoding_of
from dermsynth.evaluation.subgroups import tones_of
from dermsynth.utility.arms import Arm
from dermsynth.utility.classifier import Examples
from dermsynth.utility.leakage import apart, check_groups, check_history, check_origin, check_sources, check_twins
from dermsynth.utility.subgroups import parts_of, telling_columns

FEWEST = 10
"""Images a class below which nothing is trained or tested."""


@dataclass(frozen=True)
class Classes:
    """The positive label and those that are negative; other images are left out."""

    positive: str
    negative: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.negative or self.positive in self.negative:
            raise UserError(f"`positive` {self.positive!r}: needs another label beside it: `negative` LABEL")

    def of(self, data_set: DataSet, what: str, *, both: bool = True) -> DataSet:
        """The rows with one of the labels.

        Raises UserError when either side has too few; where not both are needed, a side may have none.
        """
        keep = np.isin(data_set.labels.astype(str), [self.positive, *self.negative])
        rows = data_set.select(keep)
        for side, labels in (("positive", (self.positive,)), ("negative", self.negative)):
            count = int(np.isin(rows.labels.astype(str), labels).sum())
            if count < FEWEST and (both or count or rows.table.empty):
                raise UserError(
                    f"{what}: {count} {side} images ({', '.join(labels)}), at least {FEWEST} are needed; there are: "
                    f"{', '.join(data_set.classes) or 'no labels'}"
                )
        return rows

    def truth(self, rows: DataSet) -> NDArray[np.bool_]:
        """Which rows are positive."""
        found: NDArray[np.bool_] = rows.labels.astype(str) == self.positive
        return found


@dataclass(frozen=True)
class HeldOut:
    """Images that no generator and no classifier has seen."""

    name: str
    rows: DataSet
    images: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    strata: Mapping[str, NDArray[np.bool_]]


class Made(NamedTuple):
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
    """Everything an experiment uses, decoded to one size."""

    training: DataSet
    training_images: NDArray[np.uint8]
    synthetic: DataSet
    synthetic_images: NDArray[np.uint8]
    validation: Examples
    validation_rows: DataSet
    tests: Sequence[HeldOut]
    classes: Classes
    decoding: Decoding
    variants: Mapping[str, Made] = field(default_factory=dict)
    copies: Mapping[str, Copies] = field(default_factory=dict)

    def made(self, variant: str) -> Made:
        """The synthetic images of an arm: the experiment's, or those of a variant.

        Raises UserError for a variant that was not given.
        """
        if variant and variant not in self.variants:
            raise UserError(f"variant {variant!r}: missing; add `variant` {variant}=DIR")
        return self.variants[variant] if variant else Made(self.synthetic, self.synthetic_images)

    @property
    def both_made(self) -> bool:
        """Whether there are synthetic images of either side, not of a rare one alone."""
        return self._both(self.synthetic)

    def _both(self, rows: DataSet) -> bool:
        return len(np.unique(self.classes.truth(rows))) == 2

    def wanted(self, arm: Arm) -> int:
        """How many synthetic images an arm takes.

        Raises UserError when there are fewer, or none of a label without which nothing can be learned.
        """
        if arm.synthetic == 0:
            self._real(arm, np.arange(0))
            return 0
        rows = self.made(arm.variant).rows
        there = len(rows.table)
        wanted = there if arm.synthetic is None else round(arm.synthetic * len(self.training.table))
        if wanted > there:
            raise UserError(
                f"arm {arm.name!r}: needs {wanted} synthetic images, {rows.folder} has {there}; generate more "
                "(dermsynth generate --count LABEL=NUMBER), or name --arms without it"
            )
        if not arm.real and not self._both(rows):
            raise UserError(f"arm {arm.name!r}: needs both labels, {rows.folder} has {rows.labels[0]}")
        return wanted

    def shown(self, arm: Arm, seed: int) -> Examples:
        """The images of an arm; fewer real ones are whole groups drawn by `seed`, synthetic ones are drawn by class.

        With synthetic ones beside them, real images are shown as often as they would be alone.
        """
        random = np.random.default_rng(seed)
        real, originals = self._real(arm, _share(self.training, arm.real, random))
        rows, pixels = self.made(arm.variant if arm.synthetic != 0 else "")
        sides = self.classes.truth(rows)
        made = _each_class(sides, self.wanted(arm), random)
        truth = np.concatenate([self.classes.truth(self.training)[real], sides[made]])
        images = np.concatenate([originals, pixels[made]])
        synthetic_ones = np.arange(len(truth)) >= len(real)
        weights = np.ones(len(truth))
        for side in (truth, ~truth):
            weights[side & ~synthetic_ones] = 1 / max((side & ~synthetic_ones).sum(), 1)
            weights[side & synthetic_ones] = (arm.length - 1 or 1.0) / max((side & synthetic_ones).sum(), 1)
        return Examples(images, truth, weights)

    def _real(self, arm: Arm, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Rows of the training set, as far as there are copies where the arm wants these, and their images."""
        if arm.synthetic != 0 or not arm.variant:
            return chosen, self.training_images[chosen]
        if arm.variant not in self.copies:
            raise UserError(f"variant {arm.variant!r}: missing; add `variant` {arm.variant}=DIR")
        copies = self.copies[arm.variant]
        kept = chosen[np.isin(chosen, copies.rows)]
        return kept, copies.images[np.searchsorted(copies.rows, kept)]


def gathered(
    real: DataSet,
    synthetic: DataSet,
    classes: Classes,
    external: Sequence[DataSet] = (),
    *,
    drop_overlap: bool = False,
    columns: Sequence[str] = (),
    variants: Mapping[str, DataSet] | None = None,
) -> Material:
    """Divide the real set by its splits, check where the synthetic set comes from, and add external test sets.

    `variants` are further synthetic sets of the same generator's kind, checked in the same way: edited, or without artefacts; or
    edited copies of the real set.
    Test images are also looked at apart by skin tone, and by the values of the columns where their table has them: the named ones
    and all of few values or of numbers.

    Raises UserError when the generator has seen test images or may have, a split is missing or too small, groups or twins lie
    in two splits, an external image is one of the real set's (which `drop_overlap` leaves out instead), or no test set has a
    column.
    """
    if real.synthetic:
        raise UserError(f"`real` {real.folder}: a synthetic set; it takes the set that the generator was trained on")
    given = variants or {}
    for one in (real, synthetic, *external, *given.values()):
        verify(one)
    made_ones = {name: one for name, one in given.items() if not is_copy(one, real)}
    for one in (synthetic, *made_ones.values()):
        check_origin(one, real)
        check_sources(one, real)
        check_history(one, real)
    names = [real.folder.name, *(other.folder.name for other in external)]
    if len(set(names)) < len(names):
        raise UserError(f"`test`: two sets named {max(names, key=names.count)!r}; rename a folder")
    decoding = decoding_of(synthetic)
    parts = {
        name: classes.of(_split(real, name), f"{real.folder}, split {name}") for name in ("train", "validation", "test")
    }
    check_groups({name: _split(real, name) for name in parts})
    check_twins(parts)
    made = _made(synthetic, decoding, classes)
    tests = [_test(f"{real.folder.name} (held out)", parts["test"], decoding, classes, columns)]
    tests += [_external(other, real, decoding, classes, columns, drop_overlap) for other in external]
    for column in columns:
        if not any(column in test.rows.table for test in tests):
            there = ", ".join(str(name) for name in tests[0].rows.table.columns)
            raise UserError(f"`by` {column!r}: no such column in any test set; {real.folder} has: {there}")
    validation = Examples(_images(parts["validation"], decoding), classes.truth(parts["validation"]))
    return Material(
        parts["train"],
        _images(parts["train"], decoding),
        *made,
        validation,
        parts["validation"],
        tests,
        classes,
        decoding,
        {name: _made(rows, decoding, classes) for name, rows in made_ones.items()},
        {name: _copies(rows, parts["train"], decoding) for name, rows in given.items() if name not in made_ones},
    )


def is_copy(data_set: DataSet, real: DataSet) -> bool:
    """Whether a set is an edited copy of the real one, as `dermsynth artefacts remove` and `insert` make them."""
    return not data_set.synthetic and data_set.provenance.edited_from == real.content_hash


def _copies(edited: DataSet, training: DataSet, decoding: Decoding) -> Copies:
    """The copies of training images, in the order of these."""
    places = {name: row for row, name in enumerate(training.table["file_name"])}
    mine = edited.select(np.isin(edited.table["edited_from"].to_numpy(str), list(places)))
    rows = np.array([places[name] for name in mine.table["edited_from"]], np.int64)
    order = np.argsort(rows)
    return Copies(rows[order], _images(mine, decoding)[order], edited.content_hash)


def _external(
    other: DataSet, real: DataSet, decoding: Decoding, classes: Classes, columns: Sequence[str], drop: bool
) -> HeldOut:
    """A further test set, without photographs of the real one."""
    if other.synthetic:
        raise UserError(f"`test` {other.folder}: a synthetic set; usefulness is tested on real images")
    if other.content_hash == real.content_hash:
        raise UserError(f"`test` {other.folder}: the same images as `real`, whose test split is used already")
    rows = apart(classes.of(other, str(other.folder)), real, drop=drop)
    return _test(other.folder.name, classes.of(rows, str(other.folder)), decoding, classes, columns)


def _made(data_set: DataSet, decoding: Decoding, classes: Classes) -> Made:
    rows = classes.of(data_set, str(data_set.folder), both=False)
    return Made(rows, _images(rows, decoding))


def _split(real: DataSet, name: str) -> DataSet:
    if not real.divided:
        raise UserError(f"{real.folder}: no column split; import the set with one")
    return real.select(real.in_split(name))


def _test(name: str, rows: DataSet, decoding: Decoding, classes: Classes, columns: Sequence[str]) -> HeldOut:
    images = _images(rows, decoding)
    tones = tones_of(appearances(rows, images, decoding))
    strata = {f"skin tone: {tone}": tones == tone for tone in np.unique(tones) if tone}
    for column in dict.fromkeys([*columns, *telling_columns(rows.table)]):
        if column in rows.table:
            strata |= parts_of(rows.table, column)
    return HeldOut(name, rows, images, classes.truth(rows), strata)


def _images(rows: DataSet, decoding: Decoding) -> NDArray[np.uint8]:
    return np.asarray(decoded(rows, decoding))


def _share(rows: DataSet, share: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Indices of about this share of the images, whole groups of them, of each label alike."""
    if share >= 1:
        return np.arange(len(rows.table))
    names = rows.table["file_name"].to_numpy()
    groups = np.where(rows.table["group"] == "", names, rows.table["group"]) if "group" in rows.table else names
    chosen: list[int] = []
    for label in rows.classes:
        mine = np.flatnonzero(rows.labels == label)
        kept: list[int] = []
        for name in random.permutation(np.unique(groups[mine])):
            if len(kept) >= round(share * len(mine)):
                break
            kept += list(mine[groups[mine] == name])
        chosen += kept
    return np.sort(np.array(chosen, np.int64))


def _each_class(truth: NDArray[np.bool_], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Indices of `count` images, each class in its share of the set."""
    sides = [random.permutation(np.flatnonzero(truth == value)) for value in (True, False)]
    return np.sort(np.concatenate([side[: round(count * len(side) / len(truth))] for side in sides]))
