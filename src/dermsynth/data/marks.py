"""Marks by which an image, or its row in a table, says that an algorithm made it, or that it is a photograph."""

import io
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from dermsynth.errors import UserError
from dermsynth.values import parse_flag

_SOURCE_TYPE = re.compile(rb"(?:trained)?algorithmicmedia|compositesynthetic|datadrivenmedia", re.IGNORECASE)
"""IPTC digital source types (XMP, C2PA): made, or partly made, by an algorithm."""
_SETTINGS = re.compile(
    rb"Steps: \d+, Sampler: |\"class_type\"\s*:|\"sampler_name\"\s*:|invokeai_|sd-metadata|negative prompt:",
    re.IGNORECASE,
)
"""Settings that programs for diffusion models write beside an image."""
_PROGRAMS = re.compile(
    rb"dermsynth|stable[ _-]?diffusion|midjourney|dall[^a-z]{0,3}e\b|adobe firefly|novelai|openai|comfyui|invokeai|"
    rb"automatic1111|imagefx|flux\.1|black forest labs|ideogram|leonardo\.ai|dreamstudio|made with google ai",
    re.IGNORECASE,
)
COLUMNS = (
    "synthetic",
    "issynthetic",
    "generated",
    "isgenerated",
    "aigenerated",
    "isaigenerated",
    "isai",
    "fake",
    "isfake",
)
REAL_COLUMNS = ("real", "isreal")
KINDS = ("imagemanipulation", "digitalsourcetype", "imageorigin", "origin", "provenance", "imagesource")
"""Columns that say it, in letters alone: `is_synthetic`, `isSynthetic` and `is synthetic` are one."""
_CAPTURED = re.compile(
    rb"digitalsourcetype/(?:digitalcapture|computationalcapture|negativefilm|positivefilm|print)\b", re.I
)
"""IPTC digital source types of photographs."""
_PHOTOGRAPH = re.compile(
    r"real|authentic|photo(graph)?|camera|(.*digitalsourcetype/)?digital ?capture|(non|not)[ _-]?(synthetic|generated)",
    re.IGNORECASE,
)
_KIND_WORDS = re.compile(r"\b(synthetic|generated|\w*algorithmicmedia|fake|\w*gan\d*|diffusion)\b", re.IGNORECASE)


def file_mark(data: bytes, path: Path | None = None) -> str:
    """What in an image file, or in its sidecar, says that an algorithm made it; the empty string where nothing does."""
    notes = _notes(data) + _sidecar(path)
    for pattern, what in (
        (_SOURCE_TYPE, "digital source type"),
        (_SETTINGS, "settings of a generator"),
        (_PROGRAMS, "program"),
    ):
        match = pattern.search(notes)
        if match:
            return f"{what} {match[0].decode('ascii', 'replace').strip()!r}"
    match = _SOURCE_TYPE.search(data)
    return f"digital source type {match[0].decode('ascii')!r}" if match else ""


def row_mark(columns: Mapping[Any, str]) -> str:
    """The column of a table's row by which its image is said to be made by an algorithm; the empty string where none does.

    Raises UserError where a column of flags holds something else.
    """
    for column, value in columns.items():
        plain = re.sub("[^a-z]", "", str(column).casefold())
        if plain in COLUMNS and _flag(column, value):
            return f"column {column!r}"
        if plain in REAL_COLUMNS and _says(value, False):
            return f"column {column!r}"
        if plain in KINDS and _says_generated(value):
            return f"column {column!r}"
    return ""


def photograph_mark(columns: Mapping[Any, str]) -> str:
    """The column of a table's row by which its image is said to be a photograph; the empty string where none does."""
    for column, value in columns.items():
        plain = re.sub("[^a-z]", "", str(column).casefold())
        says_no, says_yes = plain in COLUMNS and _says(value, False), plain in REAL_COLUMNS and _says(value, True)
        if says_no or says_yes or (plain in KINDS and _PHOTOGRAPH.fullmatch(value.strip())):
            return f"column {column!r}"
    return ""


def photograph_file_mark(data: bytes, path: Path) -> str:
    """What in an image file, or in the description of the set that it lies in, says that it is a photograph."""
    found = _CAPTURED.search(data)
    if found:
        return f"digital source type {found[0].decode('ascii')!r}"
    return folder_mark(path.parent, synthetic=False)


def _says(value: str, flag: bool) -> bool:
    try:
        return parse_flag(value) is flag
    except ValueError:  # a column of something else
        return False


def _says_generated(value: str) -> bool:
    words = value.casefold().replace("_", " ").replace("-", " ")
    return bool(_KIND_WORDS.search(re.sub(r"\b(non|not|no)\s+\w+", "", words)))


@lru_cache(maxsize=4096)
def folder_mark(folder: Path, *, synthetic: bool = True) -> str:
    """The description of a synthetic set (or of photographs) in a folder or the two above it; the empty string where none is.

    The nearest description decides.
    """
    for place in (folder, *folder.parents[:2]):
        try:
            facts = json.loads((place / "dataset.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        said = str(facts.get("synthetic", "")).strip().casefold() if isinstance(facts, dict) else ""
        is_set = isinstance(facts, dict) and "content_hash" in facts  # one that does not say so is of photographs
        if said in ("true", "1", "yes") if synthetic else said in ("false", "0", "no") or (not said and is_set):
            return f"dataset.json of {place.name}"
    return ""


def _flag(column: str, value: str) -> bool:
    try:
        return bool(parse_flag(value))
    except ValueError as error:
        raise UserError(f"column {column!r} holds {value!r}; write true or false, or rename it") from error


def _notes(data: bytes) -> bytes:
    """Everything in a file that is text beside its pixels: text chunks, EXIF, XMP, comments; UTF-16 as plain letters."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format == "PNG":
                image.load()  # chunks may stand behind the pixels
            info = dict(image.info)
            exif = [str(value) for value in image.getexif().values()]
    except Exception:  # a damaged file is reported by its reader
        return b""
    info.pop("icc_profile", None)
    parts = [f"{key}: {value}".encode("utf-8", "replace") if isinstance(value, str) else value
             for key, value in info.items() if isinstance(value, str | bytes)]  # fmt: skip
    parts += [value.encode("utf-8", "replace") for value in exif]
    if data.startswith(b"\xff\xd8"):
        parts.append(data[: max(data.find(b"\xff\xda"), 0)])
    parts += [_from_hexadecimal(part) for part in parts if b"Raw profile type" in part[:60]]
    joined = b"\n".join(parts)
    return joined + b"\n" + joined.replace(b"\0", b"")


def _from_hexadecimal(note: bytes) -> bytes:
    """What ImageMagick writes in hexadecimal digits into a PNG."""
    digits = re.sub(rb"[^0-9a-fA-F]", b"", b"".join(note.split(b"\n")[3:]))
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode())


def _sidecar(path: Path | None) -> bytes:
    if path is None:
        return b""
    packet = b""
    for ending in (".xmp", ".XMP", ".txt", ".json"):
        for candidate in (path.with_suffix(ending), path.with_name(f"{path.name}{ending}")):
            if candidate.is_file() and candidate.stat().st_size < 1_000_000:
                data = candidate.read_bytes().replace(b"\0", b"")
                packet += b"\n" + (data if ending.lower() == ".xmp" else b"".join(_SETTINGS.findall(data)))
    return packet
