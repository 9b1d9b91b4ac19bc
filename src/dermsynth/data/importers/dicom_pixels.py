"""Pixels of DICOM files (PS3.3, PS3.5) as photographs: any colour space, palette, depth and frame, in sRGB."""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dermsynth.data.file_names import DICOM_SUFFIXES
from dermsynth.errors import BadImage
from dermsynth.images import MAX_FILE_BYTES, MAX_PIXELS, SUFFIXES, Pixels, decode_image, is_turned
from dermsynth.srgb import to_srgb

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_MARK = b"DICM"
_OTHERS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"%PDF": "PDF",
    b"PK\3\4": "ZIP",
}
_JPEG, _END_OF_JPEG = b"\xff\xd8\xff", b"\xff\xd9"
_RGB = (82, 71, 66)
"""Names of components by which libjpeg takes them for red, green and blue."""
SAME_LEVELS = 2.0
"""Two ways to decode one JPEG differ by fewer grey levels in the mean; colours that are taken for others by more."""
_STARTS = (b"\xff\xd8", b"\xff\x4f")
"""First bytes of JPEG and JPEG-LS, and of JPEG 2000."""


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: by its ending, or, with no ending of an image, by the mark after its first 128 bytes."""
    suffix = path.suffix.lower()
    if suffix in DICOM_SUFFIXES or suffix in SUFFIXES:
        return suffix in DICOM_SUFFIXES
    try:
        return _head(path)[128:] == _MARK
    except OSError:
        return False


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(132)


def read_dicom(path: Path, name: str, *, pixels: bool) -> "Dataset":
    """The attributes of a DICOM image, and with `pixels` its pixels; `name` is what a message calls it.

    Raises BadImage where it is none, is damaged, or has no pixels.
    """
    try:
        import pydicom
    except ImportError as error:
        raise BadImage(f"{name}: a DICOM file; to read it: pip install 'dermsynth[dicom]'") from error
    _require_mark(path, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=not pixels)
            missing = "Rows" not in header or (pixels and "PixelData" not in header)
            kind = getattr(header.get("SOPClassUID"), "name", "of no kind")
    except Exception as error:  # parsers raise almost anything on damaged data
        raise _damaged(name, error) from error
    if missing:
        raise BadImage(f"{name}: a DICOM file without pixels ({' '.join(str(kind).split())})")
    return header


def _require_mark(path: Path, name: str) -> None:
    try:
        size, head = path.stat().st_size, _head(path)
    except FileNotFoundError as error:
        raise BadImage(f"{name}: no such file") from error
    except OSError as error:
        raise BadImage(f"{name}: {str(error.strerror).lower()}") from error
    if size > MAX_FILE_BYTES:
        raise BadImage(f"{name}: {size:,} bytes, more than {MAX_FILE_BYTES:,}; convert it to a smaller image")
    if head[128:] != _MARK:
        other = next((kind for start, kind in _OTHERS.items() if head.startswith(start)), "")
        what = f"a {other} file; name it so" if other else "DICM does not stand after its first 128 bytes"
        raise BadImage(f"{name}: {'0 bytes; the file is empty' if not size else f'not a DICOM file ({what})'}")


def _damaged(name: str, error: Exception) -> BadImage:
    return BadImage(f"{name}: damaged or cut short ({' '.join(str(error).split())[:120]})")


class Frame(NamedTuple):
    """An image of a DICOM file: its pixels, what was done to them, and the JPEG file that it is stored as, if it is one."""

    pixels: Pixels
    notes: tuple[str, ...]
    jpeg: bytes = b""


def read_frame(path: Path, name: str, frame: int) -> Frame:
    """Decode one frame, the first is 0, to uint8 [h, w, 3] in sRGB, and say what was done to colours and depth.

    Raises BadImage, naming the file and the reason, for anything that is not one whole image of sane size.
    """
    header = read_dicom(path, name, pixels=True)
    try:
        _require_sane_size(header, name)
        _require_decoder(header, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = _whole_frame(header, frame, name)
            if _is_plain_jpeg(header, data):
                return Frame(decode_image(data, name), (), data)
            pixels, notes = _photograph(header, _stored_values(header, frame), name)
    except BadImage:
        raise
    except Exception as error:  # decoders raise almost anything on damaged data
        raise _damaged(name, error) from error
    plain = None if notes else _as_jpeg(data, pixels)
    return Frame(pixels, notes) if plain is None else Frame(plain, notes, data)


def _is_plain_jpeg(header: "Dataset", data: bytes) -> bool:
    """Whether a frame is a JPEG whose bytes and attributes alike name YCbCr, so that any reader of JPEG shows it."""
    plain = header.PhotometricInterpretation in ("YBR_FULL", "YBR_FULL_422") and not _aspect_note(header)
    if not plain or not data.startswith(_JPEG) or _colour_profile(header) or is_turned(data):
        return False
    try:
        with Image.open(io.BytesIO(data)) as image:
            names = tuple(component[0] for component in getattr(image, "layer", ()))
            size = (int(header.Columns), int(header.Rows))
            return (
                image.mode == "RGB" and image.size == size and names != _RGB and image.info.get("adobe_transform") != 0
            )
    except Exception:  # kinds of JPEG that Pillow does not know
        return False


def _as_jpeg(data: bytes, pixels: Pixels) -> Pixels | None:
    """The pixels of a frame's bytes as a JPEG file of the same colours; None where they are none.

    Libjpeg rounds once where the way by the attributes rounds twice: a file that was put into DICOM comes back as it was.
    """
    if not data.startswith(_JPEG):
        return None
    try:
        plain = decode_image(data, "")
    except BadImage:  # lossless JPEG and its like, which Pillow does not know
        return None
    alike = plain.shape == pixels.shape and np.abs(plain.astype(np.int16) - pixels).mean() < SAME_LEVELS
    return plain if alike else None


def _require_sane_size(header: "Dataset", name: str) -> None:
    height, width = int(header.Rows), int(header.Columns)
    if height * width > MAX_PIXELS:
        raise BadImage(f"{name}: {width} x {height} pixels, more than {MAX_PIXELS:,}; reduce it first")
    if min(height, width) < 2:
        raise BadImage(f"{name}: {width} x {height} pixels; too small to be a photograph")


def _require_decoder(header: "Dataset", name: str) -> None:
    """Raise BadImage where nothing that is installed, or nothing at all, decodes the file's compression."""
    from pydicom.pixels.decoders.base import get_decoder

    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        raise BadImage(f"{name}: damaged DICOM: it does not say how its pixels are stored (transfer syntax)")
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError as error:
        raise BadImage(
            f"{name}: transfer syntax {syntax.name!r} cannot be read; store it uncompressed or as JPEG, or export a PNG"
        ) from error
    if not available:
        raise BadImage(
            f"{name}: compressed as {syntax.name!r}; to read it: pip install python-gdcm, or pip install pylibjpeg "
            "pylibjpeg-libjpeg pylibjpeg-openjpeg"
        )


