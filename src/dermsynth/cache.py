"""The cache folder, and arrays that are computed once and then read from it."""

import atexit
import contextlib
import functools
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.io import FULL, disk_errors, user_cache

_log = logging.getLogger(__name__)
_chosen: Path | None = None


def use_cache(folder: Path | None) -> None:
    """Let what is cached lie in this folder; None leaves the choice to the program.

    Raises
    ------
    UserError
        For a folder that cannot be written.
    """
    global _chosen
    if folder is not None and not writable(folder):
        raise UserError(f"`cache` {folder}: cannot be written; name a folder that can")
    _chosen = folder


def cache_folder() -> Path:
    """The first folder that can be written: the chosen one, the user's, a temporary one.

    The last is logged, for what lies in it is gone when the program ends.
    """
    if _chosen is not None:
        return _chosen
    return user_cache() if writable(user_cache()) else _temporary_folder()


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made where it is missing; a full disk is another matter."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error.errno in FULL
    return True


@functools.cache
def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="dermsynth-"))
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    _log.warning(
        f"{user_cache()} cannot be written: images are decoded into {folder} and anew the next time; "
        "`cache` DIR (or the variable XDG_CACHE_HOME) names a folder that stays"
    )
    return folder


def cached_array(path: Path, write: Callable[[Path], None]) -> NDArray[Any]:
    """An array of the cache as a read-only memory map, computed the first time.

    Two processes may compute it at once: each writes its own file, and one of them stays.

    Parameters
    ----------
    path
        The `.npy` file, named by everything that the array depends on.
    write
        Writes the array into the file that it is given.

    Raises
    ------
    UserError
        Where the file cannot be written.
    """
    if not path.exists():
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _work_folder(path.parent) as work:
                write(work / "array.npy")
                (work / "array.npy").replace(path)
    return np.load(path, mmap_mode="r")


@contextlib.contextmanager
def _work_folder(parent: Path) -> Iterator[Path]:
    work = Path(tempfile.mkdtemp(dir=parent, prefix=".building-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
