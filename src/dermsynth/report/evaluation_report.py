"""An evaluation as a page: lights on top, then every figure, the nearest training images, and what it was made with."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dermsynth.data.dataset import DataSet
from dermsynth.evaluation.inputs import compared_rows
from dermsynth.evaluation.meaning import meaning, outside
from dermsynth.evaluation.memorisation import TRANSLATED
from dermsynth.images import grid
from dermsynth.report.page import COLOURS, PHOTOGRAPHS, bars, picture, thumbnails, write_page

NEIGHBOURS, EXAMPLES, COLUMNS = 24, 30, 10
SPRITE, SPRITES = 48, 20
"""Pixels of an image in the view of features, and images a row of their common picture."""
PAGE = "assessment.html"
OLD_PAGE = "evaluation.html"
"""Its name in earlier versions, which `datasets` takes for a split; a new page takes its place."""
SECTIONS = (
    ("Distances of distributions", ("FID", "KID", "MMD", "SWD")),
    ("Fidelity and diversity apart", ("precision", "recall", "density", "coverage")),
    ("Diversity without real images", ("MS-SSIM", "LPIPS", "perceptual", "Inception")),
    ("Colours", ("JSD", "Wasserstein")),
    ("Features with names", ("Frechet distance, dermatology", "difference of")),
)


def write_evaluation_report(
    synthetic: DataSet, real: DataSet, result: Mapping[str, Any], command: str, *, photographs: bool = True
) -> None:
    """Write the page into the synthetic set, whose table has the copy gate's columns if it was run.

    Without `photographs` it shows no real image, and no synthetic one that was flagged as a copy of one.
    """
    table = pd.DataFrame(map(_told, result["measurements"]))
    may_show = synthetic if photographs else _generated(synthetic)
    sections = [(title, table[table["metric"].str.startswith(names)].to_dict("records")) for title, names in SECTIONS]
    compared = compared_rows(synthetic, real, result["real"]["split"])
    write_page(
        synthetic.folder / PAGE,
        "evaluation.html",
        {
            "name": synthetic.folder.name,
            "photographs": PHOTOGRAPHS if photographs else "",
            "result": result,
            "command": command,
            "lights": result["verdict"],
            "classes": result["class_verdicts"],
            "made": _counts(synthetic),
            "kept": _counts(compared),
            "copying": [_told(row) for row in result.get("copying") or []],
            "explained": _explained,
            "sections": [(title, rows) for title, rows in sections if rows],
            "differences": _differences(table),
            "examples": [("synthetic", _some(may_show)), *([("real", _some(compared))] if photographs else [])],
            "neighbours": _neighbours(synthetic, real, photographs) if result.get("copy_gate") else [],
            "embeddings": [_embedding(may_show, real, view, photographs) for view in result.get("embedding", [])],
            "closest": _closest(synthetic, real, result.get("closest", {}), photographs),
        },
    )
    (synthetic.folder / OLD_PAGE).unlink(missing_ok=True)


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A figure with which way is better, and why it lies outside its interval."""
    return {**row, "better": meaning(str(row["metric"])).better, "outside": outside(row)}


