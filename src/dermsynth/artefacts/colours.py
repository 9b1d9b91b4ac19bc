"""Ink and stickers: colours that neither skin nor lesion has. And bubbles: what shines."""

import cv2
import numpy as np

from dermsynth.artefacts.lines import Grey, Mask, odd
from dermsynth.images import Pixels

INK, DIMMEST = 0.12, 0.3
"""By how much more green than blue ink must absorb, as optical density; what is dimmer than this share of skin has no colour."""
MOST = 245
"""The score is the index that one pixel in so many exceeds."""
STICKER, STICKER_SIZE = 30.0, 0.004
"""Distance from the skin's hue in CIELAB units, and least share of the image."""
SHINE, BUBBLE = 14, 0.05
"""Grey levels by which a reflex stands out, and its greatest width in shares of the smaller side."""


def ink(image: Pixels, usable: Mask) -> tuple[Mask, float]:
    """Surgical marker: what absorbs more green than blue light, for pigment and blood absorb blue most.

    Optical density is -ln(I / I_skin). The score is the index of the pixels that have most of it.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    if not usable.any():
        return np.zeros_like(usable), 0.0
    skin = np.maximum(np.quantile(smooth[usable], 0.6, axis=0), 1)
    density = -np.log((smooth.astype(np.float32) + 4) / (skin.astype(np.float32) + 4))
    lit = usable & (smooth.max(axis=2) > DIMMEST * skin.max())
    index = np.where(lit, density[..., 1] - density[..., 2], -1)
    place = max(index.size - max(index.size // MOST, 1), 0)
    score = float(np.partition(index.ravel(), place)[place])
    mask = cv2.morphologyEx((index > INK).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return mask.astype(bool), score


def sticker(image: Pixels, usable: Mask) -> tuple[Mask, float]:
    """Coloured patches: large even areas far from the hue of the skin, joined to the border; the score is their share."""
    lab = cv2.cvtColor(cv2.medianBlur(image, 5).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    if not usable.any():
        return np.zeros_like(usable), 0.0
    away = np.hypot(*np.moveaxis(lab[..., 1:] - np.median(lab[usable][:, 1:], axis=0), 2, 0))
    far = (away > STICKER) & usable
    _, parts, stats, _ = cv2.connectedComponentsWithStats(far.astype(np.uint8))
    rim = (
        cv2.dilate(np.pad(~usable, 1, constant_values=True).astype(np.uint8), np.ones((5, 5), np.uint8))[1:-1, 1:-1] > 0
    )
    large = (stats[:, 4] >= STICKER_SIZE * far.size) & np.isin(np.arange(len(stats)), parts[rim & far])
    found: Mask = large[parts]
    return found, float(np.where(usable, away, 0)[far].sum() / far.size)


def bubbles(grey: Grey, usable: Mask) -> tuple[Mask, float]:
    """Reflexes of gel bubbles and of the skin: small and bright; the score is their share of the image."""
    width = odd(BUBBLE * min(grey.shape))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    shine = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, disc)
    found: Mask = (shine > SHINE) & usable
    return found, float(found.mean())
