"""The decoded cache: every image cropped and resized once, as one memory-mapped uint8 array."""

import hashlib
import os
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermsynth.cache import cache_folder, cached_array
from dermsynth.data.dataset import DataSet
from dermsynth.data.manifest import file_state, read_record
from dermsynth.data.verification import content_of
from dermsynth.images import Crop, Filter, fit, read_image
from dermsynth.parallel import parallel_map

VERSION = 2
CHUNK = 64


@dataclass(frozen=True)
class Decoding:
    """How images become arrays of one size."""

    height: int
    width: int
    crop: Crop = "centre"
    filter: Filter = "area"


def cache_path(data_set: DataSet, decoding: Decoding) -> Path:
    """Where the images of these files (name, content) with these settings are cached, or will be: in the cache folder.

    Raises UserError for an image that is not there.
    """
    settings = f"{VERSION}/{_identities(data_set)}/{sorted(asdict(decoding).items())}"
    digest = hashlib.sha256(settings.encode()).hexdigest()[:24]
    return cache_folder() / f"{decoding.width}x{decoding.height}-{digest}.npy"


def _identities(data_set: DataSet) -> list[str]:
    """Name and content of every image; of sets written without a record of contents folder, size and time."""
    names = [str(name) for name in data_set.table["file_name"]]
    record = read_record(data_set.folder)
    if record is not None:
        contents = content_of(data_set.folder, names, record)
        return [f"{name}/{contents[name]}" for name in names]
    states = {name: file_state(data_set.folder / name) for name in names}
    folder = data_set.folder.resolve()
    return [f"{folder}/{name}/{state.st_size}/{state.st_mtime_ns}" for name, state in states.items()]


def decode_images(data_set: DataSet, decoding: Decoding, *, jobs: int | None = None) -> NDArray[np.uint8]:
    """Images as a read-only memory map uint8 [n, 3, height, width], built by all cores the first time."""
    return cached_array(cache_path(data_set, decoding), partial(_decode, data_set.paths, decoding, jobs))


def decode_paths(paths: list[Path], decoding: Decoding) -> NDArray[np.uint8]:
    """Files as images uint8 [n, 3, height, width] in memory: for those that are no data set, beside which nothing is written."""
    images = parallel_map(partial(_decode_path, decoding), paths, label="decoding", few=CHUNK)
    return np.stack(images)


def _decode_path(decoding: Decoding, path: Path) -> NDArray[np.uint8]:
    pixels = fit(read_image(path), decoding.height, decoding.width, decoding.crop, decoding.filter)
    return pixels.transpose(2, 0, 1)


def _decode(paths: list[Path], decoding: Decoding, jobs: int | None, file: Path) -> None:
    shape = (len(paths), 3, decoding.height, decoding.width)
    np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape).flush()
    with file.open("r+b") as whole:  # a full disk is met here, not by a worker in the middle of a page
        os.posix_fallocate(whole.fileno(), 0, file.stat().st_size)
    chunks = [(start, paths[start : start + CHUNK]) for start in range(0, len(paths), CHUNK)]
    parallel_map(partial(_decode_chunk, file, decoding), chunks, label="decoding", unit=f"x{CHUNK} img", jobs=jobs)


def _decode_chunk(file: Path, decoding: Decoding, chunk: tuple[int, list[Path]]) -> None:
    images, (start, paths) = np.load(file, mmap_mode="r+"), chunk
    for offset, path in enumerate(paths):
        images[start + offset] = _decode_path(decoding, path)
    images.flush()
