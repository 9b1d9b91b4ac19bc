"""Colours of any photograph as sRGB: embedded profiles, the gamma of a PNG, Adobe RGB by the camera's note."""

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

UNCHANGED_LEVELS = 2
"""A profile that moves no colour by more grey levels is taken for sRGB, and the pixels stay as they are."""
PNG_GAMMA = 0.45455
SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_PRIMARIES, ADOBE_GAMMA = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06), 563 / 256
P3_PRIMARIES, P3_CODE = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060), 12
"""Display P3, and its number in ITU-T H.273 by which a HEIC without a profile names it."""
D65 = (0.3127, 0.3290)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def camera_colours(image: Image.Image) -> str:
    """`Adobe RGB` where the camera says so without a profile (DCF: interoperability index R03), else nothing."""
    if image.info.get("icc_profile"):
        return ""
    try:
        exif = image.getexif()
        index = exif.get_ifd(ExifTags.IFD.Interop).get(1, "")
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
    except Exception:  # damaged EXIF raises almost anything
        return ""
    index = index.decode("ascii", "replace") if isinstance(index, bytes) else str(index)
    return "Adobe RGB" if space == 2 or (index.startswith("R03") and space != 1) else ""


def to_srgb(image: Image.Image, camera: str = "") -> tuple[Image.Image, str]:
    """An image of 8 bits in sRGB, with its transparency kept, and what was done in words (nothing: the empty string).

    A profile for another kind of colours than the image's, or a damaged one, is ignored, and said.
    """
    profile = image.info.get("icc_profile")
    if profile:
        return _by_profile(image, profile)
    if camera == "Adobe RGB":
        return _by_numbers(
            image, 1 / ADOBE_GAMMA, ADOBE_PRIMARIES, D65
        ), "colours converted from Adobe RGB to sRGB (camera's note)"
    if (image.info.get("nclx_profile") or {}).get("color_primaries") == P3_CODE:
        return _by_numbers(image, None, P3_PRIMARIES, D65), "colours converted from Display P3 to sRGB"
    gamma = image.info.get("gamma")
    if image.format != "PNG" or "srgb" in image.info or not gamma:
        return image, ""
    white, *primaries = np.reshape(image.info.get("chromaticity", (*D65, *SRGB_PRIMARIES)), (4, 2)).tolist()
    flat = tuple(value for pair in primaries for value in pair)
    if abs(gamma - PNG_GAMMA) < 0.02 and np.allclose(flat, SRGB_PRIMARIES, atol=0.01):
        return image, ""
    return _by_numbers(image, gamma, flat, tuple(white)), f"colours converted to sRGB (the PNG's gamma {gamma:.3g})"


def _by_profile(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    try:
        space, title = _profile_facts(profile)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image, "its colour profile is damaged and was ignored"
    plain, alpha = _opaque(image)
    plain = _in_kind(plain, space)
    if (space, plain.mode) not in (("RGB", "RGB"), ("GRAY", "L"), ("CMYK", "CMYK"), ("Lab", "LAB")):
        return image, f"its colour profile ({title}, for {space}) does not fit and was ignored"
    try:
        if _is_srgb(profile, plain.mode):
            return image, ""
        converted = ImageCms.applyTransform(plain, _transform(profile, plain.mode))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image, f"its colour profile ({title}) cannot be applied and was ignored"
    assert converted is not None
    if alpha is not None:
        converted.putalpha(alpha)
    return converted, f"colours converted from {title} to sRGB"


def _in_kind(image: Image.Image, space: str) -> Image.Image:
    """Greys as colours for a profile of colours, and colours that are all grey as greys for a profile of greys."""
    if space == "RGB" and image.mode == "L":
        return image.convert("RGB")
    if space == "GRAY" and image.mode == "RGB" and (np.ptp(np.asarray(image), axis=2) == 0).all():
        return image.convert("L")
    return image


def _opaque(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The image without palette and transparency, and its transparency where there is one."""
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode in ("RGBA", "LA", "PA"):
        full = image.convert("RGBA") if image.mode == "PA" else image
        return full.convert("L" if full.mode == "LA" else "RGB"), full.getchannel("A")
    return (image.convert("L"), None) if image.mode == "1" else (image, None)


def _profile_facts(profile: bytes) -> tuple[str, str]:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    title = ImageCms.getProfileDescription(opened).strip() or "a profile without a name"
    return str(opened.profile.xcolor_space).strip(), title[:60]


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    intent = ImageCms.Intent.PERCEPTUAL if mode == "CMYK" else ImageCms.Intent.RELATIVE_COLORIMETRIC
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", renderingIntent=intent)


@lru_cache(maxsize=32)
def _is_srgb(profile: bytes, mode: str) -> bool:
    """Whether the profile leaves a grid of colours where it is."""
    if mode not in ("RGB", "L"):
        return False
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    probe = Image.fromarray(grid if mode == "RGB" else np.ascontiguousarray(steps[None]))
    moved = ImageCms.applyTransform(probe, _transform(profile, mode))
    difference = np.asarray(moved, int) - np.asarray(probe.convert("RGB"), int)
    return bool(np.abs(difference).max() <= UNCHANGED_LEVELS)


def _by_numbers(
    image: Image.Image, gamma: float | None, primaries: tuple[float, ...], white: tuple[float, ...]
) -> Image.Image:
    """Colours of the given primaries (xy of red, green, blue), white and encoding gamma as sRGB (IEC 61966-2-1).

    Without a gamma they are encoded by the curve of sRGB.
    """
    plain, alpha = _opaque(image)
    encoded = np.asarray(plain.convert("RGB"), np.float64) / 255
    to_xyz = _adaptation(white, D65) @ _xyz_of(primaries, white)
    light = _srgb_light(encoded) if gamma is None else encoded ** (1 / gamma)
    linear = np.clip(light @ (np.linalg.inv(_xyz_of(SRGB_PRIMARIES, D65)) @ to_xyz).T, 0, 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    converted = Image.fromarray(np.rint(curve * 255).astype(np.uint8))
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _srgb_light(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _tristimulus(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x / y, 1, (1 - x - y) / y])


def _xyz_of(primaries: tuple[float, ...], white: tuple[float, ...]) -> NDArray[np.float64]:
    """Matrix from linear RGB to XYZ."""
    columns = np.stack([_tristimulus(*primaries[i : i + 2]) for i in (0, 2, 4)], axis=1)
    return np.asarray(columns * np.linalg.solve(columns, _tristimulus(*white)))


def _adaptation(white: tuple[float, ...], target: tuple[float, ...]) -> NDArray[np.float64]:
    """Bradford's adaptation of XYZ from one white to another."""
    before, after = _BRADFORD @ _tristimulus(*white), _BRADFORD @ _tristimulus(*target)
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(after / before) @ _BRADFORD)
