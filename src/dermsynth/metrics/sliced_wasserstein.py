"""Sliced Wasserstein distance between patches of Laplacian pyramids (Karras et al. 2018, section 5; BAUR's protocol).

Patches of a whole set are never held: they are cut out again, some images at a time, for means and deviations, for the
range of every projection (of the first 256 images), and to count projections in cells. Memory does not depend on the
number of images.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.images import require_pixels

SMALLEST = 16
PATCH, PATCHES = 7, 128
REPEATS, DIRECTIONS = 4, 128
SCALE, CELLS, AT_ONCE = 1000.0, 1 << 15, 256
LEFT_OUT_DIRECTIONS = 32
RANGE_IMAGES, MARGIN = 256, 1.0
"""Of more images than this a side, cells reach beyond the projections of the first ones by this share of their range.

With 1,000 images a side distances then take 0.72 of the time, and differ by 3e-5 of themselves."""

Array = NDArray[np.float32]
Places = NDArray[np.int64]


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


@dataclass(frozen=True)
class PatchWalk:
    """Random 7 x 7 patches of every level of the images at some places of a set uint8 [n, 3, h, w], the same in every walk."""

    images: NDArray[np.uint8]
    places: Places
    seed: int

    def __post_init__(self) -> None:
        require_pixels(self.images)

    def __iter__(self) -> Iterator[list[Array]]:
        """A [k x 128, 147] array a level, for a few images at a time."""
        generator = np.random.default_rng(self.seed)
        for start in range(0, len(self.places), AT_ONCE):
            cut = [_patches(image, generator) for image in self.images[self.places[start : start + AT_ONCE]]]
            yield [np.concatenate(level) for level in zip(*cut, strict=True)]


def _patches(image: NDArray[np.uint8], generator: np.random.Generator) -> list[Array]:
    """128 patches [128, 147] of every level of one image [3, h, w]."""
    patches = []
    for array in laplacian_pyramid(np.ascontiguousarray(image.transpose(1, 2, 0), dtype=np.float32)):
        windows = np.lib.stride_tricks.sliding_window_view(array, (PATCH, PATCH), axis=(0, 1))
        y = generator.integers(0, windows.shape[0], PATCHES)
        x = generator.integers(0, windows.shape[1], PATCHES)
        patches.append(windows[y, x].reshape(PATCHES, -1))
    return patches


def descriptors(images: NDArray[np.uint8], seed: int) -> list[Array]:
    """All patches of a small set at once, normalised: images uint8 [n, 3, h, w] -> a [n x 128, 147] array a level."""
    parts = list(PatchWalk(images, np.arange(len(images)), seed))
    return [normalise_patches(np.concatenate(level)) for level in zip(*parts, strict=True)]


def normalise_patches(patches: Array) -> Array:
    """Subtract the mean and divide by the deviation of each colour channel over all patches [n, 3 x 49]."""
    channels = patches.reshape(len(patches), 3, -1)
    mean = channels.mean(axis=(0, 2), keepdims=True)
    deviation = channels.std(axis=(0, 2), keepdims=True)
    return ((channels - mean) / np.maximum(deviation, 1e-8)).reshape(patches.shape)


def unit_vectors(features: int, seed: int) -> Array:
    """4 x 128 random directions [features, 512] of length 1."""
    generator = np.random.default_rng(seed)
    drawn = [generator.standard_normal((features, DIRECTIONS)).astype(np.float32) for _ in range(REPEATS)]
    directions = np.concatenate(drawn, axis=1)
    return directions / np.linalg.norm(directions, axis=0)


@dataclass(frozen=True)
class Moments:
    """Mean and deviation of every channel of the patches of one level, each [147]."""

    mean: Array
    deviation: Array

    def projected(self, patches: Array, directions: Array) -> Array:
        """Normalised patches [k, 147] on directions [147, d]: [d, k]."""
        return directions.T @ ((patches - self.mean) / self.deviation).T


def moments(walk: PatchWalk) -> list[Moments]:
    """Of every level, over all patches of a walk."""
    sums: list[NDArray[np.float64]] = []
    count = 0
    for levels in walk:
        channels = [level.reshape(len(level), 3, -1) for level in levels]
        parts = [np.stack([c.sum((0, 2), np.float64), np.square(c, dtype=np.float64).sum((0, 2))]) for c in channels]
        sums = [a + b for a, b in zip(sums, parts, strict=True)] if sums else parts
        count += len(levels[0]) * PATCH**2
    of_levels = []
    for total, squares in sums:
        mean = total / count
        deviation = np.maximum(np.sqrt(np.maximum(squares / count - mean**2, 0)), 1e-8)
        of_levels.append(Moments(*(np.repeat(v, PATCH**2).astype(np.float32) for v in (mean, deviation))))
    return of_levels


@dataclass(frozen=True)
class LevelDistance:
    """The distance of one level times 1000, and without each part of the images in turn: on 32 directions, [parts] or none."""

    value: float
    left_out: NDArray[np.float64]


def level_distances(
    x: PatchWalk, y: PatchWalk, seed: int, parts: tuple[Places, Places] | None = None
) -> list[LevelDistance]:
    """Mean Wasserstein distance of projections on 4 x 128 random unit vectors, a level at a time, finest first.

    Both sets have equally many images. `parts` are those of a jackknife: the number of that which each image of either set
    belongs to, from 0 on.
    """
    if len(x.places) != len(y.places):
        raise ValueError(
            f"sliced Wasserstein distance needs equally many images, got {len(x.places)} and {len(y.places)}"
        )
    sides = [(walk, moments(walk)) for walk in (x, y)]
    directions = unit_vectors(3 * PATCH**2, seed)
    lowest, step = _cells(sides, directions)
    difference, counts = _counts(sides, directions, lowest, step, parts)
    patches = len(x.places) * PATCHES
    distances = []
    for level, of_all in enumerate(difference):
        value = float((_areas(of_all) * step[level]).mean() / patches * SCALE)
        rest = [] if parts is None else _left_out(counts[level], parts, step[level][:LEFT_OUT_DIRECTIONS])
        distances.append(LevelDistance(value, np.array(rest)))
    return distances


def _left_out(counts: NDArray[np.int32], parts: tuple[Places, Places], step: Array) -> list[float]:
    """Distances of one level without each part in turn, from the counts of either side's parts [2, parts, 32, cells].

    Where parts hold unequally many images of both sides, each side's counts are weighed with what is left of the other one.
    """
    members = [np.bincount(side, minlength=counts.shape[1]) * PATCHES for side in parts]
    totals = counts.sum(axis=1, dtype=np.int64)
    distances = []
    for part, (of_x, of_y) in enumerate(zip(*members, strict=True)):
        left = len(parts[0]) * PATCHES - of_x, len(parts[1]) * PATCHES - of_y
        x, y = totals - counts[:, part]
        if left[0] == left[1]:
            areas = _areas(x - y) / left[0]
        else:
            areas = _areas(x * left[1] - y * left[0]) / (float(left[0]) * left[1])
        distances.append(float((areas * step).mean() * SCALE))
    return distances


Sides = list[tuple[PatchWalk, list[Moments]]]


def _cells(sides: Sides, directions: Array) -> tuple[list[Array], list[Array]]:
    """Lowest projection and width of a cell, [512] a level, so that the cells hold both sets' projections.

    Of more than 256 images a side there is a margin; what lies even beyond it is counted in the outermost cell.
    """
    margin = MARGIN if len(sides[0][0].places) > RANGE_IMAGES else 0.0
    lowest: list[Array] = []
    steps: list[Array] = []
    for low, high in _ranges(sides, directions):
        beyond = (margin * (high - low)).astype(np.float32)
        lowest.append(low - beyond)
        steps.append(((high - low + 2 * beyond) / (CELLS - 1)).astype(np.float32))
    return lowest, steps


def _ranges(sides: Sides, directions: Array) -> list[tuple[Array, Array]]:
    """Lowest and highest projection of the first images of both sets, [512] each, a level at a time."""
    projections = (
        [moments.projected(level, directions) for moments, level in zip(of_levels, levels, strict=True)]
        for walk, of_levels in sides
        for levels in itertools.islice(walk, RANGE_IMAGES // AT_ONCE)
    )
    bounds = [[(shadow.min(axis=1), shadow.max(axis=1)) for shadow in levels] for levels in projections]
    return [
        (np.min([low for low, _ in parts], axis=0), np.max([high for _, high in parts], axis=0))
        for parts in zip(*bounds, strict=True)
    ]


def _counts(
    sides: Sides, directions: Array, low: list[Array], step: list[Array], parts: tuple[Places, Places] | None
) -> tuple[list[NDArray[np.int32]], list[NDArray[np.int32]]]:
    """How many more projections of the first set than of the second lie in every cell: [512, cells] a level.

    And how many of every part of either set lie there on the first 32 directions, [2, parts, 32, cells], or [2, 0, 0, cells].
    """
    count = 0 if parts is None else int(max(side.max() for side in parts)) + 1
    few = LEFT_OUT_DIRECTIONS if count else 0
    difference = [np.zeros((directions.shape[1], CELLS), np.int32) for _ in low]
    of_parts = [np.zeros((2, count, few, CELLS), np.int32) for _ in low]
    for side, (walk, level_moments) in enumerate(sides):
        first = 0
        for levels in walk:
            images = slice(first, first + len(levels[0]) // PATCHES)
            part = None if parts is None else np.repeat(parts[side][images], PATCHES)
            first = images.stop
            for level, patches in enumerate(levels):
                for row, shadow in enumerate(level_moments[level].projected(patches, directions)):
                    cell = _places(shadow, low[level][row], step[level][row])
                    counted = np.bincount(cell, minlength=CELLS).astype(np.int32)
                    difference[level][row] += -counted if side else counted
                    if part is not None and row < few:
                        each = np.bincount(part * CELLS + cell, minlength=count * CELLS)
                        of_parts[level][side, :, row] += each.reshape(count, CELLS).astype(np.int32)
    return difference, of_parts


def _places(values: Array, low: np.float32, step: np.float32) -> Places:
    """The nearest cell of every value, or the outermost."""
    cells = (values - low) / (step if step > 0 else np.float32(1)) + np.float32(0.5)
    return cells.astype(np.int64).clip(0, CELLS - 1)


def _areas(difference: NDArray[np.integer]) -> NDArray[np.float64]:
    """Area between two distribution functions in cells times projections, from the difference of counts [d, cells]: [d].

    The integral of |F - G| (Vallender 1974) is the mean absolute difference of sorted values, without sorting.
    """
    return np.array([np.abs(np.cumsum(row, dtype=np.int64)).sum(dtype=np.float64) for row in difference])


def line_distance(a: Array, b: Array) -> float:
    """Mean absolute difference of two samples of one size, sorted, as the area between their distribution functions.

    Values are rounded to a 32,768th of their range, which moves the result by a relative 1e-5 in practice.
    """
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    step = (high - low) / np.float32(CELLS - 1)
    counts = [np.bincount(_places(side, low, step), minlength=CELLS) for side in (a, b)]
    return float(_areas((counts[0] - counts[1])[None])[0] * step / len(a))


def sliced_wasserstein(x: NDArray[np.uint8], y: NDArray[np.uint8], seed: int = 0) -> dict[str, float]:
    """Distance per pyramid level, named by its resolution (the shorter side), and their mean.

    `x` and `y` are equally many images uint8 [n, 3, h, w] with a shorter side of at least 16.

    Raises ValueError when numbers or sizes differ.
    """
    if x.shape != y.shape:
        raise ValueError(f"sliced Wasserstein distance needs equal shapes, got {x.shape} and {y.shape}")
    walks = [PatchWalk(side, np.arange(len(side)), seed + i) for i, side in enumerate((x, y))]
    levels = level_distances(walks[0], walks[1], seed)
    values = {str(min(x.shape[2:]) // 2**k): level.value for k, level in enumerate(levels)}
    return values | {"mean": float(np.mean(list(values.values())))}
