"""A diffusion model in pixels (Karras et al. 2022, "EDM"): one network that takes noise away, and no adversary."""

import math
from collections.abc import Iterator
from functools import partial
from types import MappingProxyType
from typing import Annotated, ClassVar, NamedTuple

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.models.base import Batch, Condition, FamilyConfig, Model, Player, Preset, Progress, Update, one_of
from dermsynth.models.diffusion_networks import UNet
from dermsynth.models.edm import Denoise, guide, heun, loss_weight, noise_levels, precondition
from dermsynth.models.inputs import PARTLY_LABELLED, Inputs
from dermsynth.models.layers.augmentation import PARAMETERS, PRESETS, Augmentation
from dermsynth.models.layers.ema import average_of, half_life_beta, move_average, ramped_half_life
from dermsynth.models.layers.shapes import Shape
from dermsynth.rng import Draws

DESCRIBABLE = tuple(name for name, strengths in PRESETS.items() if strengths.invertible)
"""Augmentations that the network can be told of."""
GRID, LEVELS = 32, 3
"""At about so many folded pixels a side, and so many levels, the `laptop` network works, whatever the image's size."""

PASSES = 200
"""How often each image is shown by default. A denoiser learns its images by heart after a time proportional to their number, and
good images come at a time that does not depend on it (Bonnaire et al. 2025; Favero et al. 2025). The number is a guess."""


class Config(FamilyConfig):
    """Every choice of the family; lengths of time are in images shown, noise levels in units of images from -1 to 1."""

    patch: int = Field(2, ge=1, description="side in pixels of the blocks that are folded into features")
    channels: int = Field(64, ge=8, description="feature maps of the finest level")
    multipliers: tuple[int, ...] = Field(
        (1, 2, 2), min_length=1, description="feature maps of each level over `channels`"
    )
    blocks: int = Field(1, ge=1, description="residual blocks a level")
    attention: int = Field(1, ge=0, description="lowest levels with attention")
    dropout: float = Field(0.13, ge=0, lt=1, description="share of features set to zero in training, in 256ths")
    label_dropout: float = Field(
        0.1, ge=0, lt=1, description="share of images whose class and map the network is not told"
    )
    augmentation: Annotated[str, one_of(DESCRIBABLE)] = Field(
        "skin", description=f"one of {', '.join(DESCRIBABLE)}; the network is told of it"
    )
    augmentation_p: float = Field(0.15, ge=0, le=1, description="probability of every transformation")
    learning_rate: float = Field(0.001, gt=0)
    rate_rampup: int = Field(2_000, ge=0, description="images over which the rate rises from 0")
    ema_images: float = Field(10_000, gt=0, description="half-life of the moving average")
    ema_rampup: float | None = Field(
        0.05, gt=0, description="half-life at most this share of the images shown so far; null: as it is from the start"
    )
    data_deviation: float = Field(0.5, gt=0, description="sigma_data: deviation of pixels of images from -1 to 1")
    noise_mean: float = Field(-1.2, description="mean of ln sigma in training")
    noise_deviation: float = Field(1.2, gt=0, description="deviation of ln sigma in training")
    lowest_noise: float = Field(0.002, gt=0, description="sigma_min of sampling")
    highest_noise: float = Field(80.0, gt=0, description="sigma_max of sampling")
    rho: float = Field(7.0, gt=0, description="how much of the steps goes to low noise levels")
    steps: int = Field(24, ge=1, description="Heun steps from noise to image")
    guidance: float = Field(1.0, ge=0, description="weight of guidance without truncation; 1 is none")
    guidance_interval: tuple[float, float] = Field((0.28, 2.9), description="noise levels at which guidance acts")

    @property
    def smallest_step(self) -> int:
        """Both sides of an image must be multiples of so many pixels."""
        return int(self.patch * 2 ** (len(self.multipliers) - 1))


