"""The decoded cache: every image cropped and resized once, as one memory-mapped uint8 array."""

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.data.manifest import read_record, state_of
from dermsynth.data.verification import content_of
from dermsynth.errors import UserError
from dermsynth.images import Crop, Filter, fit, read_image
from dermsynth.io import FULL, disk_errors, user_cache
from dermsynth.progress import progress_bar

VERSION = 2
CHUNK = 64
_chosen: Path | None = None


@dataclass(frozen=True)
class Decoding:
    """How images become arrays of one size."""

    height: int
    width: int
    crop: Crop = "centre"
    filter: Filter = "area"


def use_cache(folder: Path | None) -> None:
    """Let decoded images lie in this folder; None leaves the choice to the program.

    Raises UserError for a folder that cannot be written.
    """
    global _chosen
    if folder is not None and not writable(folder):
        raise UserError(f"`cache` {folder}: cannot be written; name a folder that can")
    _chosen = folder


def cache_path(data_set: DataSet, decoding: Decoding) -> Path:
    """Where the cache of these files (name, content) with these settings lies, or will lie.

    In the folder chosen by `use_cache`; else beside the data set, or in a folder of the user's where that cannot be written.
    Raises UserError for an image that is not there.
    """
    record = read_record(data_set.folder)
    names = [str(name) for name in data_set.table["file_name"]]
    if record is None:
        states = [state_of(data_set.folder / name) for name in names]
        files = [f"{name}/{s.st_size}/{s.st_mtime_ns}" for name, s in zip(names, states, strict=True)]
    else:
        contents = content_of(data_set.folder, names, record)
        files = [f"{name}/{contents[name]}" for name in names]
    settings = f"{VERSION}/{files}/{sorted(asdict(decoding).items())}"
    name = f"{decoding.width}x{decoding.height}-{hashlib.sha256(settings.encode()).hexdigest()[:24]}.npy"
    beside = data_set.folder / ".cache"
    if _chosen is None and (beside / name).exists():  # of a set that cannot be written any more, too
        return beside / name
    return cache_home(beside) / name


def cache_home(beside: Path | None = None) -> Path:
    """The first folder that can be written: the chosen one, the one beside a data set, the user's, a temporary one.

    The last is told, for what lies in it is gone when the program ends.
    """
    if _chosen is not None:
        return _chosen
    for home in (*([beside] if beside else []), user_cache()):
        if writable(home):
            return home
    return _temporary_home(str(beside or user_cache()))


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made where it is missing; a full disk is another matter."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.errno in FULL
    return True


@cache
def _temporary_home(wanted: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dermsynth-"))
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    print(
        f"  {wanted} and {user_cache()} cannot be written: images are decoded into {folder} and anew the next time; "
        "`cache` DIR (or the variable XDG_CACHE_HOME) names a folder that stays",
        file=sys.stderr,
    )
    return folder


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
