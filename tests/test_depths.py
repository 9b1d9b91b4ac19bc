import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dermsynth.images import BadImage, read_image, read_image_with_notes

LEVELS = np.tile(np.arange(20, 236, 4, dtype=np.uint8), (30, 1))
COLOURS = np.stack([LEVELS, LEVELS[:, ::-1], LEVELS], axis=-1)


def _with_significant_bits(path: Path, bits: int, channels: int) -> None:
    """Add PNG's sBIT chunk, which says how many bits of a sample were measured."""
    data, body = path.read_bytes(), b"sBIT" + bytes([bits] * channels)
    path.write_bytes(data[:33] + struct.pack(">I", channels) + body + struct.pack(">I", zlib.crc32(body)) + data[33:])


@pytest.mark.parametrize("shift", [4, 6, 0], ids=["12 bit", "14 bit", "8 bit"])
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_fewer_bits_in_sixteen_are_refused_by_name_unless_the_file_says_which(
    shift: int, colour: bool, tmp_path: Path
) -> None:
    values = (COLOURS if colour else LEVELS).astype(np.uint16) << shift
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), values)
    with pytest.raises(BadImage, match=r"a\.png: 16 bits, but no value above"):
        read_image(path)
    _with_significant_bits(path, 8 + shift, 3 if colour else 1)
    expected = COLOURS[..., ::-1] if colour else np.repeat(LEVELS[..., None], 3, axis=2)
    assert np.abs(read_image(path).astype(int) - expected).max() <= 1


def test_a_whole_range_of_sixteen_bits_is_divided_and_a_dark_one_is_not_brightened(tmp_path: Path) -> None:
    Image.fromarray(LEVELS.astype(np.uint16) * 257).save(tmp_path / "whole.png")
    assert np.array_equal(read_image(tmp_path / "whole.png")[..., 0], LEVELS)
    Image.fromarray(LEVELS.astype(np.uint16) // 2).save(tmp_path / "dark.tif")
    with pytest.raises(BadImage, match="12-bit data, or a dark image"):
        read_image(tmp_path / "dark.tif")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "black.png")
    assert not read_image(tmp_path / "black.png").any()


def test_floating_point_of_either_range(tmp_path: Path) -> None:
    Image.fromarray((LEVELS / 255).astype(np.float32)).save(tmp_path / "unit.tif")
    Image.fromarray(LEVELS.astype(np.float32)).save(tmp_path / "levels.tif")
    cv2.imwrite(str(tmp_path / "colours.tif"), (COLOURS[..., ::-1] / 255).astype(np.float32))
    for name in ("unit", "levels"):
        found, notes = read_image_with_notes(tmp_path / f"{name}.tif")
        assert np.array_equal(found[..., 0], LEVELS)
        assert "floating-point" in notes[0]
    assert np.array_equal(read_image(tmp_path / "colours.tif"), COLOURS)
    for name, values in {"large": LEVELS * 9.0, "negative": LEVELS - 99.0, "nan": LEVELS * np.nan}.items():
        Image.fromarray(values.astype(np.float32)).save(tmp_path / f"{name}.tif")
        with pytest.raises(BadImage, match="floating-point values from"):
            read_image(tmp_path / f"{name}.tif")


def test_a_jpeg_that_ends_in_the_middle_but_is_closed(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(60, 200, (96, 128, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", quality=90)
    data = buffer.getvalue()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    with pytest.raises(BadImage, match="cut short"):
        read_image(tmp_path / "cut.jpg")
    for name, level in (("black", 0), ("white", 255)):
        framed = noise.copy()
        framed[:20], framed[-20:] = level, level
        Image.fromarray(framed).save(tmp_path / f"{name}.jpg", quality=95)
        assert read_image(tmp_path / f"{name}.jpg").shape == (96, 128, 3)


def _planes(colours: np.ndarray) -> bytes:
    """A TIFF of 16 bits a colour, uncompressed, each colour in a strip of its own."""
    height, width, count = colours.shape
    size, data = 2 * height * width, np.ascontiguousarray(colours.astype("<u2").transpose(2, 0, 1)).tobytes()
    end = 8 + len(data)
    after = end + 2 + 10 * 12 + 4
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, count, after), (259, 3, 1, 1), (262, 3, 1, 2),
            (273, 4, count, after + 6), (277, 3, 1, count), (278, 4, 1, height), (279, 4, count, after + 18), (284, 3, 1, 2)]  # fmt: skip
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    lists = (
        struct.pack("<3H", *[16] * 3) + struct.pack("<3I", 8, 8 + size, 8 + 2 * size) + struct.pack("<3I", *[size] * 3)
    )
    return b"II*\0" + struct.pack("<I", end) + data + directory + lists


def test_colours_in_separate_planes_are_refused_and_never_read_as_others(tmp_path: Path) -> None:
    (tmp_path / "planes.tif").write_bytes(_planes(COLOURS.astype(np.uint16) * 257))
    with pytest.raises(BadImage, match=r"planes\.tif: 16 bits a colour in separate planes cannot be read"):
        read_image(tmp_path / "planes.tif")
