"""Take artefacts off an image: cut the frame away or fill it, fill hair, rulers, ink and stickers; the lesion stays as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from dermsynth.artefacts.detection import Found, detect
from dermsynth.artefacts.fill import Method, filled
from dermsynth.images import Pixels
from dermsynth.segmentation.lesion import lesion_mask

Mask = NDArray[np.bool_]
Box = tuple[slice, slice]
LOOKED_AT = 160
"""Larger masks are looked at with their smaller side reduced to this, every block dirty that holds a dirty pixel."""


def largest_clean(dirty: Mask, *, square: bool) -> Box | None:
    """Rows and columns of the largest axis-parallel rectangle, or square, without a dirty pixel; None where there is none."""
    block = max(1, -(-min(dirty.shape) // LOOKED_AT))
    height, width = (side // block for side in dirty.shape)
    blocks = dirty[: height * block, : width * block].reshape(height, block, width, block).any(axis=(1, 3))
    best, found = 0, None
    above = np.vstack([np.zeros((1, width), np.int64), np.cumsum(blocks, axis=0)])
    for rows in range(1, height + 1):
        clean = above[rows:] == above[:-rows]
        run = _runs(clean)
        run = np.where(run >= rows, rows, 0) if square else run
        place = int(run.argmax())
        area = rows * int(run.flat[place])
        if area > best:
            top, end = divmod(place, width)
            best, found = area, (top, top + rows, end + 1 - int(run.flat[place]), end + 1)
    if found is None:
        return None
    return slice(found[0] * block, found[1] * block), slice(found[2] * block, found[3] * block)


def _runs(clean: Mask) -> NDArray[np.int64]:
    """How many clean places end at every place of a row."""
    places = np.arange(1, clean.shape[1] + 1)
    last_dirty = np.maximum.accumulate(np.where(clean, 0, places), axis=1)
    found: NDArray[np.int64] = places - last_dirty
    return found


Cut = Literal["crop", "crop-square"]
CUTS: tuple[Cut, ...] = get_args(Cut)
LINES = ("hair", "ruler")
"""What may be filled within the lesion too."""
REMOVED = ("frame", "hair", "ruler", "ink", "sticker", "bubble")
MARGIN = {"frame": 0.01, "hair": 0.006, "ruler": 0.006, "ink": 0.012, "sticker": 0.02, "bubble": 0.008}
"""By how much masks are widened before they are filled, in shares of the smaller side: rims are soft."""
SMALLEST_CROP = 0.2
"""Least share of either side that a cut must leave."""


@dataclass(frozen=True)
class Removal:
    """How each artefact is removed (those not named stay), and whether lines inside the lesion are filled too."""

    methods: Mapping[str, Method | Cut]
    inside_lesion: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Cleaned:
    """An image after removal, what of the old one it shows, what was filled, and how much of the lesion was lost, 0 to 1.

    `left` says of every artefact that was filled how many pixels of it were found before, and how many are found afterwards
    outside and inside the protected lesion.
    """

    image: Pixels
    box: tuple[slice, slice]
    filled: Mask
    lesion_lost: float
    scores: dict[str, float] = field(default_factory=dict)
    left: dict[str, tuple[int, int, int]] = field(default_factory=dict)


def cleaned(image: Pixels, lesion: Mask | None, removal: Removal, found: Mapping[str, Found] | None = None) -> Cleaned:
    """RGB uint8 [h, w, 3] without the artefacts; `lesion`, bool [h, w], is protected, but for lines if that is wanted.

    `found` are masks where they are known; else they are detected.

    Raises ValueError where nothing clean is left to cut out, or to fill from, or where the lesion covers all of the image.
    """
    if lesion is not None and lesion.all():
        raise ValueError("the lesion mask covers the whole image: everything is protected")
    found = found or detect(image, tuple(removal.methods), lesion)
    box = _box(image, removal, found)
    known, result = None if lesion is None else lesion[box], image[box]
    skin = ~(lesion_mask(result) if known is None else known)
    for one in found.values():
        skin &= ~one.mask[box]
    changed = np.zeros(result.shape[:2], bool)
    for name, method in removal.methods.items():
        if method in CUTS:
            continue
        hole = _widened(found[name].mask[box], MARGIN[name])
        if known is not None and not (removal.inside_lesion and name in LINES):
            hole &= ~known
        result = filled(result, hole, method, skin, removal.seed)  # type: ignore[arg-type]
        changed |= hole
    lost = 0.0 if lesion is None or not lesion.any() else 1 - float(lesion[box].sum() / lesion.sum())
    scores = {name: one.score for name, one in found.items()}
    return Cleaned(
        result, box, changed, lost, scores, _left(result, known, removal, {n: found[n].mask[box] for n in found})
    )


def _left(
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


def _box(image: Pixels, removal: Removal, found: Mapping[str, Found]) -> tuple[slice, slice]:
    """What is left of the image where frames are cut away."""
    method = removal.methods.get("frame")
    if method in CUTS and found["frame"].mask.any():
        return _cut(found["frame"].mask, square=method == "crop-square")
    return slice(0, image.shape[0]), slice(0, image.shape[1])


def _cut(frame: Mask, *, square: bool) -> tuple[slice, slice]:
    box = largest_clean(frame, square=square)
    if box is None or min((s.stop - s.start) / n for s, n in zip(box, frame.shape, strict=True)) < SMALLEST_CROP:
        raise ValueError("the frame leaves no rectangle of a fifth of the image's sides")
    return box


def _widened(mask: Mask, share: float) -> Mask:
    reach = 2 * max(1, round(share * min(mask.shape))) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)
