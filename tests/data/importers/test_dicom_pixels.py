"""Pixels of DICOM files: every colour space and depth becomes the photograph that was stored, and bad ones are one line."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from dermsynth.data.importers.dicom_pixels import is_dicom, read_frame
from dermsynth.images import BadImage, decode_image
from tests.data.importers.dicom_files import as_jpeg, code, dicom, jpeg, photograph, save

PHOTO = photograph(1)
GREY = np.asarray(Image.fromarray(PHOTO).convert("L"))


def _read(image: Dataset, folder: Path, frame: int = 0) -> tuple[np.ndarray, tuple[str, ...]]:
    path = save(image, folder / "a.dcm")
    return read_frame(path, str(path), frame)[:2]


def _to_ybr(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))[..., [0, 2, 1]]


def _half_colours(ybr: np.ndarray) -> np.ndarray:
    """Y Y Cb Cr of each pair of pixels (PS3.3 C.7.6.3.1.2)."""
    pairs = ybr.reshape(len(ybr), -1, 2, 3)
    return np.concatenate([pairs[..., 0], pairs[..., :1, 1], pairs[..., :1, 2]], axis=-1)


@pytest.mark.parametrize("kind", ["RGB", "YBR_FULL", "planes", "YBR_FULL_422", "big endian", "implicit", "12 bit"])
def test_uncompressed_colours(kind: str, tmp_path: Path) -> None:
    image = dicom(PHOTO)
    if kind.startswith("YBR"):
        image.PhotometricInterpretation = kind
        ybr = _to_ybr(PHOTO)
        image.PixelData = (_half_colours(ybr) if kind.endswith("422") else ybr).tobytes()
    if kind == "planes":
        image.PlanarConfiguration, image.PixelData = 1, np.ascontiguousarray(PHOTO.transpose(2, 0, 1)).tobytes()
    if kind == "implicit":
        image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    if kind == "big endian":
        image = dicom(PHOTO.astype(np.uint16) * 257)
        image.file_meta.TransferSyntaxUID, image.PixelData = ExplicitVRBigEndian, (PHOTO.astype(">u2") * 257).tobytes()
    if kind == "12 bit":
        image = dicom(np.rint(PHOTO * (4095 / 255)).astype(np.uint16), BitsStored=12, HighBit=11)
    found, notes = _read(image, tmp_path)
    difference = np.abs(found.astype(int) - PHOTO)
    assert difference.max() <= (0 if kind in ("RGB", "planes", "implicit") else 2) or (
        kind == "YBR_FULL_422" and difference.mean() < 3
    )
    assert notes == {"big endian": ("values of 16 bits made 0 to 255",), "12 bit": ("values of 12 bits made 0 to 255",)}.get(kind, ())  # fmt: skip


def test_palette(tmp_path: Path) -> None:
    numbers = Image.fromarray(PHOTO).quantize(64)
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(numbers.getpalette() or []) // 3] = np.reshape(numbers.getpalette(), (-1, 3))
    image = dicom(np.asarray(numbers), PhotometricInterpretation="PALETTE COLOR")
    for place, colour in enumerate(("Red", "Green", "Blue")):
        setattr(image, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(image, f"{colour}PaletteColorLookupTableData", (palette[:, place].astype("<u2") * 257).tobytes())
    assert np.array_equal(_read(image, tmp_path)[0], np.asarray(numbers.convert("RGB")))


@pytest.mark.parametrize("kind", ["plain", "inverted", "window", "signed", "rescaled"])
def test_grey_levels(kind: str, tmp_path: Path) -> None:
    deep = np.rint(GREY * (1023 / 255)).astype(np.uint16)
    options: dict[str, Any] = {"BitsStored": 10, "HighBit": 9}
    image = {
        "plain": lambda: dicom(GREY),
        "inverted": lambda: dicom(255 - GREY, PhotometricInterpretation="MONOCHROME1"),
        "window": lambda: dicom(deep, **options, WindowCenter=[512, 100], WindowWidth=[1024, 10]),
        "signed": lambda: dicom((deep.astype(np.int16) - 512).view(np.uint16), **options, PixelRepresentation=1),
        "rescaled": lambda: dicom(deep, **options, RescaleSlope=2, RescaleIntercept=-7),
    }[kind]()
    found, notes = _read(image, tmp_path)
    assert np.abs(found.astype(int) - GREY[..., None]).max() <= 1
    expected = {"plain": (), "inverted": ("grey levels inverted (MONOCHROME1)",)}
    window = (
        ("grey levels by the file's window (512, 1024)",) if kind == "window" else ("values of 10 bits made 0 to 255",)
    )
    assert notes == expected.get(kind, window)


@pytest.mark.parametrize("syntax", ["JPEG", RLELossless, JPEG2000Lossless])
def test_compressed_pixels(syntax: Any, tmp_path: Path) -> None:
    image = dicom(PHOTO)
    if syntax == "JPEG":
        as_jpeg(image, jpeg(PHOTO))
    else:
        image.compress(syntax)
    found = _read(image, tmp_path)[0]
    assert np.array_equal(found, decode_image(jpeg(PHOTO), "") if syntax == "JPEG" else PHOTO)


def test_a_jpeg_whose_colours_the_file_names_otherwise_is_read_by_the_file(tmp_path: Path) -> None:
    twisted = jpeg(_to_ybr(PHOTO))  # colours that were turned before they were compressed, and are turned again
    image = as_jpeg(dicom(PHOTO), twisted)
    frame = read_frame(save(image, tmp_path / "a.dcm"), "a.dcm", 0)
    assert frame.jpeg == twisted
    image.PhotometricInterpretation = "RGB"
    image.PixelData = encapsulate([_without_jfif(twisted)])
    frame = read_frame(save(image, tmp_path / "b.dcm"), "b.dcm", 0)
    assert frame.jpeg == b""


def _without_jfif(data: bytes) -> bytes:
    """A JPEG without the mark by which its colours are known to be YCbCr."""
    return data[:2] + data[2 + 2 + int.from_bytes(data[4:6], "big") :]


def test_one_of_several_frames(tmp_path: Path) -> None:
    frames = np.stack([photograph(number) for number in range(3)])
    assert np.array_equal(_read(dicom(frames), tmp_path, 2)[0], frames[2])
    image = as_jpeg(dicom(frames), *map(jpeg, frames))
    assert np.abs(_read(image, tmp_path, 1)[0].astype(int) - frames[1]).max() <= 12


@pytest.mark.parametrize("place", ["file", "optical path"])
def test_the_colour_profile_is_applied(place: str, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert _read(dicom(PHOTO, ICCProfile=profile), tmp_path)[1] == ()
    item = code("")
    item.ICCProfile = b"broken"
    options = {"ICCProfile": b"broken"} if place == "file" else {"OpticalPathSequence": [item]}
    found, notes = _read(dicom(PHOTO, **options), tmp_path)
    assert notes == ("its colour profile is damaged and was ignored",)
    assert np.array_equal(found, PHOTO)


def test_pixels_that_are_not_square_are_said(tmp_path: Path) -> None:
    assert "not square (2:1)" in _read(dicom(PHOTO, PixelAspectRatio=[2, 1]), tmp_path)[1][0]


NAMES = ("+eb+cr", "+eb+cy+n1", "+eb+cy+n2", "+eb+cy+np", "+eb+cy+s2", "+eb+cy+s4")


@pytest.mark.parametrize("name", [*(f"SC_rgb_dcmtk_{n}" for n in NAMES), "SC_rgb_gdcm_KY", "SC_rgb_rle", "SC_rgb_rle_16bit_2frame"])  # fmt: skip
def test_one_picture_as_other_programs_store_it(name: str) -> None:
    """Ten stripes of plain colours, stored by DCMTK and GDCM in every colour space of JPEG and RLE."""
    path = Path(str(get_testdata_file(f"{name}.dcm")))
    found = read_frame(path, name, 0)[0][5::10, 50].astype(int)
    expected = [[255, 0, 0], [255, 128, 128], [0, 255, 0], [128, 255, 128], [0, 0, 255], [128, 128, 255],
                [0, 0, 0], [64, 64, 64], [192, 192, 192], [255, 255, 255]]  # fmt: skip
    assert np.abs(found - expected).max() <= 7


def _broken(folder: Path) -> dict[str, tuple[bytes, str]]:
    def data(image: Dataset) -> bytes:
        return save(image, folder / "x.dcm").read_bytes()

    no_pixels = dicom(PHOTO, SOPClassUID=EncapsulatedPDFStorage)
    del no_pixels.PixelData, no_pixels.Rows
    no_data = dicom(PHOTO)
    del no_data.PixelData
    video, cut = as_jpeg(dicom(PHOTO), jpeg(PHOTO)), as_jpeg(dicom(PHOTO), jpeg(PHOTO)[:-400])
    unknown = data(dicom(PHOTO)).replace(b"1.2.840.10008.1.2.1\0", b"1.2.3.4.5.6.7.8.9.1\0")
    video.file_meta.TransferSyntaxUID = MPEG2MPML
    return {
        "pdf": (data(no_pixels), "a DICOM file without pixels (Encapsulated PDF Storage)"),
        "without data": (data(no_data), "without pixels (Dermoscopic Photography Image Storage)"),
        "cut": (data(dicom(PHOTO))[:-500], "damaged or cut short"),
        "cut header": (data(dicom(PHOTO))[:400], "without pixels"),
        "cut jpeg": (data(cut), "damaged or cut short (its compressed pixels have no end)"),
        "private": (unknown, "transfer syntax '1.2.3.4.5.6.7.8.9.1' cannot be read"),
        "video": (data(video), "transfer syntax 'MPEG2 Main Profile / Main Level' cannot be read"),
        "a jpeg": (jpeg(PHOTO), "not a DICOM file (a JPEG file; name it so)"),
        "text": (b"no pixels here " * 20, "not a DICOM file (DICM does not stand"),
        "empty": (b"", "0 bytes; the file is empty"),
        "huge": (data(dicom(PHOTO, Rows=50000, Columns=50000)), "50000 x 50000 pixels, more than"),
        "tiny": (data(dicom(PHOTO, Rows=1, Columns=1)), "too small to be a photograph"),
        "argb": (data(dicom(GREY, PhotometricInterpretation="HSV")), "colours as 'HSV' cannot be read"),
    }


BAD = (
    "pdf",
    "without data",
    "cut",
    "cut header",
    "cut jpeg",
    "private",
    "video",
    "a jpeg",
    "text",
    "empty",
    "huge",
    "tiny",
    "argb",
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", BAD)
def test_bad_files_get_one_line_that_names_them(kind: str, tmp_path: Path) -> None:
    data, reason = _broken(tmp_path)[kind]
    path = tmp_path / "a.dcm"
    path.write_bytes(data)
    with pytest.raises(BadImage) as caught:
        read_frame(path, str(path), 0)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_compression_whose_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(as_jpeg(dicom(PHOTO), jpeg(PHOTO)), tmp_path / "a.dcm")
    monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.is_available", property(lambda _: False))
    with pytest.raises(BadImage, match=r"compressed as 'JPEG Baseline.*; to read it: pip install python-gdcm"):
        read_frame(path, str(path), 0)
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(BadImage, match=r"a DICOM file; to read it: pip install 'dermsynth\[dicom\]'"):
        read_frame(path, str(path), 0)


def test_what_is_a_dicom_file(tmp_path: Path) -> None:
    save(dicom(PHOTO), tmp_path / "IM000001")
    (tmp_path / "notes").write_bytes(b"DICM" + b"." * 200)
    names = {"IM000001": True, "notes": False, "a.DCM": True, "a.jpg": False, "gone": False}
    assert {name: is_dicom(tmp_path / name) for name in names} == names
