"""R3GAN (Huang et al. 2024, "The GAN is dead; long live the GAN!"): relativistic pairs, R1 and R2, modern residual networks."""

import math
from collections.abc import Iterator
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated

import torch
import torch.nn.functional as F
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
    one_of,
    truncate_latent,
)
from dermsynth.models.layers.augmentation import PRESETS, Augmentation
from dermsynth.models.layers.convolutional import with_label
from dermsynth.models.layers.ema import average_of, half_life_beta, move_average
from dermsynth.models.layers.equalized import ACTIVATION_GAIN, LEAK
from dermsynth.models.layers.resample import downsample, upsample
from dermsynth.models.layers.shapes import Shape, channels_at
from dermsynth.models.losses.adversarial import relativistic
from dermsynth.models.losses.penalties import r1_penalty

EXPANSION, GROUP = 2, 16


def draw(layer: nn.Conv2d | nn.Linear, gain: float) -> None:
    """N(0, gain^2 / inputs): the variance of the activations is kept where `gain` is the activation's."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(fan_in)) if gain else nn.init.zeros_(layer.weight)


def convolution(inputs: int, outputs: int, kernel: int, *, groups: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """Convolution without bias, drawn by `draw`."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    draw(layer, gain)
    return layer


class BiasedActivation(nn.Module):
    """A bias, then a leaky ReLU of slope 0.2."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """[n, features, h, w] -> the same shape."""
        return F.leaky_relu_(x + self.bias[:, None, None], LEAK)


class ResidualBlock(nn.Module):
    """x + 1x1(3x3 grouped(1x1(x))), widened by 2 in between (the paper's inverted bottleneck, configuration E).

    The last convolution starts at zero and the first is scaled by L^(-1/4), L the number of blocks, so that a network
    without normalisation starts as the identity (Zhang et al. 2019, fix-up initialisation).
    """

    def __init__(self, features: int, blocks_in_network: int) -> None:
        super().__init__()
        inner = features * EXPANSION
        gain = ACTIVATION_GAIN / math.sqrt(1 + LEAK**2)
        self.first = convolution(features, inner, 1, gain=gain * blocks_in_network**-0.25)
        self.first_activation = BiasedActivation(inner)
        self.second = convolution(inner, inner, 3, groups=max(inner // GROUP, 1), gain=gain * blocks_in_network**-0.25)
        self.second_activation = BiasedActivation(inner)
        self.last = convolution(inner, features, 1, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """[n, features, h, w] -> the same shape."""
        y = self.second_activation(self.second(self.first_activation(self.first(x))))
        return x + self.last(y)


class Stage(nn.Module):
    """Residual blocks at one resolution; `change` is what brings the other resolution's features to this width."""

    def __init__(self, inputs: int, outputs: int, blocks: int, blocks_in_network: int) -> None:
        super().__init__()
        self.change = convolution(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.blocks = nn.Sequential(*(ResidualBlock(outputs, blocks_in_network) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> [n, outputs, h, w]."""
        y: Tensor = self.blocks(self.change(x))
        return y


class Generator(nn.Module):
    """z and class modulate a learned basis of the constant's size; then blocks and doublings by the filter [1, 3, 3, 1].

    The filter is nearly bilinear enlarging, but sees zeros outside the image.
    """

    def __init__(self, shape: Shape, latent: int, classes: int, base: int, maximum: int, blocks: int = 2) -> None:
        super().__init__()
        widths = [round_width(channels_at(level, base, maximum)) for level in shape.levels]
        self.basis = nn.Parameter(torch.randn(widths[0], *shape.constant))
        self.linear = nn.Linear(latent + classes, widths[0], bias=False)
        draw(self.linear, 1.0)
        count = blocks * len(widths)
        self.stages = nn.ModuleList(Stage(a, b, blocks, count) for a, b in pairwise([widths[0], *widths]))
        self.to_image = convolution(widths[-1], 3, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """[n, latent], one-hot [n, classes] -> [n, 3, h, w], nominally in [-1, 1]."""
        x = self.basis * self.linear(with_label(z, label))[:, :, None, None]
        x = x.contiguous(memory_format=torch.channels_last)
        for index, stage in enumerate(self.stages):
            if index:
                x = upsample(x)
            x = stage(x)
        image: Tensor = self.to_image(x)
        return image


class Discriminator(nn.Module):
    """The generator's mirror, halving by the same filter.

    The last feature maps pass one depthwise convolution of their whole size and a linear layer.
    """

    def __init__(self, shape: Shape, classes: int, base: int, maximum: int, blocks: int = 2) -> None:
        super().__init__()
        widths = [round_width(channels_at(level, base, maximum)) for level in shape.levels][::-1]
        self.from_image = convolution(3, widths[0], 1)
        count = blocks * len(widths)
        self.stages = nn.ModuleList(Stage(a, b, blocks, count) for a, b in pairwise([widths[0], *widths]))
        self.whole = nn.Conv2d(widths[-1], widths[-1], shape.constant, groups=widths[-1], bias=False)
        draw(self.whole, 1.0)
        self.output = nn.Linear(widths[-1], max(classes, 1), bias=False)
        draw(self.output, 1.0)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """[n, 3, h, w], one-hot [n, classes] -> logits [n]: that of the image's class."""
        x = self.from_image(image)
        for index, stage in enumerate(self.stages):
            if index:
                x = downsample(x)
            x = stage(x)
        scores: Tensor = self.output(self.whole(x).flatten(1))
        return scores.squeeze(1) if label.shape[1] == 0 else (scores * label).sum(dim=1)


def round_width(width: int) -> int:
    """The next multiple of half a group, so that grouped convolutions come out even."""
    step = GROUP // EXPANSION
    return max(step, width // step * step)


class Config(FamilyConfig):
    """Every choice of the family; a pair is a value at the start and one after `burn_in` images, between them a cosine."""

    latent: int = Field(64, ge=2, description="dimensions of z")
    channel_base: int = Field(24576, ge=64, description="feature maps times resolution, below the maximum")
    channel_max: int = Field(768, ge=8, description="feature maps of the lowest resolutions")
    blocks: int = Field(2, ge=1, description="residual blocks a resolution")
    burn_in: int = Field(20_000_000, ge=1, description="images over which the schedules run")
    learning_rate: tuple[float, float] = (0.0002, 0.00005)
    beta2: tuple[float, float] = (0.9, 0.99)
    gamma: tuple[float, float] = Field((2.0, 0.2), description="weight of R1 and of R2")
    augmentation_p: tuple[float, float] = Field((0.0, 0.3), description="probability of augmentation")
    ema_images: tuple[float, float] = Field((0.0, 500_000.0), description="half-life of the moving average")
    augmentation: Annotated[str, one_of(PRESETS)] = Field("skin", description=f"one of {', '.join(PRESETS)}")


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


class R3GAN(Model):
    """Two residual networks without normalisation, and the generator's moving average."""

    publication = "Huang et al. 2024"
    good_for = "the modern baseline: a loss that converges, no tricks"
    config_type = Config
    edition = 2
    presets = MappingProxyType({"paper": Preset(paper, batch=256), "laptop": Preset(laptop, batch=16)})
    penalties = ("r1", "r2")
    plots = MappingProxyType({"Augmentation: p, and the overfitting heuristic r_t": ("augmentation_p",)})
    training_state = ("augmentation",)

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        size = config.channel_base, config.channel_max, config.blocks
        self.generator = Generator(shape, config.latent, classes, *size)
        self.average = average_of(self.generator)
        self.discriminator = Discriminator(shape, classes, *size)
        self.augmentation = Augmentation(PRESETS[config.augmentation])

    @classmethod
    def fine_tuning(cls, config: BaseModel) -> dict[str, object]:
        """The average that was loaded stays: its half-life does not begin with nothing."""
        assert isinstance(config, Config)
        return {"ema_images": (config.ema_images[1], config.ema_images[1])}

    def scheduled_value(self, pair: tuple[float, float], images: int) -> float:
        """From the first value to the second along half a cosine over the burn-in (section 4 and appendix)."""
        share = min(images / self.config.burn_in, 1.0)
        return pair[1] + (pair[0] - pair[1]) * (1 + math.cos(math.pi * share)) / 2

    def players(self) -> dict[str, Player]:
        """Generator and discriminator, whose learning rate falls and whose beta2 rises."""
        config = self.config

        def schedule(images: int) -> tuple[float, tuple[float, float]]:
            return self.scheduled_value(config.learning_rate, images), (0.0, self.scheduled_value(config.beta2, images))

        rate, betas = schedule(0)
        return {
            name: Player(list(network.parameters()), rate, betas, schedule)
            for name, network in (("generator", self.generator), ("discriminator", self.discriminator))
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """The discriminator wants real images to beat generated ones, pair by pair, and the generator the reverse."""
        config, images = self.config, progress.images
        self.augmentation.p.fill_(self.scheduled_value(config.augmentation_p, images))
        gamma = self.scheduled_value(config.gamma, images) / 2
        real = batch.image.detach().requires_grad_(True)
        fake = self._fake_images(batch).detach().requires_grad_(True)
        real_logits, fake_logits = self._logits(real, batch), self._logits(fake, batch)
        yield (
            "discriminator",
            {
                "pairs": relativistic(real_logits, fake_logits),
                "r1": gamma * r1_penalty(real_logits, real),
                "r2": gamma * r1_penalty(fake_logits, fake),
            },
        )
        fake = self._fake_images(batch)
        yield (
            "generator",
            {"adversarial": relativistic(self._logits(fake, batch), self._logits(batch.image, batch).detach())},
        )
        batch_images = len(batch.label) * progress.processes
        beta = half_life_beta(batch_images, self.scheduled_value(config.ema_images, images))
        move_average(self.average, self.generator, beta)

    def _fake_images(self, batch: Batch) -> Tensor:
        return self.generator(batch.draws.normal(self.config.latent), batch.label)

    def _logits(self, image: Tensor, batch: Batch) -> Tensor:
        return self.discriminator(self.augmentation(image, batch.draws), batch.label)

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent."""
        return [(self.config.latent,)]

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images of the averaged generator from truncated latents."""
        return self.average(truncate_latent(noise[0], truncation), condition.label)

    def augmentation_strength(self) -> float:
        """p."""
        return float(self.augmentation.p)

    def statistics(self) -> dict[str, float]:
        """p."""
        return {"augmentation_p": float(self.augmentation.p)}
