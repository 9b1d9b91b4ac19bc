"""A data set as training sees it: decoded images, class numbers, and the order in which they are shown."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.order import Order
from dermsynth.data.verification import content_of, content_unknown
from dermsynth.errors import UserError

SMALLEST_CLASS = 10
SMALLEST_SET = 16
HELD_OUT = "validation"


Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Domains:
    """Two sets of images between which a family translates, uint8 [n, 3, h, w], and masks of what differs, [n, 1, h, w].

    Generators see equally many of either, `kept` at random (the smaller number); what one domain has more is the *surplus* that
    trains its discriminator alone (FURGER). `masks` belong to the source or to the target, whichever has them.
    """

    source: Images
    target: Images
    source_kept: NDArray[np.int64]
    target_kept: NDArray[np.int64]
    source_order: Order
    target_order: Order
    source_surplus: Order
    target_surplus: Order
    source_masks: Images | None = None
    target_masks: Images | None = None

    @property
    def masked(self) -> tuple[str, Images] | None:
        """The side whose masks are used, and these: the source's own, else the target's; None where neither has any."""
        for side, masks in (("source", self.source_masks), ("target", self.target_masks)):
            if masks is not None:
                return side, masks
        return None

    def places(self, start: int, count: int) -> dict[str, NDArray[np.int64]]:
        """Numbers of the images of a step, by what they serve."""
        return {
            "source": self.source_kept[self.source_order.take(start, count)],
            "target": self.target_kept[self.target_order.take(start, count)],
            "real_source": self.source_surplus.take(start, count),
            "real_target": self.target_surplus.take(start, count),
        }

    def at(self, places: Mapping[str, NDArray[np.int64]]) -> "MinibatchDomains":
        """The images of a step whose numbers are given."""
        source, target = places["source"], places["target"]
        return MinibatchDomains(
            self.source[source],
            self.target[target],
            self.source[places["real_source"]],
            self.target[places["real_target"]],
            _masks(self, source, target),
        )


@dataclass(frozen=True)
class MinibatchDomains:
    """One step's images: for the generators, then for the discriminators, and the masks, all zero where there are none."""

    source: Images
    target: Images
    real_source: Images
    real_target: Images
    mask: Images


@dataclass(frozen=True)
class Minibatch:
    """Images and class numbers of a step; maps [n, 2, h, w] or two domains where the family takes them."""

    images: Images
    labels: NDArray[np.int64]
    maps: Images | None = None
    domains: MinibatchDomains | None = None

    def at(self, index: NDArray[np.int64]) -> "Minibatch":
        """The rows of `index`."""
        maps = None if self.maps is None else self.maps[index]
        domains = (
            None if self.domains is None else MinibatchDomains(*(side[index] for side in vars(self.domains).values()))
        )
        return Minibatch(self.images[index], self.labels[index], maps, domains)


@dataclass(frozen=True)
class TrainingSet:
    """Images uint8 [n, 3, h, w], the class of each (-1: not known), the class names, the order, and a hash of the rows.

    With `maps`, one for each image. With `domains`, the images are those of the target.
    """

    images: Images
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    order: Order
    rows_hash: str
    maps: Images | None = None
    map_layers: tuple[str, ...] = ()
    domains: Domains | None = None
    label: str = ""
    """The label of all images, where they have one and it is no class to be conditioned on."""

    def places(self, start: int, count: int) -> dict[str, NDArray[np.int64]]:
        """Numbers of the images at positions start ... start + count - 1 of the orders.

        By what they serve: `images`, and with domains `source`, `target`, `real_source` and `real_target`.
        """
        own = {"images": self.order.take(start, count)}
        return own if self.domains is None else {**own, **self.domains.places(start, count)}

    def take(self, start: int, count: int) -> Minibatch:
        """The images at positions start ... start + count - 1 of the order."""
        places = self.places(start, count)
        index = places["images"]
        maps = None if self.maps is None else self.maps[index]
        domains = None if self.domains is None else self.domains.at(places)
        return Minibatch(self.images[index], self.labels[index], maps, domains)

    def inputs(self, seeds: Sequence[int]) -> Minibatch | None:
        """What images are made from, for any seeds: maps, or source images with masks; None where from noise alone.

        In an order drawn once, for neighbours in a table are often of one photograph.
        """
        if self.maps is None and self.domains is None:
            return None
        index = _scatter(seeds, len(self.images))
        if self.maps is not None:
            return Minibatch(self.images[index], self.labels[index], self.maps[index])
        assert self.domains is not None
        source, target = self.domains.source, self.domains.target
        left, right = (_scatter(seeds, len(side)) for side in (source, target))
        mask = _masks(self.domains, left, right)
        inputs = MinibatchDomains(source[left], target[right], source[left], target[right], mask)
        return Minibatch(target[right], np.ones(len(left), np.int64), None, inputs)


def _scatter(seeds: Sequence[int], count: int) -> NDArray[np.int64]:
    order = np.random.default_rng(0).permutation(count)
    indices: NDArray[np.int64] = order[np.asarray(seeds) % count]
    return indices


