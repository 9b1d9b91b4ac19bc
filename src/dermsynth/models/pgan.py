"""Progressive growing of GANs (Karras et al. 2018): low resolutions first, new blocks faded in."""

import math
from collections.abc import Iterator
from itertools import pairwise
from types import MappingProxyType

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from dermsynth.models.base import Batch, Condition, FamilyConfig, Model, Player, Preset, Progress, Update
from dermsynth.models.layers.convolutional import with_label
from dermsynth.models.layers.ema import average_of, move_average
from dermsynth.models.layers.equalized import LEAK, Convolution, Dense, minibatch_deviation, normalise_second_moment
from dermsynth.models.layers.resample import double, halve
from dermsynth.models.layers.shapes import Shape, channels_at
from dermsynth.models.losses.adversarial import critic_fake, critic_real
from dermsynth.models.losses.penalties import drift_penalty, gradient_penalty


class FirstLayer(nn.Module):
    """Latent -> feature maps of the constant's size: a dense layer, one bias a map, leaky ReLU, then pixel norm (table 2).

    Its gain is a quarter of the other layers', as the authors' code has it.
    """

    def __init__(self, inputs: int, features: int, height: int, width: int) -> None:
        super().__init__()
        self.size = features, height, width
        self.weight = nn.Parameter(torch.randn(features * height * width, inputs))
        self.bias = nn.Parameter(torch.zeros(features))
        self.gain = math.sqrt(2) / 4 / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] -> [n, features, height, width]."""
        x = F.linear(x, self.weight * self.gain).reshape(len(x), *self.size) + self.bias[:, None, None]
        x = F.leaky_relu(x, LEAK)
        return normalise_second_moment(x.contiguous(memory_format=torch.channels_last))


class GrowingGenerator(nn.Module):
    """z and class -> image at any level so far; level 0 has the size of the constant."""

    def __init__(self, shape: Shape, latent: int, classes: int, base: int, maximum: int) -> None:
        super().__init__()
        widths = [channels_at(level, base, maximum) for level in shape.levels]
        self.start = FirstLayer(latent + classes, widths[0], *shape.constant)
        self.first = Convolution(widths[0], widths[0], 3)
        self.blocks = nn.ModuleList(
            nn.ModuleList([Convolution(a, b, 3), Convolution(b, b, 3)]) for a, b in pairwise(widths)
        )
        self.to_image = nn.ModuleList(Convolution(c, 3, 1, activate=False) for c in widths)

    def forward(self, z: Tensor, label: Tensor, level: int, alpha: float) -> Tensor:
        """[n, latent], one-hot [n, classes] -> [n, 3, h, w] at `level`, of which `alpha` comes from the newest block."""
        x = self.start(with_label(normalise_second_moment(z), label))
        x, before = normalise_second_moment(self.first(x)), None
        for block in list(self.blocks)[:level]:
            before, x = x, double(x)
            for convolution in block:  # type: ignore[attr-defined]
                x = normalise_second_moment(convolution(x))
        image: Tensor = self.to_image[level](x)
        if alpha < 1 and before is not None:
            image = torch.lerp(double(self.to_image[level - 1](before)), image, alpha)
        return image


class GrowingDiscriminator(nn.Module):
    """Image at a level and class -> logit: the generator's mirror, with minibatch standard deviation at the end."""

    def __init__(self, shape: Shape, classes: int, base: int, maximum: int) -> None:
        super().__init__()
        widths = [channels_at(level, base, maximum) for level in shape.levels]
        self.from_image = nn.ModuleList(Convolution(3, c, 1) for c in widths)
        self.blocks = nn.ModuleList(
            nn.Sequential(Convolution(b, b, 3), Convolution(b, a, 3)) for a, b in pairwise(widths)
        )
        height, width = shape.constant
        self.last = Convolution(widths[0] + 1, widths[0], 3)
        self.dense = Dense(widths[0] * height * width, widths[0], activate=True)
        self.output = Dense(widths[0], max(classes, 1))

    def forward(self, image: Tensor, label: Tensor, level: int, alpha: float) -> Tensor:
        """[n, 3, h, w] at `level`, one-hot [n, classes] -> logits [n]: that of the image's class."""
        x = self.from_image[level](image)
        for index in reversed(range(level)):
            x = halve(self.blocks[index](x))
            if index == level - 1 and alpha < 1:
                x = torch.lerp(self.from_image[index](halve(image)), x, alpha)
        x = self.last(minibatch_deviation(x, 4))
        scores: Tensor = self.output(self.dense(x.flatten(1)))
        return scores.squeeze(1) if label.shape[1] == 0 else (scores * label).sum(dim=1)


