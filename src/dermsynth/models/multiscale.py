"""FURGER's unconditional model: images of any aspect ratio, a discriminator at two scales, truncation by resampling."""

from collections.abc import Callable, Iterator
from types import MappingProxyType

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.models.base import (
    Batch,
    Condition,
    FamilyConfig,
    Model,
    Player,
    Preset,
    Progress,
    Update,
    truncate_latent,
)
from dermsynth.models.layers.multiscale import Generator, MultiScaleDiscriminator
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.losses.adversarial import logistic_fake, logistic_real


class Config(FamilyConfig):
    """Every choice of the family."""

    latent: int = Field(100, ge=2, description="dimensions of z")
    stages: int = Field(4, ge=1, description="transposed convolutions; as many strided ones in each discriminator")
    generator_features: int = Field(512, ge=8, description="F_G: feature maps of the first transposed convolution")
    discriminator_features: int = Field(64, ge=2, description="F_D: feature maps of the first strided convolution")
    refine: bool = Field(False, description="an unstrided convolution after each transposed one")
    learning_rate: float = Field(0.00005, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)


def row(stages: int, generator: int, discriminator: int, *, refine: bool = False) -> Callable[[Shape, int], Config]:
    """A row of FURGER's table of parameters."""
    config = Config(stages=stages, generator_features=generator, discriminator_features=discriminator, refine=refine)
    return lambda shape, batch: config


def laptop(shape: Shape, batch: int) -> Config:
    """Narrow layers down to the smallest constant, and a rate for trainings of some ten thousand images."""
    return Config(
        stages=max(shape.doublings - 1, 1),
        generator_features=256,
        discriminator_features=32,
        learning_rate=0.0002,
        beta1=0.5,
    )


class MultiScale(Model):
    """Dense and transposed convolutions against two averaged discriminators."""

    publication = "Furger et al. 2020"
    good_for = "any aspect ratio; truncation by resampling"
    config_type = Config
    whole_batches = True
    presets = MappingProxyType(
        {
            "hands": Preset(row(5, 512, 32, refine=True), batch=16),
            "healthy-patches": Preset(row(4, 1024, 128), batch=16),
            "eczema-patches": Preset(row(4, 1024, 256), batch=16),
            "lesions": Preset(row(5, 512, 64), batch=16),
            "laptop": Preset(laptop, batch=16),
        }
    )

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        self.generator = Generator(
            shape, config.latent, classes, config.stages, config.generator_features, refine=config.refine
        )
        self.discriminator = MultiScaleDiscriminator(shape, classes, config.stages, config.discriminator_features)

    @classmethod
    def check_shape(cls, shape: Shape, config: BaseModel) -> None:
        """Both sides must be whole after the halvings, and the half-size discriminator must have a pixel left."""
        assert isinstance(config, Config)
        factor = 2**config.stages
        if shape.height % factor or shape.width % factor or min(shape.height, shape.width) < 2 * factor:
            raise UserError(
                f"`resolution` {shape}: with {config.stages} stages both sides must be multiples of {factor}, at least "
                f"{2 * factor}; set another number with `options` stages=N"
            )

    def players(self) -> dict[str, Player]:
        """Generator and discriminator."""
        rate, betas = self.config.learning_rate, (self.config.beta1, 0.999)
        return {
            "generator": Player(list(self.generator.parameters()), rate, betas),
            "discriminator": Player(list(self.discriminator.parameters()), rate, betas),
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """The non-saturating logistic game."""
        fake = self.generator(batch.draws.normal(self.config.latent), batch.label)
        yield (
            "discriminator",
            {
                "real": logistic_real(self.discriminator(batch.image, batch.label)),
                "fake": logistic_fake(self.discriminator(fake.detach(), batch.label)),
            },
        )
        yield "generator", {"adversarial": logistic_real(self.discriminator(fake, batch.label))}

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent."""
        return [(self.config.latent,)]

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images from latents whose large components were drawn again."""
        return self.generator(truncate_latent(noise[0], truncation), condition.label)

    @torch.no_grad()
    def logits(self, image: Tensor, label: Tensor) -> Tensor:
        """The mean of both discriminators."""
        return self.discriminator(image, label)
