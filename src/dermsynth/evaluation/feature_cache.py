"""Features, colour histograms and named features of every image, computed once and cached with the decoded images."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from dermsynth.backbones.extractors import Extractor
from dermsynth.cache import cached_array
from dermsynth.data.cache import Decoding, cache_path
from dermsynth.data.dataset import DataSet
from dermsynth.errors import require_choice
from dermsynth.evaluation.results import Point, View
from dermsynth.images import Crop, fit, image_size, parse_size, read_image
from dermsynth.metrics.clinical_features import NAMES, measure_appearance
from dermsynth.metrics.colour import colour_histograms
from dermsynth.parallel import parallel_map
from dermsynth.progress import progress_bar
from dermsynth.seeds import sklearn_seed

POINTS = 400
"""Images a side in the view."""
Features = NDArray[np.floating]
Plane = NDArray[np.float64]


def embedding_view(
    synthetic: DataSet, real: DataSet, features: tuple[Features, Features], seed: int
) -> tuple[View, ...]:
    """A view a method: its name, what it keeps, and a point an image, at most 400 a side drawn by `seed`.

    Both sides lie in one plane, computed from both together.
    """
    random = np.random.default_rng(seed)
    chosen = [np.sort(random.permutation(len(side))[:POINTS]) for side in features]
    rows = np.concatenate([side[index] for side, index in zip(features, chosen, strict=True)]).astype(np.float64)
    rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-9)
    images = [(side, name, i) for name, side, index in _named(synthetic, real, chosen) for i in index]
    return tuple(
        View(method=method, note=note, points=tuple(map(_point, images, plane)))
        for method, note, plane in _planes(rows, seed)
    )


Side = Literal["synthetic", "real"]


def _named(
    synthetic: DataSet, real: DataSet, chosen: list[NDArray[np.int64]]
) -> tuple[tuple[Side, DataSet, NDArray[np.int64]], ...]:
    return ("synthetic", synthetic, chosen[0]), ("real", real, chosen[1])


def _point(image: tuple[DataSet, Side, int], place: NDArray[np.float64]) -> Point:
    rows, side, index = image
    return Point(
        side=side,
        file_name=str(rows.table["file_name"].iloc[index]),
        label=str(rows.labels[index]) if rows.classes else "",
        x=round(float(place[0]), 4),
        y=round(float(place[1]), 4),
    )


def _planes(rows: Plane, seed: int) -> list[tuple[str, str, Plane]]:
    analysis = PCA(2, random_state=sklearn_seed(seed))
    plane = analysis.fit_transform(rows)
    variance = f"{analysis.explained_variance_ratio_.sum():.0%} of the variance"
    planes = [("PCA", variance, _within_unit(plane))]
    umap = _umap()
    if umap is not None:
        planes.append(("UMAP", "neighbourhoods, not distances", _within_unit(umap(rows, seed))))
    return planes


def _umap() -> Callable[[Plane, int], Plane] | None:
    try:
        from umap import UMAP
    except ImportError:
        return None
    return lambda rows, seed: UMAP(random_state=sklearn_seed(seed), n_jobs=1).fit_transform(rows)


def _within_unit(plane: Plane) -> Plane:
    """Moved and scaled into the unit square, both axes alike."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    scaled: Plane = (plane - (low + high) / 2) / max(float((high - low).max()), 1e-12) + 0.5
    return scaled


Images = NDArray[np.uint8]
WHOLE_SIDE = 96
"""Side of whole images for networks that take any size: small enough that resolution and compression hardly matter."""
CHUNK, APPEARANCE_CHUNK = 64, 8
"""Images that features are computed of at once, and that travel together to a worker."""
VERSION = 2
"""To be raised whenever segmentation, colours or named features are computed in another way."""


def decoding_of(
    synthetic: DataSet, resolution: int | str | tuple[int, int] | None = None, crop: Crop | None = None
) -> Decoding:
    """The size of a synthetic set's images, and how its generator's training images came to it; or what was chosen instead."""
    generator = synthetic.provenance.generator
    if crop is not None:
        require_choice(crop, "crop", get_args(Crop))
    if resolution is None:
        width, height = image_size(synthetic.paths[0])
    else:
        height, width = parse_size(resolution, "resolution")
    return Decoding(height, width, crop or generator.crop, generator.filter)