def _whole_frame(header: "Dataset", frame: int, name: str) -> bytes:
    """The bytes of a compressed frame; nothing where it is not compressed.

    Raises BadImage where their end is missing, of which some decoders make an image with a grey part.
    """
    from pydicom.encaps import get_frame

    if not header.file_meta.TransferSyntaxUID.is_compressed or header.file_meta.TransferSyntaxUID.is_deflated:
        return b""
    data = get_frame(header.PixelData, frame, number_of_frames=frame_count(header))
    if data.startswith(_STARTS) and _END_OF_JPEG not in data[-64:]:
        raise BadImage(f"{name}: damaged or cut short (its compressed pixels have no end)")
    return (
        data[: data.rindex(_END_OF_JPEG) + 2] if data.startswith(_JPEG) else data
    )  # without the byte that fills it up


def frame_count(header: "Dataset") -> int:
    """How many images a DICOM file holds."""
    return max(1, int(header.get("NumberOfFrames") or 1))


def _stored_values(header: "Dataset", frame: int) -> NDArray[Any]:
    from pydicom.pixels.utils import pixel_array

    return np.asarray(pixel_array(header, index=frame))


def _photograph(header: "Dataset", values: NDArray[Any], name: str) -> tuple[Pixels, tuple[str, ...]]:
    kind = str(header.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        levels, notes = _from_palette(header, values)
    elif kind in ("MONOCHROME1", "MONOCHROME2"):
        levels, notes = _grey_levels(header, values, inverted=kind == "MONOCHROME1")
    elif values.ndim == 3 and values.shape[2] == 3:
        levels, notes = _eight_bits(values, int(header.BitsStored))
    else:
        raise BadImage(f"{name}: colours as {kind!r} cannot be read; export the image as PNG")
    image = Image.fromarray(np.ascontiguousarray(levels))
    image.info["icc_profile"] = _colour_profile(header)
    coloured, done = to_srgb(image)
    notes += [done, _aspect_note(header)]
    return np.array(coloured.convert("RGB"), dtype=np.uint8), tuple(note for note in notes if note)


def _eight_bits(values: NDArray[Any], bits: int) -> tuple[NDArray[np.uint8], list[str]]:
    if bits <= 8:
        return np.asarray(values, np.uint8), []
    return np.rint(values * (255.0 / (2**bits - 1))).astype(np.uint8), [f"values of {bits} bits made 0 to 255"]


def _from_palette(header: "Dataset", values: NDArray[Any]) -> tuple[NDArray[np.uint8], list[str]]:
    from pydicom.pixels.processing import apply_color_lut

    colours = np.asarray(apply_color_lut(values, header))
    return _eight_bits(colours, 16 if colours.dtype == np.uint16 else 8)


def _grey_levels(header: "Dataset", values: NDArray[Any], *, inverted: bool) -> tuple[NDArray[np.uint8], list[str]]:
    """Grey levels by the file's window, or by its range of values (PS3.3 C.7.6.3, C.11.1, C.11.2)."""
    from pydicom.pixels.processing import apply_modality_lut

    bits, signed = int(header.BitsStored), int(header.get("PixelRepresentation") or 0)
    ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1], dtype=values.dtype)
    low, high = np.asarray(apply_modality_lut(ends, header), np.float64)
    shares, note = _windowed(header, np.asarray(apply_modality_lut(values, header), np.float64), (low, high))
    levels = np.rint(255 * np.clip(1 - shares if inverted else shares, 0, 1)).astype(np.uint8)
    return levels, [note, "grey levels inverted (MONOCHROME1)" if inverted else ""]


