"""Segmentation of the lesion by colour: for images without masks, real and synthetic ones alike."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from dermsynth.segmentation.frame import frame

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
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
    rows, columns = np.indices((height, width)) / np.array([height, width]).reshape(2, 1, 1) - 0.5
    darkness = (darkness - darkness[skin].min()) * np.exp(-(rows**2 + columns**2) / (2 * SPREAD**2))
    dark = (darkness > threshold_otsu(darkness[skin])) & skin
    return _best_part(ndimage.binary_opening(dark, iterations=max(1, side // 64)))


def _best_part(mask: Mask) -> Mask:
    parts, count = ndimage.label(mask)
    if count == 0:
        return mask
    rows, columns = np.indices(mask.shape)
    height, width = mask.shape
    central = np.exp(-2 * (((rows / height - 0.5) ** 2) + ((columns / width - 0.5) ** 2)) * 4)
    weights = ndimage.sum_labels(central, parts, np.arange(1, count + 1))
    best = parts == int(np.argmax(weights)) + 1
    if best.mean() < SMALLEST:
        return np.zeros_like(mask)
    filled: Mask = ndimage.binary_fill_holes(best)
    return filled


def dice(x: Mask, y: Mask) -> float:
    """2 |x and y| / (|x| + |y|) (Dice 1945); 1 for two empty masks."""
    total = x.sum() + y.sum()
    return float(2 * (x & y).sum() / total) if total else 1.0
