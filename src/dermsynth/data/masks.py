"""Masks from any tool: paint on nothing, palettes, two values of any depth, soft edges; never a guess between two meanings."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermsynth.errors import BadImage
from dermsynth.images import extremes, open_image, read_bytes, upright

Mask = NDArray[np.bool_]

EDGE = 0.06
"""Values within this share of the range from either end belong to that end where a mask has many: JPEG makes such from two."""
AREA = 0.001
"""Share of the image, less its rim of one pixel, from which pixels of one value are an area of their own, not a soft edge."""
END_SHARE = 0.15
"""Where fewer pixels lie at the ends of the range it looks like a photograph, not like a mask."""
FAINT = 8
FEW = 16
"""So many different values or colours are told apart exactly; more are noise of a lossy file, or a ramp."""
CHROMA = 30
"""A pixel whose channels differ by more is coloured, not grey."""
DOUBT = "mask like a photograph, cut in the middle of its values: check it"
LOSSY = ("JPEG", "MPO", "WEBP", "AVIF", "JPEG2000")


def read_mask(path: Path, *, value: int | None = None) -> Mask:
    """A mask as bool [h, w]; see `read_described_mask`."""
    return read_mask_with_notes(path, value=value)[0]


def read_mask_with_notes(
    path: Path, *, shape: tuple[int, ...] | None = None, value: int | None = None
) -> tuple[Mask, tuple[str, ...]]:
    """A mask as bool [h, w] (or `shape`, by the nearest pixel, where the aspect ratio is the same), and what was done.

    One colour painted on nothing: what is painted. Two values: the brighter. A soft mask, or one saved with loss: above
    the middle of its values. Paint on a grey ground: the paint. With `value` the pixels that hold it, whatever others
    mean (of a palette: its number).

    Raises BadImage for an index mask of several values without `value`, or another shape.
    """
    data, name = read_bytes(path), str(path)
    with open_image(data, name) as image:
        mask, note = _interpret(upright(image), value, name, lossy=image.format in LOSSY)
    notes = [note] if note else []
    if shape is not None and mask.shape != tuple(shape[:2]):
        notes.append(f"mask of {mask.shape[1]} x {mask.shape[0]} pixels brought to {shape[1]} x {shape[0]}")
        mask = _resize(mask, shape[0], shape[1], name)
    return mask, tuple(notes)


def _resize(mask: Mask, height: int, width: int, name: str) -> Mask:
    """The mask in another size by its nearest pixels.

    Raises BadImage when its sides are not in the same ratio, up to a pixel.
    """
    rows, columns = mask.shape
    scale = max(height / rows, width / columns)
    if abs(rows * width - columns * height) > max(rows, columns, height, width) * max(1.0, 1 / scale):
        raise BadImage(f"{name}: {columns} x {rows} pixels, its image has {width} x {height}")
    resized = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized, dtype=bool)


def _interpret(image: Image.Image, value: int | None, name: str, *, lossy: bool) -> tuple[Mask, str]:
    if value is not None:
        return _of_value(image, value, name), f"pixels of value {value}"
    alpha = _alpha(image, name)
    if alpha is not None:
        return _of_plane(alpha, name, lossy=False)[0], "what is painted on a transparent ground"
    if image.mode == "P":
        numbers = np.asarray(image)
        _refuse_areas(numbers, name, lossy=lossy)
        if len({tuple(colour) for colour in _rgb(image)[np.unique(numbers, return_index=True)[1]]}) == 1:
            return _of_plane(numbers, name, lossy=lossy)
    return _of_plane(_plane(image, name, lossy), name, lossy=lossy)


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """The colours of all pixels [n, 3], row by row."""
    return np.asarray(image.convert("RGB")).reshape(-1, 3)


def _of_value(image: Image.Image, value: int, name: str) -> Mask:
    """The pixels of one number; of a palette its numbers, or its greys.

    Raises BadImage for a mask of colours, or one that holds other numbers only.
    """
    if image.mode not in ("P", "L", "1", "I", "I;16", "I;16B", "F"):
        raise BadImage(f"{name}: has colours, not numbers; value {value} cannot be looked for in it")
    numbers = np.asarray(image).astype(float)
    readings = [numbers, numbers * 255 if image.mode == "1" else np.asarray(image.convert("L"), float)]
    reading = next((plane for plane in readings if (plane == value).any()), numbers)
    if numbers.any() and not (reading == value).any():
        values = ", ".join(f"{v:g}" for v in np.unique(numbers)[:6])
        raise BadImage(f"{name}: value {value} does not occur in it (it holds {values})")
    return np.asarray(reading == value)


def _alpha(image: Image.Image, name: str) -> NDArray[np.uint8] | None:
    """The transparency where one colour is painted on nothing; None where it is the same everywhere.

    Raises BadImage where both transparency and colours say something.
    """
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return None
    pixels = np.asarray(image.convert("RGBA"))
    alpha = pixels[..., 3]
    if np.ptp(alpha) == 0:
        return None
    colours = pixels[alpha > (int(alpha.min()) + int(alpha.max())) / 2][:, :3].astype(int)
    if len(colours) and np.abs(colours - np.median(colours, axis=0)).max() > 24:
        raise BadImage(
            f"{name}: transparency and colours both mark something; save a mask of two values without transparency"
        )
    return np.asarray(alpha)


def _plane(image: Image.Image, name: str, lossy: bool) -> NDArray[Any]:
    """One number a pixel: its value, or how coloured it is where paint lies on a grey ground.

    Raises BadImage where several colours are areas of their own, or no ground is grey.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return np.asarray(image, dtype=np.float64)
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))
    rgb = np.asarray(image.convert("RGB"))
    least, largest = extremes(rgb)
    chroma = largest - least
    if (chroma > CHROMA).mean() < AREA:
        return largest
    _refuse_areas(rgb.astype(np.int64) @ np.array([65536, 256, 1]), name, lossy=lossy)
    if (chroma <= CHROMA).mean() < AREA:
        raise BadImage(f"{name}: colours everywhere: which is the lesion? Save a mask of two values, 0 and 255")
    return chroma


