"""Masks from any tool: paint on nothing, palettes, two values of any depth, soft edges; never a guess between two meanings."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermsynth.errors import BadImage
from dermsynth.images import open_image, read_bytes, upright

Mask = NDArray[np.bool_]

EDGE = 0.06
"""Values within this share of the range from either end belong to that end: JPEG makes such from two values."""
FLAT_SHARE = 0.004
"""A region of one middle value that is larger is something of its own, not a soft edge."""
END_SHARE = 0.15
"""Where fewer pixels lie at the ends of the range it looks like a photograph, not like a mask."""
FAINT = 8
COLOURS = 16
DOUBT = "mask like a photograph, cut at half of its largest value: check it"


def read_mask(path: Path, *, value: int | None = None) -> Mask:
    """A mask as bool [h, w]; see `read_described_mask`."""
    return read_described_mask(path, value=value)[0]


def read_described_mask(
    path: Path, *, shape: tuple[int, ...] | None = None, value: int | None = None
) -> tuple[Mask, tuple[str, ...]]:
    """A mask as bool [h, w] (or `shape`, by the nearest pixel, where the aspect ratio is the same), and what was done.

    One colour painted on nothing: what is painted. Two values: the brighter. A soft mask, or one saved as JPEG: above
    half of its largest value. With `value` the pixels that hold it, whatever others mean (of a palette: its number).

    Raises BadImage for an index mask of several values without `value`, or another shape.
    """
    data, name = read_bytes(path), str(path)
    with open_image(data, name) as image:
        mask, note = _understood(upright(image), value, name, lossy=image.format in ("JPEG", "MPO"))
    notes = [note] if note else []
    if shape is not None and mask.shape != tuple(shape[:2]):
        notes.append(f"mask of {mask.shape[1]} x {mask.shape[0]} pixels brought to {shape[1]} x {shape[0]}")
        mask = _resized(mask, shape[0], shape[1], name)
    return mask, tuple(notes)


def _resized(mask: Mask, height: int, width: int, name: str) -> Mask:
    """The mask in another size by its nearest pixels.

    Raises BadImage when its sides are not in the same ratio, up to a pixel.
    """
    rows, columns = mask.shape
    scale = max(height / rows, width / columns)
    if abs(rows * width - columns * height) > max(rows, columns, height, width) * max(1.0, 1 / scale):
        raise BadImage(f"{name}: {columns} x {rows} pixels, its image has {width} x {height}")
    resized = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized, dtype=bool)


def _understood(image: Image.Image, value: int | None, name: str, *, lossy: bool) -> tuple[Mask, str]:
    if value is not None:
        if image.mode not in ("P", "L", "1", "I", "I;16", "I;16B", "F"):
            raise BadImage(f"{name}: has colours, not numbers; value {value} cannot be looked for in it")
        return np.asarray(np.asarray(image) == value), f"pixels of value {value}"
    painted = _painted(image, name)
    if painted is not None:
        return painted, "what is painted on a transparent ground"
    values, classes = _values(image)
    if classes > 2:
        raise BadImage(f"{name}: {classes} different values or colours, each an area of its own: which is the lesion? "
                       "Name its value, or save a mask of two values")  # fmt: skip
    return _of_values(values, name, lossy=lossy)


def _painted(image: Image.Image, name: str) -> Mask | None:
    """The mask in the alpha channel where one colour is painted on nothing; None where nothing is transparent.

    Raises BadImage where both transparency and colours say something.
    """
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return None
    pixels = np.asarray(image.convert("RGBA"))
    alpha, opaque = pixels[..., 3], pixels[..., 3] > 127
    if opaque.all():
        return None
    colours = pixels[opaque][:, :3].astype(int)
    if len(colours) and np.abs(colours - np.median(colours, axis=0)).max() > 24:
        raise BadImage(
            f"{name}: transparency and colours both mark something; save a mask of two values without transparency"
        )
    return np.asarray(alpha > 127)


def _values(image: Image.Image) -> tuple[NDArray[Any], int]:
    """One number a pixel, and how many areas of different colours there are (0: not a picture of few plain colours)."""
    if image.mode.startswith("I") or image.mode == "F":
        return np.asarray(image, dtype=np.float64), 0
    rgb = np.asarray(image.convert("RGB"))
    brightest = np.asarray(rgb.max(axis=2))
    if (rgb == rgb[..., :1]).all():
        return brightest, 0
    codes = rgb.astype(np.int64) @ np.array([65536, 256, 1])
    colours = np.unique(codes)
    if (
        len(colours) == 2 and len(np.unique(brightest)) == 1
    ):  # two colours of one brightness: by their numbers or their sum
        numbers = np.asarray(image) if image.mode == "P" else rgb.sum(axis=2)
        return np.asarray(numbers, dtype=np.float64), 2
    return brightest, sum(_is_area(codes == c) for c in colours) if len(colours) <= COLOURS else 0


def _is_area(where: Mask) -> bool:
    """Whether pixels fill an area, not only an edge."""
    inner = cv2.erode(where.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return int(inner.sum()) > max(1, FLAT_SHARE * where.size / 4)


def _of_values(values: NDArray[Any], name: str, *, lossy: bool) -> tuple[Mask, str]:
    """The brighter of two values, or what lies above half of the largest, and a doubt in words."""
    if not np.isfinite(values).all():
        raise BadImage(f"{name}: holds values that are no numbers")
    top, least = float(values.max()), float(values.min())
    levels = np.unique(values)
    if len(levels) == 1:
        return np.full(values.shape, top > 0), ""
    if len(levels) == 2:
        return np.asarray(values == top), ""
    if lossy and top <= FAINT:
        raise BadImage(
            f"{name}: values 0 to {top:g} of a JPEG are too faint to tell a mask from noise; save it as PNG with 0 and 255"
        )
    share = (values - least) / (top - least)
    middle = (share > EDGE) & (share < 1 - EDGE)
    _refuse_several(values, middle, name)
    doubt = middle.mean() > 1 - END_SHARE
    mask = np.asarray(values > top // 2 if top > 1 else values > top / 2)
    return mask, DOUBT if doubt else ""


def _refuse_several(values: NDArray[Any], middle: Mask, name: str) -> None:
    """Raise BadImage where one value between the ends fills an area: an index mask, not a soft edge."""
    plane, around = values.astype(np.float32), np.ones((3, 3), np.uint8)
    flat = middle & (cv2.erode(plane, around) == cv2.dilate(plane, around))
    numbers, counts = np.unique(values[flat], return_counts=True)
    if len(counts) and counts.max() > max(1, FLAT_SHARE * values.size / 4):
        shown = ", ".join(
            f"{v:g}"
            for v in sorted({float(values.min()), *numbers[counts.argsort()[-3:]].tolist(), float(values.max())})
        )
        raise BadImage(f"{name}: an index mask (values {shown}, each an area of its own): which is the lesion? "
                       "Name its value, or save a mask of two values")  # fmt: skip
