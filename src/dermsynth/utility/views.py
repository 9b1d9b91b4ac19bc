"""Views of an image that hide a part of it: does a classifier still see the label without the lesion?

After Bissoto et al. 2019, "(De)Constructing Bias on Skin Lesion Datasets": what is left of an image when the lesion, or its
surroundings, or its fine or coarse structure is taken away, and how well a classifier that is trained on that still does.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.data.cache import Decoding, decode_images
from dermsynth.data.dataset import DataSet
from dermsynth.data.file_names import path_inside
from dermsynth.data.masks import read_mask
from dermsynth.errors import UserError
from dermsynth.images import fit
from dermsynth.parallel import parallel_map

View = Literal["whole", "lesion", "background", "box", "low-pass", "high-pass"]
VIEWS: tuple[View, ...] = get_args(View)
MASKED: tuple[View, ...] = ("lesion", "background", "box")
"""Views that need lesion masks."""
MARGIN, SIGMA = 0.05, 0.04
"""Width by which a hidden lesion is grown, and deviation of the Gaussian, in shares of the shorter side."""
GREY, CHUNK = 128, 32
TEXTS: dict[View, str] = {
    "whole": "whole images",
    "lesion": "the lesion alone: everything outside its mask has the mean colour of the real training images",
    "background": f"everything but the lesion: its mask, grown by {MARGIN:.0%} of the shorter side, has the mean colour of the "
    "real training images; the shape of the mask can still be seen",
    "box": f"everything but the rectangle around the lesion, grown by {MARGIN:.0%} of the shorter side, which has the mean "
    "colour of the real training images",
    "low-pass": f"coarse structure alone: a Gaussian of {SIGMA:.0%} of the shorter side",
    "high-pass": f"fine structure alone: the image minus its Gaussian of {SIGMA:.0%} of the shorter side, on grey",
}
Images = NDArray[np.uint8]
Masks = NDArray[np.bool_]


def see(images: Images, view: View, masks: Masks | None = None, fill: NDArray[np.uint8] | None = None) -> Images:
    """Images as a classifier sees them in a view.

    Parameters
    ----------
    images
        uint8 [n, 3, h, w].
    view
        `whole`, `lesion`, `background`, `box`, `low-pass` or `high-pass`.
    masks
        Of the lesions, [n, h, w]; for the views that need them.
    fill
        Colour of what is hidden, uint8 [3].

    Examples
    --------
    >>> images = np.full((1, 3, 8, 8), 200, np.uint8)
    >>> masks = np.zeros((1, 8, 8), bool)
    >>> masks[:, 2:6, 2:6] = True
    >>> see(images, "lesion", masks, np.array([9, 9, 9], np.uint8))[0, 0, 0].tolist()
    [9, 9, 9, 9, 9, 9, 9, 9]
    """
    if view == "whole":
        return images
    if view in ("low-pass", "high-pass"):
        return np.stack([_filtered(image, view == "high-pass") for image in images]) if len(images) else images
    if masks is None or fill is None:
        raise ValueError(f"the view {view!r} needs masks and a colour")
    hidden = ~masks if view == "lesion" else np.stack([_grown(mask, box=view == "box") for mask in masks])
    return np.where(hidden[:, None], fill[None, :, None, None], images).astype(np.uint8)


def _filtered(image: Images, high: bool) -> Images:
    """One image [3, h, w] without its fine structure, or with nothing else."""
    pixels = image.transpose(1, 2, 0)
    smooth = cv2.GaussianBlur(pixels, (0, 0), SIGMA * min(pixels.shape[:2]), borderType=cv2.BORDER_REFLECT)
    if high:
        smooth = np.clip(pixels.astype(np.int16) - smooth + GREY, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(smooth.transpose(2, 0, 1))


def _grown(mask: Masks, *, box: bool) -> Masks:
    """A mask [h, w], or the rectangle around it, grown by the margin."""
    reach = max(1, round(MARGIN * min(mask.shape)))
    if box:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        grown = np.zeros_like(mask)
        grown[max(rows[0] - reach, 0) : rows[-1] + reach + 1, max(columns[0] - reach, 0) : columns[-1] + reach + 1] = (
            True
        )
        return grown
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)


def lesion_masks(rows: DataSet, decoding: Decoding, view: View) -> Masks:
    """The lesion masks of a set at one size, [n, h, w].

    Raises UserError where an image has none, or an empty one.
    """
    names = [str(name) for name in rows.table.get("mask_file_name", [""] * len(rows))]
    read = partial(_read, rows.folder, decoding)
    masks = parallel_map(read, names, label=f"masks of {rows.folder.name}", chunk=CHUNK)
    missing = sum(not mask.any() for mask in masks)
    if missing:
        raise UserError(
            f"`view` {view}: {missing} of {len(rows)} images of {rows.folder} have no lesion mask; all need one, or choose "
            "`view` low-pass or high-pass"
        )
    return np.stack(masks)


def has_masks(rows: DataSet) -> bool:
    """Whether any image of a set has a lesion mask."""
    return "mask_file_name" in rows.table and bool((rows.table["mask_file_name"] != "").any())


def _read(folder: Path, decoding: Decoding, name: str) -> Masks:
    if not name:
        return np.zeros((decoding.height, decoding.width), bool)
    pixels = np.repeat(read_mask(path_inside(folder, name))[..., None] * np.uint8(255), 3, axis=2)
    return np.asarray(fit(pixels, decoding.height, decoding.width, decoding.crop, "area")[..., 0] > 127, bool)


@dataclass(frozen=True)
class Look:
    """How images become what classifiers see: one size, and one view for every arm and test set.

    Attributes
    ----------
    decoding
        The size.
    view
        What is hidden.
    fill
        Colour of what is hidden.
    """

    decoding: Decoding
    view: View = "whole"
    fill: tuple[int, int, int] = (GREY, GREY, GREY)

    def images(self, rows: DataSet) -> Images:
        """The images of a set as classifiers see them, uint8 [n, 3, h, w]."""
        whole = np.asarray(decode_images(rows, self.decoding))
        masks = lesion_masks(rows, self.decoding, self.view) if self.view in MASKED else None
        return see(whole, self.view, masks, np.array(self.fill, np.uint8))


def look_of(view: View, decoding: Decoding, training: DataSet) -> Look:
    """The look of an experiment; what is hidden has the mean colour of the training images, the same in all images."""
    if view not in MASKED:
        return Look(decoding, view)
    mean = np.asarray(decode_images(training, decoding)).mean(axis=(0, 2, 3))
    red, green, blue = (int(value) for value in mean.round())
    return Look(decoding, view, (red, green, blue))