def _windowed(
    header: "Dataset", values: NDArray[np.float64], ends: tuple[float, float]
) -> tuple[NDArray[np.float64], str]:
    """Values as shares of white, and what was done."""
    if "WindowCenter" not in header or "WindowWidth" not in header:
        bits = int(header.BitsStored)
        return (values - ends[0]) / (ends[1] - ends[0]), f"values of {bits} bits made 0 to 255" if bits > 8 else ""
    centre, width = (_first(header.WindowCenter), _first(header.WindowWidth))
    function = str(header.get("VOILUTFunction") or "LINEAR")
    note = f"grey levels by the file's window ({centre:g}, {width:g})"
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - centre) / width)), note
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5, note
    return (values - centre + 0.5) / max(width - 1, 1e-9) + 0.5, note


def _first(value: Any) -> float:
    """Of several windows the first, which viewers show."""
    return float(value if isinstance(value, str | float | int) else value[0])


def _colour_profile(header: "Dataset") -> bytes:
    paths = header.get("OpticalPathSequence") or []
    return bytes(header.get("ICCProfile") or next((p.ICCProfile for p in paths if "ICCProfile" in p), b""))


def _aspect_note(header: "Dataset") -> str:
    ratio = [int(side) for side in header.get("PixelAspectRatio") or (1, 1)]
    return f"pixels are not square ({ratio[0]}:{ratio[1]}); the image is stretched" if ratio[0] != ratio[1] else ""