def features(data_set: DataSet, images: Images, decoding: Decoding, extractor: Extractor) -> NDArray[np.float32]:
    """Features [n, d] of an extractor, which is part of the key."""
    rows: NDArray[np.float32] = _cached(
        data_set, images, decoding, f"{extractor.identity}/{extractor.resizer}", "features", extractor
    )
    return rows


def whole_features(data_set: DataSet, extractor: Extractor) -> NDArray[np.float32]:
    """Features [n, d] of whole images that hardly change when an image is shrunk, stretched, mirrored or turned.

    Images are stretched to a square of 96 pixels, or the extractor's own size where its network takes no other, and features
    are averaged over the eight ways in which a square can lie. Images are read a few at a time; the features are cached.
    """
    side = WHOLE_SIDE if extractor.any_size else extractor.size or WHOLE_SIDE
    path = _cache_file(data_set, Decoding(side, side, "stretch"), f"{extractor.identity}/whole")
    return np.array(cached_array(path, partial(_compute_whole, data_set, side, extractor)))


def _compute_whole(data_set: DataSet, side: int, extractor: Extractor, file: Path) -> None:
    paths, sized = data_set.paths, replace(extractor, size=None)
    starts = range(0, len(paths), CHUNK)
    rows = []
    label = f"features of {data_set.folder.name}"
    for start in progress_bar(starts, total=len(starts), label=label, unit=f"x{CHUNK} img"):
        images = [fit(read_image(path), side, side, "stretch", "area") for path in paths[start : start + CHUNK]]
        lying = [turned for turn in range(4) for turned in _both_sides(np.rot90(np.stack(images), turn, (1, 2)))]
        rows.append(np.mean([sized(np.ascontiguousarray(way.transpose(0, 3, 1, 2))) for way in lying], axis=0))
    np.save(file, np.concatenate(rows).astype(np.float32))


def _both_sides(images: Images) -> tuple[Images, Images]:
    return images, images[:, :, ::-1]


def histograms(data_set: DataSet, images: Images, decoding: Decoding) -> dict[str, NDArray[np.float64]]:
    """Channel -> counts [n, bins]."""
    channels = list(colour_histograms(np.asarray(images[:1])))
    counts = _cached(data_set, images, decoding, f"colour/{VERSION}", "colours", _histograms_of)
    return {name: counts[:, index].astype(np.float64) for index, name in enumerate(channels)}


def _histograms_of(images: Images) -> NDArray[np.float32]:
    return np.stack(list(colour_histograms(images).values()), axis=1).astype(np.float32)


def appearances(data_set: DataSet, images: Images, decoding: Decoding) -> NDArray[np.float64]:
    """Named features [n, 13], lesions found by colour in both sets alike; NaN where nothing, or no tone, could be measured."""
    path = _cache_file(data_set, decoding, f"appearance/{VERSION}/{NAMES}")
    return np.array(cached_array(path, partial(_measure_appearances, data_set, images))).astype(np.float64)


def _measure_appearances(data_set: DataSet, images: Images, file: Path) -> None:
    label = f"appearance of {data_set.folder.name}"
    rows = parallel_map(measure_appearance, list(np.asarray(images)), label=label, chunk=APPEARANCE_CHUNK)
    np.save(file, np.array(rows, np.float64))


def _cached(
    data_set: DataSet,
    images: Images,
    decoding: Decoding,
    identity: str,
    label: str,
    compute: Callable[[Images], NDArray[np.floating]],
) -> NDArray[np.floating]:
    """What `compute` makes of all images, from the file named by images, decoding and identity if there is one."""
    path = _cache_file(data_set, decoding, identity)
    return np.array(cached_array(path, partial(_compute, data_set, images, label, compute)))


def _cache_file(data_set: DataSet, decoding: Decoding, identity: str) -> Path:
    source = cache_path(data_set, decoding)
    key = hashlib.sha256(f"{source.stem}/{identity}".encode()).hexdigest()[:16]
    return source.with_name(f"{source.stem}.features-{key}.npy")


def _compute(
    data_set: DataSet, images: Images, label: str, compute: Callable[[Images], NDArray[np.floating]], file: Path
) -> None:
    starts = range(0, len(images), CHUNK)
    bar = progress_bar(starts, total=len(starts), label=f"{label} of {data_set.folder.name}", unit=f"x{CHUNK} img")
    np.save(file, np.concatenate([compute(np.asarray(images[start : start + CHUNK])) for start in bar]))
