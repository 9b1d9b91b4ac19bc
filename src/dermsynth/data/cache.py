"""The decoded cache: every image cropped and resized once, as one memory-mapped uint8 array."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.images import Crop, Filter, fit, read_image
from dermsynth.progress import progress_bar
from dermsynth.runs import disk_errors

VERSION = 1
CHUNK = 64


@dataclass(frozen=True)
class Decoding:
    """How images become arrays of one size."""

    height: int
    width: int
    crop: Crop = "centre"
    filter: Filter = "area"


def cache_path(data_set: DataSet, decoding: Decoding) -> Path:
    """Where the cache of these files (name, size, time of change) with these settings lies.

    Beside the data set, or in the user's cache folder where that cannot be written.
    """
    stats = [path.stat() for path in data_set.paths]
    files = [f"{name}/{s.st_size}/{s.st_mtime_ns}" for name, s in zip(data_set.table["file_name"], stats, strict=True)]
    settings = f"{VERSION}/{files}/{sorted(asdict(decoding).items())}"
    key = hashlib.sha256(settings.encode()).hexdigest()[:24]
    home = data_set.folder / ".cache"
    if not os.access(data_set.folder, os.W_OK):
        home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dermsynth"
    return home / f"{decoding.width}x{decoding.height}-{key}.npy"


def decoded(data_set: DataSet, decoding: Decoding, *, jobs: int = -1) -> NDArray[np.uint8]:
    """Images as a read-only memory map uint8 [n, 3, height, width], built by all cores the first time.

    Two processes may build it at once: each writes its own file, and one of them stays.
    """
    path = cache_path(data_set, decoding)
    if not path.exists():
        with disk_errors(path):
            _build(data_set, decoding, path, jobs)
    return np.load(path, mmap_mode="r")


def _build(data_set: DataSet, decoding: Decoding, path: Path, jobs: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=path.parent, prefix=".building-"))
    try:
        paths = data_set.paths
        shape = (len(paths), 3, decoding.height, decoding.width)
        file = work / "images.npy"
        np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape).flush()
        with file.open("r+b") as whole:  # a full disk is met here, not by a worker in the middle of a page
            os.posix_fallocate(whole.fileno(), 0, file.stat().st_size)
        starts = range(0, len(paths), CHUNK)
        tasks = (delayed(_decode_chunk)(file, start, paths[start : start + CHUNK], decoding) for start in starts)
        done = Parallel(n_jobs=jobs, return_as="generator")(tasks)
        for _ in progress_bar(done, total=len(starts), label="decoding", unit=f"x{CHUNK} img"):
            pass
        file.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _decode_chunk(file: Path, start: int, paths: list[Path], decoding: Decoding) -> None:
    images = np.load(file, mmap_mode="r+")
    for offset, path in enumerate(paths):
        pixels = fit(read_image(path), decoding.height, decoding.width, decoding.crop, decoding.filter)
        images[start + offset] = pixels.transpose(2, 0, 1)
    images.flush()
