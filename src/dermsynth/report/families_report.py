"""Families compared at equal time, as one page: verdicts, figures, sheets, nearest training images, distances over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet
from dermsynth.evaluation.results import Evaluation
from dermsynth.images import Pixels, grid
from dermsynth.metrics.registry import METRICS
from dermsynth.report.page import PHOTOGRAPHS, bars, curves, picture, thumbnails, write_page

PAGE = "families.html"
COLUMNS, PAIRS, SIDE = 12, 6, 64

Curve = tuple[list[float], list[float]]
"""Seconds of training, and mean SWD at that time."""


@dataclass(frozen=True)
class Compared:
    """A run as the page shows it: its images uint8 [n, 3, h, w], distance over time, evaluation, and both sets."""

    run: str
    sheet: NDArray[np.uint8]
    curve: Curve
    evaluation: Evaluation
    synthetic: DataSet
    real: DataSet


def write_families_report(
    out: Path, runs: Sequence[Compared], rows: Sequence[Sequence[str]], note: str, real: NDArray[np.uint8]
) -> Path:
    """Write `families.html`: `rows` are the comparison, its head first, `real` training images uint8 [n, 3, h, w]."""
    values = {
        "runs": [_run(one) for one in runs],
        "rows": rows,
        "note": note,
        "real": _sheet(real, "random training images"),
        "bars": _bars(runs),
        "curves": _curves(runs),
        "photographs": PHOTOGRAPHS.removesuffix(" It can be written without them."),
    }
    write_page(out / PAGE, "families.html", values)
    return out / PAGE


def _sheet(images: NDArray[np.uint8], description: str) -> Markup:
    return picture(grid(images.transpose(0, 2, 3, 1), COLUMNS), description, scale=2 if images.shape[3] < 96 else 1)


def _run(one: Compared) -> dict[str, Any]:
    return {
        "name": one.run,
        "sheet": _sheet(one.sheet, f"images of {one.run}, consecutive seeds"),
        "verdict": one.evaluation.verdict,
        "nearest": _nearest(one),
    }


def _nearest(one: Compared) -> list[tuple[str, Markup]]:
    """By each measure, the synthetic images nearest to a training image beside it."""
    rows = []
    for measure, pairs in one.evaluation.closest.items():
        files = [
            path
            for pair in pairs[:PAIRS]
            for path in (one.synthetic.folder / pair.file_name, one.real.folder / pair.of)
        ]
        if files and all(path.exists() for path in files):
            both: Pixels = thumbnails(files, SIDE)
            rows.append((measure, picture(grid(both, 2 * PAIRS), f"nearest training images by {measure}")))
    return rows


def _bars(runs: Sequence[Compared]) -> list[Markup]:
    """Of every metric on cards the runs side by side, with intervals; the floor stands in the title."""
    figures = [{e.name: e for e in one.evaluation.on_card} for one in runs]
    plots = []
    for name in dict.fromkeys(name for by_name in figures for name in by_name):
        known = [(one.run, by_name[name]) for one, by_name in zip(runs, figures, strict=True) if name in by_name]
        estimates = [estimate for _, estimate in known]
        better = METRICS[estimates[0].id].direction
        title = f"{name} ({better} is better; real against real {estimates[0].floor:.3g})"
        columns = ([getattr(e, part) for e in estimates] for part in ("value", "low", "high"))
        plots.append(bars([run for run, _ in known], *columns, title=title))
    return plots


def _curves(runs: Sequence[Compared]) -> Markup:
    """Mean SWD over the time of training."""
    series = {one.run: one.curve for one in runs if len(one.curve[0]) > 1}
    if not series:
        return Markup("")
    title = "Mean distance of patches (SWD x 1000) while training"
    return curves(series, title=title, logarithmic=True, xlabel="thousand seconds of training")
