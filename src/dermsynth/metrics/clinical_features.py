"""Features a dermatologist has names for: ABCD, skin tone and texture of one image with its lesion mask."""

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import graycomatrix, graycoprops

from dermsynth.images import require_pixels
from dermsynth.segmentation.frame import frame
from dermsynth.segmentation.lesion import lesion_mask
from dermsynth.segmentation.skin import typology_angle

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
TURNS = 12
"""Axes tried for asymmetry."""
COLOURS = {
    "white": (255, 255, 255),
    "red": (204, 51, 51),
    "light brown": (153, 102, 0),
    "dark brown": (51, 0, 0),
    "blue-grey": (51, 153, 255),
    "black": (0, 0, 0),
}
"""The six colours of the ABCD rule (Stolz et al. 1994), with RGB values as used by Celebi et al. 2013."""
COLOUR_SHARE = 0.05
SMALLEST_LESION, SMALLEST_SKIN = 30, 30


@dataclass(frozen=True)
class Appearance:
    """Features of one image; shares and indices without unit, ITA in degrees, differences in CIELAB units.

    The skin tone is NaN where the light does not allow an estimate; its lightness is always there.
    """

    asymmetry: float
    border_irregularity: float
    colour_variegation: float
    colours: float
    diameter_share: float
    lesion_lightness: float
    lesion_redness: float
    lesion_yellowness: float
    contrast: float
    skin_lightness: float
    skin_tone: float
    texture_contrast: float
    texture_homogeneity: float


NAMES = tuple(field.name for field in fields(Appearance))
TONE = NAMES.index("skin_tone")
COMPARED = tuple(column for column in range(len(NAMES)) if column != TONE)
"""Columns that every measured image has: distances between sets are of these."""


def appearance(image: Pixels, lesion: Mask) -> Appearance | None:
    """Features of an RGB image uint8 [h, w, 3] and its lesion mask; None where lesion or skin is too small to measure."""
    require_pixels(image, "h w 3")
    skin = ~cv2.dilate(lesion.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~frame(image)[0]
    if lesion.sum() < SMALLEST_LESION or skin.sum() < SMALLEST_SKIN:
        return None
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    inside, outside = lab[lesion].astype(np.float64), lab[skin].astype(np.float64)
    texture = _texture(lab[..., 0], lesion)
    lightness, redness, yellowness = np.median(inside, axis=0)
    return Appearance(
        asymmetry=asymmetry(lesion),
        border_irregularity=border_irregularity(lesion),
        colour_variegation=float(np.sqrt(inside.var(axis=0).sum())),
        colours=float(colour_count(image[lesion])),
        diameter_share=float(2 * np.sqrt(lesion.sum() / np.pi) / min(lesion.shape)),
        lesion_lightness=float(lightness),
        lesion_redness=float(redness),
        lesion_yellowness=float(yellowness),
        contrast=float(np.linalg.norm(np.median(outside, axis=0) - np.median(inside, axis=0))),
        skin_lightness=float(np.median(outside[:, 0])),
        skin_tone=typology_angle(outside),
        texture_contrast=texture[0],
        texture_homogeneity=texture[1],
    )


def asymmetry(lesion: Mask) -> float:
    """Least share of the lesion that does not meet its mirror image, over axes through the centroid: 0 for a disc."""
    rows, columns = np.nonzero(lesion)
    centre, area = (float(columns.mean()), float(rows.mean())), len(rows)
    side = 2 * int(np.ceil(np.hypot(*lesion.shape))) + 1
    best = 1.0
    for angle in np.arange(TURNS) * 180.0 / TURNS:
        turn = cv2.getRotationMatrix2D(centre, float(angle), 1.0)
        turn[:, 2] += side // 2 - np.array(centre)
        turned = cv2.warpAffine(lesion.astype(np.uint8), turn, (side, side), flags=cv2.INTER_NEAREST)
        best = min(best, float((turned != turned[::-1]).sum()) / (2 * area))
    return best


def border_irregularity(lesion: Mask) -> float:
    """1 - 4 pi A / P^2 of the largest part: 0 for a disc, towards 1 for a ragged border."""
    contours, _ = cv2.findContours(lesion.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    perimeter = cv2.arcLength(largest, closed=True)
    area = cv2.contourArea(largest)
    return float(max(0.0, 1 - 4 * np.pi * area / perimeter**2)) if perimeter > 0 else 0.0


def colour_count(pixels: Pixels) -> int:
    """How many of the six colours of the ABCD rule at least 5 % of the lesion's pixels [n, 3] are nearest to."""
    names = np.array(list(COLOURS.values()), np.float64)
    distances = ((pixels[:, None].astype(np.float64) - names) ** 2).sum(axis=2)
    shares = np.bincount(distances.argmin(axis=1), minlength=len(names)) / len(pixels)
    return int((shares >= COLOUR_SHARE).sum())


def _texture(lightness: NDArray[np.floating], lesion: Mask) -> tuple[float, float]:
    """Contrast and homogeneity of the co-occurrence of 16 levels of lightness in neighbours within the lesion (Haralick 1973)."""
    levels = np.clip(lightness / 100 * 15, 0, 14.999).astype(np.uint8) + 1
    levels[~lesion] = 0
    matrix = graycomatrix(levels, [1], [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4], levels=16, symmetric=True)[1:, 1:]
    matrix = matrix / np.maximum(matrix.sum(axis=(0, 1), keepdims=True), 1)
    return tuple(float(graycoprops(matrix, p).mean()) for p in ("contrast", "homogeneity"))  # type: ignore[return-value]


def measure_appearance(image: Pixels) -> list[float]:
    """The features as a row, of an image uint8 [3, h, w] whose lesion is found by its colour; NaN where that fails."""
    require_pixels(image, "3 h w")
    pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
    features = appearance(pixels, lesion_mask(pixels))
    return [np.nan] * len(NAMES) if features is None else [getattr(features, name) for name in NAMES]