def _masks(domains: Domains, source: NDArray[np.int64], target: NDArray[np.int64]) -> Images:
    """The masks of the side that has them, those of target images re-used with source images that have none; or zeros."""
    if domains.masked is None:
        return np.zeros((len(source), 1, *domains.source.shape[2:]), np.uint8)
    side, masks = domains.masked
    return masks[source if side == "source" else target]


@dataclass(frozen=True)
class Selection:
    """Which rows a generator is trained on; `conditional` None means: where there are at least two classes.

    With `unlabelled`, images without a label take part in a conditional training.
    """

    split: str = "train"
    exclude: tuple[str, ...] = ()
    conditional: bool | None = None
    unlabelled: bool = False


def chosen_rows(data_set: DataSet, selection: Selection) -> DataSet:
    """The rows of one split, without excluded labels, and only labelled ones unless it is said otherwise.

    Raises UserError for a label that does not occur.
    """
    for label in selection.exclude:
        if label not in data_set.classes:
            raise UserError(f"`exclude` {label!r}: no such label; there are: {', '.join(data_set.classes)}")
    keep = np.array([label not in selection.exclude for label in data_set.labels], dtype=bool)
    keep &= data_set.in_split(selection.split)
    if selection.conditional is not False and data_set.classes and not selection.unlabelled:
        keep &= data_set.labels != ""
    return data_set.part(keep)


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
    rows, labels, classes = labelled_rows(data_set, selection)
    if len(rows.table) < SMALLEST_SET:
        raise UserError(f"{data_set.folder}: {len(rows.table)} images to train on, at least {SMALLEST_SET} are needed")
    order = Order(labels, temperature=temperature, seed=seed)
    return TrainingSet(
        decode_images(rows, decoding), labels, classes, order, rows_hash(rows), label=_one_label(rows, classes)
    )


def _one_label(rows: DataSet, classes: tuple[str, ...]) -> str:
    """The label of all rows of an unconditional training, or blank where there are several or none."""
    found = set(map(str, rows.labels))
    return found.pop() if not classes and len(found) == 1 else ""


def labelled_rows(data_set: DataSet, selection: Selection) -> tuple[DataSet, NDArray[np.int64], tuple[str, ...]]:
    """The rows of a selection, the class number of each (-1 where none is known), and the classes; none where unconditional.

    Raises UserError for classes that cannot be learnt.
    """
    classes = tuple(label for label in data_set.classes if label not in selection.exclude)
    conditional = len(classes) >= 2 if selection.conditional is None else selection.conditional
    rows = chosen_rows(data_set, replace(selection, conditional=conditional))
    if not conditional:
        return rows, np.zeros(len(rows.table), np.int64), ()
    _check_classes(rows, selection.split)
    number = {label: i for i, label in enumerate(rows.classes)}
    return rows, np.array([number.get(label, -1) for label in rows.labels], dtype=np.int64), tuple(rows.classes)


def held_out_images(
    data_set: DataSet, decoding: Decoding, selection: Selection, classes: tuple[str, ...]
) -> TrainingSet | None:
    """Images of the same classes that are not trained on: the validation split, or None where it has too few."""
    if "split" not in data_set.table or selection.split in ("all", HELD_OUT):
        return None
    rows = chosen_rows(data_set, replace(selection, split=HELD_OUT))
    number = {label: i for i, label in enumerate(classes)}
    rows = rows.part(np.array([not classes or label in number for label in rows.labels], dtype=bool))
    if len(rows.table) < SMALLEST_SET:
        return None
    labels = np.array([number.get(label, 0) for label in rows.labels], dtype=np.int64)
    return TrainingSet(decode_images(rows, decoding), labels, classes, Order(labels), rows_hash(rows))


def rows_hash(rows: DataSet) -> str:
    """Hash of which images are shown with which label: edited labels or splits are another training.

    Also of the images' content, where nothing else says what it was.
    """
    names = [str(name) for name in rows.table["file_name"]]
    texts = names
    if content_unknown(rows):
        content = content_of(rows.folder, names)
        texts = [f"{name}\t{content[name]}" for name in names]
    text = "\n".join(f"{name}\t{label}" for name, label in zip(texts, rows.labels, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _check_classes(rows: DataSet, split: str) -> None:
    """Refuse classes that cannot be learned, and say what can be done."""
    if rows.table.empty:
        raise UserError(
            f"`split` {split!r}: no images of this split in {rows.folder}; usual are train, validation, test, all"
        )
    if len(rows.classes) < 2:
        raise UserError(f"{rows.folder}: conditional training needs two labels; it has {len(rows.classes)}")
    for label in rows.classes:
        if rows.count(label) < SMALLEST_CLASS:
            raise UserError(
                f"label {label!r} has {rows.count(label)} images in the split {split!r}, at least {SMALLEST_CLASS} "
                f"are needed; leave it out with `exclude` {label!r}, or train with `unconditional`"
            )
