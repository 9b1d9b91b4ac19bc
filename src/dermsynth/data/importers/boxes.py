"""Boxes around lesions: files of shares beside the images, and the rectangles that they mean as a mask."""

from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.importers.layout_table import Boxes
from dermsynth.errors import UserError

Box = tuple[float, float, float, float]
"""Middle from the left and from the top, width and height, as shares of the image."""


def boxes_file(image: str, boxes: Boxes) -> str:
    """The file with the boxes of an image: `train/labels/x.txt` of `train/images/x.png`; empty where it lies elsewhere."""
    path = PurePosixPath(image)
    folders = list(path.parts[:-1])
    if boxes.images not in folders:
        return ""
    last = len(folders) - 1 - folders[::-1].index(boxes.images)
    folders[last] = boxes.labels
    return PurePosixPath(*folders, f"{path.stem}.txt").as_posix()


def read_boxes(path: Path) -> tuple[Box, ...]:
    """The boxes of a file of lines `class x y width height`, in shares of the image (YOLO).

    Raises UserError for a line that is none; it says which.
    """
    boxes = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        cells = line.split()
        if cells:
            boxes.append(_box(cells, f"{path}: line {number}"))
    return tuple(boxes)


def _box(cells: list[str], place: str) -> Box:
    try:
        x, y, width, height = map(float, cells[1:])
    except ValueError as error:
        raise UserError(f"{place}: {' '.join(cells)[:60]!r} is no box; must be: class x y width height") from error
    if not all(0 <= share <= 1 for share in (x, y, width, height)):
        raise UserError(f"{place}: {' '.join(cells)[:60]!r}: x, y, width and height are shares between 0 and 1")
    return x, y, width, height


def rectangles(boxes: tuple[Box, ...], height: int, width: int) -> NDArray[np.bool_]:
    """Mask [h, w] of several boxes; each is at least a pixel, and cut off at the border."""
    mask = np.zeros((height, width), dtype=bool)
    for x, y, wide, high in boxes:
        left, top = round((x - wide / 2) * width), round((y - high / 2) * height)
        right, bottom = round((x + wide / 2) * width), round((y + high / 2) * height)
        left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
        mask[top : max(bottom, top + 1), left : max(right, left + 1)] = True
    return mask
