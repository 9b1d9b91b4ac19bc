"""What directions change: one table, and strips of images along each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.images import Pixels, encode_png, grid, read_image
from dermsynth.io import write_bytes, write_json
from dermsynth.latents.attributes import Scorer
from dermsynth.latents.directions import Direction
from dermsynth.latents.edits import moved
from dermsynth.latents.space import Space
from dermsynth.report.page import picture, write_page

PAGE, RESULT = "entanglement.html", "entanglement.json"
STRIP, IMAGES, COUPLES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), 3, 10
COLUMNS = (
    "gone", "target", "dice", "inside", "asymmetry", "border_irregularity", "colour_variegation", "diameter_share", "skin_tone",
    "classifier", "perceptual",
)  # fmt: skip


def as_text(best: Sequence[Mapping[str, Any]]) -> str:
    """The ranking for the terminal."""
    lines = [f"{'direction':<16}{'step':>6}{'gone':>8}{'lesion Dice':>13}{'SSIM inside':>13}{'skin tone':>11}{'n':>6}"]
    for row in best:
        keys = ("gone", "dice", "inside", "skin_tone")
        values = [row[key].mean if row[key] is not None else float("nan") for key in keys]
        shares = f"{values[0]:>8.0%}{values[1]:>13.2f}{values[2]:>13.2f}{values[3]:>11.1f}"
        lines.append(f"{row['direction']:<16}{row['step']:>+6.1f}{shares}{row['dice'].n:>6}")
    return "\n".join(lines)


def write_entanglement(
    out: Path, space: Space, directions: Sequence[Direction], rows: Sequence[Mapping[str, Any]],
    best: Sequence[Mapping[str, Any]], target: Scorer, seeds: Sequence[int],
) -> Path:  # fmt: skip
    """`entanglement.json` with every figure, and a page."""
    out.mkdir(parents=True, exist_ok=True)
    facts = {
        "run": str(space.generator.run), "checkpoint": space.generator.checkpoint.hash, "target": target.name,
        "threshold": target.threshold, "seeds": [seeds[0], seeds[-1]], "ranking": [plain(row) for row in best],
        "rows": [plain(row) for row in rows],
    }  # fmt: skip
    write_json(out / RESULT, facts)
    strips = []
    for number, one in enumerate(directions):
        strip = _strip(space, one, seeds)
        write_bytes(out / f"strip{number:02d}.png", encode_png(strip, text={"direction": one.name}, synthetic=True))
        strips.append((one, picture(strip, f"{one.name} from -3 to 3", lossless=True, scale=1)))
    page, columns = out / PAGE, [key for key in COLUMNS if key in rows[0]]
    values = {"target": target.name, "best": best, "rows": rows, "columns": columns, "strips": strips}
    write_page(page, "entanglement.html", {**values, "n": len(seeds), "steps": STRIP})
    return page


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose figures are dictionaries."""
    return {key: asdict(one) if is_dataclass(one) and not isinstance(one, type) else one for key, one in row.items()}


def _strip(space: Space, direction: Direction, seeds: Sequence[int]) -> Pixels:
    """Images of a few latents at every step, a row a latent."""
    targets, chosen = space.generator.model.targets(), list(seeds[:IMAGES])
    labels = [targets[i % len(targets)] for i in range(IMAGES)]
    points = space.points(chosen, labels, None)
    columns = [space.images(moved(space, points, direction, step), chosen, labels) for step in STRIP]
    images = np.stack(columns, axis=1).reshape(-1, *columns[0].shape[1:]).transpose(0, 2, 3, 1)
    return grid(images, len(STRIP))


def write_edits(source: DataSet, edited: DataSet) -> Path:
    """`edits.png` in the edited set: the first images that were moved, above as generated, below edited."""
    rows = edited.table[edited.table["edit_step"].astype(float) != 0].head(COUPLES)
    names = rows["file_name"] if len(rows) else edited.table["file_name"].head(COUPLES)
    sides = [[read_image(side.folder / name) for name in names] for side in (source, edited)]
    path = edited.folder / "edits.png"
    write_bytes(path, encode_png(grid(np.stack(sides[0] + sides[1]), len(names)), synthetic=True))
    return path
