"""FURGER: FID against the threshold above which components of the latent are drawn again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dermsynth.backbones.extractors import load_extractor
from dermsynth.data.dataset import DataSet
from dermsynth.data.training_set import TrainingSet
from dermsynth.errors import UserError
from dermsynth.experiments.steps import Result, Setting, plan, rows_picture, train_run, write_results
from dermsynth.io import write_text
from dermsynth.metrics.estimate import Estimate, Sides
from dermsynth.metrics.frechet import fid_between
from dermsynth.metrics.kernels import kid_between
from dermsynth.models.sampler import sample_images
from dermsynth.progress import progress_bar
from dermsynth.report.page import curves
from dermsynth.sampling.generator import Generator

SIZES = ("laptop", "paper")
THRESHOLDS: tuple[float | None, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, None)
NO_THRESHOLD_DRAWN_AT = 1.5
COLUMNS = 10


def configuration(size: str) -> Setting:
    """The sweep's settings.

    `dermsynth experiment furger-truncation --data DIR --size paper`: 640 x 480 pixels, the `hands` row of the table; a day
    on one GPU. Reported there (FID of hands): 111.4 at 0.01, best 69.5 at 0.1 to 0.2, 74.2 without. `--size laptop`:
    64 pixels, 30,000 images, 1,000 synthetic ones a threshold; a quarter of an hour on 2 CPU cores.
    """
    if size == "paper":
        return Setting("640x480", 500_000, {"multiscale": plan("multiscale", "hands")}, 2_000, "inception=download")
    return Setting("64", 30_000, {"multiscale": plan("multiscale")}, 1_000)


class ThresholdFigure(Estimate):
    """An estimate of images truncated at a threshold, or not at all."""

    threshold: float | None


class TruncationResult(Result):
    """FID and KID at every threshold, and the threshold of the lowest FID."""

    measurements: list[ThresholdFigure]
    best_threshold: float | None


def carry_out(setting: Setting, data_set: DataSet, out: Path, device: str = "auto") -> TruncationResult:
    """Train, sweep the thresholds, and draw the curve and a row of images a threshold."""
    name = next(iter(setting.plans))
    generator, training = train_run(setting, name, data_set, out, device)
    if not generator.model.accepts_truncation(1.0):
        raise UserError(f"experiment furger-truncation: {name} takes {generator.model.truncation}")
    rows = sweep(setting, generator, training)
    pictures = [sample_images(generator.model, range(COLUMNS), [0] * COLUMNS, threshold) for threshold in THRESHOLDS]
    rows_picture(out / "thresholds.png", pictures)
    write_text(out / "fid.svg", str(plot(rows)))
    best = min((row for row in rows if row.id == "fid"), key=lambda row: row.value)
    lines = (*table(rows), "", f"lowest: {best.threshold or 'none'}")
    result = TruncationResult(table=lines, measurements=rows, best_threshold=best.threshold)
    write_results(out, "furger-truncation", setting, result)
    return result


def sweep(setting: Setting, generator: Generator, training: TrainingSet) -> list[ThresholdFigure]:
    """FID and KID between as many images of the same seeds at every threshold and the training images."""
    extractor, rows = load_extractor(setting.extractor), []
    real = _features(extractor, np.asarray(training.images))
    seeds, labels = range(setting.generated), [0] * setting.generated
    for threshold in progress_bar(THRESHOLDS, total=len(THRESHOLDS), label="thresholds", unit="threshold"):
        synthetic = _features(extractor, sample_images(generator.model, seeds, labels, threshold))
        sides = Sides(synthetic, real, seed=setting.seed, features=extractor.suffix)
        estimates = fid_between(sides, resamples=100), kid_between(sides, resamples=1000)
        rows += [ThresholdFigure(**e.model_dump(), threshold=threshold) for e in estimates]
    return rows


def _features(extractor: Any, images: np.ndarray) -> np.ndarray:
    return np.concatenate([extractor(images[start : start + 64]) for start in range(0, len(images), 64)])


def plot(rows: Sequence[ThresholdFigure]) -> str:
    """FID against the threshold; without one it stands at the right end."""
    fid = [row for row in rows if row.id == "fid"]
    x = [1000 * (row.threshold or NO_THRESHOLD_DRAWN_AT) for row in fid]
    series = {key: (x, [float(getattr(row, key)) for row in fid]) for key in ("value", "low", "high")}
    return curves(series, title=f"{fid[0].name} against the threshold", xlabel="threshold; 1.5: none")


def table(rows: Sequence[ThresholdFigure]) -> list[str]:
    """A line a threshold."""
    metrics = list(dict.fromkeys(row.name for row in rows))
    lines = ["| threshold | " + " | ".join(metrics) + " |", "|--" * (len(metrics) + 1) + "|"]
    for threshold in THRESHOLDS:
        cells = [row for row in rows if row.threshold == threshold]
        values = " | ".join(f"{c.value:.3f} ({c.low:.3f} to {c.high:.3f})" for c in cells)
        lines.append(f"| {'none' if threshold is None else threshold} | {values} |")
    first = rows[0]
    lines += ["", f"{first.n_synthetic} synthetic against {first.n_real} training images, seed {first.seed}."]
    return lines
