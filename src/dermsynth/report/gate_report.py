"""What the copy gate says of images as a page: counts, and the pairs a person should look at."""

from collections.abc import Hashable, Mapping
from pathlib import Path

import pandas as pd

from dermsynth.evaluation.copies import FLAG, SOURCE
from dermsynth.evaluation.gate import GateResult
from dermsynth.images import grid
from dermsynth.report.page import PHOTOGRAPHS, picture, thumbnails, write_page

PAGE = "gate.html"
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
    return [{**row, "picture": _pair(result, row) if photographs else ""} for row in rows.to_dict("records")]


def _pair(result: GateResult, row: Mapping[Hashable, str]) -> str:
    both = thumbnails([result.images.folder / row["file_name"], result.training.folder / row[SOURCE]], 96)
    return picture(grid(both, 2), f"{row['file_name']} and {row[SOURCE]}")
