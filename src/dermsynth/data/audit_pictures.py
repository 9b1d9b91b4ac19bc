"""What the pixels of images and masks say in an audit: blank, black, tiny, unreadable; empty, full, inverted, all alike."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.data.duplicates import near_duplicates
from dermsynth.data.file_names import path_inside
from dermsynth.data.masks import read_mask
from dermsynth.errors import UserError
from dermsynth.images import Pixels, read_image, thumbnail_hash
from dermsynth.parallel import parallel_map

CHUNK, MOST_NAMES = 16, 3
SMALLEST_SIDE, LONGEST_SHAPE = 16, 4
"""Pixels below which a side is tiny, and how many times the shorter side the longer may be."""
EVEN, BLACK, WHITE = 4, 12, 250
"""Grey levels: range within which an image is of one colour; mean below which it is black, above which white."""
FULL = 0.99
EDGE = 0.06
"""Width of the border in shares of the sides."""
ALIKE = 3
"""As many masks that agree in every pixel are no twins' masks."""


@dataclass(frozen=True)
class Picture:
    """What is wrong with an image and its mask, both in words; the image's fingerprint, the mask's hash."""

    name: str
    image_faults: tuple[str, ...] = ()
    mask_faults: tuple[str, ...] = ()
    hash: np.uint64 | None = None
    thumbnail: NDArray[np.float32] | None = None
    mask_hash: str = ""


@dataclass(frozen=True)
class Pictures:
    """All pictures of a set, in the order of its table."""

    rows: list[Picture] = field(default_factory=list)

    def hashes(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Hashes [k] of the readable images, and their rows [k] in the table."""
        rows = [row for row, picture in enumerate(self.rows) if picture.hash is not None]
        return np.array([self.rows[row].hash for row in rows], np.uint64), np.array(rows, np.int64)

    def twins(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Pairs [k, 2] of rows that show the same photograph, and thumbnails [n, d]; unreadable images have no twin."""
        readable = [row for row, picture in enumerate(self.rows) if picture.hash is not None]
        if not readable:
            return np.empty((0, 2), np.int64), np.empty((len(self.rows), 0), np.float32)
        hashes = np.array([self.rows[row].hash for row in readable], np.uint64)
        thumbnails = np.stack([np.asarray(self.rows[row].thumbnail) for row in readable])
        pairs = np.array(readable)[near_duplicates(hashes, thumbnails)].reshape(-1, 2)
        every = np.full((len(self.rows), thumbnails.shape[1]), np.nan, np.float32)
        every[readable] = thumbnails
        return pairs, every


def inspect_pictures(data_set: DataSet, *, jobs: int | None = None) -> Pictures:
    """Read every image and mask once."""
    names = list(data_set.table["file_name"])
    masks = list(data_set.table.get("mask_file_name", [""] * len(names)))
    pairs = list(zip(names, masks, strict=True))
    return Pictures(parallel_map(partial(_inspect, data_set.folder), pairs, label="looking", chunk=CHUNK, jobs=jobs))


def _inspect(folder: Path, names: tuple[str, str]) -> Picture:
    name, mask_name = names
    try:
        image = read_image(path_inside(folder, name))
    except (UserError, OSError):
        return Picture(name, ("cannot be read",))
    number, thumbnail = thumbnail_hash(image)
    faults, mask_hash = _mask_faults(folder, mask_name, image.shape[:2]) if mask_name else ((), "")
    return Picture(name, image_faults(image), faults, number, thumbnail, mask_hash)


def image_faults(image: Pixels) -> tuple[str, ...]:
    """What makes RGB uint8 [h, w, 3] useless, in words."""
    short, long = sorted(image.shape[:2])
    faults = []
    if short < SMALLEST_SIDE:
        faults.append(f"tiny (a side below {SMALLEST_SIDE} pixels)")
    if long > LONGEST_SHAPE * short:
        faults.append(f"a strip (one side more than {LONGEST_SHAPE} times the other)")
    low, high = np.percentile(
        image.reshape(-1, 3)[:: max(1, image.shape[0] * image.shape[1] // 50_000)], (0.5, 99.5), axis=0
    )
    if image.mean() < BLACK:
        faults.append("black or nearly so")
    elif image.mean() > WHITE:
        faults.append("white or nearly so")
    elif (high - low).max() <= EVEN:
        faults.append("blank (one colour)")
    return tuple(faults)


def _mask_faults(folder: Path, name: str, size: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    try:
        mask = read_mask(path_inside(folder, name))
    except (UserError, OSError):
        return ("cannot be read",), ""
    if mask.shape != size:
        return ("of another size than its image",), ""
    return mask_faults(mask), hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()


def mask_faults(mask: NDArray[np.bool_]) -> tuple[str, ...]:
    """What is suspicious about a lesion's mask, bool [h, w], in words."""
    if not mask.any():
        return ("empty",)
    if mask.mean() >= FULL:
        return ("full (all of the image)",)
    height, width = mask.shape
    inner = np.zeros(mask.shape, bool)
    rows, columns = max(1, round(EDGE * height)), max(1, round(EDGE * width))
    inner[rows : height - rows, columns : width - columns] = True
    middle = mask[
        height // 3 : max(height - height // 3, height // 3 + 1), width // 3 : max(width - width // 3, width // 3 + 1)
    ]
    border = float(mask[~inner].mean())
    if border > 0.5 and border > float(middle.mean()):
        return ("inverted, it seems (they cover the border more than the centre)",)
    return ()


def picture_findings(pictures: Pictures) -> list[str]:
    """A sentence for every fault: how many images or masks have it, and the first names."""
    sentences = []
    for what, side in (("images", "image_faults"), ("masks", "mask_faults")):
        having: dict[str, list[str]] = {}
        for picture in pictures.rows:
            for fault in getattr(picture, side):
                having.setdefault(fault, []).append(picture.name)
        count = (
            len(pictures.rows) if what == "images" else sum(bool(p.mask_hash or p.mask_faults) for p in pictures.rows)
        )
        sentences += [
            f"{len(names)} of {count} {what} are {fault}: {_first(names)}." for fault, names in having.items()
        ]
    sentences = [text.replace(" are cannot be read", " cannot be read") for text in sentences]
    return [*sentences, *_alike(pictures)]


def _alike(pictures: Pictures) -> list[str]:
    """Masks that agree in every pixel, of three images or more; empty and full ones are named as such."""
    plain = [p for p in pictures.rows if p.mask_hash and not {"empty", "full (all of the image)"} & set(p.mask_faults)]
    counts = Counter(p.mask_hash for p in plain)
    same = [p.name for p in plain if counts[p.mask_hash] >= ALIKE]
    return [f"{len(same)} of {len(plain)} masks agree with others in every pixel: {_first(same)}."] if same else []


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
