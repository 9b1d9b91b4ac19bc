"""Removed artefacts as pages: before, after and what was filled; and all methods side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from dermsynth.artefacts.comparison import examples
from dermsynth.artefacts.fill import Method
from dermsynth.data.dataset import DataSet
from dermsynth.images import Pixels, fit, grid, read_image
from dermsynth.report.page import bars, picture, write_page
from dermsynth.runs import write_json

REMOVAL, COMPARISON, RESULT = "removal.html", "comparison.html", "comparison.json"
SHOWN, SIDE = 24, 160
FILLED = np.array([255, 0, 128], np.uint8)
MEASURES = (
    ("psnr", "PSNR inside the hole, dB"),
    ("ssim", "SSIM inside the hole"),
    ("colour", "CIEDE2000 inside the hole"),
)


def write_removal_report(source: DataSet, made: DataSet) -> Path:
    """A page of the images of which most was filled or cut: before, after, and what was changed."""
    changed = made.table["filled_share"].astype(float) + made.table["lesion_lost"].astype(float)
    most = made.table.loc[changed.sort_values(ascending=False).index[:SHOWN]]
    rows = [{str(k): str(v) for k, v in row.items()} for row in most.to_dict("records")]
    strips = [(row["edited_from"], picture(_strip(source, made, row), row["edited_from"])) for row in rows]
    page = made.folder / REMOVAL
    step = made.description["history"][-1]
    write_page(page, "removal.html", {"name": made.folder.name, "rows": rows, "strips": strips, "step": step})
    return page


def _strip(source: DataSet, made: DataSet, row: Mapping[str, str]) -> Pixels:
    before, after = read_image(source.folder / row["edited_from"]), read_image(made.folder / row["file_name"])
    shown = [_small(before), _small(after)]
    if before.shape == after.shape:
        touched = (before != after).any(axis=2)
        shown.append(_small(np.where(touched[..., None], FILLED, before)))
    return grid(np.stack(shown), len(shown))


def _small(pixels: Pixels) -> Pixels:
    """The whole image, for artefacts lie at the border."""
    return fit(pixels, SIDE * 3 // 4, SIDE, "pad", "area")


def write_comparison(out: Path, data_set: DataSet, result: Mapping[str, Any]) -> Path:
    """`comparison.json` and a page: one table, one figure a measure, one strip an artefact."""
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / RESULT, result)
    rows = result["repairs"]
    methods: list[Method] = list(dict.fromkeys(row["method"] for row in rows))
    strips = [
        (
            name,
            ["as it was", f"with {name}", *methods],
            picture(grid(np.stack([_small(p) for p in shown]), len(shown)), name),
        )
        for name, shown in examples(data_set, result, methods)
    ]
    page = out / COMPARISON
    write_page(
        page, "comparison.html",
        {"result": result, "strips": strips, "plots": [_bars(rows, key, title) for key, title in MEASURES]},
    )  # fmt: skip
    return page


def _bars(rows: Sequence[Mapping[str, Any]], key: str, title: str) -> Markup:
    names = [f"{row['artefact']}, {row['method']}" for row in rows]
    values, low, high = ([row[key][part] for row in rows] for part in ("mean", "low", "high"))
    return bars(names, values, low, high, title=title)
