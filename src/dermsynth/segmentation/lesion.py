"""Segmentation of the lesion by colour: for images without masks, real and synthetic ones alike."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from dermsynth.segmentation.frame import frame

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
SMOOTHING, SPREAD, SMALLEST = 0.02, 0.55, 0.005
"""Blur and reach of the middle in shares of the smaller side, and least lesion in shares of the image."""


def lesion_mask(image: Pixels) -> Mask:
    """The dark part of RGB uint8 [h, w, 3] in the blue channel by Otsu's threshold, the middle counting more: bool [h, w].

    Blue sets lesions off best (Celebi et al. 2009). Black frames are left out, of the parts found the largest and most
    central is kept, holes are filled. Nothing is found where that part is smaller than half a percent of the image.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    smooth = cv2.GaussianBlur(cv2.medianBlur(image, 5), (0, 0), max(SMOOTHING * side, 0.8))
    skin = ~frame(smooth)[0]
    darkness = 255.0 - smooth[..., 2]
    if not skin.any() or np.ptp(darkness[skin]) < 1:
        return np.zeros((height, width), dtype=bool)
    darkness = (darkness - darkness[skin].min()) * _towards_middle(height, width, 1 / (2 * SPREAD**2))
    dark = ((darkness > threshold_otsu(darkness[skin])) & skin).astype(np.uint8)
    opened = cv2.morphologyEx(
        dark, cv2.MORPH_OPEN, CROSS, iterations=max(1, side // 64), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return _best_part(opened)


@cache
def _towards_middle(height: int, width: int, falling: float) -> NDArray[np.float64]:
    """exp(-falling r^2) at every pixel, r from the middle in shares of height and width."""
    rows, columns = (np.arange(n) / n - 0.5 for n in (height, width))
    weights: NDArray[np.float64] = np.exp(-falling * (rows[:, None] ** 2 + columns[None] ** 2))
    return weights


def _best_part(mask: NDArray[np.uint8]) -> Mask:
    """The largest and most central part of a mask of 0 and 1, its holes filled."""
    count, parts = cv2.connectedComponents(mask, connectivity=4)
    if count == 1:
        return np.zeros(mask.shape, dtype=bool)
    weights = np.bincount(parts.ravel(), _towards_middle(*mask.shape, 8.0).ravel(), count)
    best = parts == int(np.argmax(weights[1:])) + 1
    return _filled(best) if best.mean() >= SMALLEST else np.zeros_like(best)


def _filled(mask: Mask) -> Mask:
    """A mask with its holes: all but what is reached from outside."""
    outside = np.pad(mask, 1).astype(np.uint8)
    cv2.floodFill(outside, None, (0, 0), 2)
    filled: Mask = outside[1:-1, 1:-1] != 2
    return filled


def dice(x: Mask, y: Mask) -> float:
    """2 |x and y| / (|x| + |y|) (Dice 1945); 1 for two empty masks."""
    total = x.sum() + y.sum()
    return float(2 * (x & y).sum() / total) if total else 1.0
