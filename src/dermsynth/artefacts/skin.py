"""Skin tone: from skin alone, outside lesion and artefacts."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.images import Pixels

ITA_CLASSES = ((55.0, "very light"), (41.0, "light"), (28.0, "intermediate"), (10.0, "tan"), (-30.0, "brown"))
"""Lower bounds in degrees of the skin-tone classes (Chardon et al. 1991); below the last: dark."""
FEWEST = 30


def typology_angle(lab: NDArray[np.floating]) -> float:
    """Individual typology angle of skin's CIELAB [n, 3]: arctan((L* - 50) / b*) of medians, degrees (Chardon et al. 1991)."""
    lightness, _, yellowness = np.median(lab, axis=0)
    return float(np.degrees(np.arctan2(lightness - 50, max(float(yellowness), 1e-6))))


def skin_tone_class(angle: float) -> str:
    """Name of a skin tone: above 55 degrees very light, then light, intermediate, tan, brown; dark up to -30."""
    return next((name for bound, name in ITA_CLASSES if angle > bound), "dark")


def skin_tone(image: Pixels, skin: NDArray[np.bool_]) -> float:
    """ITA in degrees of the skin's pixels of RGB uint8 [h, w, 3]; NaN where there are fewer than thirty."""
    if skin.sum() < FEWEST:
        return float("nan")
    colours = image[skin].astype(np.float32)[None] / 255
    return typology_angle(cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[0])
