"""Near-duplicates: the same photograph again, re-encoded, resized or slightly changed."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.images import read_image, thumbnail_hash
from dermsynth.parallel import parallel_map

HASH_BITS = 6
"""Hashes that differ in more bits are of different photographs."""
THUMBNAIL_LEVELS = 6.0
"""Mean absolute difference of the thumbnails, in grey levels, up to which two photographs are the same."""
BLOCK = 2048


Prints = tuple[NDArray[np.uint64], NDArray[np.float32]]
"""Hashes [n] and thumbnails [n, 768] of images."""


def fingerprints(paths: list[Path], jobs: int | None = None) -> Prints:
    """Hashes [n] and thumbnails [n, 768] of image files, of none as well."""
    if not paths:
        return np.empty(0, dtype=np.uint64), np.empty((0, 3 * 16 * 16), dtype=np.float32)
    prints = parallel_map(_fingerprint, paths, label="comparing", jobs=jobs)
    return np.array([f[0] for f in prints], dtype=np.uint64), np.stack([f[1] for f in prints])


def readable_fingerprints(
    paths: list[Path], jobs: int | None = None
) -> tuple[NDArray[np.uint64], NDArray[np.float32], NDArray[np.int64]]:
    """Hashes [k] and thumbnails [k, 768] of the image files that can be read, and their places [k] in the list."""
    prints = parallel_map(_fingerprint_if_readable, paths, label="comparing", jobs=jobs)
    places = np.array([place for place, one in enumerate(prints) if one is not None], np.int64)
    usable = [one for one in prints if one is not None]
    hashes = np.array([one[0] for one in usable], np.uint64)
    return hashes, np.array([one[1] for one in usable], np.float32).reshape(-1, 3 * 16 * 16), places


def _fingerprint_if_readable(path: Path) -> tuple[np.uint64, NDArray[np.float32]] | None:
    try:
        return _fingerprint(path)
    except (UserError, OSError):
        return None


def image_fingerprints(images: NDArray[np.uint8]) -> Prints:
    """The same of decoded images uint8 [n, 3, h, w], at least one."""
    prints = [thumbnail_hash(np.ascontiguousarray(image.transpose(1, 2, 0))) for image in images]
    return np.array([hashed for hashed, _ in prints], np.uint64), np.stack([thumbnail for _, thumbnail in prints])


def _fingerprint(path: Path) -> tuple[np.uint64, NDArray[np.float32]]:
    return thumbnail_hash(read_image(path))


def twins_between(paths: list[Path], others: list[Path]) -> NDArray[np.int64]:
    """Pairs [k, 2] of a file and one of the others that show the same photograph, as positions in either list."""
    return twins_of(fingerprints(paths), fingerprints(others))


def twins_of(prints: Prints, others: Prints) -> NDArray[np.int64]:
    """The same pairs [k, 2] from the fingerprints of both sides."""
    pairs = near_duplicates(*(np.concatenate([a, b]) for a, b in zip(prints, others, strict=True)))
    first = len(prints[0])
    across = pairs[(pairs[:, 0] < first) & (pairs[:, 1] >= first)]
    return across - np.array([0, first])


def near_duplicates(hashes: NDArray[np.uint64], thumbnails: NDArray[np.float32]) -> NDArray[np.int64]:
    """Pairs [k, 2] of images that show the same photograph: near in hash and in thumbnail."""
    pairs = []
    for start in range(0, len(hashes), BLOCK):
        distance = np.bitwise_count(hashes[start : start + BLOCK, None] ^ hashes[None])
        rows, columns = np.nonzero(distance <= HASH_BITS)
        rows += start
        later = columns > rows
        rows, columns = rows[later], columns[later]
        if len(rows):
            difference = np.abs(thumbnails[rows] - thumbnails[columns]).mean(axis=1)
            same = difference <= THUMBNAIL_LEVELS
            pairs.append(np.stack([rows[same], columns[same]], axis=1))
    return np.concatenate(pairs) if pairs else np.empty((0, 2), dtype=np.int64)
