"""Fingerprints of handed-on images: `fingerprints.jsonl`, by which an image is known again, also after JPEG and resizing.

The first line of a registry names the set; then one line an image: SHA-256 of the file and of the pixels, a 64-bit
perceptual hash, and the image in 16 x 16 pixels. Registries may be joined with `cat`.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dermsynth import __version__
from dermsynth.errors import UserError
from dermsynth.images import Pixels, decode_image, read_bytes, thumbnail_hash
from dermsynth.io import write_text
from dermsynth.parallel import parallel_map
from dermsynth.records import Record

REGISTRY = "fingerprints.jsonl"
FORMAT, VERSION = "dermsynth fingerprints", 1
VALUES = 16 * 16 * 3
"""Numbers of an image's features: its 16 x 16 thumbnail."""
FEW = 256
"""Images up to which no further process is started."""


class Fingerprint(Record):
    """What an image is known by.

    Attributes
    ----------
    file_name
        Its name in its set.
    sha256
        SHA-256 of the file.
    pixels
        SHA-256 of its width, height and decoded pixels: the same where only the marks were taken off.
    hash
        64-bit perceptual hash, as 16 hexadecimal digits.
    features
        Its thumbnail of 16 x 16 pixels, 768 bytes in base 64.
    """

    file_name: str
    sha256: str
    pixels: str
    hash: str
    features: str

    @property
    def bits(self) -> int:
        """The perceptual hash as a number."""
        return int(self.hash, 16)

    @property
    def thumbnail(self) -> NDArray[np.uint8]:
        """The features as numbers, shape [768]."""
        return np.frombuffer(base64.b64decode(self.features, validate=True), np.uint8)


def fingerprint(data: bytes, name: str) -> Fingerprint:
    """The fingerprint of an image file's bytes.

    Raises BadImage where they are no image.
    """
    pixels = decode_image(data, name)
    bits, thumbnail = thumbnail_hash(pixels)
    features = base64.b64encode(thumbnail.round().astype(np.uint8).tobytes()).decode()
    return Fingerprint(
        file_name=name, sha256=hashlib.sha256(data).hexdigest(), pixels=pixels_hash(pixels), hash=f"{int(bits):016x}",
        features=features,
    )  # fmt: skip


def pixels_hash(pixels: Pixels) -> str:
    """SHA-256 of an image's shape and pixels."""
    return hashlib.sha256(f"{pixels.shape}".encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _of_file(name: str, folder: Path) -> Fingerprint:
    return fingerprint(read_bytes(folder / name), name)


def write_registry(folder: Path, names: Sequence[str], content_hash: str, title: str) -> Path:
    """Write the fingerprints of a set's images into its folder; `title` is the set's name."""
    found = parallel_map(partial(_of_file, folder=folder), list(names), label="fingerprints", chunk=32, few=FEW)
    head = {"format": FORMAT, "version": VERSION, "set": title, "content_hash": content_hash, "images": len(names)}
    lines = [json.dumps({**head, "program": f"dermsynth {__version__}"}, ensure_ascii=False)]
    lines += [json.dumps(one.model_dump(), ensure_ascii=False) for one in found]
    write_text(folder / REGISTRY, "\n".join(lines) + "\n")
    return folder / REGISTRY


@dataclass(frozen=True)
class Registry:
    """Fingerprints of one or several sets.

    Attributes
    ----------
    prints
        The fingerprints.
    sets
        The name of the set that each is of.
    hashes, thumbnails
        The perceptual hashes [n] and features [n, 768] of all.
    """

    prints: tuple[Fingerprint, ...]
    sets: tuple[str, ...]
    hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.float32]

    def __len__(self) -> int:
        """How many images it knows."""
        return len(self.prints)


def read_registry(paths: Iterable[Path]) -> Registry:
    """Read registries.

    Raises UserError for a file that is none, naming its first wrong line.
    """
    prints, sets = list[Fingerprint](), list[str]()
    for path in paths:
        title = ""
        for number, line in enumerate(_lines(path), 1):
            values = _parsed(line, path, number)
            if values.get("format") == FORMAT:
                title = _set_name(values, path, number)
            elif not title:
                raise UserError(f"`registry` {path}: no registry of fingerprints; it is the {REGISTRY} of an export")
            else:
                prints.append(_checked(values, path, number))
                sets.append(title)
    if not prints:
        raise UserError("`registry`: no fingerprints in it; name the fingerprints.jsonl of an export")
    hashes = np.array([one.bits for one in prints], dtype=np.uint64)
    return Registry(tuple(prints), tuple(sets), hashes, np.stack([one.thumbnail for one in prints]).astype(np.float32))


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise UserError(f"`registry` {path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"`registry` {path}: no registry of fingerprints; it cannot be read as text") from error


def _parsed(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(
            f"`registry` {path}: no registry of fingerprints (line {number} is no JSON); it is the {REGISTRY} of an export"
        ) from error
    return values if isinstance(values, dict) else {}


def _set_name(values: dict[str, Any], path: Path, number: int) -> str:
    if values.get("version") != VERSION:
        raise UserError(f"`registry` {path}: line {number} is of version {values.get('version')}; update dermsynth")
    return str(values.get("set") or path.parent.name or path.name)


def _checked(values: dict[str, Any], path: Path, number: int) -> Fingerprint:
    """The fingerprint of a line; UserError where a part of it is missing or damaged."""
    try:
        one = Fingerprint.model_validate(values)
        if len(one.thumbnail) != VALUES or not 0 <= one.bits < 2**64:
            raise ValueError("features or hash of another size")
    except (ValidationError, ValueError, binascii.Error) as error:
        raise UserError(f"`registry` {path}: line {number} is no fingerprint; export the set again") from error
    return one
