"""Samples and measurements that are taken at a snapshot, beside the checkpoint."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermsynth.data.training_set import TrainingSet
from dermsynth.images import encode_png, grid
from dermsynth.io import write_bytes
from dermsynth.models.base import Model
from dermsynth.models.sampler import discriminator_confidence, pair_with_inputs, sample_images

GRID_COLUMNS, GRID_ROWS = 8, 4


@dataclass(frozen=True)
class Snapshot:
    """What a watcher can ask for at a snapshot: images of seeds and classes, and the discriminator's confidence in images."""

    images_shown: int
    generate: Callable[[Sequence[int], Sequence[int]], NDArray[np.uint8]]
    confidence: Callable[[NDArray[np.uint8], Sequence[int]], NDArray[np.float64] | None]


@dataclass(frozen=True)
class Watcher:
    """Measures a model at every snapshot.

    Attributes
    ----------
    measure
        Returns figures for the log, by name.
    best_by
        The figure by which the best checkpoint is chosen, lower is better; empty where it is none of these.
    alarm
        Says of its figures why the training must end, or nothing.
    """

    measure: Callable[[Snapshot], Mapping[str, float]]
    best_by: str = ""
    alarm: Callable[[Mapping[str, float]], str | None] = lambda figures: None

    def __call__(self, snapshot: Snapshot) -> Mapping[str, float]:
        """The figures at a snapshot."""
        return self.measure(snapshot)


def measure(
    watchers: Sequence[Watcher], model: Model, data: TrainingSet, images_shown: int
) -> tuple[dict[str, float], str | None]:
    """The figures of all watchers, and the reason to end the training, if one of them has one.

    Images that several watchers ask for are generated once.
    """
    known: dict[tuple[tuple[int, ...], tuple[int, ...]], NDArray[np.uint8]] = {}

    def generate(seeds: Sequence[int], labels: Sequence[int]) -> NDArray[np.uint8]:
        request = tuple(seeds), tuple(labels)
        if request not in known:
            known[request] = sample_images(model, seeds, labels, inputs=data.inputs(seeds))
        return known[request]

    def confidence(images: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.float64] | None:
        return discriminator_confidence(model, images, labels)

    snapshot = Snapshot(images_shown, generate, confidence)
    figures: dict[str, float] = {}
    reasons = []
    for watcher in watchers:
        own = watcher(snapshot)
        figures.update(own)
        reasons.append(watcher.alarm(own))
    return figures, next(filter(None, reasons), None)


def write_samples(model: Model, data: TrainingSet, path: Path) -> NDArray[np.uint8]:
    """Write a grid of images as PNG, and return them as uint8 [n, 3, h, w].

    The same seeds at every snapshot; with classes, every row shows one; the inputs of images stand above them.
    """
    targets = model.targets()
    count = GRID_COLUMNS * max(GRID_ROWS, len(targets))
    labels = [targets[i // GRID_COLUMNS % len(targets)] for i in range(count)]
    inputs = data.inputs(range(count))
    samples = sample_images(model, range(count), labels, inputs=inputs)
    sheet = samples if inputs is None else pair_with_inputs(samples, labels, inputs, GRID_COLUMNS)
    write_bytes(path, encode_png(grid(sheet.transpose(0, 2, 3, 1), GRID_COLUMNS), synthetic=True))
    return samples
