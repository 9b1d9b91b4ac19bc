"""One row of numbers an image, computed once and kept beside the decoded images: features, histograms, named features."""

import hashlib
from collections.abc import Callable

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding, cache_path
from dermsynth.data.dataset import DataSet
from dermsynth.evaluation.colour import colour_histograms
from dermsynth.evaluation.dermatology import NAMES, appearance_found
from dermsynth.images import image_size
from dermsynth.networks.features import Extractor
from dermsynth.progress import progress_bar
from dermsynth.runs import replacing

Images = NDArray[np.uint8]
CHUNK = 64
VERSION = 2
"""To be raised whenever segmentation, colours or named features are computed in another way."""


def decoding_of(synthetic: DataSet) -> Decoding:
    """The size of a synthetic set's images, and how its generator's training images came to it."""
    width, height = image_size(synthetic.paths[0])
    generator = synthetic.description.get("generator", {})
    return Decoding(height, width, generator.get("crop", "centre"), generator.get("filter", "area"))


def features(data_set: DataSet, images: Images, decoding: Decoding, extractor: Extractor) -> NDArray[np.float32]:
    """Features [n, d] of an extractor, which is part of the key."""
    found: NDArray[np.float32] = _kept(
        data_set, images, decoding, f"{extractor.identity}/{extractor.resizer}", "features", extractor
    )
    return found


def histograms(data_set: DataSet, images: Images, decoding: Decoding) -> dict[str, NDArray[np.float64]]:
    """Channel -> counts [n, bins]."""
    channels = list(colour_histograms(np.asarray(images[:1])))
    found = _kept(data_set, images, decoding, f"colour/{VERSION}", "colours", _histograms_of)
    return {name: found[:, index].astype(np.float64) for index, name in enumerate(channels)}


def _histograms_of(images: Images) -> NDArray[np.float32]:
    return np.stack(list(colour_histograms(images).values()), axis=1).astype(np.float32)


def appearances(data_set: DataSet, images: Images, decoding: Decoding) -> NDArray[np.float64]:
    """Named features [n, 13], lesions found by colour in both sets alike; NaN where nothing, or no tone, could be measured."""
    found = _kept(data_set, images, decoding, f"appearance/{VERSION}/{NAMES}", "appearance", _appearances_of)
    return found.astype(np.float64)


def _appearances_of(images: Images) -> NDArray[np.float64]:
    tasks = (delayed(appearance_found)(image) for image in images)
    return np.array(Parallel(n_jobs=-1)(tasks), np.float64)


def _kept(
    data_set: DataSet,
    images: Images,
    decoding: Decoding,
    identity: str,
    label: str,
    compute: Callable[[Images], NDArray[np.floating]],
) -> NDArray[np.floating]:
    """What `compute` makes of all images, from the file named by images, decoding and identity if there is one."""
    source = cache_path(data_set, decoding)
    key = hashlib.sha256(f"{source.stem}/{identity}".encode()).hexdigest()[:16]
    path = source.with_name(f"{source.stem}.features-{key}.npy")
    if path.exists():
        kept: NDArray[np.floating] = np.load(path)
        return kept
    starts = range(0, len(images), CHUNK)
    bar = progress_bar(starts, total=len(starts), label=f"{label} of {data_set.folder.name}", unit=f"x{CHUNK} img")
    found = np.concatenate([compute(np.asarray(images[start : start + CHUNK])) for start in bar])
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, found)
    return found