def _areas(codes: NDArray[Any]) -> list[Any]:
    """Which of a few different codes fill an area, not only an edge."""
    around, least = np.ones((3, 3), np.uint8), max(1.0, AREA * codes.size)

    def filled(code: Any) -> int:
        return int(cv2.erode((codes == code).astype(np.uint8), around, borderType=cv2.BORDER_REPLICATE).sum())

    return [code for code in np.unique(codes).tolist() if filled(code) > least]


def _refuse_areas(codes: NDArray[Any], name: str, *, lossy: bool) -> None:
    """Raise BadImage where more than two of a few codes are areas, or others lie beyond the two that are."""
    values = np.unique(codes)
    if lossy or not 2 < len(values) <= FEW:
        return
    areas = _areas(codes)
    beyond = len(areas) == 2 and (values[0] < areas[0] or values[-1] > areas[1]) and codes.max() <= 65535
    if len(areas) > 2 or beyond:
        raise _index_mask(name, (values if beyond else areas)[:6])


def _index_mask(name: str, values: Iterable[float]) -> BadImage:
    """What is said of a mask of several values, each of its own meaning."""
    texts = ", ".join(f"{value:g}" if value <= 65535 else f"colour #{int(value):06x}" for value in values)
    return BadImage(
        f"{name}: an index mask (values {texts}, each of its own meaning): which is the lesion? "
        "Name its value (`mask_value`), or save a mask of two values"
    )


def _of_plane(values: NDArray[Any], name: str, *, lossy: bool) -> tuple[Mask, str]:
    """The larger of two values, or what lies above the middle between least and largest, and a doubt in words."""
    if not np.isfinite(values).all():
        raise BadImage(f"{name}: holds values that are no numbers")
    top, least = float(values.max()), float(values.min())
    levels = len(np.unique(values))
    if levels <= 2:
        return (np.asarray(values == top), "") if levels == 2 else (np.full(values.shape, top > 0), "")
    if lossy and top <= FAINT:
        raise BadImage(
            f"{name}: values 0 to {top:g} of a lossy file are too faint to tell a mask from noise; save it as PNG, 0 and 255"
        )
    _refuse_areas(values, name, lossy=lossy)
    share = (values - least) / (top - least)
    middle = (share > EDGE) & (share < 1 - EDGE)
    _refuse_plateau(values, middle, name)
    doubt = middle.mean() > 1 - END_SHARE
    return np.asarray(values > (top + least) / 2), DOUBT if doubt else ""


def _refuse_plateau(values: NDArray[Any], middle: Mask, name: str) -> None:
    """Raise BadImage where one value between the ends fills an area: an index mask that was saved with loss or soft edges."""
    plane, around = values.astype(np.float32), np.ones((3, 3), np.uint8)
    flat = middle & (cv2.erode(plane, around) == cv2.dilate(plane, around))
    numbers, counts = np.unique(values[flat], return_counts=True)
    if len(counts) and counts.max() > max(1, AREA * values.size):
        raise _index_mask(name, sorted({float(values.min()), float(numbers[counts.argmax()]), float(values.max())}))
