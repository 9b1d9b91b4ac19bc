"""Sliced Wasserstein distance between patches of Laplacian pyramids (Karras et al. 2018, section 5; BAUR's protocol)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.images import require_pixels

SMALLEST = 16
PATCH, PATCHES = 7, 128
REPEATS, DIRECTIONS = 4, 128
SCALE, CELLS = 1000.0, 1 << 16

Array = NDArray[np.float32]


def laplacian_pyramid(image: Array) -> list[Array]:
    """[h, w, 3] -> differences from full resolution down, and the last low-pass image with a side of 16 or more.

    Low-pass by the 5-tap binomial filter (Burt & Adelson 1983), borders mirrored.
    """
    levels = []
    while min(image.shape[:2]) // 2 >= SMALLEST:
        smaller = cv2.pyrDown(image, borderType=cv2.BORDER_REFLECT_101)
        levels.append(image - cv2.pyrUp(smaller, dstsize=(image.shape[1], image.shape[0])))
        image = smaller
    return [*levels, image]


def descriptors(images: NDArray[np.uint8], seed: int) -> list[Array]:
    """Random 7 x 7 patches of every level: images uint8 [n, 3, h, w] -> a [n x 128, 147] array a level."""
    require_pixels(images)
    generator = np.random.default_rng(seed)
    found: list[list[Array]] = []
    for image in images:
        pyramid = laplacian_pyramid(np.ascontiguousarray(image.transpose(1, 2, 0), dtype=np.float32))
        found = found or [[] for _ in pyramid]
        for level, array in zip(found, pyramid, strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(array, (PATCH, PATCH), axis=(0, 1))
            y = generator.integers(0, windows.shape[0], PATCHES)
            x = generator.integers(0, windows.shape[1], PATCHES)
            level.append(windows[y, x].reshape(PATCHES, -1))
    return [normalised(np.concatenate(level)) for level in found]


def normalised(patches: Array) -> Array:
    """Subtract the mean and divide by the deviation of each colour channel over all patches [n, 3 x 49]."""
    channels = patches.reshape(len(patches), 3, -1)
    mean = channels.mean(axis=(0, 2), keepdims=True)
    deviation = channels.std(axis=(0, 2), keepdims=True)
    return ((channels - mean) / np.maximum(deviation, 1e-8)).reshape(patches.shape)


def projected_distance(x: Array, y: Array, seed: int) -> float:
    """Mean Wasserstein distance of projections on 4 x 128 random unit vectors, times 1000."""
    generator = np.random.default_rng(seed)
    results = []
    for _ in range(REPEATS):
        directions = generator.standard_normal((x.shape[1], DIRECTIONS)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        pairs = zip(directions.T @ x.T, directions.T @ y.T, strict=True)
        results.append(np.mean([line_distance(a, b) for a, b in pairs]))
    return float(np.mean(results) * SCALE)


def line_distance(a: Array, b: Array) -> float:
    """Mean absolute difference of two sorted samples of one size, as the area between their distribution functions.

    Integral of |F - G| (Vallender 1974), with values rounded to a 65,536th of their range: no sorting, and no more than that
    step away from the sum over sorted values; in practice a relative 1e-5.
    """
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    step = (high - low) / (CELLS - 1)
    if step == 0:
        return 0.0
    counts = [np.bincount(((side - low) / step + np.float32(0.5)).astype(np.int32), minlength=CELLS) for side in (a, b)]
    return float(np.abs(np.cumsum(counts[0] - counts[1])).sum() * step / len(a))


def resampled_distances(x: Array, y: Array, *, directions: int, resamples: int, seed: int) -> tuple[float, Array]:
    """The distance on a few directions, and the same for images drawn with replacement on both sides: [resamples].

    A projection is sorted once; a resample repeats every value as often as its image was drawn, which keeps the order.
    """
    generator = np.random.default_rng(seed)
    unit = generator.standard_normal((x.shape[1], directions)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=0)
    sides = []
    for patches in (x, y):
        projected = (patches @ unit).T
        order = np.argsort(projected, axis=1)
        sides.append((np.take_along_axis(projected, order, axis=1), order // PATCHES))

    def distance(counts: list[NDArray[np.int64]]) -> float:
        drawn = [
            np.stack([np.repeat(v, c[image]) for v, image in zip(values, owner, strict=True)])
            for (values, owner), c in zip(sides, counts, strict=True)
        ]
        return float(np.abs(drawn[0] - drawn[1]).mean(dtype=np.float64) * SCALE)

    images = len(x) // PATCHES
    once = np.ones(images, dtype=np.int64)
    draws = [
        distance([np.bincount(generator.integers(0, images, images), minlength=images) for _ in range(2)])
        for _ in range(resamples)
    ]
    return distance([once, once]), np.array(draws, dtype=np.float32)


def sliced_wasserstein(x: NDArray[np.uint8], y: NDArray[np.uint8], seed: int = 0) -> dict[str, float]:
    """Distance per pyramid level, named by its resolution (the shorter side), and their mean.

    `x` and `y` are equally many images uint8 [n, 3, h, w] with a shorter side of at least 16.

    Raises ValueError when numbers or sizes differ.
    """
    if x.shape != y.shape:
        raise ValueError(f"sliced Wasserstein distance needs equal shapes, got {x.shape} and {y.shape}")
    side = min(x.shape[2:])
    values = {}
    for level, (a, b) in enumerate(zip(descriptors(x, seed), descriptors(y, seed + 1), strict=True)):
        values[str(side // 2**level)] = projected_distance(a, b, seed)
    return values | {"mean": float(np.mean(list(values.values())))}