def laptop(shape: Shape, batch: int) -> Config:
    """For a computer without a GPU: images folded to about 32 x 32 places, three levels, 64 to 128 feature maps.

    At 64 px the rule gives blocks of 2 x 2 pixels, at 128 px of 4 x 4, and so on: the cost an image stays nearly the same, the
    detail does not grow with the size. Noise levels are drawn wider and higher than the paper's: where a lesion is and how
    large it is, is decided at levels above 2, which a short training would hardly see otherwise.
    """
    patch = 2 ** max(1, round(math.log2(math.sqrt(shape.height * shape.width) / GRID)))
    while patch > 1 and (shape.height % patch or shape.width % patch):
        patch //= 2
    halvings = next(
        h for h in range(LEVELS - 1, -1, -1) if not (shape.height % (patch << h) or shape.width % (patch << h))
    )
    return Config(patch=patch, multipliers=(1, 2, 2)[: halvings + 1], noise_mean=-0.8, noise_deviation=1.6)


def paper(shape: Shape, batch: int) -> Config:
    """What the authors use for AFHQv2 at 64 px, a set of 15,000 images (appendix F, table 7), up to the details of the network.

    128 feature maps, four blocks a level, attention from 16 px down, dropout 0.25.
    """
    return Config(
        patch=1,
        channels=128,
        multipliers=(1, 2, 2, 2),
        blocks=4,
        attention=2,
        dropout=0.25,
        learning_rate=0.0002,
        rate_rampup=10_000_000,
        ema_images=500_000,
        steps=40,
    )


class Given(NamedTuple):
    """What the network is told of images: classes, one-hot [n, classes], and planes [n, planes, h, w]; zeros say nothing."""

    label: Tensor
    planes: Tensor


