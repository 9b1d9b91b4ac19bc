"""FURGER: what the discriminator knows by heart, and each generated image beside its nearest training image."""

from pathlib import Path

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.evaluation.watcher import CONFIDENCE, GAP
from dermsynth.experiments.steps import Result, Setting, plan, rows_picture, samples, train_run, write_results
from dermsynth.io import read_json_lines, write_text
from dermsynth.metrics.similar_images import least_squared_error, luma, most_similar
from dermsynth.metrics.structural import mean_ssim
from dermsynth.report.page import curves

SIZES = ("laptop", "paper")
SHOWN = 12


def configuration(size: str) -> Setting:
    """The settings.

    `dermsynth experiment furger-overfitting --data DIR --size paper`: the `lesions` row at 256 pixels; a day on one GPU.
    Reported there: the difference of the discriminator's mean prediction on training and held-out images grows while the
    generator copies nothing; SSIM finds nearer neighbours than MSE. `--size laptop`: 64 pixels, 30,000 images; a quarter of
    an hour on 2 CPU cores.
    """
    if size == "paper":
        return Setting("256", 1_000_000, {"multiscale": plan("multiscale", "lesions")}, SHOWN)
    return Setting("64", 30_000, {"multiscale": plan("multiscale")}, SHOWN)


class OverfittingResult(Result):
    """The discriminator's mean outputs (images shown, values), and what SSIM and MSE find nearest to generated images."""

    confidence: dict[str, tuple[list[int], list[float]]]
    ssim_of_nearest: list[float]
    share_where_ssim_finds_a_more_similar_image_than_mse: float
    rows: list[str]


def carry_out(setting: Setting, data_set: DataSet, out: Path, device: str = "auto") -> OverfittingResult:
    """Train; draw the discriminator's curves; find the neighbours.

    The data set needs a validation split of at least 16 images, else there is no curve.
    """
    name = next(iter(setting.plans))
    generator, training = train_run(setting, name, data_set, out, device)
    lines = [line for line in read_json_lines(out / "runs" / name / "log.jsonl") if GAP in line.get("metrics", {})]
    keys = [key for key in (lines[0]["metrics"] if lines else {}) if key in (*CONFIDENCE.values(), GAP)]
    confidence = {key: ([line["images"] for line in lines], [line["metrics"][key] for line in lines]) for key in keys}
    if confidence:
        write_text(out / "discriminator.svg", str(curves(confidence, title="How sure the discriminator is")))
    generated, real = samples(generator, setting.generated, training), np.asarray(training.images)
    similarity, by_ssim = most_similar(generated, real)
    _, by_error = least_squared_error(generated, real)
    rows_picture(out / "neighbours.png", [generated, real[by_ssim], real[by_error]], scale=2)
    similarity_by_error = mean_ssim(luma(generated)[:, None], luma(real[by_error])[:, None], white=255)
    text = [f"{len(generated)} generated images (seeds 0 to {len(generated) - 1}) among {len(real)} training images",
            f"SSIM of the nearest: median {np.median(similarity):.3f}, highest {similarity.max():.3f}"]  # fmt: skip
    if confidence:
        last = lines[-1]["metrics"]
        text.append(f"{GAP} at the end: {last[GAP]:.3f}")
    result = OverfittingResult(
        table=tuple(text),
        confidence=confidence,
        ssim_of_nearest=[round(float(v), 4) for v in similarity],
        share_where_ssim_finds_a_more_similar_image_than_mse=float(np.mean(similarity > similarity_by_error + 1e-4)),
        rows=["generated", "nearest by SSIM", "nearest by MSE"],
    )
    write_results(out, "furger-overfitting", setting, result)
    return result
