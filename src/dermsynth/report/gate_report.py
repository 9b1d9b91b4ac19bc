"""What the copy gate says of images as a page: counts, and the pairs a person should look at."""

from collections.abc import Hashable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from dermsynth.data.cache import Decoding, decode_paths
from dermsynth.evaluation.copies import FLAG, SOURCE
from dermsynth.evaluation.copy_poses import laid_picture
from dermsynth.evaluation.gate import GateResult
from dermsynth.images import grid
from dermsynth.report.page import PHOTOGRAPHS, picture, thumbnails, write_page

PAGE = "gate.html"
SIDE = 96
FLAGGED, OTHERS = 120, 24
"""Pairs on the page: of the flagged images, the closest first, and of the closest others."""


def write_gate_report(result: GateResult, folder: Path, command: str, *, photographs: bool = True) -> Path:
    """Write `gate.html` into a folder.

    Parameters
    ----------
    result
        What the gate says.
    folder
        Where the page is written.
    command
        The command that made it, for the foot of the page.
    photographs
        Whether training images, and the images close to them, are on the page.
    """
    rows = result.nearest(len(result.table))
    flagged = rows[rows[FLAG] == "true"]
    write_page(
        folder / PAGE,
        "gate.html",
        {
            "name": result.images.folder.name,
            "training": result.training.folder.name,
            "photographs": PHOTOGRAPHS if photographs else "",
            "result": result,
            "flagged": _pairs(result, flagged.head(FLAGGED), photographs),
            "others": _pairs(result, rows[rows[FLAG] != "true"].head(OTHERS), photographs),
            "left_out": max(0, len(flagged) - FLAGGED),
            "command": command,
        },
    )
    return folder / PAGE


def _pairs(result: GateResult, rows: pd.DataFrame, photographs: bool) -> list[dict[Hashable, object]]:
    """Rows of images with their pictures, where these may be shown."""
    places = [int(place) for place in rows.index]
    return [
        {**row, "picture": _pair(result, row, place) if photographs else ""}
        for place, row in zip(places, rows.to_dict("records"), strict=True)
    ]


def _pair(result: GateResult, row: Mapping[Hashable, str], place: int) -> str:
    """The image and the training image; and that laid onto the image, where it is closest in a pose."""
    paths = [result.images.folder / row["file_name"], result.training.folder / row[SOURCE]]
    matrix = result.matrices.get(place)
    if matrix is None:
        return picture(grid(thumbnails(paths, SIDE), 2), f"{row['file_name']} and {row[SOURCE]}")
    sizes = result.sizes
    decoding = Decoding(sizes.height, sizes.width, sizes.crop, sizes.filter)  # type: ignore[arg-type]
    image, original = decode_paths(paths, decoding)
    three = np.stack([image, original, laid_picture(image, original, matrix)]).transpose(0, 2, 3, 1)
    scale = SIDE / min(sizes.height, sizes.width)
    larger = [cv2.resize(one, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) for one in three]
    return picture(grid(np.stack(larger), 3), f"{row['file_name']}, {row[SOURCE]}, and the second laid onto the first")
