"""BISSOTO: images from noise (DCGAN, PGAN) beside images from a semantic map, without and with superpixels, beside real ones."""

from pathlib import Path

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.data.maps import colour_map
from dermsynth.experiments.steps import Pixels, Result, Setting, details, plan, rows_picture, train_run, write_results
from dermsynth.models.sampler import sample_images

SIZES = ("laptop", "paper")
COLUMNS = 8


def configuration(size: str) -> Setting:
    """The comparison's settings.

    `dermsynth experiment bissoto-maps --data DIR --size paper`: 512 x 256 pixels; several days on one GPU. The document
    shows the images; its figures (melanoma AUC 83.4 +- 0.9 with real, 84.7 +- 0.5 % with real and synthetic images) belong to
    the classifier experiment. `--size laptop`: 64 pixels, 20,000 images a run; an hour on 2 CPU cores.
    """
    preset, maps = ("lunagariya", "bissoto") if size == "paper" else ("laptop", "laptop")
    plans = {
        "dcgan": plan("dcgan", preset),
        "pgan": plan("pgan", "paper" if size == "paper" else "laptop"),
        "semantic": plan("pix2pixhd", maps),
        "semantic and instance": plan("pix2pixhd", maps),
    }
    instance = {"semantic and instance": True}
    if size == "paper":
        return Setting("512x256", 300_000, plans, COLUMNS, superpixels=instance)
    return Setting("64", 20_000, plans, COLUMNS, superpixels=instance)


class MapsResult(Result):
    """Whose images the rows of the pictures are, and how far images from maps are from the real ones of these maps."""

    rows: list[str]
    mean_absolute_difference_to_the_maps_image: dict[str, float]


def carry_out(setting: Setting, data_set: DataSet, out: Path, device: str = "auto") -> MapsResult:
    """Train all; draw a row of images a run above the maps and the real images these belong to, and their details."""
    rows: dict[str, Pixels] = {}
    from_maps: list[str] = []
    for name in setting.plans:
        generator, training = train_run(setting, name, data_set, out, device)
        seeds = range(COLUMNS)
        rows[name] = sample_images(generator.model, seeds, [0] * COLUMNS, inputs=training.inputs(seeds))
        if training.maps is not None:
            from_maps.append(name)
            rows["map"] = colour_map(np.asarray(training.maps[:COLUMNS]))
            rows["real"] = np.asarray(training.images[:COLUMNS])
    rows_picture(out / "images.png", list(rows.values()), scale=2)
    rows_picture(out / "details.png", [details(row) for row in rows.values()], scale=2)
    error = {name: float(np.abs(rows[name].astype(np.int16) - rows["real"]).mean()) for name in from_maps}
    text = ["rows from above: " + ", ".join(rows)]
    text += [
        f"{name}: {value:.1f} grey levels from its map's training image (n = {COLUMNS})"
        for name, value in error.items()
    ]
    result = MapsResult(table=tuple(text), rows=list(rows), mean_absolute_difference_to_the_maps_image=error)
    write_results(out, "bissoto-maps", setting, result)
    return result
