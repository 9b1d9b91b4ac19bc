"""The most similar image of another set, by structure, by squared error, by perceptual hash: exact, all pairs compared."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.evaluation.nearest import nearest
from dermsynth.evaluation.structural import C1, C2, SIGMA, WINDOW, Images
from dermsynth.images import thumbnail_hash
from dermsynth.progress import progress_bar

Indices = NDArray[np.int64]
Values = NDArray[np.float64]
Planes = NDArray[np.float32]
TILE = 8
HALF_C1, HALF_C2 = np.float32(C1 / 2), np.float32(C2 / 2)


def luma(images: Images) -> Planes:
    """Brightness of uint8 [n, 3, h, w] (ITU-R BT.601): float32 [n, h, w]."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.ascontiguousarray(np.einsum("nchw,c->nhw", images, weights, optimize=True))


def most_similar(x: Images, y: Images) -> tuple[Values, Indices]:
    """Highest mean SSIM of each image of x with one of y, in brightness, and which one: both [n].

    x [n, 3, h, w] and y [m, 3, h, w] uint8. Means and variances of all windows are computed once an image; of a pair only
    its covariance is left. Every core takes images of x.
    """
    others, mine = ([_Windows.of(plane) for plane in luma(side)] for side in (y, x))
    starts = range(0, len(mine), TILE)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = threads.map(lambda start: _similarities(mine[start : start + TILE], others), starts)
        bar = progress_bar(found, total=len(starts), label="structural similarity", unit=f"x{TILE} img")
        table = np.concatenate(list(bar))
    index = table.argmax(axis=1)
    return table[np.arange(len(table)), index], index.astype(np.int64)


class _Windows(NamedTuple):
    """An image and the moments of all its windows, with the constants of the equation."""

    plane: Planes
    mean: Planes
    luminance: Planes
    contrast: Planes

    @classmethod
    def of(cls, plane: Planes) -> "_Windows":
        mean = _blurred(plane)
        variance = _blurred(plane * plane) - mean * mean
        mean = np.ascontiguousarray(mean)
        return cls(plane, mean, mean * mean + HALF_C1, variance + HALF_C2)


KERNEL = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_32F)
EDGE = WINDOW // 2


def _blurred(plane: Planes) -> Planes:
    """Weighted means of all windows that lie inside."""
    found: Planes = cv2.sepFilter2D(plane, -1, KERNEL, KERNEL)[EDGE:-EDGE, EDGE:-EDGE]
    return found


def _similarities(mine: Sequence[_Windows], others: Sequence[_Windows]) -> Values:
    """Mean SSIM of every pair, [len(mine), len(others)], tile by tile, so that windows are still in the processor's cache."""
    values = np.empty((len(mine), len(others)))
    product, smooth = np.empty_like(mine[0].plane), np.empty_like(mine[0].plane)
    upper, lower = np.empty_like(mine[0].mean), np.empty_like(mine[0].mean)
    covariance = smooth[EDGE:-EDGE, EDGE:-EDGE]
    for start in range(0, len(others), TILE):
        for row, one in enumerate(mine):
            for column, other in enumerate(others[start : start + TILE], start):
                np.multiply(one.plane, other.plane, out=product)
                cv2.sepFilter2D(product, -1, KERNEL, KERNEL, dst=smooth)
                np.multiply(one.mean, other.mean, out=upper)
                np.subtract(covariance, upper, out=lower)
                lower += HALF_C2
                upper += HALF_C1
                upper *= lower
                np.add(one.luminance, other.luminance, out=lower)
                upper /= lower
                np.add(one.contrast, other.contrast, out=lower)
                upper /= lower
                values[row, column] = 4 * upper.mean(dtype=np.float32)
    return values


def highest_cosine(x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[Values, Indices]:
    """Highest cosine of each row of features x [n, d] with one of y [m, d], and which one: both [n]."""
    left, right = (side / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12) for side in (x, y))
    distance, index = nearest(left, right)
    return 1 - distance[:, 0] ** 2 / 2, index[:, 0]


def least_squared_error(x: Images, y: Images) -> tuple[Values, Indices]:
    """Least mean squared error in grey levels squared of each image of x with one of y, and which one: both [n]."""
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
    return np.array([thumbnail_hash(np.ascontiguousarray(image.transpose(1, 2, 0)))[0] for image in images])
