"""A page of contact sheets, one a run: small JPEGs and a Markdown page that shows them."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.data.training_set import TrainingSet
from dermsynth.errors import UserError
from dermsynth.images import Pixels, encode_jpeg, grid
from dermsynth.io import count_text, read_json_lines, write_bytes, write_text
from dermsynth.models.sampler import beside_inputs, images_of
from dermsynth.sampling.generate import Generator, load_generator
from dermsynth.training.data import same_images, similar_images

COLUMNS, ROWS = 12, 3
QUALITY = 82
PHOTOGRAPHS = (
    "Rows of translating families show photographs of the data set; do not pass them on without the right to. "
    "`inputs` shows another set instead."
)


def write_gallery(runs: Sequence[Path], out: Path, inputs: Sequence[DataSet] = ()) -> tuple[int, bool]:
    """Write `README.md` and a JPEG a run into `out`; returns the bytes of all pictures, and whether photographs are on them.

    Families that make images from images are given those of the first of `inputs` that has what they take, and none of the
    photographs they were trained on.

    Raises UserError for a folder that is no run, two runs of one name, or a run whose inputs are gone.
    """
    names = [Path(os.path.abspath(run)).name for run in runs]  # a link keeps its own name
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name}: two runs of this name; rename one of the folders")
    parts: list[str] = []
    total, translating = 0, False
    for name, run in zip(names, runs, strict=True):
        generator = load_generator(run)
        translating |= generator.model.inputs.translates
        picture = encode_jpeg(sheet(generator, inputs), QUALITY)
        write_bytes(out / f"{name}.jpg", picture)
        parts += describe(name, generator, foreign=bool(inputs))
        total += len(picture)
    kind = "Not photographs of patients."
    if translating:
        kind = "What translating families start from is of the sets given." if inputs else PHOTOGRAPHS
    head = ["# Gallery", "", f"Seeds 0 and following, nothing picked, no truncation. {kind}", ""]
    write_text(out / "README.md", "\n".join([*head, *parts]))
    return total, translating and not inputs


def sheet(generator: Generator, others: Sequence[DataSet] = ()) -> Pixels:
    """Rows of images; every class its own rows, and above each image what it was made from."""
    model = generator.model
    shown = None if model.inputs.from_noise else _shown(generator, others)
    rows = []
    for number in model.targets():
        count = COLUMNS * (ROWS if len(model.targets()) == 1 else 1)
        inputs = None if shown is None else shown.inputs(range(count))
        made = images_of(model, range(count), [number] * count, inputs=inputs)
        rows.append(made if inputs is None else beside_inputs(made, [number] * count, inputs, COLUMNS))
    return grid(np.concatenate(rows).transpose(0, 2, 3, 1), COLUMNS)


def _shown(generator: Generator, others: Sequence[DataSet]) -> TrainingSet:
    config = generator.config
    if not others:
        return same_images(config.family, config.data)
    refused = []
    for data_set in others:
        try:
            return similar_images(
                config.family, config.data.model_copy(update={"split": "all", "exclude": ()}), data_set
            )
        except UserError as error:
            refused.append(str(error))
    raise UserError(f"{generator.run}: no `inputs` suit it: {'; '.join(refused)}")


def describe(name: str, generator: Generator, *, foreign: bool) -> list[str]:
    """What a reader must know of a picture."""
    config, data = generator.config, generator.config.data
    lines = [line for line in read_json_lines(generator.run / "log.jsonl") if "seconds" in line]
    minutes = f", {lines[-1]['seconds'] / 60:.0f} min" if lines else ""
    kinds = f"; {' and '.join(data.classes)}" if data.classes else ""
    training, size = config.training, f"{data.width} x {data.height} pixels"
    facts = (
        f"{config.family} ({config.preset}), {size}{kinds}; {count_text(generator.checkpoint.images)} images shown{minutes}, "
        f"batch {training.batch}, seed {training.seed}. {generator.model.publication}."
    )
    if not generator.model.inputs.from_noise:
        facts += " Rows in pairs: what the images were made from, and the images."
        facts += " The former are of another set than the one trained on." if foreign else ""
    return [f"## {name}", "", facts, "", f"![{name}]({name}.jpg)", ""]
