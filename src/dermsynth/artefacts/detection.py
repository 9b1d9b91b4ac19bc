"""All artefacts of an image by classical vision: a mask and a score each, without training."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.artefacts.hair_and_rulers import WIDTH, Grey, hair, odd, ruler, thin_structures
from dermsynth.artefacts.ink_and_stickers import bubbles, ink, sticker
from dermsynth.images import Pixels
from dermsynth.segmentation.frame import frame
from dermsynth.segmentation.lesion import lesion_mask

Mask = NDArray[np.bool_]
WORKING_SIDE = 256
"""Larger images are looked at with their smaller side reduced to this."""
EDGE = 0.05
"""Width of a lesion's soft edge, in shares of the smaller side."""
ARTEFACTS = ("frame", "hair", "ruler", "ink", "sticker", "bubble")


@dataclass(frozen=True)
class DetectedArtefact:
    """Where an artefact is, bool [h, w], and a score that is higher the surer or the more of it there is."""

    mask: Mask
    score: float


class ImageView:
    """An image at working size, and what several detectors need of it."""

    def __init__(self, image: Pixels, lesion: Mask | None = None) -> None:
        height, width = image.shape[:2]
        factor = min(1.0, WORKING_SIDE / min(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        self.image = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor < 1 else image
        self.side = min(self.image.shape[:2])
        self.grey: Grey = np.asarray(cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY), np.uint8)
        self.frame, self.darkness = frame(self.image)
        self.width = odd(WIDTH * self.side)
        self._known = lesion

    @property
    def usable(self) -> Mask:
        """Outside the frame."""
        return ~self.frame

    @cached_property
    def half(self) -> Pixels:
        """At half the size: enough for colours."""
        return np.asarray(cv2.resize(self.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)

    @cached_property
    def lesion(self) -> Mask:
        """Where the lesion is, by its mask or by colour, a little widened."""
        if self._known is not None:
            size = (self.image.shape[1], self.image.shape[0])
            return cv2.resize(self._known.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
        widened = cv2.dilate(lesion_mask(self.half).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        return self.doubled((widened, 0.0))[0]

    @cached_property
    def around(self) -> Mask:
        """The lesion with its soft edge: what lies in it is the lesion, whatever its colour.

        Without a mask also what is dark in green: a vascular lesion absorbs green, and is hardly darker than skin in blue.
        """
        reach = odd(EDGE * self.side)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        mask = self.lesion
        if self._known is None:
            mask = mask | self.doubled((lesion_mask(self.half[..., [0, 2, 1]]), 0.0))[0]
        return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)

    @cached_property
    def half_usable(self) -> Mask:
        """Outside the frame, at half the size."""
        return self.halved(self.usable)

    def halved(self, mask: Mask) -> Mask:
        """A mask at half the size."""
        size = (self.half.shape[1], self.half.shape[0])
        return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)

    def doubled(self, detection: tuple[Mask, float]) -> tuple[Mask, float]:
        """What was found at half the size, at full size."""
        mask, score = detection
        size = (self.image.shape[1], self.image.shape[0])
        return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool), score

    def thin(self, *, bright: bool) -> Grey:
        """Thin structures outside the frame."""
        return np.where(self.frame, 0, thin_structures(self.grey, bright=bright, width=self.width)).astype(np.uint8)


def detect(image: Pixels, names: Sequence[str] = ARTEFACTS, lesion: Mask | None = None) -> dict[str, DetectedArtefact]:
    """Look for artefacts in an image by classical vision, without training.

    What is a ruler or sticker is no hair, and what is a sticker no ink.

    Parameters
    ----------
    image
        RGB uint8 [h, w, 3].
    names
        Of frame, hair, ruler, ink, sticker and bubble.
    lesion
        Mask of the lesion, bool [h, w], outside which rulers, ink and stickers are looked for; without it the lesion is found by
        its colour.

    Returns
    -------
    Of every artefact its mask, bool [h, w], and a score.

    Examples
    --------
    >>> image = np.full((64, 64, 3), 200, np.uint8)
    >>> image[:8] = image[-8:] = image[:, :8] = image[:, -8:] = 0
    >>> bool(detect(image, ["frame"])["frame"].mask[0, 0])
    True
    """
    view = ImageView(image, lesion)
    masks: dict[str, tuple[Mask, float]] = {"frame": (view.frame, view.darkness)}
    if set(names) - set(masks):
        masks |= _outside_frame(view)
    size = (image.shape[1], image.shape[0])
    return {name: DetectedArtefact(_enlarge(masks[name][0], size), masks[name][1]) for name in names}


def _outside_frame(view: ImageView) -> dict[str, tuple[Mask, float]]:
    """All but the frame."""
    dark, half_lesion = view.thin(bright=False), view.halved(view.around)
    masks = {
        "ruler": ruler(dark, view.usable & ~view.around),
        "sticker": view.doubled(sticker(view.half, view.half_usable, half_lesion)),
    }
    either = masks["ruler"][0] | masks["sticker"][0]
    other = cv2.dilate(either.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    masks["hair"] = hair(dark, view.thin(bright=True), view.usable & ~other, view.lesion)
    skin = view.half_usable & ~half_lesion & ~view.halved(masks["sticker"][0])
    masks["ink"] = view.doubled(ink(view.half, skin))
    masks["bubble"] = bubbles(view.image, view.grey, view.usable)
    return masks


def _enlarge(mask: Mask, size: tuple[int, int]) -> Mask:
    if mask.shape == (size[1], size[0]):
        return mask
    return cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR) > 127
