"""Deep convolutional GAN (Radford et al. 2015), conditional on one-hot classes (Mirza & Osindero 2014); BAUR, LUNAGARIYA."""

from collections.abc import Iterator
from types import MappingProxyType

import torch
from pydantic import Field
from torch import Tensor

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
from dermsynth.models.layers.dcgan import Discriminator, Generator
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.losses.adversarial import GAMES, LOGISTIC, GameName
from dermsynth.models.losses.penalties import gradient_penalty


class Config(FamilyConfig):
    """Every choice of the family."""

    latent: int = Field(100, ge=2, description="dimensions of z")
    features: int = Field(64, ge=4, description="feature maps next to the image; they double towards the latent")
    features_max: int = Field(1024, ge=4, description="upper bound of the feature maps")
    game: GameName = Field("bce", description="what generator and discriminator minimise")
    learning_rate: float = Field(0.0002, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    critic_steps: int = Field(1, ge=1, description="steps of the discriminator for one of the generator")
    penalty_weight: float = Field(10.0, ge=0, description="lambda of wasserstein-gp")
    clip: float = Field(0.01, gt=0, description="bound of the critic's weights under wasserstein")


def lunagariya(shape: Shape, batch: int) -> Config:
    """LUNAGARIYA's table: latent 100, 512 to 64 feature maps at 64 pixels, binary cross-entropy."""
    return Config()


def baur(shape: Shape, batch: int) -> Config:
    """BAUR: latent 128, carried up to 256 pixels."""
    return Config(latent=128)


def laptop(shape: Shape, batch: int) -> Config:
    """Half the feature maps."""
    return Config(features=32, features_max=256)


class DCGAN(Model):
    """Generator and discriminator of strided convolutions with batch norm."""

    publication = "Radford et al. 2015; Mirza & Osindero 2014 (BAUR, LUNAGARIYA)"
    good_for = "a fast baseline; seven games to compare"
    config_type = Config
    whole_batches = True
    presets = MappingProxyType(
        {
            "lunagariya": Preset(lunagariya, batch=64),
            "baur": Preset(baur, batch=8),
            "laptop": Preset(laptop, batch=16),
        }
    )
    penalties = ("gradient_penalty",)

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        self.generator = Generator(shape, config.latent, classes, config.features, config.features_max)
        self.discriminator = Discriminator(
            shape, classes, config.features, config.features_max, normalise=config.game != "wasserstein-gp"
        )

    def players(self) -> dict[str, Player]:
        """Generator and discriminator."""
        rate, betas = self.config.learning_rate, (self.config.beta1, 0.999)
        return {
            "generator": Player(list(self.generator.parameters()), rate, betas),
            "discriminator": Player(list(self.discriminator.parameters()), rate, betas),
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """The discriminator on real and generated images; after `critic_steps` of those the generator."""
        game, label = GAMES[self.config.game], batch.label
        fake = self.generator(batch.draws.normal(self.config.latent), label)
        terms = {
            "real": game.real(self.discriminator(batch.image, label)),
            "fake": game.fake(self.discriminator(fake.detach(), label)),
        }
        if self.config.game == "wasserstein-gp":
            terms["gradient_penalty"] = self.config.penalty_weight * self._penalty(batch, fake.detach())
        yield "discriminator", terms

        if self.config.game == "wasserstein":
            self._clip()
        if (progress.step + 1) % self.config.critic_steps == 0:
            yield "generator", {"adversarial": game.generator(self.discriminator(fake, label))}

    def _penalty(self, batch: Batch, fake: Tensor) -> Tensor:
        mix = batch.draws.uniform()
        return gradient_penalty(lambda x: self.discriminator(x, batch.label), batch.image, fake, mix)

    @torch.no_grad()
    def _clip(self) -> None:
        """Weights in [-c, c] keep the critic's slope bounded (Arjovsky et al. 2017, algorithm 1)."""
        for parameter in self.discriminator.parameters():
            parameter.clamp_(-self.config.clip, self.config.clip)

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent."""
        return [(self.config.latent,)]

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images from truncated latents."""
        return self.generator(truncate_latent(noise[0], truncation), condition.label)

    @torch.no_grad()
    def logits(self, image: Tensor, label: Tensor) -> Tensor | None:
        """The discriminator's."""
        if self.config.game not in LOGISTIC:
            return None
        return self.discriminator(image, label)
