"""The space that is edited: W of a generator with styles, the input noise of any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.models.base import Condition, truncate_latent
from dermsynth.models.sampler import CHUNK, one_hot, seed_noise, to_bytes
from dermsynth.sampling.generator import Generator, class_seed

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
        chunks = []
        for noise, label, count in self._chunks(seeds, labels):
            z = noise[0]
            w = truncate_latent(z, truncation) if self.name == "z" else self.generator.model.style(z, label, truncation)
            assert w is not None
            chunks.append(w[:count].float().cpu().numpy())
        return np.concatenate(chunks)

    def images(self, points: Points, seeds: Sequence[int], labels: Sequence[int]) -> Images:
        """uint8 [n, 3, h, w] of points [n, d], or in W [n, layers, d], with the other noise of the seeds."""
        chunks, start = [], 0
        model = self.generator.model
        for noise, label, count in self._chunks(seeds, labels):
            chunk = points[start : start + count]
            padded = np.concatenate([chunk, np.repeat(chunk[-1:], CHUNK - count, axis=0)])
            latent = torch.from_numpy(padded).to(label.device)
            with torch.inference_mode():
                if self.name == "w":
                    images = model.synthesise(latent, noise[1:])
                else:
                    images = model.sample([latent, *noise[1:]], Condition(label), None)
            chunks.append(to_bytes(images)[:count])
            start += count
        return np.concatenate(chunks)

    def _chunks(self, seeds: Sequence[int], labels: Sequence[int]) -> "list[tuple[list[Tensor], Tensor, int]]":
        return [self._noise(seeds[i : i + CHUNK], labels[i : i + CHUNK]) for i in range(0, len(seeds), CHUNK)]

    def _noise(self, seeds: Sequence[int], labels: Sequence[int]) -> tuple[list[Tensor], Tensor, int]:
        """All noise of a chunk, padded with its last image, the one-hot classes, and how many images are not padding."""
        model, count = self.generator.model, len(seeds)
        device, shapes = next(model.parameters()).device, model.noise_shapes()
        places = [min(i, count - 1) for i in range(CHUNK)]
        drawn = [seed_noise(class_seed(labels[i], seeds[i]), shapes) for i in places]
        noise = [torch.stack(arrays).to(device) for arrays in zip(*drawn, strict=True)]
        return noise, one_hot([labels[i] for i in places], model.classes, device), count


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
