"""Photographs in other colour spaces are seen as sRGB; the profiles are made here from their primaries."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from dermsynth.images import read_image, read_image_with_notes

ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), 2.2
DISPLAY_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), 2.2
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50, D65 = np.array([0.9642, 1, 0.8249]), np.array([0.3127 / 0.329, 1, (1 - 0.3127 - 0.329) / 0.329])


def profile(primaries: tuple[tuple[float, float], ...], gamma: float, space: bytes = b"RGB ") -> bytes:
    """A version 2 profile of three primaries and one gamma (ICC.1:2001-04), or of grey."""
    columns = np.stack([np.array([x / y, 1, (1 - x - y) / y]) for x, y in primaries], axis=1)
    to_d50 = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ D65)) @ BRADFORD
    columns = to_d50 @ (columns * np.linalg.solve(columns, D65))
    fixed = lambda values: b"".join(struct.pack(">i", round(v * 65536)) for v in values)  # noqa: E731
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + bytes(78)
    tags = [(b"desc", name + bytes(-len(name) % 4)), (b"wtpt", b"XYZ " + bytes(4) + fixed(D50))]
    if space == b"GRAY":
        tags.append((b"kTRC", curve))
    else:
        tags += [(k, b"XYZ " + bytes(4) + fixed(columns[:, i])) for i, k in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))]
        tags += [(k, curve) for k in (b"rTRC", b"gTRC", b"bTRC")]
    index, body = struct.pack(">I", len(tags)), b""
    for key, data in tags:
        index += key + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", 128 + len(index) + len(body), bytes(4), 0x02100000, b"mntr", space, b"XYZ ")
    return head + bytes(12) + b"acsp" + bytes(28) + fixed(D50) + bytes(48) + index + body


@pytest.fixture
def skin() -> np.ndarray:
    y, x = np.mgrid[:48, :64]
    return np.stack([215 - y // 2, 160 + x // 4, 140 + (x + y) // 5], axis=-1).astype(np.uint8)


def _in_profile(pixels: np.ndarray, data: bytes) -> Image.Image:
    converted = ImageCms.profileToProfile(
        Image.fromarray(pixels),
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(data)),
        renderingIntent=1,
    )
    assert converted is not None
    return converted


@pytest.mark.parametrize("space", [ADOBE, DISPLAY_P3], ids=["adobe", "p3"])
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_an_embedded_profile_is_applied(space: tuple, suffix: str, skin: np.ndarray, tmp_path: Path) -> None:
    data = profile(*space)
    image = _in_profile(skin, data)
    assert np.abs(np.asarray(image, int) - skin).max() > 8
    options = {"quality": 97} if suffix in ("jpg", "webp") else {}
    image.save(tmp_path / f"a.{suffix}", icc_profile=data, **options)
    found, notes = read_image_with_notes(tmp_path / f"a.{suffix}")
    assert np.abs(found.astype(int) - skin).mean(axis=(0, 1)).max() < 2
    assert "to sRGB" in " ".join(notes)


def test_transparency_and_palettes_keep_their_profile(skin: np.ndarray, tmp_path: Path) -> None:
    data = profile(*ADOBE)
    image = _in_profile(skin, data)
    image.putalpha(255)
    image.save(tmp_path / "alpha.png", icc_profile=data)
    assert np.abs(read_image(tmp_path / "alpha.png").astype(int) - skin).max() <= 2
    few = _in_profile((skin // 64 * 64).astype(np.uint8), data).quantize(256, dither=Image.Dither.NONE)
    few.save(tmp_path / "palette.png", icc_profile=data)
    assert np.abs(read_image(tmp_path / "palette.png").astype(int) - skin // 64 * 64).mean() < 2


def test_an_srgb_profile_changes_nothing(skin: np.ndarray, tmp_path: Path) -> None:
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(skin).save(tmp_path / "a.png", icc_profile=data)
    found, notes = read_image_with_notes(tmp_path / "a.png")
    assert np.array_equal(found, skin)
    assert notes == ()


def test_a_grey_gamma_is_applied(tmp_path: Path) -> None:
    grey = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (16, 1))
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=profile(ADOBE[0], 1.0, b"GRAY"))
    linear = grey / 255
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    found = read_image(tmp_path / "a.png")[..., 1].astype(float)
    assert np.abs(found - expected)[:, 2:].max() < 2  # the darkest steps of 8 linear bits are coarse


def test_a_damaged_or_foreign_profile_is_ignored_and_said(skin: np.ndarray, tmp_path: Path) -> None:
    for name, data in {"damaged": b"nothing" * 40, "grey": profile(ADOBE[0], 2.2, b"GRAY")}.items():
        Image.fromarray(skin).save(tmp_path / f"{name}.png", icc_profile=data)
        found, notes = read_image_with_notes(tmp_path / f"{name}.png")
        assert np.array_equal(found, skin)
        assert "ignored" in notes[0]


def test_a_camera_that_only_notes_adobe_rgb(skin: np.ndarray, tmp_path: Path) -> None:
    image = _in_profile(skin, profile(ADOBE[0], 563 / 256))
    image.info.pop("icc_profile", None)
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: 65535, 0xA005: {1: "R03"}})
    image.save(tmp_path / "_MG_1.jpg", exif=exif, quality=98)
    found, notes = read_image_with_notes(tmp_path / "_MG_1.jpg")
    assert np.abs(found.astype(int) - skin).mean(axis=(0, 1)).max() < 2
    assert "Adobe RGB" in notes[0]


def test_the_gamma_of_a_png_is_applied(skin: np.ndarray, tmp_path: Path) -> None:
    import zlib

    linear = np.where(skin / 255 <= 0.04045, skin / 255 / 12.92, ((skin / 255 + 0.055) / 1.055) ** 2.4)
    buffer = io.BytesIO()
    Image.fromarray(np.rint(linear * 255).astype(np.uint8)).save(buffer, "PNG")
    gamma = b"gAMA" + struct.pack(">I", 100_000)
    chunk = struct.pack(">I", 4) + gamma + struct.pack(">I", zlib.crc32(gamma))
    data = buffer.getvalue()
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - skin).max() <= 2
