"""Semantic maps (skin, lesion, markers) and superpixel boundaries of images (BISSOTO)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.cache import cached_array
from dermsynth.data.cache import Decoding, cache_path
from dermsynth.data.dataset import DataSet
from dermsynth.data.file_names import path_inside
from dermsynth.data.importers.isic_challenges import ATTRIBUTES
from dermsynth.data.masks import read_mask
from dermsynth.errors import UserError
from dermsynth.images import fit, read_image
from dermsynth.parallel import parallel_map

VERSION = 2
LAYERS = ("skin", "lesion", *ATTRIBUTES)
"""Values 0, 1, 2, ... of a semantic map that is composed from masks; later ones lie on top."""
SEGMENTS, COMPACTNESS = 200, 10.0
SEGMENT_COLUMN = "segment_file_name"
"""Column with 16-bit PNGs of superpixel numbers, where these do not follow from the image."""
Map = NDArray[np.uint8]


@dataclass(frozen=True)
class MapSettings:
    """What the values of a map mean, and whether superpixel boundaries go with it."""

    layers: tuple[str, ...]
    superpixels: bool


def layer_names(data_set: DataSet) -> tuple[str, ...]:
    """Names of the map values a data set can fill.

    They are `map_classes` of its description where it has maps of its own (`map_file_name`), else skin, lesion, and the
    markers for which there are masks.

    Raises UserError when the data set has neither maps nor lesion masks.
    """
    if "map_file_name" in data_set.table:
        named = data_set.provenance.map_classes
        if not named:
            raise UserError(f"{data_set.folder}: dataset.json does not name the maps' values (map_classes)")
        return named
    if "mask_file_name" not in data_set.table:
        raise UserError(f"{data_set.folder}: no lesion masks and no maps; this family is trained on both")
    bits = data_set.provenance.structure_bits if "structures" in data_set.table else {}
    return tuple(
        name for name in LAYERS if name in ("skin", "lesion") or f"{name}_mask" in data_set.table or name in bits
    )


def with_maps(data_set: DataSet) -> DataSet:
    """The rows that have a map, or a lesion mask from which one is composed.

    Raises UserError when there is none.
    """
    column = "map_file_name" if "map_file_name" in data_set.table else "mask_file_name"
    keep = (
        (data_set.table[column] != "").to_numpy() if column in data_set.table else np.zeros(len(data_set.table), bool)
    )
    if not keep.any():
        raise UserError(f"{data_set.folder}: none of its images has a mask")
    return data_set.part(keep)


def label_map(data_set: DataSet, row: Mapping[str, str], layers: tuple[str, ...]) -> Map:
    """Semantic map of one row as uint8 [h, w]: values are positions in `layers`.

    Raises UserError for a map with a value that has no name, or masks of different sizes.
    """
    folder = data_set.folder
    if row.get("map_file_name"):
        return _named_values(path_inside(folder, row["map_file_name"]), layer_names(data_set), layers)
    if not row.get("mask_file_name"):
        raise UserError(f"{folder / row['file_name']}: has no lesion mask")
    lesion = read_mask(path_inside(folder, row["mask_file_name"]))
    values = lesion.astype(np.uint8)
    structures = _structures(data_set, row)
    for value, name in enumerate(layers):
        if value < 2:
            continue
        mask = structures.get(name)
        if mask is None and row.get(f"{name}_mask"):
            mask = read_mask(path_inside(folder, row[f"{name}_mask"]))
        if mask is not None and mask.shape != lesion.shape:
            raise UserError(f"{folder / row['file_name']}: the mask of {name} has another size than the lesion's")
        if mask is not None:
            values[mask & lesion] = value
    return values


def _named_values(path: Path, own: tuple[str, ...], layers: tuple[str, ...]) -> Map:
    """A map whose values are positions in `own`, with those of the same names in `layers`."""
    values = _read_plain(path)
    if int(values.max()) >= len(own):
        raise UserError(f"{path}: value {int(values.max())}; known are 0 to {len(own) - 1} ({', '.join(own)})")
    unknown = [own[value] for value in np.unique(values) if own[value] not in layers]
    if unknown:
        raise UserError(f"{path}: shows {unknown[0]!r}; known are {', '.join(layers)}")
    place = np.array([layers.index(name) if name in layers else 0 for name in own], np.uint8)
    return np.asarray(place[values])


def _read_plain(path: Path) -> Map:
    """An image of small numbers, as it is."""
    read_image(path)  # whatever is wrong with the file is told as for any image
    values = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 2 or values.dtype != np.uint8:
        raise UserError(f"{path}: a map must be a grey image of 8 bits whose values are numbers of classes")
    return np.asarray(values)


def _structures(data_set: DataSet, row: Mapping[str, str]) -> dict[str, NDArray[np.bool_]]:
    """The phantom's exact masks: one bit a structure."""
    if not row.get("structures"):
        return {}
    data = np.frombuffer(path_inside(data_set.folder, row["structures"]).read_bytes(), np.uint8)
    bits = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
    named = data_set.provenance.structure_bits
    return {name: np.asarray((bits >> int(bit)) & 1, dtype=bool) for name, bit in named.items()}


