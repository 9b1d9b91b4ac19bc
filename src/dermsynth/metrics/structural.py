"""Structural similarity of pairs of images (Wang et al. 2004), also over scales (Wang et al. 2003)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.images import require_pixels
from dermsynth.metrics.comparison import pixels
from dermsynth.metrics.similar_images import C1, C2, SIGMA, WINDOW, Images

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
BLOCK = 64
TRANSFORMS = ("as it is", "turned 90", "turned 180", "turned 270", "mirrored", "mirrored, turned 90", "mirrored, turned 180",
         "mirrored, turned 270")  # fmt: skip
"""The eight dihedral transforms of a square."""


def mean_ssim(x: NDArray[Any], y: NDArray[Any], *, white: float | None = None) -> NDArray[np.float64]:
    """Mean structural similarity (equation 13) of pairs [n, c, h, w], a channel at a time, window of 11: [n].

    Images are uint8; of other numbers `white` must be given, the value of white (1 or 255).

    Raises UserError for other numbers without it.
    """
    a, b = (_floats(side, white) for side in (x, y))
    return _maps(a, b)[0].flatten(1).mean(dim=1).double().numpy()


def multi_scale_ssim(x: Images, y: Images) -> NDArray[np.float64]:
    """Structural similarity over scales of pairs uint8 [n, c, h, w]: [n] (Wang et al. 2003, equation 7).

    Five scales where the smaller side has at least 176 pixels; of fewer, the published exponents are scaled to sum to 1.
    Negative terms count as zero.
    """
    starts = range(0, len(x), BLOCK)
    return np.concatenate([_multi_scale(_floats(x[s : s + BLOCK]), _floats(y[s : s + BLOCK])) for s in starts])


def _multi_scale(a: Tensor, b: Tensor) -> NDArray[np.float64]:
    levels = min(len(EXPONENTS), int(np.log2(min(a.shape[2:]) / WINDOW)) + 1)
    weights = np.array(EXPONENTS[:levels]) / sum(EXPONENTS[:levels])
    product = torch.ones(a.shape[:2], dtype=torch.float64)
    for level in range(levels):
        whole, contrast = (m.flatten(2).mean(dim=2).double().clamp(min=0) for m in _maps(a, b))
        product = product * (whole if level == levels - 1 else contrast) ** weights[level]
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return product.mean(dim=1).numpy()


def _floats(x: NDArray[Any], white: float | None = None) -> Tensor:
    """Images as floating-point numbers of 0 to 255."""
    if white is None:
        require_pixels(x, "n c h w")
    x = np.asarray(x)
    return torch.from_numpy(x if x.flags.writeable else x.copy(order="K")).float() * (255 / (white or 255))


def _window(channels: int) -> Tensor:
    positions = torch.arange(WINDOW) - WINDOW // 2
    line = torch.exp(-(positions**2) / (2 * SIGMA**2))
    return (line / line.sum()).expand(channels, 1, 1, WINDOW)


def window_means(x: Tensor) -> Tensor:
    """Weighted means of all windows that lie inside: [n, c, h, w] -> [n, c, h - 10, w - 10]."""
    line = _window(x.shape[1])
    return F.conv2d(F.conv2d(x, line, groups=x.shape[1]), line.transpose(2, 3), groups=x.shape[1])


def _maps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Similarity, and its part without luminance, at every window."""
    mean_a, mean_b = window_means(a), window_means(b)
    variance_a, variance_b = window_means(a * a) - mean_a**2, window_means(b * b) - mean_b**2
    covariance = window_means(a * b) - mean_a * mean_b
    contrast = (2 * covariance + C2) / (variance_a + variance_b + C2)
    return contrast * (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1), contrast


def dihedral_transforms(images: Images) -> Iterator[tuple[str, Images]]:
    """Images [n, c, s, s] in the eight ways in which a square can lie; of other shapes the four that keep the shape."""
    square = images.shape[2] == images.shape[3]
    for index, name in enumerate(TRANSFORMS):
        if square or index % 2 == 0:
            flipped = images[..., ::-1] if index >= 4 else images
            yield name, np.ascontiguousarray(np.rot90(flipped, index % 4, axes=(2, 3)))


def ssim(images: NDArray[Any], others: NDArray[Any], *, white: float | None = None) -> NDArray[np.float64]:
    """Structural similarity of each image with the one at the same place of another array.

    Parameters
    ----------
    images, others : ndarray
        Equally many images of one size, uint8 [n, h, w, 3], both sides at least 11 pixels.
    white : float, optional
        The value of white (1 or 255), for images that are not uint8.

    Returns
    -------
    ndarray
        Float [n], -1 to 1, the mean over windows and channels; 1 for equal images.

    Raises
    ------
    UserError
        For images that are not uint8, without `white`; and for shapes that differ.

    References
    ----------
    Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity", equation 13.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    >>> metrics.ssim(images, images)
    array([1., 1.])
    >>> bool(metrics.ssim(images, images[::-1]).max() < 0.1)
    True
    """
    if np.shape(images) != np.shape(others):
        raise UserError(f"`others`: shape {np.shape(others)}; `images` have {np.shape(images)}, which must be the same")
    if white is not None:
        both = (np.asarray(side).transpose(0, 3, 1, 2) for side in (images, others))
        return mean_ssim(*both, white=white)
    return mean_ssim(pixels(images, "images"), pixels(others, "others"))
