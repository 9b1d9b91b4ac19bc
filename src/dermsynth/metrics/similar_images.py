"""The structurally most similar image of another set."""

from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.images import require_pixels, thumbnail_hash
from dermsynth.metrics.knn import nearest
from dermsynth.progress import progress_bar

Images = NDArray[np.uint8]
Indices = NDArray[np.int64]
Values = NDArray[np.float64]
Planes = NDArray[np.float32]
WINDOW, SIGMA, FLAT_WINDOW = 11, 1.5, 7
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
"""Window and constants of the structural similarity (Wang et al. 2004, section III C)."""
STRIDE, LIKELY = 4, 16
"""Windows from one that is compared at first to the next, and how many images are then compared in all windows."""
PART, BLOCK = 1000, 64
"""Images whose similarities with all others are held, and for which those of one window fit into a core's cache."""


def luma(images: Images) -> Planes:
    """Brightness of uint8 [n, 3, h, w] (ITU-R BT.601): float32 [n, h, w]."""
    require_pixels(images)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.ascontiguousarray(np.einsum("nchw,c->nhw", images, weights, optimize=True))


def most_similar(x: Images, y: Images) -> tuple[Values, Indices]:
    """Highest mean SSIM of each image of x with one of y, in brightness, and which one: both [n].

    x [n, 3, h, w] and y [m, 3, h, w] uint8. All pairs are compared in every fourth window both ways, which takes matrix products;
    then each image with the 16 that were most like it, in all windows.
    """
    own, others = luma(x), luma(y)
    likely = np.concatenate([_most_likely(own[start : start + PART], others) for start in range(0, len(own), PART)])
    pairs = zip(own, likely, strict=True)
    table = np.array([[_similarity(plane, others[place]) for place in places] for plane, places in pairs])
    best = table.argmax(axis=1)
    rows = np.arange(len(table))
    return table[rows, best], likely[rows, best]


KERNEL = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_64F)
EDGE = WINDOW // 2


def _similarity(a: Planes, b: Planes) -> float:
    """Mean SSIM of two planes [h, w] over all windows (Wang et al. 2004, equation 13), in float64."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _window_means(x), _window_means(y)
    variances = _window_means(x * x) - mean_x**2 + _window_means(y * y) - mean_y**2
    covariance = _window_means(x * y) - mean_x * mean_y
    upper = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    return float((upper / ((mean_x**2 + mean_y**2 + C1) * (variances + C2))).mean())


def _window_means(plane: Values) -> Values:
    """Weighted means of all windows that lie inside."""
    means: Values = cv2.sepFilter2D(plane, -1, KERNEL, KERNEL)[EDGE:-EDGE, EDGE:-EDGE]
    return means


def _most_likely(x: Planes, y: Planes) -> Indices:
    """The images of y that are most like each of x by every fourth window, the most similar first: [n, 16]."""
    total = torch.zeros(len(x), len(y))
    tops = range(0, x.shape[1] - WINDOW + 1, STRIDE)
    for top in progress_bar(tops, total=len(tops), label="structural similarity", unit="row"):
        own, others = _window_row(x, top), _window_row(y, top)
        for start in range(0, len(x), BLOCK):
            part = slice(start, start + BLOCK)
            _add_similarities(total[part], _WindowRow(*(side[:, part] for side in own)), others)
    return total.topk(min(LIKELY, len(y)), dim=1).indices.numpy()


class _WindowRow(NamedTuple):
    """One row of windows of images: deviations [p, n, 121] times the root of the weights, means and variances [p, n]."""

    deviations: Tensor
    means: Tensor
    variances: Tensor


def _window_row(planes: Planes, top: int) -> _WindowRow:
    cut = np.lib.stride_tricks.sliding_window_view(planes[:, top : top + WINDOW], (WINDOW, WINDOW), axis=(1, 2))
    pixels = torch.from_numpy(np.ascontiguousarray(cut[:, 0, ::STRIDE].swapaxes(0, 1))).flatten(2)
    weights = torch.from_numpy(KERNEL @ KERNEL.T).flatten().float()
    means = pixels @ weights
    deviations = (pixels - means[..., None]) * weights.sqrt()
    return _WindowRow(deviations, means, deviations.square().sum(dim=2))


def _add_similarities(total: Tensor, x: _WindowRow, y: _WindowRow) -> None:
    """Add the similarities of all pairs, window by window, to [n, m]."""
    for a, b in zip(zip(*x, strict=True), zip(*y, strict=True), strict=True):
        (own, own_mean, own_variance), (other, mean, variance) = a, b
        structure = torch.mm(own, other.T).mul_(2).add_(C2)
        structure /= own_variance[:, None] + (variance + C2)
        luminance = torch.outer(2 * own_mean, mean).add_(C1)
        luminance /= own_mean.square()[:, None] + (mean.square() + C1)
        total.addcmul_(structure, luminance)


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
