"""An evaluation as a page: the verdict with reasons, images side by side, estimates as a picture, then folded tables."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from dermsynth.data.dataset import DataSet
from dermsynth.evaluation.copies import Copies, copies_of
from dermsynth.evaluation.inputs import comparable_images
from dermsynth.evaluation.memorisation import TRANSLATED
from dermsynth.evaluation.reading import next_step, sentence
from dermsynth.evaluation.results import PAGE, ClosePair, Evaluation, View, default_folder
from dermsynth.images import grid
from dermsynth.metrics.estimate import ALL, CopyEstimate, Estimate, Measured
from dermsynth.metrics.registry import METRICS, sections
from dermsynth.report.forest import forest_plots
from dermsynth.report.page import COLOURS, PHOTOGRAPHS, bars, picture, thumbnails, write_page
from dermsynth.report.side_by_side import side_by_side
from dermsynth.values import numbers

NEIGHBOURS, EXAMPLES, COLUMNS = 24, 30, 10
SPRITE, SPRITES = 48, 20
"""Pixels of an image in the view of features, and images a row of their common picture."""


def write_evaluation_report(
    synthetic: DataSet,
    real: DataSet,
    result: Evaluation,
    command: str,
    *,
    photographs: bool = True,
    copies: Copies | None = None,
    path: Path | None = None,
) -> Path:
    """Write the page of an evaluation.

    Parameters
    ----------
    synthetic, real : DataSet
        The sets that were compared.
    result : Evaluation
        The result of `evaluate`.
    command : str
        The command that made it, for the foot of the page.
    photographs : bool
        Whether the page shows real images, and synthetic ones that were flagged as a copy of one.
    copies : Copies, optional
        The flags of the copy gate; by default those beside the page, or in the synthetic set.
    path : Path, optional
        The page's file; `assessment/assessment.html` in the synthetic set by default.

    Returns
    -------
    Path
        The page's file.
    """
    path = default_folder(synthetic, None) / PAGE if path is None else path
    copies = copies or copies_of(synthetic, path.parent) or copies_of(synthetic)
    may_show = synthetic if photographs else _without_photographs(synthetic, copies)
    gated = copies if result.copy_gate else None  # else they are of another real set
    compared = comparable_images(synthetic, real, result.real.split)
    write_page(
        path,
        "evaluation.html",
        {
            "name": synthetic.folder.name,
            "photographs": PHOTOGRAPHS if photographs else "",
            "result": result,
            "command": command,
            "sentence": sentence(result),
            "next_steps": [next_step(result, line) for line in result.verdict],
            "forest": forest_plots(result.estimates),
            "synthetic_counts": _counts(synthetic),
            "real_counts": _counts(compared),
            "copying": _rows(result.copying or ()),
            "explained": _explained,
            "sections": [(title, rows) for title in sections() if (rows := _rows(_in_section(result, title)))],
            "differences": _differences(result),
            "examples": [("synthetic", _some(may_show)), *([("real", _some(compared))] if photographs else [])],
            "side_by_side": side_by_side(may_show, real, compared, gated) if photographs else [],
            "neighbours": _neighbours(synthetic, real, gated, photographs) if gated else [],
            "embeddings": [_embedding(may_show, real, view, photographs) for view in result.embedding],
            "closest": _closest(synthetic, real, result.closest, photographs),
        },
    )
    return path


def page_writer(
    synthetic: DataSet,
    real: DataSet,
    command: str = "",
    *,
    photographs: bool = True,
    copies: Copies | None = None,
    folder: Path | None = None,
) -> Callable[[Evaluation, Path], None]:
    """What `Evaluation.save("page.html")` calls: see `Evaluation.with_page`.

    The flags are `copies`; without them those in `folder`, where the evaluation was written; see `write_evaluation_report`.
    """

    def write(result: Evaluation, path: Path) -> None:
        flags = copies or (None if folder is None else copies_of(synthetic, folder))
        write_evaluation_report(synthetic, real, result, command, photographs=photographs, copies=flags, path=path)

    return write


def _in_section(result: Evaluation, title: str) -> list[Estimate]:
    return [estimate for estimate in result.estimates if METRICS[estimate.id].section == title]


def _rows(estimates: Sequence[Estimate] | Sequence[CopyEstimate]) -> list[dict[str, Any]]:
    """Rows of a table: an estimate, which values are good, and why its value lies outside its interval."""
    return [
        {**estimate.model_dump(), "good": METRICS[estimate.id].good, "outside": outside(estimate)}
        for estimate in estimates
    ]


def outside(estimate: Measured) -> str:
    """Why a value lies outside its interval; empty where it lies inside."""
    if math.isnan(estimate.value):
        return "it could not be computed from these images"
    if estimate.low <= estimate.value <= estimate.high:
        return ""
    if METRICS[estimate.id].few_images:
        return "few images raise the value; the interval is that of the distance between the two distributions"
    return "the value is not in the middle of what other images would give; trust the interval"


def _explained(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What the estimates of a table say, each metric once: the names it has there, and a sentence."""
    names: dict[str, dict[str, None]] = {}
    for row in rows:
        names.setdefault(METRICS[row["id"]].says, {})[row["name"]] = None
    return [
        (", ".join(names_of) if len(names_of) < 4 else f"{next(iter(names_of))} ... {list(names_of)[-1]}", says)
        for says, names_of in names.items()
    ]


