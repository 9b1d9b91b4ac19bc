"""HEIC and HEIF photographs, as phones write them, made known to Pillow by pillow-heif."""

from collections.abc import Mapping
from typing import Any

from dermsynth.errors import BadImage

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2")
_HDR = {16: "PQ", 18: "HLG"}
"""Transfer characteristics (ITU-T H.273) of which no grey level of sRGB follows."""


def is_heic(data: bytes) -> bool:
    """Whether bytes begin as a HEIF file that is not AVIF, which Pillow reads by itself."""
    if data[4:8] != b"ftyp":
        return False
    size = int.from_bytes(data[:4], "big")
    brands = [data[place : place + 4] for place in (8, *range(16, min(size, 128), 4))]
    return b"avif" not in brands and any(brand in _BRANDS for brand in brands)


def prepare_heic(data: bytes, name: str) -> None:
    """Let Pillow open HEIC files where these bytes are one.

    Raises BadImage where the package for it is not installed.
    """
    if not is_heic(data):
        return
    try:
        import pillow_heif
    except ImportError as error:
        raise BadImage(
            f"{name}: a HEIC photograph; to read it: pip install 'dermsynth[heic]', or export a JPEG"
        ) from error
    pillow_heif.register_heif_opener()


def require_standard_range(info: Mapping[Any, Any], name: str) -> None:
    """Raise BadImage for a photograph whose brightness is of high dynamic range."""
    transfer = (info.get("nclx_profile") or {}).get("transfer_characteristics")
    if transfer in _HDR and not info.get("icc_profile"):
        raise BadImage(f"{name}: a photograph of high dynamic range ({_HDR[transfer]}); export it as JPEG")


def depth_note(info: Mapping[Any, Any]) -> str:
    """What became of more than 8 bits."""
    bits = int(info.get("bit_depth") or 8)
    return f"values of {bits} bits made 0 to 255" if bits > 8 else ""
