"""Deeply discriminated GAN (Baur et al. 2018, "MelanoGANs"): one generator, a discriminator on every resolution it passes."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Literal

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

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
from dermsynth.models.layers.dcgan import Discriminator, Generator, widths
from dermsynth.models.layers.resample import halve
from dermsynth.models.layers.shapes import Shape, require_levels
from dermsynth.models.losses.adversarial import GAMES, LOGISTIC


class Config(FamilyConfig):
    """Every choice of the family."""

    latent: int = Field(128, ge=2, description="dimensions of z")
    levels: int = Field(3, ge=1, description="resolutions with a discriminator, counted from the full one downwards")
    features: int = Field(64, ge=4, description="feature maps next to the image")
    features_max: int = Field(1024, ge=4, description="upper bound of the feature maps")
    game: Literal["bce", "non-saturating", "minimax", "least-squares", "hinge"] = "bce"
    learning_rate: float = Field(0.0002, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)


def melanogans(shape: Shape, batch: int) -> Config:
    """A discriminator on every resolution above the constant's."""
    return Config(levels=shape.doublings)


def laptop(shape: Shape, batch: int) -> Config:
    """At most three discriminators, half the feature maps."""
    return Config(levels=min(3, shape.doublings), features=32, features_max=256)


class DDGAN(Model):
    """DCGAN's generator with side outputs, and a DCGAN discriminator a resolution."""

    publication = "Baur et al. 2018b, MelanoGANs"
    good_for = "DCGAN with a discriminator on every resolution"
    config_type = Config
    whole_batches = True
    presets = MappingProxyType({"melanogans": Preset(melanogans, batch=64), "laptop": Preset(laptop, batch=16)})

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        self.shapes = [Shape(shape.height >> i, shape.width >> i) for i in range(config.levels)]
        self.generator = Generator(shape, config.latent, classes, config.features, config.features_max)
        inputs = widths(shape, config.features, config.features_max)[::-1]
        self.side_outputs = nn.ModuleList(nn.Conv2d(inputs[i], 3, 1) for i in range(config.levels - 1))
        self.discriminators = nn.ModuleList(
            Discriminator(size, classes, config.features, config.features_max) for size in self.shapes
        )

    @classmethod
    def check_shape(cls, shape: Shape, config: BaseModel) -> None:
        """Every discriminated resolution must be reached by doublings."""
        super().check_shape(shape, config)
        assert isinstance(config, Config)
        require_levels("levels", config.levels, shape)

    def players(self) -> dict[str, Player]:
        """The generator with its side outputs, and all discriminators as one."""
        rate, betas = self.config.learning_rate, (self.config.beta1, 0.999)
        generator = [*self.generator.parameters(), *self.side_outputs.parameters()]
        return {
            "generator": Player(generator, rate, betas),
            "discriminator": Player(list(self.discriminators.parameters()), rate, betas),
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """One term a resolution for either player."""
        game, label = GAMES[self.config.game], batch.label
        fakes = self._images(batch.draws.normal(self.config.latent), label)
        terms, real = {}, batch.image
        for size, fake, discriminator in zip(self.shapes, fakes, self.discriminators, strict=True):
            terms[f"real {size}"] = game.real(discriminator(real, label))
            terms[f"fake {size}"] = game.fake(discriminator(fake.detach(), label))
            real = halve(real) if len(terms) < 2 * len(self.shapes) else real
        yield "discriminator", terms
        yield (
            "generator",
            {
                f"adversarial {size}": game.generator(discriminator(fake, label))
                for size, fake, discriminator in zip(self.shapes, fakes, self.discriminators, strict=True)
            },
        )

    def _images(self, z: Tensor, label: Tensor) -> list[Tensor]:
        """The image, and what the side outputs make of lower resolutions, in falling order."""
        features = self.generator.features(z, label)
        sides = [output(features[-1 - i]).tanh() for i, output in enumerate(self.side_outputs)]
        return [self.generator.to_image(features[-1]).tanh(), *sides]

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent."""
        return [(self.config.latent,)]

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images of the full resolution from truncated latents."""
        return self.generator(truncate_latent(noise[0], truncation), condition.label)

    @torch.no_grad()
    def logits(self, image: Tensor, label: Tensor) -> Tensor | None:
        """Those of the full resolution."""
        if self.config.game not in LOGISTIC:
            return None
        return self.discriminators[0](image, label)
