"""One image of a source, checked, read and copied into a data set, with its masks."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from dermsynth.data.file_names import path_inside
from dermsynth.data.importers.boxes import Box, rectangles
from dermsynth.data.importers.dicom_pixels import read_frame
from dermsynth.data.importers.sources import ImportOptions, SourceRow
from dermsynth.data.marks import file_mark, folder_mark, photograph_file_mark, row_mark
from dermsynth.data.masks import DOUBT, read_mask_with_notes
from dermsynth.errors import BadImage, DiskError, UserError
from dermsynth.images import (
    Pixels,
    decode_image_with_notes,
    encode_png,
    extremes,
    is_turned,
    mark_jpeg,
    read_bytes,
    thumbnail_hash,
)
from dermsynth.io import write_within

TURNED = "the photograph was turned as its camera was held: is its mask, too?"
PLAIN = 4
"""So few different colours are no photograph."""


@dataclass(frozen=True)
class ImportedImage:
    """What became of an image: its files, or the problem; what was changed, and the mark by which an algorithm made it.

    `photograph` is the mark by which an image of an import of synthetic ones is a photograph.
    """

    file_name: str
    mask_file_name: str = ""
    problem: str = ""
    changes: tuple[str, ...] = ()
    mark: str = ""
    photograph: str = ""
    more_masks: dict[str, str] = field(default_factory=dict)
    mask_problems: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    width: int = 0
    height: int = 0
    hash: np.uint64 | None = None
    thumbnail: np.ndarray | None = None


def import_image(folder: Path, out: Path, options: ImportOptions, named: tuple[SourceRow, str]) -> ImportedImage:
    """Check and copy an image and its masks under a new name; the problem, if any, as text."""
    row, name = named
    try:
        image = _import_pixels(folder, out, options, row, name)
    except DiskError:
        raise
    except UserError as error:
        return ImportedImage("", problem=str(error))
    return _with_masks(image, folder, out, options, row, name)


class _Pixels(NamedTuple):
    """An image that was copied: its file in the set, its pixels, what was changed, its marks, and what is doubtful."""

    file_name: str
    pixels: Pixels
    changes: tuple[str, ...] = ()
    mark: str = ""
    doubts: tuple[str, ...] = ()
    photograph: str = ""


def _import_pixels(folder: Path, out: Path, options: ImportOptions, row: SourceRow, name: str) -> _Pixels:
    mark = row_mark(row.columns) or ("named so by the import" if options.synthetic else "")
    if row.pixels is not None:
        write_within(out / f"images/{name}.png", encode_png(row.pixels, synthetic=options.synthetic))
        return _Pixels(f"images/{name}.png", row.pixels, mark=mark)
    path = path_inside(folder, row.image, options.roots)
    if row.frame is not None:
        return _import_frame(path, out, row, name, mark or folder_mark(path.parent))
    data = read_bytes(path)
    pixels, changes = decode_image_with_notes(data, str(path))
    _refuse_mask(pixels, path)
    own_mark = file_mark(data, path) or folder_mark(path.parent)
    photograph = photograph_file_mark(data, path) if options.synthetic and not own_mark else ""
    mark = own_mark or mark
    if options.synthetic and not changes and _is_plain_jpeg(data):
        file_name = f"images/{name}.jpg"
        write_within(
            out / file_name, mark_jpeg(data)
        )  # its compression is seen by whoever compares it with photographs
    else:
        file_name = _copy_image(data, out, name, pixels, anew=bool(changes or mark), synthetic=bool(mark))
    return _Pixels(
        file_name, pixels, changes, mark, (TURNED,) if (row.mask or row.boxes) and is_turned(data) else (), photograph
    )


def _is_plain_jpeg(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        return image.format == "JPEG" and image.mode == "RGB" and not is_turned(data)


def _import_frame(path: Path, out: Path, row: SourceRow, name: str, mark: str) -> _Pixels:
    frame = read_frame(path, row.name or str(path), row.frame or 0)
    _refuse_mask(frame.pixels, Path(row.title))
    if frame.jpeg:
        file_name = _copy_image(frame.jpeg, out, name, frame.pixels, anew=bool(mark), synthetic=bool(mark))
        return _Pixels(file_name, frame.pixels, frame.notes, mark)
    write_within(out / f"images/{name}.png", encode_png(frame.pixels, synthetic=bool(mark)))
    return _Pixels(f"images/{name}.png", frame.pixels, frame.notes, mark)


def _with_masks(
    image: _Pixels, folder: Path, out: Path, options: ImportOptions, row: SourceRow, name: str
) -> ImportedImage:
    """The image with those of its masks that can be used."""
    masks, problems, notes = _copy_masks(image.pixels, folder, out, options, row, name)
    code, thumbnail = thumbnail_hash(image.pixels)
    return ImportedImage(
        image.file_name,
        masks.pop("", ""),
        changes=(*image.changes, *(note for note in notes if note != DOUBT)),
        mark=image.mark,
        photograph=image.photograph,
        more_masks=masks,
        mask_problems=tuple(problems),
        doubts=(*image.doubts, *(note for note in notes if note == DOUBT)),
        width=image.pixels.shape[1],
        height=image.pixels.shape[0],
        hash=code,
        thumbnail=thumbnail,
    )


def _copy_masks(
    pixels: Pixels, folder: Path, out: Path, options: ImportOptions, row: SourceRow, name: str
) -> tuple[dict[str, str], list[str], list[str]]:
    """The files of an image's masks by kind (the lesion's has no name), why others are left out, and what was understood."""
    masks, problems, notes = {}, [f"mask left out: {row.mask_problem}"] if row.mask_problem else [], list[str]()
    for kind, source in {"": "" if row.mask_problem else row.mask, **row.more_masks}.items():
        target = f"masks/{kind + '/' if kind else ''}{name}.png"
        try:
            if source:
                notes += _import_mask(path_inside(folder, source, options.roots), out, target, pixels, options)
                masks[kind] = target
        except DiskError:
            raise
        except UserError as error:
            problems.append(f"mask left out: {error}")
    if row.boxes is not None:
        masks[""] = _draw_boxes(row.boxes, out, f"masks/{name}.png", pixels)
    return masks, problems, notes


def _refuse_mask(pixels: np.ndarray, path: Path) -> None:
    """Raise BadImage for a picture of black and white only, or of a few plain colours on black or white."""
    small = pixels[::2, ::2] if pixels.size > 50_000 else pixels
    if min(pixels.shape[:2]) < 16:
        return
    least, largest = extremes(small)
    black, white = (largest <= 8).mean(), (least >= 247).mean()
    if black + white > 0.98 and min(black, white) > 0.001:
        raise BadImage(f"{path}: black and white only: a mask, not a photograph")
    if max(black, white) > 0.1 and 1 < len(np.unique(small.astype(np.int64) @ np.array([65536, 256, 1]))) <= PLAIN:
        raise BadImage(f"{path}: a few plain colours on black or white: a mask, not a photograph")


def _copy_image(data: bytes, out: Path, name: str, pixels: np.ndarray, *, anew: bool, synthetic: bool) -> str:
    """Copy the bytes of a plain RGB JPEG or PNG without metadata; write anything else as PNG.

    Cameras write names, dates and places into EXIF: such a file is written anew. A mark of synthetic images stays.
    """
    with Image.open(io.BytesIO(data)) as image:
        if image.format != "JPEG":
            image.load()  # text of a PNG may come after its pixels
        private = {"exif", "xmp", "comment", "photoshop", *getattr(image, "text", {})} & set(image.info)
        segments = {segment for segment, _ in getattr(image, "applist", [])} - {"APP0", "APP2", "APP14"}
        plain = image.format in ("JPEG", "PNG") and image.mode == "RGB" and not private and not segments and not anew
        suffix = ".jpg" if image.format == "JPEG" else ".png"
    if plain:
        write_within(out / f"images/{name}{suffix}", data)
        return f"images/{name}{suffix}"
    write_within(out / f"images/{name}.png", encode_png(pixels, synthetic=synthetic))
    return f"images/{name}.png"


def _draw_boxes(boxes: tuple[Box, ...], out: Path, target: str, pixels: Pixels) -> str:
    """Write the mask of boxes; its path."""
    mask = rectangles(boxes, *pixels.shape[:2])
    write_within(out / target, encode_png(np.where(mask, 255, 0).astype(np.uint8)))
    return target


def _import_mask(path: Path, out: Path, target: str, pixels: np.ndarray, options: ImportOptions) -> tuple[str, ...]:
    mask, notes = read_mask_with_notes(path, shape=pixels.shape, value=options.mask_value)
    write_within(out / target, encode_png(np.where(mask, 255, 0).astype(np.uint8)))
    return notes
