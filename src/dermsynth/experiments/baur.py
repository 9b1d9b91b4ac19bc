"""BAUR: which GAN makes skin lesions? Families trained for the same number of images, compared by SWD."""

from collections.abc import Sequence
from pathlib import Path

from dermsynth.data.dataset import DataSet
from dermsynth.experiments.steps import (
    Result,
    RunFigure,
    Setting,
    details,
    measure_run,
    plan,
    real_images,
    rows_picture,
    samples,
    train_run,
    write_results,
)
from dermsynth.sampling.interpolate import walk

SIZES = ("laptop", "paper")
COLUMNS = 10
WALK_SEEDS = (1, 2)
ITERATIONS, MINIBATCH, PHASE = 3_000_000, 8, 800_000
"""The document's length in steps of 8 images, and the images of a phase of PGAN as published."""


def configuration(size: str) -> Setting:
    """The comparison's settings.

    `dermsynth experiment baur --data DIR --size paper`: 256 pixels, latent 128, 3 million iterations with minibatches of 8,
    that is 24 million images a family, 10,000 synthetic images; weeks on one GPU. Reported there (SWD x 1000, 10,000 images
    of ISIC 2018): lower bound 4.34, PGAN 20.02, DCGAN 94.72, LAPGAN 96.68. `--size laptop`: 64 pixels, 30,000 images a
    family and two families more, 2,000 synthetic images; about two hours on 2 CPU cores.
    """
    if size == "paper":
        plans = {name: plan(name, "baur") for name in ("dcgan", "lapgan")}
        plans["pgan"] = plan("pgan", "baur", choices={"fade_images": PHASE, "stable_images": PHASE})
        return Setting("256", ITERATIONS * MINIBATCH, plans, 10_000, "inception=download")
    families = ("dcgan", "lapgan", "ddgan", "pgan", "stylegan2-ada")
    return Setting("64", 30_000, {name: plan(name) for name in families}, 2_000)


class BaurResult(Result):
    """Figures of every family, and whose images the rows of the pictures are."""

    measurements: list[RunFigure]
    rows: list[str]


def carry_out(setting: Setting, data_set: DataSet, out: Path, device: str = "auto") -> BaurResult:
    """Train, measure, and draw the figures: samples and details beside real images, and a walk a family."""
    figures: list[RunFigure] = []
    pictures, walks = [real_images(data_set, setting, COLUMNS)], []
    for name in setting.plans:
        generator, images = train_run(setting, name, data_set, out, device)
        pictures.append(samples(generator, COLUMNS, images))
        walks.append(walk(generator.model, WALK_SEEDS, COLUMNS))
        figures += measure_run(setting, name, generator, data_set, out)
    rows_picture(out / "samples.png", pictures, scale=2)
    rows_picture(out / "details.png", [details(row) for row in pictures], scale=2)
    rows_picture(out / "walks.png", walks, scale=2)
    result = BaurResult(table=tuple(table(figures)), measurements=figures, rows=["real", *setting.plans])
    write_results(out, "baur", setting, result)
    return result


def table(figures: Sequence[RunFigure]) -> list[str]:
    """A line a family, best mean SWD first: every metric with its interval, and the floor."""
    metrics = list(dict.fromkeys(figure.name for figure in figures))
    runs = list(dict.fromkeys(figure.run for figure in figures))
    cells = {(figure.run, figure.name): figure for figure in figures}
    swd = {figure.run: figure for figure in figures if (figure.id, figure.part) == ("swd", "mean")}
    order = sorted(runs, key=lambda run: swd[run].value)
    lines = ["| family | " + " | ".join(metrics) + " |", "|--" * (len(metrics) + 1) + "|"]
    for run in order:
        row = [cells[run, metric] for metric in metrics]
        lines.append(f"| {run} | " + " | ".join(f"{c.value:.2f} ({c.low:.2f} to {c.high:.2f})" for c in row) + " |")
    floors = [cells[order[0], metric] for metric in metrics]
    lines.append("| real against real | " + " | ".join(f"{c.floor:.2f} (n = {c.n_floor})" for c in floors) + " |")
    first = floors[0]
    text = (
        f"{first.n_synthetic} synthetic against {first.n_real} training images ({swd[order[0]].n_real} a side for SWD)"
    )
    return [*lines, "", f"{text}, seed {first.seed}; 95 % intervals."]
