"""Ink and stickers: colours that neither skin nor lesion has. And bubbles: what shines.

Ink and stickers are looked for on the skin around the lesion: pigment, vessels and scars have every colour that ink has.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.artefacts.hair_and_rulers import Grey, Mask, odd
from dermsynth.images import Pixels
from dermsynth.segmentation.frame import brightest, darkest

INK, DIMMEST = 0.06, 0.3
"""By how much more green than blue, and how much red, ink must absorb, as optical density; what is dimmer than this share
of skin has no colour."""
MOST = 245
"""The score is the index that one pixel in so many exceeds."""
AROUND, RIM = 0.12, 0.04
"""Reach of the skin that ink is compared with, and width of the rim that is left out, for optics colour it: shares of the
smaller side."""
LEAST_SKIN = 0.05
"""Least share of the image that must be skin for its colour to be known."""
STICKER, STICKER_SIZE = 30.0, 0.004
"""Distance from the skin's hue in CIELAB units, and least share of the image."""
SHINE, WHITE, BUBBLE = 25, 200, 0.05
"""Grey levels by which a reflex stands out, the least of its darkest channel, and its greatest width in shares of the smaller
side."""


def ink(image: Pixels, skin: Mask) -> tuple[Mask, float]:
    """Surgical marker on `skin`, bool [h, w], which leaves out frame and lesion.

    Its dye absorbs more green than blue, where pigment and blood absorb blue most, and red too, where blood does not. Optical
    density is -ln(I / I_skin) with the skin around a pixel, so that uneven or coloured light is no ink. The score is the
    index of the pixels that have most of it.
    """
    inner = _erode(skin, RIM)
    if inner.mean() < LEAST_SKIN:
        return np.zeros_like(skin), 0.0
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.float32) + 4
    reference = np.quantile(smooth[skin], 0.6, axis=0)
    lit = skin & (brightest(smooth) > DIMMEST * reference.max())
    flat = -np.log(smooth / reference)
    plain = lit & (np.minimum(flat[..., 0], flat[..., 1]) - flat[..., 2] <= INK)
    logarithms = np.log(smooth)
    around, measured = _surroundings(logarithms, plain, AROUND * min(skin.shape))
    density = around - logarithms
    index = np.where(inner & lit & measured, np.minimum(density[..., 1] - density[..., 2], density[..., 0]), -1)
    place = max(index.size - max(index.size // MOST, 1), 0)
    score = float(np.partition(index.ravel(), place)[place])
    mask = cv2.morphologyEx((index > INK).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return mask.astype(bool), max(score, 0.0)


def _erode(skin: Mask, share: float) -> Mask:
    """Skin without its rim; the image's border counts as rim."""
    width = odd(2 * share * min(skin.shape))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    padded = np.pad(skin, width).astype(np.uint8)
    return cv2.erode(padded, disc)[width:-width, width:-width].astype(bool)


def _surroundings(values: NDArray[np.float32], valid: Mask, reach: float) -> tuple[NDArray[np.float32], Mask]:
    """Means of the known values [h, w, 3] around every pixel (normalised convolution), and where enough of them are near."""
    weights = valid.astype(np.float32)
    near = cv2.GaussianBlur(weights, (0, 0), reach)
    means = cv2.GaussianBlur(values * weights[..., None], (0, 0), reach) / np.maximum(near, 1e-3)[..., None]
    return means, near > LEAST_SKIN


def sticker(image: Pixels, usable: Mask, lesion: Mask) -> tuple[Mask, float]:
    """Coloured patches outside the lesion: large, far from the hue of the skin, joined to the border.

    The score is their distance from the hue times their share of the image.
    """
    skin = usable & ~lesion
    if skin.mean() < LEAST_SKIN:
        return np.zeros_like(usable), 0.0
    lab = cv2.cvtColor(cv2.medianBlur(image, 5).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    away = np.hypot(*np.moveaxis(lab[..., 1:] - np.median(lab[skin][:, 1:], axis=0), 2, 0))
    far = (away > STICKER) & skin
    _, parts, stats, _ = cv2.connectedComponentsWithStats(far.astype(np.uint8))
    rim = (
        cv2.dilate(np.pad(~usable, 1, constant_values=True).astype(np.uint8), np.ones((5, 5), np.uint8))[1:-1, 1:-1] > 0
    )
    large = (stats[:, 4] >= STICKER_SIZE * far.size) & np.isin(np.arange(len(stats)), parts[rim & far])
    large[0] = False
    mask: Mask = large[parts]
    return mask, float(away[mask].sum() / mask.size)


def bubbles(image: Pixels, grey: Grey, usable: Mask) -> tuple[Mask, float]:
    """Reflexes of gel bubbles and of the skin: small, bright and white; the score is their share of the image."""
    width = odd(BUBBLE * min(grey.shape))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    shine = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, disc)
    mask: Mask = (shine > SHINE) & (darkest(image) > WHITE) & usable
    return mask, float(mask.mean())
