"""A family of another package: nothing in `src/` knows it. Two dense networks and the logistic game."""

from collections.abc import Iterator

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn

from dermsynth.models.base import Batch, Condition, Model, Player, Preset, Progress, Update, truncate_latent
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.losses.adversarial import logistic_fake, logistic_real


class Config(BaseModel):
    latent: int = Field(8, ge=2)
    width: int = Field(32, ge=1)


class DenseGAN(Model):
    publication = "Nobody 2026"
    good_for = "trying whether families of other packages work"
    config_type = Config
    presets = {"laptop": Preset(lambda shape, batch: Config(), batch=8)}  # noqa: RUF012

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config, self.pixels = config, 3 * shape.height * shape.width
        sizes = config.latent + classes, config.width
        self.generator = nn.Sequential(nn.Linear(*sizes), nn.ReLU(), nn.Linear(config.width, self.pixels), nn.Tanh())
        self.discriminator = nn.Sequential(
            nn.Linear(self.pixels + classes, config.width), nn.ReLU(), nn.Linear(config.width, 1)
        )

    def players(self) -> dict[str, Player]:
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: Player(list(network.parameters()), 0.001, (0.5, 0.99)) for name, network in networks.items()}

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        fake = self._images(batch.draws.normal(self.config.latent), batch.label)
        real = logistic_real(self.logits(batch.image, batch.label))
        yield "discriminator", {"real": real, "fake": logistic_fake(self.logits(fake.detach(), batch.label))}
        yield "generator", {"adversarial": logistic_real(self.logits(fake, batch.label))}

    def logits(self, image: Tensor, label: Tensor) -> Tensor:
        return self.discriminator(torch.cat([image.flatten(1), label], dim=1)).squeeze(1)

    def noise_shapes(self) -> list[tuple[int, ...]]:
        return [(self.config.latent,)]

    @torch.no_grad()
    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        return self._images(truncate_latent(noise[0], truncation), condition.label)

    def _images(self, z: Tensor, label: Tensor) -> Tensor:
        return self.generator(torch.cat([z, label], dim=1)).reshape(-1, 3, self.shape.height, self.shape.width)
