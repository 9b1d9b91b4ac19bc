"""New semantic maps from those of training images: warped, mirrored, recombined, so that none belongs to a real lesion."""

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet, open_data_set
from dermsynth.data.maps import SEGMENT_COLUMN, boundaries, colour_map, label_map, layer_names, with_maps
from dermsynth.data.maps import superpixels as superpixels_of
from dermsynth.data.provenance import Provenance, Step
from dermsynth.data.verification import verify
from dermsynth.data.writing import require_empty, write_data_set
from dermsynth.errors import UserError, require_seed
from dermsynth.images import encode_png, read_image
from dermsynth.io import replace_folder, write_within
from dermsynth.parallel import parallel_map

Map = NDArray[np.uint8]
LESION = 1
ATTEMPTS = 20
SMALLEST_SHARE, LARGEST_SHARE = 0.01, 0.8


def edit_maps(
    data_set: DataSet,
    out: Path,
    count: int,
    *,
    split: str = "train",
    superpixels: bool = False,
    seed: int = 0,
    jobs: int | None = None,
) -> DataSet:
    """Write `count` new maps made from those of one split.

    Map k depends on seed + k and the data set alone: the lesion of one image, mirrored, turned, scaled and bent, with the
    markers of another one of the same label laid into it. With `superpixels` those of the first image are bent alike.

    Raises UserError when there are no masks in the split, or fewer than two images.
    """
    require_seed(seed)
    require_empty(out)
    if count < 1:
        raise UserError(f"`count` {count}: must be at least 1")
    verify(data_set)
    rows = with_maps(data_set)
    rows = rows.part(rows.in_split(split))
    if len(rows.table) < 2:
        raise UserError(
            f"{data_set.folder}: {len(rows.table)} images with masks in the split {split!r}, at least 2 are needed"
        )
    layers = layer_names(rows)
    with replace_folder(out) as work:
        edit = partial(_edit_map, rows, work, layers, superpixels)
        seeds = range(seed, seed + count)
        table = pd.DataFrame(parallel_map(edit, seeds, label="maps", unit="map", jobs=jobs))
        provenance = Provenance(
            synthetic=True,
            source="semantic maps recombined by a program; no photographs",
            map_classes=list(layers),
            made_from={"folder": str(data_set.folder), "content_hash": data_set.whole_hash, "split": split},
        )
        write_data_set(work, table, provenance, Step(command="dermsynth data maps", count=count, seed=seed))
    return open_data_set(out)


def _edit_map(rows: DataSet, out: Path, layers: tuple[str, ...], superpixels: bool, seed: int) -> dict[str, object]:
    random = np.random.default_rng(seed)
    first = int(random.integers(len(rows.table)))
    alike = np.flatnonzero((rows.labels == rows.labels[first]) & (np.arange(len(rows.table)) != first))
    second = int(random.choice(alike)) if len(alike) else first
    maps = [_map_of(rows, index, layers) for index in (first, second)]
    base, other = maps
    for _ in range(ATTEMPTS):
        field = bending_field(base.shape, random)
        edited = bend(base, field)
        if SMALLEST_SHARE < (edited > 0).mean() < LARGEST_SHARE:
            break
    edited = with_markers(edited, bend(_resize(other, base.shape), bending_field(base.shape, random)))
    name = f"map_{seed:06d}.png"
    write_within(out / "maps" / name, encode_png(edited))
    row: dict[str, object] = {"file_name": f"images/{name}", "map_file_name": f"maps/{name}"}
    edges = np.zeros_like(edited)
    if superpixels:
        segments = bend(superpixels_of(read_image(rows.paths[first])), field, reflect=True)
        write_within(out / "segments" / name, cv2.imencode(".png", segments)[1].tobytes())
        row[SEGMENT_COLUMN] = f"segments/{name}"
        edges = boundaries(segments)
    picture = colour_map(np.stack([edited, edges])[None])[0].transpose(1, 2, 0)
    write_within(out / "images" / name, encode_png(np.ascontiguousarray(picture), synthetic=True))
    source = [rows.table["file_name"].iloc[index] for index in (first, second)]
    label = {"label": rows.table["label"].iloc[first]} if "label" in rows.table else {}
    return {**row, **label, "lesion_from": source[0], "markers_from": source[1], "seed": seed, "synthetic": "true"}


def _map_of(rows: DataSet, index: int, layers: tuple[str, ...]) -> Map:
    row = {str(name): str(value) for name, value in rows.table.iloc[index].items()}
    return label_map(rows, row, layers)


def _resize(values: Map, shape: tuple[int, ...]) -> Map:
    return np.asarray(cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST_EXACT))


def identity(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The field that changes nothing: for every pixel its own x and y, float32 [h, w, 2]."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.stack([x, y], axis=2)


def bending_field(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.float32]:
    """Where each pixel of a bent map comes from: mirror, turn, scale, shift and a smooth random displacement."""
    height, width = shape[:2]
    centre = np.array([(width - 1) / 2, (height - 1) / 2], dtype=np.float32)
    angle, scale = random.uniform(0, 2 * np.pi), np.exp(random.uniform(-0.25, 0.25))
    mirror = np.array([random.choice([-1, 1]), 1.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    shift = random.uniform(-0.08, 0.08, 2) * (width, height)
    field = ((identity(shape) - centre) * mirror) @ turn.T + centre + shift
    noise = random.standard_normal((height, width, 2)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), max(height, width) / 12)
    strength = 0.03 * max(height, width) / max(float(smooth.std()), 1e-6)
    return np.asarray(field + smooth * strength, dtype=np.float32)


def bend(values: NDArray[Any], field: NDArray[np.float32], *, reflect: bool = False) -> NDArray[Any]:
    """A map seen through a field, without new values; outside there is skin, or with `reflect` the map's mirror image."""
    border = cv2.BORDER_REFLECT_101 if reflect else cv2.BORDER_CONSTANT
    return np.asarray(cv2.remap(values, field, None, cv2.INTER_NEAREST, borderMode=border, borderValue=0))


def with_markers(base: Map, other: Map) -> Map:
    """The lesion of one map with the markers of another where they fall into it."""
    lesion = np.where(base > 0, LESION, 0).astype(np.uint8)
    markers = (other > LESION) & (base > 0)
    lesion[markers] = other[markers]
    return lesion