def _explained(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What the figures of a table say, each kind once: the names it has there, and a sentence."""
    names: dict[str, list[str]] = {}
    for row in rows:
        metric = str(row["metric"])
        known = names.setdefault(meaning(metric).says, [])
        known += [metric] if metric not in known else []
    return [
        (", ".join(found) if len(found) < 4 else f"{found[0]} ... {found[-1]}", says) for says, found in names.items()
    ]


def _counts(data_set: DataSet) -> list[tuple[str, int]]:
    """Classes with their numbers of images; none where there are no labels."""
    return [(label, data_set.count(label)) for label in data_set.classes]


def _embedding(synthetic: DataSet, real: DataSet, view: Mapping[str, Any], photographs: bool) -> dict[str, Any]:
    """Points for the page's script, [x, y, real or not, label, file name], and one picture that holds all their images.

    Without `photographs` the picture is blank at real images, and at all that are not in `synthetic`.
    """
    points, folders = view["points"], {"synthetic": synthetic.folder, "real": real.folder}
    labels = sorted({point["label"] for point in points})
    seen = {
        "synthetic": set(synthetic.table["file_name"]),
        "real": set(real.table["file_name"]) if photographs else set(),
    }
    sprite = np.full((len(points), SPRITE, SPRITE, 3), 255, np.uint8)
    for row, point in enumerate(points):
        if point["file_name"] in seen[point["side"]]:
            sprite[row] = thumbnails([folders[point["side"]] / point["file_name"]], SPRITE)[0]
    rows = [
        [p["x"], p["y"], int(p["side"] == "real"), labels.index(p["label"]), p["file_name"]] for p in points
    ]  # fmt: skip
    data = {"points": rows, "labels": labels, "colours": COLOURS, "side": SPRITE, "columns": SPRITES}
    return {
        "method": view["method"],
        "note": view["note"],
        "points": len(points),
        "data": data,
        "sprite": picture(grid(sprite, SPRITES, gap=0), ""),
    }


def _generated(synthetic: DataSet) -> DataSet:
    """The images that show no photograph: neither flagged as a copy of one nor made from one."""
    made_from = synthetic.table.get(TRANSLATED, pd.Series("", synthetic.table.index)) != ""
    return synthetic.select(~synthetic.flags("copy_flag") & ~made_from.to_numpy(bool))


def _some(data_set: DataSet) -> str:
    if data_set.table.empty:
        return "every image is flagged as a copy, or made from a photograph"
    chosen = np.sort(np.random.default_rng(0).permutation(len(data_set.table))[:EXAMPLES])
    paths = [data_set.paths[index] for index in chosen]
    return picture(grid(thumbnails(paths, 96), COLUMNS), f"random images of {data_set.folder.name}")


def _differences(table: pd.DataFrame) -> str:
    """Standardised differences of the named features over all images, as bars with intervals."""
    rows = table[table["metric"].str.startswith("difference of") & (table["group"] == table["group"].iloc[0])]
    if rows.empty:
        return ""
    names = [str(name).removeprefix("difference of ") for name in rows["metric"]]
    return bars(
        names, rows["value"].to_numpy(), rows["low"].to_numpy(), rows["high"].to_numpy(),
        title="Synthetic minus real, in the real set's standard deviations",
    )  # fmt: skip


def _closest(
    synthetic: DataSet, real: DataSet, closest: Mapping[str, Any], photographs: bool
) -> dict[str, list[dict[str, Any]]]:
    """Pairs of pictures for every measure, the closest first; without `photographs` their names alone."""

    def pair(row: Mapping[str, Any]) -> str:
        return _beside(synthetic, row["file_name"], real, row["of"]) if photographs else ""

    return {measure: [row | {"picture": pair(row)} for row in rows] for measure, rows in closest.items()}


def _beside(synthetic: DataSet, made: str, real: DataSet, source: str) -> str:
    pair = thumbnails([synthetic.folder / made, real.folder / source], 96)
    return picture(grid(pair, 2), f"{made} and {source}")


def _neighbours(synthetic: DataSet, real: DataSet, photographs: bool) -> list[dict[str, Any]]:
    """The synthetic images closest to a training image, each beside it; without `photographs` their names alone."""
    columns = {"score": synthetic.numbers("copy_score"), "flagged": synthetic.flags("copy_flag")}
    found = []
    for row in synthetic.table.assign(**columns).sort_values("score").head(NEIGHBOURS).to_dict("records"):
        sheet = _beside(synthetic, row["file_name"], real, row["copy_of"]) if photographs else ""
        found.append({**{str(key): value for key, value in row.items()}, "picture": sheet})
    return found
