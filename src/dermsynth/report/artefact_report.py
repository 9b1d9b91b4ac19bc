"""Removed artefacts as pages: before, after and what was filled; and all methods side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from markupsafe import Markup

from dermsynth.artefacts.annotate import masks_of
from dermsynth.artefacts.annotations import annotations_folder
from dermsynth.artefacts.benchmark import Comparison, ExampleStrip, MeanInterval, RepairQuality
from dermsynth.artefacts.confirmation import ANSWERS, Trust, trust_table
from dermsynth.artefacts.datasets import remaining_artefacts
from dermsynth.artefacts.detection import detect
from dermsynth.data.dataset import DataSet
from dermsynth.images import Pixels, fit, grid, read_image
from dermsynth.io import write_json
from dermsynth.report.page import PHOTOGRAPHS, bars, picture, write_page

REMOVAL, COMPARISON, RESULT = "removal.html", "comparison.html", "comparison.json"
CONFIRMATION = "artefacts_confirm.html"
LEFT_OUT = "Photographs were left out."
OUTLINE = (0, 200, 60)
SHOWN, SIDE = 24, 160
FILLED = np.array([255, 0, 128], np.uint8)
MEASURES = (
    ("psnr", "PSNR inside the hole, dB"),
    ("ssim", "SSIM inside the hole"),
    ("colour", "CIEDE2000 inside the hole"),
)


def write_removal_report(source: DataSet, copy: DataSet, *, photographs: bool = True) -> Path:
    """A page of what is left, and of the images of which most was filled or cut: before, after, and what was changed.

    Without `photographs` names and figures alone.
    """
    changed = copy.table["filled_share"].astype(float) + copy.table["lesion_lost"].astype(float)
    most = copy.table.loc[changed.sort_values(ascending=False).index[:SHOWN]]
    rows = [{str(k): str(v) for k, v in row.items()} for row in most.to_dict("records")]
    strips = [
        (row["edited_from"], picture(_strip(source, copy, row), row["edited_from"]) if photographs else "")
        for row in rows
    ]
    page = copy.folder / REMOVAL
    step = copy.provenance.document["history"][-1]
    values = {"name": copy.folder.name, "rows": rows, "strips": strips, "step": step, "left": remaining_artefacts(copy)}
    write_page(page, "removal.html", {**values, "photographs": _notice(photographs)})
    return page


def _notice(photographs: bool) -> str:
    return PHOTOGRAPHS if photographs else LEFT_OUT


def write_confirmation(
    data_set: DataSet, rows: pd.DataFrame, trust: Sequence[Trust], *, photographs: bool = True
) -> Path:
    """A page of what was found, with its outline, to say yes or no to; the answers become a file that is read back."""
    places = {name: index for index, name in enumerate(data_set.table["file_name"])}
    items = []
    for number, row in enumerate(rows.to_dict("records")):
        item = {str(key): value for key, value in row.items()}
        sheet = _outline(data_set, places[item["file_name"]], item["artefact"], photographs)
        items.append({**item, "number": number, "sheet": picture(sheet, f"{item['artefact']} in {item['file_name']}")})
    page = annotations_folder(data_set) / CONFIRMATION
    groups = {name: [item for item in items if item["artefact"] == name] for name in dict.fromkeys(rows["artefact"])}
    table = trust_table(trust)
    values = {"name": data_set.folder.name, "groups": groups, "answers": ANSWERS, "trust": table.to_dict("split")}
    write_page(page, "confirmation.html", {**values, "photographs": _notice(photographs)})
    return page


def _outline(data_set: DataSet, place: int, artefact: str, photographs: bool) -> Pixels:
    """The image, and beside it the image with the outline of what was found; without photographs the outline alone."""
    row = {str(key): str(value) for key, value in data_set.table.iloc[place].items()}
    image = read_image(data_set.folder / row["file_name"])
    detections = masks_of(data_set, row) or detect(image, (artefact,))
    bare = image if photographs else np.full_like(image, 235)
    small, mask = (
        _thumbnail(bare),
        _thumbnail(np.repeat(detections[artefact].mask[..., None], 3, axis=2).astype(np.uint8) * 255)[..., 0],
    )
    lines, _ = cv2.findContours((mask > 64).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = cv2.drawContours(small.copy(), lines, -1, OUTLINE, 1)
    return grid(np.stack([small, drawn]), 2) if photographs else drawn


def _strip(source: DataSet, copy: DataSet, row: Mapping[str, str]) -> Pixels:
    before, after = read_image(source.folder / row["edited_from"]), read_image(copy.folder / row["file_name"])
    pictures = [_thumbnail(before), _thumbnail(after)]
    if before.shape == after.shape:
        touched = (before != after).any(axis=2)
        pictures.append(_thumbnail(np.where(touched[..., None], FILLED, before)))
    return grid(np.stack(pictures), len(pictures))


def _thumbnail(pixels: Pixels) -> Pixels:
    """The whole image, for artefacts lie at the border."""
    return fit(pixels, SIDE * 3 // 4, SIDE, "pad", "area")


def write_comparison(out: Path, result: Comparison, strips: Sequence[ExampleStrip] = ()) -> Path:
    """`comparison.json` and a page: one table, one figure a measure, and the strips of images that are given, if any."""
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / RESULT, result.model_dump())
    methods = list(dict.fromkeys(repair.method for repair in result.repairs))
    pictures = [
        (
            strip.artefact,
            ["as it was", f"with {strip.artefact}", *methods],
            picture(grid(np.stack([_thumbnail(image) for image in strip.images]), len(strip.images)), strip.artefact),
        )
        for strip in strips
    ]
    page = out / COMPARISON
    write_page(
        page, "comparison.html",
        {"result": result, "strips": pictures, "plots": [_bars(result.repairs, key, title) for key, title in MEASURES],
         "photographs": _notice(bool(strips))},
    )  # fmt: skip
    return page


def _bars(repairs: Sequence[RepairQuality], measure: str, title: str) -> Markup:
    names = [f"{repair.artefact}, {repair.method}" for repair in repairs]
    means: list[MeanInterval] = [getattr(repair, measure) for repair in repairs]
    values, low, high = ([getattr(mean, part) for mean in means] for part in ("mean", "low", "high"))
    return bars(names, values, low, high, title=title)
