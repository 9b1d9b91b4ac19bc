"""Images as families see them that make images from images: with semantic maps, or as two domains."""

from collections.abc import Sequence

import numpy as np

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.maps import MapSettings, decode_maps, layer_names, with_maps
from dermsynth.data.order import Order
from dermsynth.data.training_set import (
    SMALLEST_CLASS,
    SMALLEST_SET,
    Domains,
    Images,
    Selection,
    TrainingSet,
    chosen_rows,
    labelled_rows,
    rows_hash,
)
from dermsynth.errors import UserError


def map_set(
    data_set: DataSet, decoding: Decoding, selection: Selection, *, superpixels: bool, seed: int = 0
) -> TrainingSet:
    """Images with their semantic maps, superpixel boundaries if wanted, and labels unless the selection is unconditional.

    Raises UserError when there are no masks, or too few images.
    """
    rows, labels, classes = labelled_rows(with_maps(data_set), selection)
    if len(rows.table) < SMALLEST_SET:
        raise UserError(f"{data_set.folder}: {len(rows.table)} images with masks, at least {SMALLEST_SET} are needed")
    layers = layer_names(rows)
    maps = decode_maps(rows, decoding, MapSettings(layers, superpixels))
    order = Order(labels, seed=seed)
    return TrainingSet(decode_images(rows, decoding), labels, classes, order, rows_hash(rows), maps, layers)


def domain_set(
    data_set: DataSet, decoding: Decoding, source: str, target: str, *, masks: bool, split: str = "train", seed: int = 0
) -> TrainingSet:
    """Two labels of a data set as the domains between which a family translates; with `masks`, one side must have them.

    Raises UserError when a label does not occur, has too few images, a needed mask is missing or is all lesion.
    """
    if source == target:
        raise UserError(f"domain {source!r}: source and target are the same")
    sides = [_side(data_set, label, split) for label in (source, target)]
    images = [decode_images(side, decoding) for side in sides]
    lesions = [_masks(side, decoding) if masks else None for side in sides]
    if masks and lesions[0] is None and lesions[1] is None:
        raise UserError(f"{data_set.folder}: neither all images of {source!r} nor all of {target!r} have masks")
    domains = _domains(images, lesions, seed)
    labels = np.ones(len(images[1]), np.int64)
    hashes = "".join(rows_hash(side) for side in sides)
    return TrainingSet(images[1], labels, (source, target), domains.target_surplus, hashes, domains=domains)


def _domains(images: Sequence[Images], lesions: Sequence[Images | None], seed: int) -> Domains:
    """Both sides with equally many images in their orders, and all images of each in others."""
    count = min(len(side) for side in images)
    random = np.random.default_rng(seed)
    chosen = [np.sort(random.permutation(len(side))[:count]) for side in images]
    orders = [Order(np.zeros(count, np.int64), seed=4 * seed + i) for i in range(2)]
    surplus = [Order(np.zeros(len(side), np.int64), seed=4 * seed + 2 + i) for i, side in enumerate(images)]
    return Domains(*images, *chosen, *orders, *surplus, *lesions)  # type: ignore[arg-type]


def _side(data_set: DataSet, label: str, split: str) -> DataSet:
    """The images of one domain."""
    if label not in data_set.classes:
        raise UserError(f"domain {label!r}: no such label; there are: {', '.join(data_set.classes) or 'none'}")
    rows = chosen_rows(data_set, Selection(split))
    side = rows.part(rows.labels == label)
    if len(side.table) < SMALLEST_CLASS:
        raise UserError(
            f"domain {label!r}: {len(side.table)} images in the split {split!r}, at least {SMALLEST_CLASS} are needed"
        )
    return side


def _masks(side: DataSet, decoding: Decoding) -> Images | None:
    """Masks 0 / 1 as [n, 1, h, w], or None where an image has none, or all are empty."""
    if "mask_file_name" not in side.table or (side.table["mask_file_name"] == "").any():
        return None
    maps = decode_maps(side, decoding, MapSettings(("skin", "lesion"), superpixels=False))[:, :1]
    if not maps.any():
        return None
    full = np.flatnonzero(np.asarray(maps.reshape(len(maps), -1).min(axis=1)) > 0)
    if len(full):
        name = side.table["mask_file_name"].iloc[int(full[0])]
        raise UserError(
            f"{side.folder / name}: all lesion; nothing is left that must not change ({len(full)} such masks at this size and "
            "crop); remove its row from metadata.csv, or use `crop` pad"
        )
    return maps