def boundaries(segments: NDArray[Any]) -> Map:
    """1 where a pixel's object differs from one of its four neighbours' (Wang et al. 2018, section 3.3), else 0."""
    edge = np.zeros(segments.shape, dtype=bool)
    vertical, horizontal = segments[1:] != segments[:-1], segments[:, 1:] != segments[:, :-1]
    edge[1:] |= vertical
    edge[:-1] |= vertical
    edge[:, 1:] |= horizontal
    edge[:, :-1] |= horizontal
    return edge.astype(np.uint8)


def superpixels(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Numbers of the SLIC superpixels (Achanta et al. 2012) of an image uint8 [h, w, 3]."""
    from skimage.segmentation import slic

    return slic(pixels, n_segments=SEGMENTS, compactness=COMPACTNESS, start_label=0).astype(np.uint16)


def superpixel_boundaries(pixels: NDArray[np.uint8]) -> Map:
    """Boundaries of the superpixels of an image uint8 [h, w, 3]."""
    return boundaries(superpixels(pixels))


def read_segments(path: Path) -> NDArray[np.uint16]:
    """Numbers of superpixels from a 16-bit PNG."""
    values = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 2:
        raise UserError(f"{path}: not a grey PNG with numbers of superpixels")
    return np.asarray(values, np.uint16)


def decode_maps(
    data_set: DataSet, decoding: Decoding, settings: MapSettings, *, jobs: int | None = None
) -> NDArray[np.uint8]:
    """Maps of every row as a read-only memory map uint8 [n, 2, h, w]: class numbers, and superpixel boundaries (0 or 1).

    Cropped and resized like the images, without new values. Built once, like the decoded images.
    """
    columns = ["map_file_name", "mask_file_name", "structures", SEGMENT_COLUMN, *(f"{n}_mask" for n in settings.layers)]
    names = data_set.table[[c for c in columns if c in data_set.table]]
    stats = [_modification_time(data_set.folder / n) for n in names.to_numpy().ravel() if n]
    key = hashlib.sha256(f"{VERSION}/{settings}/{names.to_csv()}/{stats}".encode()).hexdigest()[:16]
    images = cache_path(data_set, decoding)
    path = images.with_name(f"maps-{key}-{images.name}")
    return cached_array(path, partial(_write_maps, data_set, decoding, settings, jobs))


def _modification_time(path: Path) -> int:
    if not path.is_file():
        raise UserError(f"{path}: no such file, but the table names it")
    return path.stat().st_mtime_ns


def _write_maps(data_set: DataSet, decoding: Decoding, settings: MapSettings, jobs: int | None, file: Path) -> None:
    rows = [data_set.part(_only(data_set, i)) for i in range(len(data_set))]
    np.save(file, np.stack(parallel_map(partial(_decode_map, decoding, settings), rows, label="maps", jobs=jobs)))


def _only(data_set: DataSet, index: int) -> NDArray[np.bool_]:
    keep = np.zeros(len(data_set.table), dtype=bool)
    keep[index] = True
    return keep


def _decode_map(decoding: Decoding, settings: MapSettings, data_set: DataSet) -> Map:
    row = {str(name): str(value) for name, value in data_set.table.iloc[0].items()}

    def shaped(values: NDArray[Any]) -> NDArray[Any]:
        return fit(values, decoding.height, decoding.width, decoding.crop, "nearest")

    values = shaped(label_map(data_set, row, settings.layers))
    edges = np.zeros_like(values)
    if settings.superpixels and row.get(SEGMENT_COLUMN):
        edges = boundaries(shaped(read_segments(path_inside(data_set.folder, row[SEGMENT_COLUMN]))))
    elif settings.superpixels and row.get("map_file_name"):
        raise UserError(
            f"{data_set.folder}: maps without superpixels, which this run was trained with; make them with them"
        )
    elif settings.superpixels:
        pixels = fit(read_image(data_set.paths[0]), decoding.height, decoding.width, decoding.crop, decoding.filter)
        edges = superpixel_boundaries(pixels)
    return np.stack([values, edges])


PALETTE = np.array(
    [(236, 200, 180), (130, 84, 60), (60, 40, 30), (245, 240, 225), (30, 30, 90), (250, 220, 120), (90, 20, 60)],
    np.uint8,
)
"""Colours in which maps are shown: skin, lesion, the five markers; further values repeat them."""


def colour_map(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Maps [n, 2, h, w] as images [n, 3, h, w]: a colour a class, superpixel boundaries darker."""
    colours = PALETTE[maps[:, 0] % len(PALETTE)].astype(np.float32)
    colours[maps[:, 1] > 0] *= 0.6
    return colours.astype(np.uint8).transpose(0, 3, 1, 2)
