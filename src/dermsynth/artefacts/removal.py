"""Take artefacts off an image: cut the frame away or fill it, fill hair, rulers, ink and stickers; the lesion stays as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.artefacts.detection import DetectedArtefact, detect
from dermsynth.artefacts.fill import METHODS, Method, fill_hole
from dermsynth.errors import UserError
from dermsynth.images import Pixels
from dermsynth.segmentation.lesion import lesion_mask

Mask = NDArray[np.bool_]
Box = tuple[slice, slice]
WORKING_SIDE = 160
"""Larger masks are looked at with their smaller side reduced to this, every block dirty that holds a dirty pixel."""


def largest_clean(dirty: Mask, *, square: bool) -> Box | None:
    """Rows and columns of the largest axis-parallel rectangle, or square, without a dirty pixel; None where there is none."""
    block = max(1, -(-min(dirty.shape) // WORKING_SIDE))
    height, width = (side // block for side in dirty.shape)
    blocks = dirty[: height * block, : width * block].reshape(height, block, width, block).any(axis=(1, 3))
    best, rectangle = 0, None
    above = np.vstack([np.zeros((1, width), np.int64), np.cumsum(blocks, axis=0)])
    for rows in range(1, height + 1):
        clean = above[rows:] == above[:-rows]
        run = _runs(clean)
        run = np.where(run >= rows, rows, 0) if square else run
        place = int(run.argmax())
        area = rows * int(run.flat[place])
        if area > best:
            top, end = divmod(place, width)
            best, rectangle = area, (top, top + rows, end + 1 - int(run.flat[place]), end + 1)
    if rectangle is None:
        return None
    return slice(rectangle[0] * block, rectangle[1] * block), slice(rectangle[2] * block, rectangle[3] * block)


def _runs(clean: Mask) -> NDArray[np.int64]:
    """How many clean places end at every place of a row."""
    places = np.arange(1, clean.shape[1] + 1)
    last_dirty = np.maximum.accumulate(np.where(clean, 0, places), axis=1)
    lengths: NDArray[np.int64] = places - last_dirty
    return lengths


Cut = Literal["crop", "crop-square"]
CUTS: tuple[Cut, ...] = get_args(Cut)
LINES = ("hair", "ruler")
"""What may be filled within the lesion too."""
REMOVED = ("frame", "hair", "ruler", "ink", "sticker", "bubble")
MARGIN = {"frame": 0.01, "hair": 0.006, "ruler": 0.006, "ink": 0.012, "sticker": 0.02, "bubble": 0.008}
"""By how much masks are widened before they are filled, in shares of the smaller side: rims are soft."""
FRAME_METHODS: tuple[Method | Cut, ...] = (*METHODS, *CUTS)
SMALLEST_CROP = 0.2
"""Least share of either side that a cut must leave."""


@dataclass(frozen=True)
class Removal:
    """How each artefact is removed (those not named stay), and whether lines inside the lesion are filled too."""

    methods: Mapping[str, Method | Cut]
    inside_lesion: bool = False
    seed: int = 0


def check_methods(methods: Mapping[str, str]) -> None:
    """Raise UserError unless every method is one by which its artefact can be removed: frames alone can be cut away."""
    if not methods:
        raise UserError("`methods`: nothing to remove; say how, for example frames by crop and hair by telea")
    for artefact, method in methods.items():
        if artefact not in REMOVED:
            raise UserError(f"`methods`: no artefact {artefact!r}; there are: {', '.join(REMOVED)}")
        possible = FRAME_METHODS if artefact == "frame" else METHODS
        if method not in possible:
            raise UserError(
                f"`methods`: {artefact} cannot be removed by {method!r}; possible are: {', '.join(possible)}"
            )


@dataclass(frozen=True)
class RemovalResult:
    """An image after removal, what of the old one it shows, what was filled, and how much of the lesion was lost, 0 to 1.

    `remaining_pixels` says of every artefact that was filled how many pixels of it were found before, and how many are found
    afterwards outside and inside the protected lesion.
    """

    image: Pixels
    box: Box
    filled: Mask
    lesion_lost: float
    scores: dict[str, float] = field(default_factory=dict)
    remaining_pixels: dict[str, tuple[int, int, int]] = field(default_factory=dict)


def remove_artefacts(
    image: Pixels, lesion: Mask | None, removal: Removal, detected: Mapping[str, DetectedArtefact] | None = None
) -> RemovalResult:
    """Take artefacts off an image.

    Parameters
    ----------
    image
        RGB uint8 [h, w, 3].
    lesion
        Mask of the lesion, bool [h, w], which is protected, but for lines if that is wanted; None where it is not known.
    removal
        Which artefacts are removed, and how.
    found
        Their masks where they are known; else they are detected.

    Raises
    ------
    ValueError
        Where nothing clean is left to cut out, or to fill from, or where the lesion covers all of the image.

    Examples
    --------
    >>> image = np.full((32, 32, 3), 200, np.uint8)
    >>> image[:, 15:17] = 20
    >>> line = np.zeros((32, 32), bool)
    >>> line[:, 15:17] = True
    >>> result = remove_artefacts(image, None, Removal({"hair": "telea"}), {"hair": DetectedArtefact(line, 1.0)})
    >>> bool(result.image.min() > 190)
    True
    """
    if lesion is not None and lesion.all():
        raise ValueError("the lesion mask covers the whole image: everything is protected")
    detected = detected or detect(image, tuple(removal.methods), lesion)
    box = _box(image, removal, detected)
    protected, cut = None if lesion is None else lesion[box], image[box]
    masks = {name: artefact.mask[box] for name, artefact in detected.items()}
    result, changed = _fill_holes(cut, protected, removal, masks)
    scores = {name: artefact.score for name, artefact in detected.items()}
    remaining = _remaining_pixels(result, protected, removal, masks)
    return RemovalResult(result, box, changed, _lost_share(lesion, box), scores, remaining)


def _fill_holes(
    image: Pixels, protected: Mask | None, removal: Removal, masks: Mapping[str, Mask]
) -> tuple[Pixels, Mask]:
    """The image with every artefact filled that is not cut away, and what was filled."""
    skin = ~(lesion_mask(image) if protected is None else protected)
    for mask in masks.values():
        skin &= ~mask
    changed = np.zeros(image.shape[:2], bool)
    for name, method in removal.methods.items():
        if method not in CUTS:
            hole = _widen(masks[name], MARGIN[name])
            if protected is not None and not (removal.inside_lesion and name in LINES):
                hole &= ~protected
            image = fill_hole(image, hole, method, skin, removal.seed)  # type: ignore[arg-type]
            changed |= hole
    return image, changed


def _lost_share(lesion: Mask | None, box: Box) -> float:
    """Share of the lesion outside what is left of the image, 0 to 1."""
    return 0.0 if lesion is None or not lesion.any() else 1 - float(lesion[box].sum() / lesion.sum())


def _remaining_pixels(
    result: Pixels, lesion: Mask | None, removal: Removal, before: Mapping[str, Mask]
) -> dict[str, tuple[int, int, int]]:
    """Of every artefact that was filled: pixels found before, and found again outside and inside the lesion."""
    names = tuple(name for name, method in removal.methods.items() if method not in CUTS and before[name].any())
    if not names:
        return {}
    again = detect(result, names, lesion)
    inner = np.zeros(result.shape[:2], bool) if lesion is None else lesion
    return {
        name: (int(before[name].sum()), int((again[name].mask & ~inner).sum()), int((again[name].mask & inner).sum()))
        for name in names
    }


def _box(image: Pixels, removal: Removal, detected: Mapping[str, DetectedArtefact]) -> Box:
    """What is left of the image where frames are cut away."""
    method = removal.methods.get("frame")
    if method in CUTS and detected["frame"].mask.any():
        return _cut(detected["frame"].mask, square=method == "crop-square")
    return slice(0, image.shape[0]), slice(0, image.shape[1])


def _cut(frame: Mask, *, square: bool) -> Box:
    box = largest_clean(frame, square=square)
    if box is None or min((s.stop - s.start) / n for s, n in zip(box, frame.shape, strict=True)) < SMALLEST_CROP:
        raise ValueError("the frame leaves no rectangle of a fifth of the image's sides")
    return box


def _widen(mask: Mask, share: float) -> Mask:
    reach = 2 * max(1, round(share * min(mask.shape))) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)
