"""The space that is edited: W of a generator with styles, the input noise of any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.models.sampler import to_bytes
from dermsynth.sampling.generator import Generator, class_seed
from dermsynth.sampling.latents import images_of_points, latent_points

Points = NDArray[np.float32]
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Space:
    """Points of a generator's latent space and their images; `name` is w or z."""

    generator: Generator
    name: Literal["w", "z"]

    @property
    def width(self) -> int:
        """Numbers of a point."""
        return int(self.points([0], [0], None).shape[1])

    @property
    def layers(self) -> int:
        """How many layers take a point of W; 1 for Z."""
        return max(len(self.generator.model.style_weights()), 1)

    def points(self, seeds: Sequence[int], labels: Sequence[int], truncation: float | None) -> Points:
        """The points [n, d] from which `dermsynth generate` makes the images of these seeds and class numbers."""
        points = latent_points(self.generator.model, _image_seeds(seeds, labels), labels, truncation)
        return np.asarray(points.float().cpu().numpy())

    def images(self, points: Points, seeds: Sequence[int], labels: Sequence[int]) -> Images:
        """uint8 [n, 3, h, w] of points [n, d], or in W [n, layers, d], with the other noise of the seeds."""
        tensor = torch.from_numpy(np.ascontiguousarray(points)).to(self.generator.device)
        with torch.inference_mode():
            chunks = images_of_points(self.generator.model, tensor, _image_seeds(seeds, labels), labels)
            return np.concatenate([to_bytes(images) for images in chunks])


def _image_seeds(seeds: Sequence[int], labels: Sequence[int]) -> list[int]:
    return [class_seed(label, seed) for label, seed in zip(labels, seeds, strict=True)]


def space_of(generator: Generator) -> Space:
    """W where the family has styles, else Z.

    Raises UserError for families that make images from images or maps: they have no latent to move.
    """
    model = generator.model
    if not model.inputs.from_noise or not model.noise_shapes():
        raise UserError(f"{generator.run}: {generator.config.family} has no latent space to move in")
    return Space(generator, "w" if model.has_style() else "z")


def class_number(generator: Generator, label: str) -> int:
    """Number of a class; 0 of an unconditional generator.

    Raises UserError for a class that the generator does not know.
    """
    classes = generator.config.data.classes
    if (label not in classes) if classes else bool(label):
        raise UserError(f"`label` {label!r}: the generator's classes are: {', '.join(classes) or 'none'}")
    return classes.index(label) if classes else 0


def require_w(space: Space, what: str) -> None:
    """Raise UserError for a space without styles; `what` needs them."""
    if space.name != "w":
        config = space.generator.config
        raise UserError(
            f"{what}: {space.generator.run} is a {config.family} run, which has no W; families with styles have one"
        )
