"""FURGER: what the discriminator knows by heart, and each generated image beside its nearest training image."""

from pathlib import Path
from typing import Any

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.experiments.steps import Setting, conclude, plan, rows_picture, samples, trained
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


def carry_out(setting: Setting, data_set: DataSet, out: Path, device: str = "auto") -> dict[str, Any]:
    """Train; draw the discriminator's curves; find the neighbours.

    The data set needs a validation split of at least 16 images, else there is no curve.
    """
    name = next(iter(setting.plans))
    generator, shown = trained(setting, name, data_set, out, device)
    lines = [
        line for line in read_json_lines(out / "runs" / name / "log.jsonl") if "D(held-out)" in line.get("metrics", {})
    ]
    keys = [key for key in (lines[0]["metrics"] if lines else {}) if key.startswith("D(")]
    confidence = {key: ([line["images"] for line in lines], [line["metrics"][key] for line in lines]) for key in keys}
    if confidence:
        write_text(out / "discriminator.svg", str(curves(confidence, title="How sure the discriminator is")))
    made, real = samples(generator, setting.generated, shown), np.asarray(shown.images)
    similarity, alike = most_similar(made, real)
    _, near = least_squared_error(made, real)
    rows_picture(out / "neighbours.png", [made, real[alike], real[near]], scale=2)
    of_near = mean_ssim(luma(made)[:, None], luma(real[near])[:, None], white=255)
    closer = float(np.mean(similarity > of_near + 1e-4))
    result = {
        "confidence": confidence,
        "ssim_of_nearest": [round(float(v), 4) for v in similarity],
        "share_where_ssim_finds_a_more_similar_image_than_mse": closer,
        "rows": ["generated", "nearest by SSIM", "nearest by MSE"],
    }
    text = [f"{len(made)} generated images (seeds 0 to {len(made) - 1}) among {len(real)} training images",
            f"SSIM of the nearest: median {np.median(similarity):.3f}, highest {similarity.max():.3f}"]  # fmt: skip
    if confidence:
        last = lines[-1]["metrics"]
        text.append(f"D(training) - D(held-out) at the end: {last['D(training) - D(held-out)']:.3f}")
    conclude(out, "furger-overfitting", setting, result, text)
    return result
