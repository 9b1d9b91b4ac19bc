"""Photographs of phones in HEIC: pixels, orientation and colours come over, and what cannot is one line."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

import dermsynth as ds
from dermsynth.heic import is_heic
from dermsynth.images import BadImage, decode_image, is_turned, read_image_with_notes
from dermsynth.srgb import P3_PRIMARIES

PIXELS = np.stack(np.broadcast_arrays(*np.mgrid[:48, :64], 90), axis=-1) * np.array([3, 3, 1])
PHOTO = Image.fromarray(PIXELS.astype(np.uint8))


def _heic(image: Image.Image = PHOTO, **options: Any) -> bytes:
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    image.save(buffer, "HEIF", **{"quality": 95, "chroma": "444", **options})
    return buffer.getvalue()


def _read(data: bytes, folder: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    (folder / "a.heic").write_bytes(data)
    return read_image_with_notes(folder / "a.heic")


def test_pixels_and_orientation(tmp_path: Path) -> None:
    found, notes = _read(_heic(), tmp_path)
    assert np.abs(found.astype(int) - np.asarray(PHOTO)).max() <= 8
    assert notes == ()
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _heic(exif=exif.tobytes())
    assert is_turned(data)
    assert not is_turned(_heic())
    turned = np.rot90(np.asarray(PHOTO), -1)
    assert np.abs(_read(data, tmp_path)[0].astype(int) - turned).max() <= 8


def test_display_p3_becomes_srgb_by_profile_or_number(tmp_path: Path) -> None:
    red = Image.new("RGB", (32, 32), (200, 60, 60))
    by_number, notes = _read(_heic(red, color_primaries=12, save_nclx_profile=True), tmp_path)
    assert notes == ("colours converted from Display P3 to sRGB",)
    assert by_number[0, 0, 0] > 210
    assert by_number[0, 0, 1] < 50
    assert P3_PRIMARIES[0] == 0.68
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert _read(_heic(red, icc_profile=profile), tmp_path)[1] == ()


def test_high_dynamic_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match=r"a\.heic: a photograph of high dynamic range \(PQ\); export it as JPEG"):
        _read(_heic(transfer_characteristics=16, save_nclx_profile=True), tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_file_that_is_cut_is_one_line(share: float, tmp_path: Path) -> None:
    data = _heic(Image.effect_noise((64, 64), 80).convert("RGB"))
    with pytest.raises(BadImage, match=r"a\.heic: damaged or cut short") as caught:
        _read(data[: int(len(data) * share)], tmp_path)
    assert "\n" not in str(caught.value)


def test_several_photographs_in_one_file(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="2 frames; export the one that is meant"):
        _read(_heic(save_all=True, append_images=[PHOTO]), tmp_path)


def test_without_the_package_one_line_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    data = _heic()
    assert is_heic(data)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(BadImage, match=r"a HEIC photograph; to read it: pip install 'dermsynth\[heic\]'"):
        decode_image(data, "a.heic")


def test_avif_is_no_heic() -> None:
    buffer = io.BytesIO()
    PHOTO.save(buffer, "AVIF")
    assert not is_heic(buffer.getvalue())
    assert decode_image(buffer.getvalue(), "a.avif").shape == (48, 64, 3)


def test_a_folder_of_phone_photographs(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    (tmp_path / "in" / "IMG_0001.HEIC").write_bytes(_heic(exif=exif))
    PHOTO.rotate(90, expand=True).save(tmp_path / "in" / "b.webp", lossless=True)
    data = ds.import_folder(tmp_path / "in", out=tmp_path / "d", jobs=1).data_set
    assert sorted(data.table["file_name"]) == ["images/IMG_0001.png", "images/b.png"]
    assert b"Jane" not in b"".join(path.read_bytes() for path in data.paths)
