"""What families whose generator is StyleGAN2's share: latents, style mixing, moving average, truncation, samples."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Self

import torch
from pydantic import BaseModel
from torch import Tensor

from dermsynth.models.base import Batch, Condition, Model
from dermsynth.models.class_transfer import Classes, adapt_discriminator, adapt_mapping
from dermsynth.models.layers.ema import average_of, half_life_beta, move_average, ramped_half_life
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.mean_latent import Centre
from dermsynth.models.stylegan2_networks import Generator, Mapping, Synthesis
from dermsynth.rng import Draws


class GeneratorSize(NamedTuple):
    """Width and depth of a generator, and its first colours.

    `low_precision_levels` counts the highest resolutions that follow the model's dtype, `colour_start` is a factor on the first
    weights of the image layers.
    """

    latent: int
    mapping_layers: int
    channel_base: int
    channel_max: int
    low_precision_levels: int
    colour_start: float

    @classmethod
    def of(cls, config: BaseModel) -> Self:
        """From the fields of these names in a family's configuration."""
        return cls(*(getattr(config, field) for field in cls._fields))


class StyleModel(Model):
    """A style-based generator (Karras et al. 2020a) and its moving average; a family adds who judges its images."""

    casts_itself = True
    truncation = "psi between 0 (the mean image of the class) and 1.5; 1 is none"

    def __init__(self, size: GeneratorSize, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.size = size
        mapping = Mapping(size.latent, size.latent, size.mapping_layers, classes)
        synthesis = Synthesis(shape, size.channel_base, size.channel_max, size.latent, size.low_precision_levels)
        synthesis.scale_image_layers(size.colour_start)
        self.generator = Generator(mapping, synthesis)
        self.average = average_of(self.generator)
        self.centre = Centre()

    def adapt_classes(
        self, state: dict[str, Tensor], before: Sequence[str], now: Sequence[str], only: str
    ) -> tuple[dict[str, Tensor], str]:
        """The generator does for every class what it did, and without classes what it did for `only`, or for the mean of all.

        So does StyleGAN2's discriminator, where the checkpoint has one.
        """
        classes = Classes(before, now, only)
        for network in ("generator", "average"):
            state = adapt_mapping(state, f"{network}.mapping.", classes)
        return adapt_discriminator(state, "discriminator.", classes), classes.kept

    @torch.no_grad()
    def begin_fresh(self, names: Collection[str]) -> None:
        """The image layers of sizes that there were not begin with nought: the first images are the old ones, enlarged."""
        for name in names:
            if name.endswith("to_image.weight"):
                self.get_parameter(name).zero_()

    def latents(self, batch: Batch) -> Tensor:
        """Freshly drawn w [n, latent] of the batch's classes."""
        return self.generator.mapping(batch.draws.normal(self.size.latent), batch.label)

    def mixed_latents(self, batch: Batch, probability: float) -> Tensor:
        """Of every image w for all layers [n, layers, latent]: one, or with `probability` another from a random layer on."""
        w = self.latents(batch)
        layers = self.generator.synthesis.layers
        cutoff = 1 + (batch.draws.uniform() * (layers - 1)).long()
        cutoff = torch.where(batch.draws.uniform() < probability, cutoff, layers)
        if probability == 0:
            return self.generator.broadcast(w)
        return self.generator.mix(w, self.latents(batch), cutoff)

    def layer_noise(self, draws: Draws) -> list[Tensor]:
        """The noise of every styled convolution."""
        return [draws.normal(1, *size) for size in self.generator.synthesis.noise_sizes()]

    def update_average(self, batch: int, images: int, half_life: float, rampup: float | None) -> None:
        """Move the average after `batch` images; its half-life is at most the share `rampup` of the images shown so far."""
        beta = half_life_beta(batch, ramped_half_life(images, half_life, rampup))
        move_average(self.average, self.generator, beta)

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent, and the noise of every layer."""
        return [(self.size.latent,), *((1, *size) for size in self.average.synthesis.noise_sizes())]

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images of the averaged generator, truncated towards the mean w of the class."""
        return self.synthesise(self.style(noise[0], condition.label, truncation), noise[1:])

    @torch.no_grad()
    def style(self, z: Tensor, label: Tensor, truncation: float | None) -> Tensor:
        """w, truncated towards the averaged mapping's mean w of the class: w' = mean + psi (w - mean).

        Karras et al. 2019, section 2; for psi 1 it is w, bit for bit.
        """
        mapping = self.average.mapping
        w = mapping(z, label)
        return w if truncation is None else torch.lerp(self.centre.of(mapping, label), w, truncation)

    def synthesise(self, w: Tensor, noise: list[Tensor]) -> Tensor:
        """Images of the averaged generator."""
        return self.average.synthesis(w if w.ndim == 3 else self.average.broadcast(w), noise)

    def style_weights(self) -> list[Tensor]:
        """Of the averaged generator."""
        return self.average.synthesis.style_weights()

    @classmethod
    def accepts_truncation(cls, value: float) -> bool:
        """Psi (Karras et al. 2019, section 2)."""
        return 0 <= value <= 1.5
