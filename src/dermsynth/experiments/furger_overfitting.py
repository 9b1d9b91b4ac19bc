"""FURGER: what the discriminator knows by heart, and each generated image beside its nearest training image."""

from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from dermsynth.data.dataset import DataSet
from dermsynth.experiments.steps import Pixels, Setting, conclude, plan, rows_picture, samples, trained
from dermsynth.progress import progress_bar
from dermsynth.report.page import curves
from dermsynth.runs import read_json_lines, write_text

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
    by_ssim, by_mse = nearest(made, real)
    pairs = [made, real[by_ssim[0]], real[by_mse[0]]]
    rows_picture(out / "neighbours.png", pairs, scale=2)
    closer = float(np.mean(by_ssim[1] > similarity_of(made, real[by_mse[0]])))
    result = {
        "confidence": confidence,
        "ssim_of_nearest": [round(float(v), 4) for v in by_ssim[1]],
        "share_where_ssim_finds_a_more_similar_image_than_mse": closer,
        "rows": ["generated", "nearest by SSIM", "nearest by MSE"],
    }
    text = [f"{len(made)} generated images (seeds 0 to {len(made) - 1}) among {len(real)} training images",
            f"SSIM of the nearest: median {np.median(by_ssim[1]):.3f}, highest {by_ssim[1].max():.3f}"]  # fmt: skip
    if confidence:
        last = lines[-1]["metrics"]
        text.append(f"D(training) - D(held-out) at the end: {last['D(training) - D(held-out)']:.3f}")
    conclude(out, "furger-overfitting", setting, result, text)
    return result


def similarity(one: Pixels, other: Pixels) -> float:
    """SSIM (Wang et al. 2004) of two images uint8 [3, h, w], averaged over channels."""
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(one, other, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    )


def similarity_of(made: Pixels, real: Pixels) -> np.ndarray:
    """SSIM of image i with image i."""
    return np.array([similarity(a, b) for a, b in zip(made, real, strict=True)])


def nearest(made: Pixels, real: Pixels) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """For every generated image the index of the most similar training image and its SSIM; likewise by squared error."""
    jobs = (delayed(_against_all)(image, real) for image in made)
    results = Parallel(n_jobs=-1, return_as="generator")(jobs)
    found = list(progress_bar(results, total=len(made), label="neighbours", unit="img"))
    ssim, errors = np.stack([f[0] for f in found]), np.stack([f[1] for f in found])
    return (ssim.argmax(axis=1), ssim.max(axis=1)), (errors.argmin(axis=1), errors.min(axis=1))


def _against_all(image: Pixels, real: Pixels) -> tuple[np.ndarray, np.ndarray]:
    errors = np.array([np.square(image.astype(np.float32) - other).mean() for other in real])
    return np.array([similarity(image, other) for other in real]), errors
