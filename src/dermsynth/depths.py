"""Values of more than 8 bits as grey levels: what a file says of its depth decides, never how bright it happens to be."""

import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermsynth.errors import BadImage

AMBIGUOUS_BELOW = 2**14
"""A 16-bit image whose values all lie below may hold 12 or 14 bits, or be dark: it is refused unless it says which."""
MAX_SAMPLE_VALUE = 281
BITS_PER_SAMPLE = 258
PLANAR_CONFIGURATION, SEPARATE_PLANES = 284, 2
"""Pillow and OpenCV read such colours of 16 bits as other ones, without a word."""


def is_deep(image: Image.Image) -> bool:
    """Whether a decoded image has one channel of more than 8 bits."""
    return image.mode.startswith("I") or image.mode == "F"


def stored_bits(image: Image.Image, data: bytes) -> int:
    """Bits of a sample as stored in a PNG or TIFF file; 8 for other formats."""
    if image.format == "PNG" and len(data) > 24:
        return data[24]
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, 8)
    return int(bits[0] if isinstance(bits, tuple) else bits)


def largest_stored_value(image: Image.Image, data: bytes) -> int:
    """What the file says is the largest value that can occur (PNG's sBIT, TIFF's MaxSampleValue); 0 where it says nothing."""
    if image.format == "PNG":
        at = data.find(b"sBIT", 8, data.find(b"IDAT"))
        return (1 << data[at + 4]) - 1 if at > 0 else 0
    value = getattr(image, "tag_v2", {}).get(MAX_SAMPLE_VALUE, 0)
    return int(max(value) if isinstance(value, tuple) else value)


def deep_levels(values: NDArray[Any], image: Image.Image, data: bytes, name: str) -> tuple[NDArray[np.uint8], str]:
    """Grey levels [h, w] of the values of an image file with one deep channel, and what was understood.

    Raises BadImage where the file does not say what its values mean.
    """
    if image.mode == "F":
        return float_levels(values, name)
    if values.min() < 0:
        raise BadImage(f"{name}: values from {values.min()}; negative numbers are no grey levels, save it with 8 bits")
    if image.mode == "I" and stored_bits(image, data) > 16 and values.max() <= 255:
        return values.astype(np.uint8), "values of 32 bits taken for 0 to 255"
    return whole_levels(values, largest_stored_value(image, data), name)


def whole_levels(values: NDArray[Any], largest: int, name: str) -> tuple[NDArray[np.uint8], str]:
    """16-bit values as grey levels, `largest` (0: not known) as white."""
    top = int(values.max())
    if top > 65535:
        raise BadImage(f"{name}: values up to {top:,}; what is white is not known, save it with 8 or 16 bits")
    if not max(top, 1) <= largest <= 65535:
        largest = 65535
        if 0 < top < AMBIGUOUS_BELOW:
            raise BadImage(
                f"{name}: 16 bits, but no value above {top:,}: 12-bit data, or a dark image? Save it with 8 bits, or "
                "say its depth in the file (PNG sBIT, TIFF MaxSampleValue)"
            )
    note = "" if largest == 65535 else f"values up to {largest:,} made 0 to 255"
    return np.rint(values * (255.0 / largest)).astype(np.uint8), note


def float_levels(values: NDArray[Any], name: str) -> tuple[NDArray[np.uint8], str]:
    """Floating-point values as grey levels: 0 to 1, or 0 to 255 where some exceed 1."""
    top = float(values.max())
    if not np.isfinite(values).all() or values.min() < 0 or top > 255 or 1 < top < 2:
        raise BadImage(
            f"{name}: floating-point values from {values.min():g} to {top:g}; save it as 0 to 1, or with 8 bits"
        )
    scale, what = (255.0, "0 to 1") if top <= 1 else (1.0, "0 to 255")
    return np.rint(values * scale).astype(np.uint8), f"floating-point values taken for {what}"


def deep_colours(image: Image.Image, data: bytes, name: str) -> tuple[Image.Image, str]:
    """The image of a file of 16 bits a channel, of which it holds the upper half, by the rule of `whole_levels`.

    Raises BadImage for colours in separate planes.
    """
    if image.format not in ("PNG", "TIFF") or image.mode not in ("RGB", "RGBA") or stored_bits(image, data) != 16:
        return image, ""
    if getattr(image, "tag_v2", {}).get(PLANAR_CONFIGURATION) == SEPARATE_PLANES:
        raise BadImage(f"{name}: 16 bits a colour in separate planes cannot be read; save it with 8 bits, or as PNG")
    largest, upper = largest_stored_value(image, data), np.asarray(image.convert("RGB"))
    if not 0 < largest < 65535 and int(upper.max()) >= AMBIGUOUS_BELOW >> 8:
        return image, ""
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[:2] != upper.shape[:2]:
        return image, ""
    levels, note = whole_levels(values[:, :, 2::-1], largest, name)
    levelled = Image.fromarray(np.ascontiguousarray(levels))
    if image.mode == "RGBA":
        levelled.putalpha(image.getchannel("A"))
    levelled.info, levelled.format = dict(image.info), image.format
    return levelled, note


def unusual_tiff(data: bytes, name: str) -> tuple[NDArray[np.uint8], str] | None:
    """RGB of a TIFF of floating-point colours, which Pillow does not open; None where it is none."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, struct.error):
        return None
    if values is None or values.dtype not in (np.float32, np.float64) or values.ndim != 3 or values.shape[2] != 3:
        return None
    return float_levels(np.ascontiguousarray(values[:, :, ::-1]), name)