def _counts(data_set: DataSet) -> list[tuple[str, int]]:
    """Classes with their numbers of images; none where there are no labels."""
    return [(label, data_set.count(label)) for label in data_set.classes]


class EmbeddingPlot(NamedTuple):
    """A view of the features: how it was computed, the points for the page's script, and one picture of all their images."""

    method: str
    note: str
    points: int
    data: Mapping[str, object]
    sprite: Markup


def _embedding(synthetic: DataSet, real: DataSet, view: View, photographs: bool) -> EmbeddingPlot:
    """Points for the page's script, [x, y, real or not, label, file name], and one picture that holds all their images.

    Without `photographs` the picture is blank at real images, and at all that are not in `synthetic`.
    """
    points, folders = view.points, {"synthetic": synthetic.folder, "real": real.folder}
    labels = sorted({point.label for point in points})
    visible = {
        "synthetic": set(synthetic.table["file_name"]),
        "real": set(real.table["file_name"]) if photographs else set(),
    }
    sprite = np.full((len(points), SPRITE, SPRITE, 3), 255, np.uint8)
    for row, point in enumerate(points):
        if point.file_name in visible[point.side]:
            sprite[row] = thumbnails([folders[point.side] / point.file_name], SPRITE)[0]
    rows = [[p.x, p.y, int(p.side == "real"), labels.index(p.label), p.file_name] for p in points]
    data = {"points": rows, "labels": labels, "colours": COLOURS, "side": SPRITE, "columns": SPRITES}
    return EmbeddingPlot(view.method, view.note, len(points), data, picture(grid(sprite, SPRITES, gap=0), ""))


def _without_photographs(synthetic: DataSet, copies: Copies | None) -> DataSet:
    """The images that show no photograph: neither flagged as a copy of one nor translated from one."""
    translated = synthetic.table.get(TRANSLATED, pd.Series("", synthetic.table.index)) != ""
    flagged = np.zeros(len(synthetic.table), bool) if copies is None else copies.flagged
    return synthetic.part(~flagged & ~translated.to_numpy(bool))


def _some(data_set: DataSet) -> str:
    if data_set.table.empty:
        return "every image is flagged as a copy, or made from a photograph"
    chosen = np.sort(np.random.default_rng(0).permutation(len(data_set.table))[:EXAMPLES])
    paths = data_set.paths
    return picture(
        grid(thumbnails([paths[index] for index in chosen], 96), COLUMNS), f"random images of {data_set.folder.name}"
    )


def _differences(result: Evaluation) -> str:
    """Standardised differences of the named features over all images, as bars with intervals."""
    rows = [e for e in result.of_group(ALL) if e.id == "appearance_difference"]
    if not rows:
        return ""
    return bars(
        [e.part for e in rows], [e.value for e in rows], [e.low for e in rows], [e.high for e in rows],
        title="Synthetic minus real, in the real set's standard deviations",
    )  # fmt: skip


def _closest(
    synthetic: DataSet, real: DataSet, closest: Mapping[str, Sequence[ClosePair]], photographs: bool
) -> dict[str, list[dict[str, Any]]]:
    """Pairs of pictures for every measure, the closest first; without `photographs` their names alone."""

    def pair(row: ClosePair) -> str:
        return _beside(synthetic, row.file_name, real, row.of) if photographs else ""

    return {measure: [row.model_dump() | {"picture": pair(row)} for row in rows] for measure, rows in closest.items()}


def _beside(synthetic: DataSet, file_name: str, real: DataSet, source: str) -> str:
    pair = thumbnails([synthetic.folder / file_name, real.folder / source], 96)
    return picture(grid(pair, 2), f"{file_name} and {source}")


def _neighbours(synthetic: DataSet, real: DataSet, copies: Copies, photographs: bool) -> list[dict[str, Any]]:
    """The synthetic images closest to a training image, each beside it; without `photographs` their names alone."""
    table = copies.table.assign(score=numbers(copies.table, "copy_score"), flagged=copies.flagged)
    rows = table.sort_values("score").head(NEIGHBOURS).to_dict("records")
    return [
        {
            **{str(key): value for key, value in row.items()},
            "picture": _beside(synthetic, row["file_name"], real, row["copy_of"]) if photographs else "",
        }
        for row in rows
    ]
