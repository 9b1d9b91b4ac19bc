"""The structurally most similar image of another set: every pair computed, every core at work.

Nothing heavy is imported here: the processes that share the work start with this file.
"""

from functools import partial
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from dermsynth.errors import UserError
from dermsynth.images import require_pixels, thumbnail_hash
from dermsynth.metrics.knn import nearest
from dermsynth.parallel import parallel_map

Images = NDArray[np.uint8]
Indices = NDArray[np.int64]
Values = NDArray[np.float64]
Planes = NDArray[np.float32]
WINDOW, SIGMA, FLAT_WINDOW = 11, 1.5, 7
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
HALF_C1, HALF_C2 = np.float32(C1 / 2), np.float32(C2 / 2)
"""Window and constants of the structural similarity (Wang et al. 2004, section III C)."""
TILE = 4
"""Images whose windows fit into a core's cache."""
TASK = 8


def luma(images: Images) -> Planes:
    """Brightness of uint8 [n, 3, h, w] (ITU-R BT.601): float32 [n, h, w]."""
    require_pixels(images)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.ascontiguousarray(np.einsum("nchw,c->nhw", images, weights, optimize=True))


def most_similar(x: Images, y: Images) -> tuple[Values, Indices]:
    """Highest mean SSIM of each image of x with one of y, in brightness, and which one: both [n].

    x [n, 3, h, w] and y [m, 3, h, w] uint8. Means and variances of all windows are computed once an image; of a pair only
    its covariance is left. Every core takes images of x, as a process of its own: the steps of a pair are too short for threads.
    """
    others = _windows(luma(y))
    parts = [x[start : start + TASK] for start in range(0, len(x), TASK)]
    similarities = partial(_similarities, others)
    table = np.concatenate(parallel_map(similarities, parts, label="structural similarity", unit=f"x{TASK} img"))
    index = table.argmax(axis=1)
    return table[np.arange(len(table)), index], index.astype(np.int64)


class _Windows(NamedTuple):
    """Images [n, h, w], and the moments of all their windows with half the constants of the equation."""

    planes: Planes
    means: Planes
    luminances: Planes
    contrasts: Planes


def _windows(planes: Planes) -> _Windows:
    means = np.stack([_window_means(plane) for plane in planes])
    variances = np.stack([_window_means(plane * plane) for plane in planes]) - means * means
    return _Windows(planes, means, means * means + HALF_C1, variances + HALF_C2)


KERNEL = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_32F)
EDGE = WINDOW // 2


def _window_means(plane: Planes) -> Planes:
    """Weighted means of all windows that lie inside."""
    means: Planes = cv2.sepFilter2D(plane, -1, KERNEL, KERNEL)[EDGE:-EDGE, EDGE:-EDGE]
    return means


def _similarities(others: _Windows, images: Images) -> Values:
    """Mean SSIM of every pair of an image and one of the others, [n, m].

    Some of the others are taken at a time, so that windows are still in the processor's cache.

    With A = mu_x mu_y + C1 / 2 and F = E[x y] + C1 / 2 + C2 / 2 a window's similarity is 4 A (F - A) over the product of
    mu_x^2 + mu_y^2 + C1 and the sum of both variances and C2.
    """
    own = _windows(luma(images))
    values = np.empty((len(own.planes), len(others.planes)))
    room = [np.empty((TILE, *side.shape[1:]), np.float32) for side in (own.planes, *[own.means] * 3)]
    for start in range(0, len(others.planes), TILE):
        tile = _Windows(*(side[start : start + TILE] for side in others))
        buffers = [buffer[: len(tile.planes)] for buffer in room]
        for row, image in enumerate(zip(*own, strict=True)):
            values[row, start : start + TILE] = _of_tile(_Windows(*image), tile, *buffers)
    return values


def _of_tile(image: _Windows, tile: _Windows, product: Planes, *room: Planes) -> Values:
    """Of one image [h, w] with some others [k, h, w]; all arithmetic is done in the room given."""
    upper, lower, share = room
    np.multiply(image.planes, tile.planes, out=product)
    sheet = product.reshape(-1, product.shape[2])  # one below the other: the windows that two of them share are cut off
    smooth = cv2.sepFilter2D(sheet, -1, KERNEL, KERNEL, delta=float(HALF_C1 + HALF_C2)).reshape(product.shape)
    np.multiply(image.means, tile.means, out=upper)
    upper += HALF_C1
    np.subtract(smooth[:, EDGE:-EDGE, EDGE:-EDGE], upper, out=share)
    share *= upper
    np.add(image.luminances, tile.luminances, out=upper)
    np.add(image.contrasts, tile.contrasts, out=lower)
    upper *= lower
    share /= upper
    windows = share[0].size
    similarities: Values = (
        4 / windows * (share.reshape(len(share), windows) @ np.ones(windows, np.float32)).astype(np.float64)
    )
    return similarities


class LocalSimilarity(NamedTuple):
    """Mean structural similarity of two images, -1 to 1, and its map [h, w]."""

    mean: float
    map: NDArray[np.float64]


def local_similarity(image: Images, other: Images) -> LocalSimilarity:
    """Structural similarity of two images uint8 [h, w, 3] in flat windows of 7 pixels, averaged over channels.

    Small windows follow the edge of a lesion or a hole; figures of whole sets take `mean_ssim` with its wider, weighted window.
    """
    mean, channels = structural_similarity(image, other, channel_axis=2, win_size=FLAT_WINDOW, full=True)
    return LocalSimilarity(float(mean), channels.mean(axis=2))


def psnr(squared_error: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error in grey levels squared; 78 for images without one."""
    return float(10 * np.log10(255**2 / max(squared_error, 1e-3)))


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


Likeness = Literal["ssim", "squared_error", "hash"]


class Neighbours(NamedTuple):
    """How near the nearest image is, float [n], and which one it is, int [n]."""

    value: Values
    place: Indices


def nearest_images(images: NDArray[Any], others: NDArray[Any], *, by: Likeness = "ssim") -> Neighbours:
    """The nearest image of another set to each image, as the images lie, not mirrored.

    Parameters
    ----------
    images, others : ndarray
        Images of one size, uint8 [n, h, w, 3] and [m, h, w, 3].
    by : {"ssim", "squared_error", "hash"}
        Structural similarity of brightness (higher is nearer), mean squared error in grey levels squared (lower), or different
        bits of 64 of a perceptual hash (lower).

    Returns
    -------
    Neighbours
        `value` [n], and `place` [n] in `others`.

    Raises
    ------
    UserError
        For images that are not uint8, or an unknown measure.

    References
    ----------
    Wang et al. 2004, equation 13; Zauner 2010, "Implementation and benchmarking of perceptual image hash functions".

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> others = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    >>> metrics.nearest_images(others[[3, 1]], others, by="squared_error").place
    array([3, 1])
    """
    from dermsynth.metrics.comparison import pixels

    measures = {"ssim": most_similar, "squared_error": least_squared_error, "hash": nearest_hash}
    if by not in measures:
        raise UserError(f"`by` {by!r}: write {', '.join(measures)}")
    return Neighbours(*measures[by](pixels(images, "images"), pixels(others, "others")))
