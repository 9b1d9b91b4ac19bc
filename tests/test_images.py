import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermsynth.images import AI_SOURCE, BadImage, encode_png, extremes, fit, grid, read_image


def _save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def _photo() -> Image.Image:
    y, x = np.mgrid[:40, :60]
    return Image.fromarray(np.stack([x * 4, y * 6, (x + y) * 2], axis=-1).astype(np.uint8))


def bomb(path: Path, side: int = 50_000) -> Path:
    """A PNG whose header promises 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 10_000)) + chunk(b"IEND", b"")
    )
    return path


def test_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees
    path = _save(tmp_path / "a.png", _photo(), exif=exif)
    assert np.array_equal(read_image(path), np.rot90(np.asarray(_photo()), -1))


def test_alpha_is_flattened_on_white(tmp_path: Path) -> None:
    image = np.zeros((10, 10, 4), np.uint8)
    image[:5, :, 3] = 255
    found = read_image(_save(tmp_path / "a.png", Image.fromarray(image)))
    assert (found[:5] == 0).all()
    assert (found[5:] == 255).all()


def test_palette_transparency_is_flattened(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 200, 10, 10])
    assert (read_image(_save(tmp_path / "a.png", image, transparency=1)) == 255).all()


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    found = read_image(_save(tmp_path / "a.png", Image.fromarray(values)))
    assert found.shape == (64, 64, 3)
    assert found.min() == 0
    assert found.max() == 255
    assert np.abs(found[..., 0].astype(int) - values / 257).max() <= 0.5


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.jpg", _photo().convert("CMYK"), quality=95)
    assert np.abs(read_image(path).astype(int) - np.asarray(_photo())).mean() < 6


def _broken(folder: Path) -> dict[str, tuple[Path, str]]:
    whole = io.BytesIO()
    Image.effect_noise((200, 200), 50).convert("RGB").save(whole, "JPEG")
    cut = folder / "cut.jpg"
    cut.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    empty = folder / "empty.jpg"
    empty.touch()
    text = folder / "text.jpg"
    text.write_text("not an image")
    frames = [_photo().convert("P"), _photo().rotate(90).convert("P")]
    gif = _save(folder / "moving.gif", frames[0], save_all=True, append_images=frames[1:])
    return {
        "cut": (cut, "damaged or cut short"),
        "empty": (empty, "0 bytes"),
        "text": (text, "not an image"),
        "gif": (gif, "2 frames"),
        "bomb": (bomb(folder / "bomb.png"), "more than 100,000,000"),
        "tiny": (_save(folder / "tiny.png", Image.new("RGB", (1, 1))), "too small"),
        "missing": (folder / "missing.png", "no such file"),
        "folder": (folder, "directory"),
    }


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "gif", "bomb", "tiny", "missing", "folder"])
def test_bad_files_get_one_line_that_names_them(kind: str, tmp_path: Path) -> None:
    path, reason = _broken(tmp_path)[kind]
    with pytest.raises(BadImage) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("crop", ["centre", "pad", "stretch"])
@pytest.mark.parametrize("resampling", ["area", "lanczos"])
@pytest.mark.parametrize("size", [(16, 16), (12, 30), (90, 60), (40, 60)])
def test_fit_gives_the_size_and_keeps_a_constant(crop: str, resampling: str, size: tuple[int, int]) -> None:
    constant = np.full((40, 60, 3), 77, np.uint8)
    found = fit(constant, *size, crop, resampling)  # type: ignore[arg-type]
    assert found.shape == (*size, 3)
    assert (found == 77).all()


def test_centre_crop_keeps_the_middle_and_stretch_the_corners() -> None:
    image = np.asarray(_photo())
    assert np.array_equal(fit(image, 40, 40, "centre", "area"), image[:, 10:50])
    assert np.array_equal(fit(image, 40, 60, "stretch", "area"), image)


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    for resampling in ("area", "lanczos"):
        small = fit(stripes, 32, 32, "stretch", resampling)  # type: ignore[arg-type]
        assert np.abs(small.astype(int)[4:-4, 4:-4] - 127.5).max() < 3


def test_grid_holds_every_image_at_its_place() -> None:
    images = np.stack([np.full((4, 6, 3), v, np.uint8) for v in (10, 20, 30)])
    sheet = grid(images, 2)
    assert sheet.shape == (10, 14, 3)
    assert (sheet[0, 0, 0], sheet[0, 8, 0], sheet[6, 0, 0], sheet[9, 13, 0]) == (10, 20, 30, 255)


def test_synthetic_png_says_what_it_is() -> None:
    data = encode_png(np.asarray(_photo()), text={"seed": "7", "label": "a<b"}, synthetic=True)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["seed"] == "7"
        description = image.getxmp()["xmpmeta"]["RDF"]["Description"]
    assert description["DigitalSourceType"] == AI_SOURCE
    assert "a<b" in description["Instructions"]


def test_extremes_are_those_of_the_channels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    least, largest = extremes(pixels)
    assert np.array_equal(least, pixels.min(axis=2))
    assert np.array_equal(largest, pixels.max(axis=2))


@pytest.mark.parametrize("compression", [0, 1, 6, 9])
def test_png_gives_the_pixels_back(compression: int) -> None:
    pixels = np.asarray(_photo())
    with Image.open(io.BytesIO(encode_png(pixels, compression=compression, synthetic=True))) as image:
        assert np.array_equal(np.asarray(image), pixels)
