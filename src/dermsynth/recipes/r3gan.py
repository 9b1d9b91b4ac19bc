"""R3GAN (Huang et al. 2024, "The GAN is dead; long live the GAN!"): relativistic pairs, R1 and R2, modern residual networks."""

import math
from collections.abc import Iterator
from types import MappingProxyType

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor

from dermsynth.losses.adversarial import relativistic
from dermsynth.losses.penalties import r1_penalty
from dermsynth.networks.augmentation import PRESETS, Augmentation
from dermsynth.networks.averaging import average_of, half_life_beta, move_average
from dermsynth.networks.residual import Discriminator, Generator
from dermsynth.networks.shapes import Shape
from dermsynth.recipes.contract import Batch, Condition, Player, Progress, Recipe, Update
from dermsynth.recipes.latents import TRUNCATION, resampled


class Config(BaseModel):
    """Every choice of the family; a pair is a value at the start and one after `burn_in` images, between them a cosine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latent: int = Field(64, ge=2, description="dimensions of z")
    channel_base: int = Field(24576, ge=64, description="feature maps times resolution, below the maximum")
    channel_max: int = Field(768, ge=8, description="feature maps of the lowest resolutions")
    burn_in: int = Field(20_000_000, ge=1, description="images over which the schedules run")
    learning_rate: tuple[float, float] = (0.0002, 0.00005)
    beta2: tuple[float, float] = (0.9, 0.99)
    gamma: tuple[float, float] = Field((2.0, 0.2), description="weight of R1 and of R2")
    augmentation_p: tuple[float, float] = Field((0.0, 0.3), description="probability of augmentation")
    ema_images: tuple[float, float] = Field((0.0, 500_000.0), description="half-life of the moving average")
    augmentation: str = Field("skin", description=f"one of {', '.join(PRESETS)}")

    @field_validator("augmentation")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in PRESETS:
            raise ValueError(f"there are: {', '.join(PRESETS)}")
        return value


def paper(shape: Shape, batch: int) -> Config:
    """Widths, schedules and augmentation released for FFHQ: 768 maps up to 32 pixels, then 384, 192, 96.

    gamma is 2 at 64 pixels and 150 at 256, and between them a power of the size.
    """
    gamma = round(2.0 * (shape.height * shape.width / 64**2) ** math.log(75, 16), 6)
    return Config(gamma=(gamma, gamma / 10), augmentation="r3gan")


def laptop(shape: Shape, batch: int) -> Config:
    """Narrow layers, and schedules for trainings of some ten thousand images."""
    return Config(
        channel_base=1024,
        channel_max=128,
        burn_in=20_000,
        learning_rate=(0.001, 0.0005),
        gamma=(1.0, 0.5),
        augmentation_p=(0.0, 0.15),
        ema_images=(0.0, 4_000.0),
    )


class R3GAN(Recipe):
    """Two residual networks without normalisation, and the generator's moving average."""

    config_type = Config
    edition = 2
    truncation = TRUNCATION
    presets = MappingProxyType({"paper": paper, "laptop": laptop})
    batch_sizes = MappingProxyType({"paper": 256, "laptop": 16})

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        self.generator = Generator(shape, config.latent, classes, config.channel_base, config.channel_max)
        self.average = average_of(self.generator)
        self.discriminator = Discriminator(shape, classes, config.channel_base, config.channel_max)
        self.augmentation = Augmentation(PRESETS[config.augmentation])

    @classmethod
    def fine_tuning(cls, config: BaseModel) -> dict[str, object]:
        """The average that was loaded stays: its half-life does not begin with nothing."""
        assert isinstance(config, Config)
        return {"ema_images": (config.ema_images[1], config.ema_images[1])}

    def scheduled(self, pair: tuple[float, float], images: int) -> float:
        """From the first value to the second along half a cosine over the burn-in (section 4 and appendix)."""
        share = min(images / self.config.burn_in, 1.0)
        return pair[1] + (pair[0] - pair[1]) * (1 + math.cos(math.pi * share)) / 2

    def players(self) -> dict[str, Player]:
        """Generator and discriminator, whose learning rate falls and whose beta2 rises."""
        config = self.config

        def schedule(images: int) -> tuple[float, tuple[float, float]]:
            return self.scheduled(config.learning_rate, images), (0.0, self.scheduled(config.beta2, images))

        rate, betas = schedule(0)
        return {
            name: Player(list(network.parameters()), rate, betas, schedule)
            for name, network in (("generator", self.generator), ("discriminator", self.discriminator))
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """The discriminator wants real images to beat generated ones, pair by pair, and the generator the reverse."""
        config, images = self.config, progress.images
        self.augmentation.p.fill_(self.scheduled(config.augmentation_p, images))
        gamma = self.scheduled(config.gamma, images) / 2
        real = batch.image.detach().requires_grad_(True)
        fake = self._generated(batch).detach().requires_grad_(True)
        real_logits, fake_logits = self._logits(real, batch), self._logits(fake, batch)
        yield (
            "discriminator",
            {
                "pairs": relativistic(real_logits, fake_logits),
                "r1": gamma * r1_penalty(real_logits, real),
                "r2": gamma * r1_penalty(fake_logits, fake),
            },
        )
        fake = self._generated(batch)
        yield (
            "generator",
            {"adversarial": relativistic(self._logits(fake, batch), self._logits(batch.image, batch).detach())},
        )
        shown = len(batch.label) * progress.processes
        beta = half_life_beta(shown, self.scheduled(config.ema_images, images))
        move_average(self.average, self.generator, beta)

    def _generated(self, batch: Batch) -> Tensor:
        return self.generator(batch.draws.normal(self.config.latent), batch.label)

    def _logits(self, image: Tensor, batch: Batch) -> Tensor:
        return self.discriminator(self.augmentation(image, batch.draws), batch.label)

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent."""
        return [(self.config.latent,)]

    @torch.no_grad()
    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images of the averaged generator from truncated latents."""
        return self.average(resampled(noise[0], truncation), condition.label)

    def augmentation_strength(self) -> float:
        """p."""
        return float(self.augmentation.p)

    def statistics(self) -> dict[str, float]:
        """p."""
        return {"augmentation_p": float(self.augmentation.p)}
