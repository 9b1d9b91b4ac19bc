"""Contact sheets of a generator: consecutive seeds, nothing picked, with the inputs of families that translate images."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dermsynth.data.dataset import DataSet
from dermsynth.data.training_set import TrainingSet
from dermsynth.errors import UserError
from dermsynth.images import Pixels, grid
from dermsynth.models.sampler import pair_with_inputs, sample_images
from dermsynth.sampling.generator import Generator, class_seed, load_generator
from dermsynth.training.data import data_trained_on, same_images, similar_images

GALLERY_COLUMNS, GALLERY_ROWS = 12, 3
COLUMNS, ROWS = 10, 3
WITHHELD = "Training images, and images generated from single ones, were left out."


class ClassSheet(NamedTuple):
    """Images uint8 [n, 3, h, w] of one class in rows of `COLUMNS`: generated (below their inputs), and real if there are any."""

    label: str
    generated: Pixels
    real: Pixels | None


class RunImages(NamedTuple):
    """Sheets of a run's classes, whether training images are on them, and else why not."""

    classes: list[ClassSheet]
    training: bool
    missing: str


class RunSheet(NamedTuple):
    """A run's contact sheet uint8 [h, w, 3], with the run's name and generator."""

    name: str
    generator: Generator
    image: Pixels


def contact_sheets(runs: Sequence[Path], inputs: Sequence[DataSet] = ()) -> Iterator[RunSheet]:
    """The contact sheets of runs, one at a time; `inputs` as for `contact_sheet`.

    Raises UserError for a folder that is no run, two runs of one name, or a run whose inputs are gone.
    """
    names = [Path(os.path.abspath(run)).name for run in runs]  # a link keeps its own name
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name}: two runs of this name; rename one of the folders")
    generators = map(load_generator, runs)
    return (RunSheet(name, g, contact_sheet(g, inputs)) for name, g in zip(names, generators, strict=True))


def contact_sheet(generator: Generator, inputs: Sequence[DataSet] = ()) -> Pixels:
    """One picture uint8 [h, w, 3] of all classes, each with rows of its own; above each image its input, if it has one.

    Families that translate images are given those of the first of `inputs` that suits them, by default their training images.

    Raises UserError when no inputs suit them, or the training images are gone.
    """
    model = generator.model
    source = None if model.inputs.from_noise else _source(generator, inputs)
    rows = []
    for number in model.targets():
        count = GALLERY_COLUMNS * (GALLERY_ROWS if len(model.targets()) == 1 else 1)
        rows.append(_generate(generator, number, list(range(count)), source, GALLERY_COLUMNS))
    return grid(np.concatenate(rows).transpose(0, 2, 3, 1), GALLERY_COLUMNS)


def run_images(generator: Generator, *, data: Path | None = None, photographs: bool = True) -> RunImages:
    """What a run's report shows: images of every class, beside training images if `photographs` may be shown.

    `data` is the folder of the training set, if it was moved.

    Raises UserError when `data` is another set.
    """
    config = generator.config
    if data is not None:
        data_trained_on(config.data, data)
    training, missing = None, WITHHELD
    if photographs:
        try:
            training, missing = same_images(config.family, config.data, place=data), ""
        except (UserError, FileNotFoundError) as error:
            missing = f"Training images are not shown: {error}"
    return RunImages(_class_sheets(generator, training), training is not None, missing)


def _class_sheets(generator: Generator, training: TrainingSet | None) -> list[ClassSheet]:
    """Images of every class that the generator makes, and random training images of it; none for a family without its inputs."""
    model, classes = generator.model, generator.config.data.classes
    if training is None and not model.inputs.from_noise:
        return []
    sheets = []
    for number in model.targets():
        seeds = [class_seed(number, k) for k in range(COLUMNS * ROWS)]
        generated = _generate(generator, number, seeds, training, COLUMNS)
        real = None if training is None else _real_images(training, number)
        sheets.append(ClassSheet(classes[number] if classes else "images", generated, real))
    return sheets


def _generate(
    generator: Generator, number: int, seeds: Sequence[int], source: TrainingSet | None, columns: int
) -> Pixels:
    """Images of a class; below rows of their inputs where there are any."""
    labels = [number] * len(seeds)
    inputs = None if source is None else source.inputs(range(len(seeds)))
    images = sample_images(generator.model, seeds, labels, inputs=inputs)
    return images if inputs is None else pair_with_inputs(images, labels, inputs, columns)


def _source(generator: Generator, inputs: Sequence[DataSet]) -> TrainingSet:
    config = generator.config
    if not inputs:
        return same_images(config.family, config.data)
    data = config.data.model_copy(update={"split": "all", "exclude": ()})
    reasons = []
    for data_set in inputs:
        try:
            return similar_images(config.family, data, data_set)
        except UserError as error:
            reasons.append(str(error))
    raise UserError(f"{generator.run}: no `inputs` suit it: {'; '.join(reasons)}")


def _real_images(training: TrainingSet, number: int) -> Pixels | None:
    """Random training images of a class."""
    side = training.domains.source if training.domains is not None and number == 0 else training.images
    index = np.arange(len(side)) if training.domains is not None else np.flatnonzero(training.labels == number)
    chosen = np.sort(np.random.default_rng(0).permutation(index)[: COLUMNS * ROWS])
    return np.asarray(side[chosen]) if len(chosen) else None
