"""Progressive growing of GANs (Karras et al. 2018): low resolutions first, new blocks faded in."""

from collections.abc import Iterator
from types import MappingProxyType

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from dermsynth.losses.adversarial import critic_fake, critic_real
from dermsynth.losses.penalties import drift_penalty, gradient_penalty
from dermsynth.networks.averaging import average_of, move_average
from dermsynth.networks.progressive import GrowingDiscriminator, GrowingGenerator
from dermsynth.networks.resample import doubled, halved
from dermsynth.networks.shapes import Shape
from dermsynth.recipes.contract import Batch, Condition, Player, Progress, Recipe, Update


class Config(BaseModel):
    """Every choice of the family; lengths of time are in images shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latent: int = Field(512, ge=2, description="dimensions of z")
    channel_base: int = Field(16384, ge=64, description="feature maps times resolution, below the maximum")
    channel_max: int = Field(512, ge=8, description="feature maps of the lowest resolutions")
    fade_images: int = Field(800_000, ge=1, description="over which a new block is faded in")
    stable_images: int = Field(800_000, ge=0, description="for which each resolution is then trained")
    minibatch: dict[int, int] = Field(
        {}, description="resolution -> images a step from there on, if fewer than --batch"
    )
    learning_rate: float = Field(0.001, gt=0)
    penalty_weight: float = Field(10.0, ge=0, description="lambda of the gradient penalty")
    drift_weight: float = Field(0.001, ge=0)
    ema_beta: float = Field(0.999, ge=0, lt=1, description="of the generator's moving average, a step")


def paper(shape: Shape, batch: int) -> Config:
    """Karras et al. 2018, appendix A: 600k to 800k images a phase, batches of 16 up to 128 pixels, then 14, 6 and 3."""
    return Config(minibatch={256: 14, 512: 6, 1024: 3})


def baur(shape: Shape, batch: int) -> Config:
    """BAUR: latent 128, otherwise as published."""
    return paper(shape, batch).model_copy(update={"latent": 128})


def laptop(shape: Shape, batch: int) -> Config:
    """Narrow layers, a latent of 128, and phases short enough for trainings of some ten thousand images."""
    return Config(
        latent=128,
        channel_base=2048,
        channel_max=128,
        fade_images=1_000,
        stable_images=1_000,
        learning_rate=0.003,
        ema_beta=0.99,
    )


class PGAN(Recipe):
    """A generator and a discriminator that grow together, and the generator's moving average."""

    config_type = Config
    edition = 2
    truncation = "none: its latents are scaled to one length before they are used"
    presets = MappingProxyType({"paper": paper, "baur": baur, "laptop": laptop})
    batch_sizes = MappingProxyType({"paper": 16, "baur": 16, "laptop": 8})

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        self.generator = GrowingGenerator(shape, config.latent, classes, config.channel_base, config.channel_max)
        self.average = average_of(self.generator)
        self.discriminator = GrowingDiscriminator(shape, classes, config.channel_base, config.channel_max)
        self.register_buffer("shown", torch.zeros((), dtype=torch.int64))
        self.register_buffer("trained", torch.zeros(2, dtype=torch.int64))
        self.shown: Tensor
        self.trained: Tensor

    def phase(self, images: int) -> tuple[int, float]:
        """Level and share of its newest block when `images` were shown: level 0 is stable from the start."""
        config, left = self.config, images - self.config.stable_images
        for level in range(1, self.shape.doublings + 1):
            if left < 0:
                return level - 1, 1.0
            if left < config.fade_images:
                return level, left / config.fade_images
            left -= config.fade_images + config.stable_images
        return self.shape.doublings, 1.0

    def stage(self, images: int) -> tuple[int, int]:
        """Level and whether its newest block is all there: what optimisers keep their moments within."""
        level, alpha = self.phase(images)
        return level, int(alpha == 1)

    def restarts(self, images: int) -> bool:
        """Whether the step at that many images is the first of a stage, when the authors reset both optimisers."""
        return images > 0 and self.stage(images) != tuple(self.trained.tolist())

    def batch_at(self, images: int, batch: int) -> int:
        """The minibatch falls as the resolution grows."""
        resolution = self.shape.levels[self.phase(images)[0]]
        return min([batch, *(size for start, size in self.config.minibatch.items() if resolution >= start)])

    @classmethod
    def accepts_truncation(cls, value: float) -> bool:
        """Never: only the direction of a latent counts (section 4.2)."""
        return False

    def players(self) -> dict[str, Player]:
        """Generator and discriminator; the parts that have not grown yet get no gradient."""
        rate, betas = self.config.learning_rate, (0.0, 0.99)
        return {
            "generator": Player(list(self.generator.parameters()), rate, betas, restarts=self.restarts),
            "discriminator": Player(list(self.discriminator.parameters()), rate, betas, restarts=self.restarts),
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """WGAN-GP with drift at the current level."""
        config, label, draws = self.config, batch.label, batch.draws
        level, alpha = self.phase(progress.images)
        real = self.shrunk(batch.image, level, alpha)
        fake = self.generator(draws.normal(config.latent), label, level, alpha)

        def critic(image: Tensor) -> Tensor:
            return self.discriminator(image, label, level, alpha)

        real_logits = critic(real)
        yield (
            "discriminator",
            {
                "real": critic_real(real_logits),
                "fake": critic_fake(critic(fake.detach())),
                "gradient_penalty": config.penalty_weight
                * gradient_penalty(critic, real, fake.detach(), draws.uniform()),
                "drift": config.drift_weight * drift_penalty(real_logits),
            },
        )
        yield "generator", {"adversarial": critic_real(critic(fake))}
        share = len(label) * progress.processes / draws.total  # below 1 where a batch is computed in pieces
        move_average(self.average, self.generator, config.ema_beta**share)
        self.shown.fill_(progress.images + draws.total)
        self.trained.copy_(torch.tensor(self.stage(progress.images)))

    def shrunk(self, image: Tensor, level: int, alpha: float) -> Tensor:
        """Real images at a level; while it is faded in, between its resolution and the one below (section 2)."""
        for _ in range(self.shape.doublings - level):
            image = halved(image)
        return image if alpha == 1 else torch.lerp(doubled(halved(image)), image, alpha)

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent."""
        return [(self.config.latent,)]

    @torch.no_grad()
    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images of the averaged generator at the level reached, enlarged to the full size."""
        level, alpha = self.phase(int(self.shown))
        image = self.average(noise[0], condition.label, level, alpha)
        for _ in range(self.shape.doublings - level):
            image = doubled(image)
        return image.clamp(-1, 1)

    def statistics(self) -> dict[str, float]:
        """Resolution and share of the newest block."""
        level, alpha = self.phase(int(self.shown))
        return {"resolution": float(self.shape.levels[level]), "alpha": alpha}