class Diffusion(Model):
    """A denoiser and its moving average; an image is what the average makes of noise, step by step."""

    publication = "Karras et al. 2022"
    good_for = "few images, no adversary to balance; slow to sample"
    config_type = Config
    inputs: ClassVar[Inputs] = PARTLY_LABELLED
    passes = PASSES
    samples_slowly = True
    stops_at_copies = True
    truncation = (
        "a number above 0 up to 1: guidance towards the class, by 1 over it; without classes it changes nothing"
    )
    presets = MappingProxyType({"laptop": Preset(laptop, batch=16), "paper": Preset(paper, batch=256)})
    training_state = ("augmentation",)
    class_columns = ("denoiser.embedding.label.weight", "average.embedding.label.weight")

    def __init__(self, config: Config, shape: Shape, classes: int, planes: int = 0) -> None:
        """With `planes` the network sees so many beside the image."""
        super().__init__(shape, classes)
        self.config = config
        self.denoiser = UNet(
            [config.channels * multiplier for multiplier in config.multipliers],
            config.blocks,
            config.attention,
            config.patch,
            config.dropout,
            classes,
            PARAMETERS if config.augmentation != "none" else 0,
            planes,
        )
        self.average = average_of(self.denoiser)
        self.augmentation = Augmentation(PRESETS[config.augmentation], config.augmentation_p)

    @classmethod
    def check_shape(cls, shape: Shape, config: BaseModel) -> None:
        """Both sides must be whole at the lowest level."""
        assert isinstance(config, Config)
        step = config.smallest_step
        if shape.height % step or shape.width % step:
            fitting = Shape(*(-(-side // step) * step for side in (shape.height, shape.width)))
            raise UserError(
                f"`resolution` {shape}: with patch {config.patch} and {len(config.multipliers)} levels both sides must be "
                f"multiples of {step}; next: {fitting}"
            )

    @classmethod
    def fine_tuning(cls, config: BaseModel) -> dict[str, object]:
        """The average that was loaded stays from the first step on."""
        return {"ema_rampup": None}

    def players(self) -> dict[str, Player]:
        """The denoiser, whose rate rises at first."""
        rate, betas, rise = self.config.learning_rate, (0.9, 0.999), self.config.rate_rampup

        def schedule(images: int) -> tuple[float, tuple[float, float]]:
            return rate * min(1.0, images / rise), betas

        return {"denoiser": Player(list(self.denoiser.parameters()), rate, betas, schedule if rise else None)}

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """Take the noise from images at levels drawn from ln sigma ~ N(P_mean, P_std^2) (table 1; section 5)."""
        config, draws = self.config, batch.draws
        seen = torch.cat([batch.image, self.planes(batch.map, len(batch.image))], dim=1)
        seen, parameters = self.augmentation.with_parameters(seen, draws)
        image, planes = seen[:, :3], seen[:, 3:]
        told = (draws.uniform() >= config.label_dropout)[:, None]
        given = Given(batch.label * told, planes * told[:, :, None, None])
        sigma = (config.noise_mean + config.noise_deviation * draws.normal()).exp()
        noisy = image + sigma[:, None, None, None] * draws.normal(*image.shape[1:])
        clean = self._denoise(self.denoiser, given, noisy, sigma, parameters, draws)
        errors = (clean - image).square().mean(dim=(1, 2, 3))
        yield "denoiser", {"denoising": (loss_weight(sigma, config.data_deviation) * errors).mean()}

        half_life = ramped_half_life(progress.images, config.ema_images, config.ema_rampup)
        move_average(self.average, self.denoiser, half_life_beta(len(image) * progress.processes, half_life))

    def planes(self, maps: Tensor | None, count: int) -> Tensor:
        """What the network sees beside `count` images, [n, planes, h, w]: nothing here, without maps."""
        return torch.zeros(count, 0, self.shape.height, self.shape.width, device=self.augmentation.p.device)

    def _denoise(
        self, network: UNet, given: Given, x: Tensor, sigma: Tensor, parameters: Tensor | None = None,
        draws: Draws | None = None,
    ) -> Tensor:  # fmt: skip
        """Clean images [n, 3, h, w] of noisy ones."""

        def computed(scaled: Tensor, noise: Tensor) -> Tensor:
            return network(torch.cat([scaled, given.planes], dim=1), noise, given.label, parameters, draws)

        return precondition(computed, x, sigma, self.config.data_deviation)

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The noise that becomes the image, as one row."""
        return [(3 * self.shape.height * self.shape.width,)]

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images of the averaged denoiser. A label of zeros gives an image of any class, planes of zeros one of any map."""
        config = self.config
        weight = config.guidance if truncation is None else 1 / truncation
        levels = noise_levels(config.steps, config.lowest_noise, config.highest_noise, config.rho)
        given = Given(condition.label, self.planes(condition.map, len(noise[0])))
        denoise: Denoise = partial(self._denoise, self.average, given)
        if self.classes or given.planes.shape[1]:
            untold = partial(self._denoise, self.average, Given(*map(torch.zeros_like, given)))
            denoise = guide(denoise, untold, weight, config.guidance_interval)
        x = noise[0].reshape(-1, 3, self.shape.height, self.shape.width) * levels[0]
        with self.arithmetic():
            return heun(denoise, x.contiguous(memory_format=torch.channels_last), levels)

    @classmethod
    def accepts_truncation(cls, value: float) -> bool:
        """One over the weight of guidance: Ho & Salimans 2022 trade variety for typical images by it as GANs do by truncation."""
        return 0 < value <= 1

    def truncate(self, z: Tensor, truncation: float | None) -> Tensor:
        """The noise itself; guidance acts later."""
        if truncation is not None:
            raise UserError(
                f"`truncation` {truncation}: diffusion guides the way from a latent to its image, and truncates no latent; "
                "leave it out"
            )
        return z

    def augmentation_strength(self) -> float | None:
        """p."""
        return float(self.augmentation.p)

    def statistics(self) -> dict[str, float]:
        """None: p does not change."""
        return {}
