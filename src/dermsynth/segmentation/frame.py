"""The black frame of a dermoscope and its corners."""

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
MIDDLE, CORNER = 0.6, 0.96
"""Radius of the middle and of the circle beyond which corners begin, in half diagonals."""
DARK, SOFT = 0.45, 0.02
"""Share of the skin's brightness up to which a rim is dark, and width of its soft edge in shares of the smaller side."""


def frame(image: Pixels) -> tuple[Mask, float]:
    """The dark rim that reaches a corner of RGB uint8 [h, w, 3], bool [h, w], and how dark the corners are, 0 to 1."""
    value = cv2.medianBlur(brightest(image), 5)
    height, width = value.shape
    middle, corners = _places(height, width)
    skin = float(np.percentile(value[middle], 75, method="nearest"))
    darkness = sorted(1 - float(value[corner].mean()) / max(skin, 1) for corner in corners)
    score = float(np.clip(np.mean(darkness[-2:]), 0, 1))
    _, parts = cv2.connectedComponents((value < max(DARK * skin, 30)).astype(np.uint8))
    joined = {int(parts[y, x]) for y in (0, -1) for x in (0, -1)} - {0}
    rim = np.isin(parts, list(joined)).astype(np.uint8)
    reach = 2 * max(1, round(SOFT * min(height, width))) + 1
    return cv2.dilate(rim, np.ones((reach, reach), np.uint8)).astype(bool), score


def brightest(image: NDArray[Any]) -> NDArray[Any]:
    """The largest of the three channels of [h, w, 3], some ten times as fast as NumPy finds it along the last axis."""
    red, green, blue = cv2.split(image)
    return cv2.max(cv2.max(red, green), blue)


def darkest(image: NDArray[Any]) -> NDArray[Any]:
    """The smallest of the three channels of [h, w, 3]."""
    red, green, blue = cv2.split(image)
    return cv2.min(cv2.min(red, green), blue)


@cache
def _places(height: int, width: int) -> tuple[Mask, tuple[Mask, ...]]:
    """The middle of an image, and its four corners beyond a circle."""
    rows, columns = (2 * (np.arange(n) + 0.5) / n - 1 for n in (height, width))
    radius = np.hypot(rows[:, None], columns[None]) / np.sqrt(2)
    far = radius > min(CORNER, float(radius.max()) - 1e-9)  # of a tiny image the outermost pixels
    corners = [(rows[:, None] * y > 0) & (columns[None] * x > 0) & far for y in (-1, 1) for x in (-1, 1)]
    return radius < MIDDLE, tuple(corners)