class Config(FamilyConfig):
    """Every choice of the family; lengths of time are in images shown."""

    latent: int = Field(512, ge=2, description="dimensions of z")
    channel_base: int = Field(16384, ge=64, description="feature maps times resolution, below the maximum")
    channel_max: int = Field(512, ge=8, description="feature maps of the lowest resolutions")
    fade_images: int = Field(800_000, ge=1, description="over which a new block is faded in")
    stable_images: int = Field(800_000, ge=0, description="for which each resolution is then trained")
    minibatch: dict[int, int] = Field(
        {}, description="resolution -> images a step from there on, if fewer than `batch`"
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


class PGAN(Model):
    """A generator and a discriminator that grow together, and the generator's moving average."""

    publication = "Karras et al. 2018 (BAUR, BISSOTO)"
    good_for = "steady training to high resolutions without tuning"
    config_type = Config
    edition = 2
    truncation = "none: its latents are scaled to one length before they are used"
    presets = MappingProxyType(
        {
            "paper": Preset(paper, batch=16),
            "baur": Preset(baur, batch=16),
            "laptop": Preset(laptop, batch=8),
        }
    )
    penalties = ("gradient_penalty", "drift")
    plots = MappingProxyType({"resolution": ("resolution",)})
    training_state = ("shown", "trained")

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
        self._stage: tuple[int, ...] | None = None
        self.register_load_state_dict_post_hook(self._forget_stage)

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
        if self._stage is None:
            self._stage = tuple(self.trained.tolist())
        return images > 0 and self.stage(images) != self._stage

    def _remember(self, stage: tuple[int, int]) -> None:
        """The stage of the last step: in a buffer for checkpoints, and where it is read without waiting for the device."""
        self._stage = stage
        for place, number in enumerate(stage):
            self.trained[place].fill_(number)

    def _forget_stage(self, *_: object) -> None:
        self._stage = None

    def batch_at(self, images: int, batch: int) -> int:
        """The minibatch falls as the resolution grows."""
        resolution = self.shape.levels[self.phase(images)[0]]
        return min([batch, *(size for start, size in self.config.minibatch.items() if resolution >= start)])

    @classmethod
    def phases_within(cls, images: int, shape: Shape) -> dict[str, object]:
        """Phases of one length, the last of which ends after two thirds of a training."""
        phase = max(images * 2 // 3 // (2 * shape.doublings + 1), 1)
        return {"fade_images": phase, "stable_images": phase}

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
        real = self.downscale(batch.image, level, alpha)
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
        self._remember(self.stage(progress.images))

    def downscale(self, image: Tensor, level: int, alpha: float) -> Tensor:
        """Real images at a level; while it is faded in, between its resolution and the one below (section 2)."""
        for _ in range(self.shape.doublings - level):
            image = halve(image)
        return image if alpha == 1 else torch.lerp(double(halve(image)), image, alpha)

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent."""
        return [(self.config.latent,)]

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images of the averaged generator at the level reached, enlarged to the full size."""
        level, alpha = self.phase(int(self.shown))
        image = self.average(noise[0], condition.label, level, alpha)
        for _ in range(self.shape.doublings - level):
            image = double(image)
        return image.clamp(-1, 1)

    def statistics(self) -> dict[str, float]:
        """Resolution and share of the newest block."""
        level, alpha = self.phase(int(self.shown))
        return {"resolution": float(self.shape.levels[level]), "alpha": alpha}
