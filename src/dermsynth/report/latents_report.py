"""What directions change: one table, and strips of images along each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.images import encode_png, grid, read_image
from dermsynth.io import write_bytes
from dermsynth.latents.edits import WALK
from dermsynth.latents.entanglement import EntanglementResult, RankedDirection
from dermsynth.latents.space import Images
from dermsynth.report.page import picture, write_page

PAGE, RESULT = "entanglement.html", "entanglement.json"
COUPLES = 10
HEADINGS = {
    "gone": "gone", "target": "score, after - before", "dice": "Dice of lesions", "inside": "SSIM in the lesion",
    "asymmetry": "asymmetry", "border_irregularity": "border irregularity", "colour_variegation": "colour variegation",
    "diameter_share": "diameter", "skin_tone": "skin tone, degrees", "classifier": "classifier's probability",
    "perceptual": "perceptual distance",
}  # fmt: skip
"""Headings of the page's columns, by field."""


def as_text(ranking: Sequence[RankedDirection]) -> str:
    """The ranking for the terminal."""
    lines = [f"{'direction':<16}{'step':>6}{'gone':>8}{'lesion Dice':>13}{'SSIM inside':>13}{'skin tone':>11}{'n':>6}"]
    for row in ranking:
        gone, dice, inside, tone = (
            float("nan") if figure is None else figure.mean
            for figure in (row.gone, row.dice, row.inside, row.skin_tone)
        )
        n = 0 if row.dice is None else row.dice.n
        lines.append(f"{row.direction:<16}{row.step:>+6.1f}{gone:>8.0%}{dice:>13.2f}{inside:>13.2f}{tone:>11.1f}{n:>6}")
    return "\n".join(lines)


def write_entanglement(out: Path, result: EntanglementResult, strips: Sequence[tuple[str, Images]], count: int) -> Path:
    """Write `entanglement.json` and a page.

    `strips` are names of directions with images [latents, steps, 3, h, w] along them, `count` the latents compared.
    """
    out.mkdir(parents=True, exist_ok=True)
    result.save(out / RESULT)
    pictures = []
    for number, (name, images) in enumerate(strips):
        rows = images.reshape(-1, *images.shape[2:]).transpose(0, 2, 3, 1)
        strip = grid(rows, images.shape[1])
        write_bytes(out / f"strip{number:02d}.png", encode_png(strip, text={"direction": name}, synthetic=True))
        pictures.append((name, picture(strip, f"{name} from {WALK[0]:g} to {WALK[-1]:g}", lossless=True, scale=1)))
    columns = {name: text for name, text in HEADINGS.items() if name in result.rows[0].model_fields_set}
    values = {"result": result, "columns": columns, "strips": pictures, "n": count, "steps": WALK}
    write_page(out / PAGE, "entanglement.html", values)
    return out / PAGE


def write_edits(source: DataSet, edited: DataSet) -> Path:
    """Write `edits.png` into the edited set: the first images that were moved, above as generated, below edited."""
    rows = edited.table[edited.table["edit_step"].astype(float) != 0].head(COUPLES)
    names = rows["file_name"] if len(rows) else edited.table["file_name"].head(COUPLES)
    sides = [[read_image(side.folder / name) for name in names] for side in (source, edited)]
    path = edited.folder / "edits.png"
    write_bytes(path, encode_png(grid(np.stack(sides[0] + sides[1]), len(names)), synthetic=True))
    return path
