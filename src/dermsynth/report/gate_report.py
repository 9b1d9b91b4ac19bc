"""What the copy gate says of images as a page: counts, and the closest pairs beside one another."""

from collections.abc import Hashable, Mapping
from pathlib import Path

from dermsynth.evaluation.copies import FLAG, SOURCE
from dermsynth.evaluation.gate import GateResult
from dermsynth.images import grid
from dermsynth.report.page import PHOTOGRAPHS, picture, thumbnails, write_page

PAGE = "gate.html"
PAIRS = 48


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
    pairs = [
        {**row, "flagged": row[FLAG] == "true", "picture": _pair(result, row) if photographs else ""}
        for row in result.nearest(PAIRS).to_dict("records")
    ]
    values = {
        "name": result.images.folder.name,
        "training": result.training.folder.name,
        "photographs": PHOTOGRAPHS if photographs else "",
        "result": result,
        "pairs": pairs,
        "command": command,
        "claim": result.images.provenance.generator.claim,
    }
    write_page(folder / PAGE, "gate.html", values)
    return folder / PAGE


def _pair(result: GateResult, row: Mapping[Hashable, str]) -> str:
    both = thumbnails([result.images.folder / row["file_name"], result.training.folder / row[SOURCE]], 96)
    return picture(grid(both, 2), f"{row['file_name']} and {row[SOURCE]}")
