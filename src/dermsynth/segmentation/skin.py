"""Skin tone, measured on the skin outside lesion and artefacts, where the light is white enough."""

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.images import Pixels

ITA_CLASSES = ((55.0, "very light"), (41.0, "light"), (28.0, "intermediate"), (10.0, "tan"), (-30.0, "brown"))
"""Lower bounds in degrees of the skin-tone classes (Chardon et al. 1991); below the last: dark."""
FEWEST = 30
LEAST_YELLOW, SKIN_HUES = 5.0, (35.0, 85.0)
"""Least b* and range of hue angles arctan(b* / a*), in degrees, of skin of any tone under white light."""


def typology_angle(lab: NDArray[np.floating]) -> float:
    """Individual typology angle of skin's CIELAB [n, 3]: arctan((L* - 50) / b*) of medians, degrees (Chardon et al. 1991).

    NaN where the colour is none that skin has under white light: b* near zero or below, as under pink or blue light, or
    another hue than skin's. There the angle would tell the lamp, not the skin. The lamp is not estimated: what fills the
    picture is skin, so that methods which take the mean of a picture for grey take the skin's own colour away.
    """
    lightness, redness, yellowness = np.median(lab, axis=0)
    hue = float(np.degrees(np.arctan2(yellowness, redness)))
    if yellowness < LEAST_YELLOW or not SKIN_HUES[0] <= hue <= SKIN_HUES[1]:
        return float("nan")
    return float(np.degrees(np.arctan2(lightness - 50, yellowness)))


def skin_tone_class(angle: float) -> str:
    """Name of a skin tone: above 55 degrees very light, then light, intermediate, tan, brown; dark up to -30.

    The empty string where the angle could not be measured.
    """
    if np.isnan(angle):
        return ""
    return next((name for bound, name in ITA_CLASSES if angle > bound), "dark")


def skin_tone(image: Pixels, skin: NDArray[np.bool_]) -> float:
    """ITA in degrees of the skin's pixels of RGB uint8 [h, w, 3]; NaN of fewer than thirty, or where the light is coloured."""
    if skin.sum() < FEWEST:
        return float("nan")
    colours = image[skin].astype(np.float32)[None] / 255
    return typology_angle(cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[0])
