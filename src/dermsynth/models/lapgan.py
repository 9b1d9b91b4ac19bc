"""Laplacian pyramid of GANs (Denton et al. 2015), as in BAUR: each level makes the residual that the level below lacks."""

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
from dermsynth.models.layers.convolutional import LEAK, BatchNorm, draw_weights, with_label
from dermsynth.models.layers.dcgan import Discriminator, Generator
from dermsynth.models.layers.resample import enlarge, halve
from dermsynth.models.layers.shapes import Shape, require_levels
from dermsynth.models.losses.adversarial import GAMES, LOGISTIC


class ResidualGenerator(nn.Module):
    """Blurred image, a plane of noise and the class -> the residual that sharpens it."""

    def __init__(self, classes: int, features: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (4 + classes, features, features):
            layers += [
                nn.Conv2d(inputs, features, 3, padding=1, bias=False),
                BatchNorm(features),
                nn.LeakyReLU(LEAK, inplace=True),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(features, 3, 3, padding=1))
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, low: Tensor, noise: Tensor, label: Tensor) -> Tensor:
        """[n, 3, h, w], [n, 1, h, w], one-hot [n, classes] -> [n, 3, h, w]."""
        residual: Tensor = self.layers(with_label(torch.cat([low, noise], dim=1), label))
        return residual


class Config(FamilyConfig):
    """Every choice of the family."""

    latent: int = Field(128, ge=2, description="dimensions of z of the lowest level")
    levels: int = Field(
        3, ge=1, description="levels of the pyramid; the lowest has the size divided by 2 ^ (levels - 1)"
    )
    schedule: Literal["together", "in-turn"] = Field("together", description="how the levels are trained")
    level_images: int = Field(10_000, ge=1, description="in-turn: images shown to one level before the next one's turn")
    features: int = Field(64, ge=4, description="feature maps next to the image")
    features_max: int = Field(512, ge=4, description="upper bound of the feature maps")
    game: Literal["bce", "non-saturating", "minimax", "least-squares", "hinge"] = "bce"
    learning_rate: float = Field(0.0002, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)


def baur(shape: Shape, batch: int) -> Config:
    """BAUR: latent 128; the pyramid goes down to 16 pixels."""
    return Config(levels=max(1, shape.doublings - 1))


def laptop(shape: Shape, batch: int) -> Config:
    """Three levels, half the feature maps."""
    return Config(levels=min(3, shape.doublings), features=32, features_max=256)


class LAPGAN(Model):
    """A generator and a discriminator a level."""

    publication = "Denton et al. 2015 (BAUR)"
    good_for = "a baseline that refines level by level"
    config_type = Config
    whole_batches = True
    presets = MappingProxyType({"baur": Preset(baur, batch=8), "laptop": Preset(laptop, batch=16)})
    training_state = ("shown",)

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        self.shapes = [Shape(shape.height >> i, shape.width >> i) for i in reversed(range(config.levels))]
        lowest = Generator(self.shapes[0], config.latent, classes, config.features, config.features_max)
        self.generators = nn.ModuleList([lowest])
        self.generators.extend(ResidualGenerator(classes, config.features) for _ in self.shapes[1:])
        self.discriminators = nn.ModuleList(
            Discriminator(size, classes, config.features, config.features_max) for size in self.shapes
        )
        self.register_buffer("shown", torch.zeros((), dtype=torch.int64))
        self.shown: Tensor

    @classmethod
    def check_shape(cls, shape: Shape, config: BaseModel) -> None:
        """The lowest level must be a constant doubled some times, too."""
        super().check_shape(shape, config)
        assert isinstance(config, Config)
        require_levels("levels", config.levels, shape)

    def players(self) -> dict[str, Player]:
        """Generator and discriminator of every level, named after its size."""
        rate, betas = self.config.learning_rate, (self.config.beta1, 0.999)
        players = {}
        for size, generator, discriminator in zip(self.shapes, self.generators, self.discriminators, strict=True):
            players[f"generator {size}"] = Player(list(generator.parameters()), rate, betas, part=str(size))
            players[f"discriminator {size}"] = Player(list(discriminator.parameters()), rate, betas, part=str(size))
        return players

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """Every active level by itself: its real low-pass image in, its real image as the truth (Denton et al., figure 2)."""
        game, label = GAMES[self.config.game], batch.label
        pyramid = self._pyramid(batch.image)
        noise = [batch.draws.normal(*size) for size in self.noise_shapes()]
        for level in self._active(progress.images):
            size, discriminator = self.shapes[level], self.discriminators[level]
            fake = self._generate(level, pyramid[level - 1] if level else None, noise[level], label)
            real, generated = discriminator(pyramid[level], label), discriminator(fake.detach(), label)
            yield f"discriminator {size}", {"real": game.real(real), "fake": game.fake(generated)}
            yield f"generator {size}", {"adversarial": game.generator(discriminator(fake, label))}
        self.shown.fill_(progress.images + batch.draws.total)

    def _active(self, images: int) -> list[int]:
        """The levels that train when `images` were shown."""
        if self.config.schedule == "together":
            return list(range(self.config.levels))
        return [min(images // self.config.level_images, self.config.levels - 1)]

    def _pyramid(self, image: Tensor) -> list[Tensor]:
        """The image at every level, lowest first."""
        pyramid = [image]
        for _ in self.shapes[1:]:
            pyramid.insert(0, halve(pyramid[0]))
        return pyramid

    def _generate(self, level: int, below: Tensor | None, noise: Tensor, label: Tensor) -> Tensor:
        """I_k = u(I_k+1) + h_k (Denton et al. 2015, equation 2); the lowest level comes from the latent alone."""
        if below is None:
            lowest: Tensor = self.generators[0](noise, label)
            return lowest
        low = enlarge(below)
        return low + self.generators[level](low, noise, label)

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent, and a plane of noise a level above the lowest."""
        return [(self.config.latent,), *((1, size.height, size.width) for size in self.shapes[1:])]

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """From the lowest level upwards; the latent is truncated, the planes of noise are not.

        Levels whose turn has not come only enlarge.
        """
        reached = self._active(max(int(self.shown) - 1, 0))[-1]
        image = self._generate(0, None, truncate_latent(noise[0], truncation), condition.label)
        for level in range(1, self.config.levels):
            image = self._generate(level, image, noise[level], condition.label) if level <= reached else enlarge(image)
        return image.clamp(-1, 1)

    @torch.no_grad()
    def logits(self, image: Tensor, label: Tensor) -> Tensor | None:
        """Those of the full size."""
        if self.config.game not in LOGISTIC:
            return None
        return self.discriminators[-1](image, label)
