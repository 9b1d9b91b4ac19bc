"""The most similar image of another set, by squared error, perceptual hash, cosine of features: exact, all pairs compared."""

import numpy as np
from numpy.typing import NDArray

from dermsynth.evaluation.nearest import nearest
from dermsynth.evaluation.similar import Images, Indices, Values
from dermsynth.images import require_pixels, thumbnail_hash


def highest_cosine(x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[Values, Indices]:
    """Highest cosine of each row of features x [n, d] with one of y [m, d], and which one: both [n]."""
    left, right = (side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12) for side in (x, y))
    distance, index = nearest(left, right)
    return 1 - distance[:, 0] ** 2 / 2, index[:, 0]


def least_squared_error(x: Images, y: Images) -> tuple[Values, Indices]:
    """Least mean squared error in grey levels squared of each image of x with one of y, and which one: both [n]."""
    for side in (x, y):
        require_pixels(side)
    pixels = x.shape[1] * x.shape[2] * x.shape[3]
    left, right = (side.reshape(len(side), pixels).astype(np.float32) for side in (x, y))
    distance, index = nearest(left, right)
    return distance[:, 0] ** 2 / pixels, index[:, 0]


def nearest_hash(x: Images, y: Images) -> tuple[Values, Indices]:
    """Fewest different bits of 64 of the DCT hashes (Zauner 2010) of each image of x and one of y, and which one: both [n]."""
    left, right = (_hashes(side) for side in (x, y))
    distances = np.bitwise_count(left[:, None] ^ right[None])
    index = distances.argmin(axis=1)
    return distances[np.arange(len(left)), index].astype(np.float64), index.astype(np.int64)


def _hashes(images: Images) -> NDArray[np.uint64]:
    require_pixels(images)
    return np.array([thumbnail_hash(np.ascontiguousarray(image.transpose(1, 2, 0)))[0] for image in images])
