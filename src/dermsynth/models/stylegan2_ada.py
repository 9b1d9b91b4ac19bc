"""StyleGAN2 with adaptive discriminator augmentation (Karras et al. 2020a, 2020b), written from the papers."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Annotated

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.models.base import Batch, FamilyConfig, Player, Preset, Progress, Update, one_of
from dermsynth.models.layers.augmentation import PRESETS, Augmentation, Strengths
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.losses.adversarial import logistic_fake, logistic_real
from dermsynth.models.losses.penalties import path_lengths, r1_penalty
from dermsynth.models.style_model import GeneratorSize, StyleModel
from dermsynth.models.stylegan2_networks import Discriminator

R1_INTERVAL, PATH_INTERVAL = 16, 4
ADJUSTMENT_INTERVAL = 4
FINE_TUNING_ADA_IMAGES = 100_000
"""Images over which p can rise from 0 to 1 where training starts from other weights."""
FROZEN_BLOCKS = 2
"""Blocks of the discriminator that stay as they are in `fine-tune`."""


class Config(FamilyConfig):
    """Every choice of the family; lengths of time are in images shown."""

    latent: int = Field(512, ge=2, description="dimensions of z and of w")
    mapping_layers: int = Field(2, ge=1, description="dense layers from z to w")
    label_layers: int = Field(8, ge=1, description="dense layers from the class to the discriminator's projection")
    channel_base: int = Field(16384, ge=64, description="feature maps times resolution, below the maximum")
    channel_max: int = Field(512, ge=8, description="feature maps of the lowest resolutions")
    colour_start: float = Field(1.0, gt=0, description="factor on the first weights of the generator's image layers")
    learning_rate: float = Field(0.0025, gt=0)
    r1_gamma: float = Field(0.1, ge=0, description="weight of the R1 penalty")
    path_weight: float = Field(2.0, ge=0, description="weight of path length regularisation; 0 leaves it out")
    path_decay: float = Field(0.01, gt=0, le=1)
    mixing: float = Field(0.9, ge=0, le=1, description="probability of style mixing")
    ema_images: float = Field(10_000, gt=0, description="half-life of the generator's moving average")
    ema_rampup: float | None = Field(
        0.05, gt=0, description="half-life at most this share of the images shown so far; null: as it is from the start"
    )
    augmentation: Annotated[str | Strengths, one_of(PRESETS)] = Field(
        "skin", description=f"one of {', '.join(PRESETS)}, or the multipliers"
    )
    ada_target: float = Field(0.6, ge=0, le=1, description="r_t above which augmentation grows")
    ada_images: float = Field(500_000, gt=0, description="images over which p can rise from 0 to 1")
    ada_maximum: float = Field(0.85, ge=0, le=1, description="upper bound of p")
    ada_initial: float = Field(0.0, ge=0, le=1)
    freeze_discriminator: int = Field(
        0, ge=0, description="highest-resolution blocks of the discriminator that stay as loaded"
    )
    low_precision_levels: int = Field(4, ge=0, description="highest resolutions that run in bf16 or fp16 if asked for")

    def strengths(self) -> Strengths:
        """The multipliers, whether given by name or one by one."""
        return PRESETS[self.augmentation] if isinstance(self.augmentation, str) else self.augmentation


def auto(shape: Shape, batch: int) -> Config:
    """The paper's `auto` configuration (Karras et al. 2020b, appendix C) with the skin-safe augmentation."""
    side = max(shape.height, shape.width)
    return Config(
        channel_base=32768 if side >= 512 else 16384,
        learning_rate=0.002 if side >= 1024 else 0.0025,
        r1_gamma=0.0002 * shape.height * shape.width / batch,
        ema_images=batch * 10_000 / 32,
    )


def laptop(shape: Shape, batch: int) -> Config:
    """For a computer without a GPU: narrow layers, a small latent, and settings for trainings of some ten thousand images.

    Meant for 8 images a step, because a short training needs its steps more than their precision. R1 has twice the
    weight of the paper's rule, and p moves ten times as fast. The image layers begin with a fifth of their weights: the first
    images have colours three times as wild as photographs otherwise, and some hundred steps do not tame them.
    """
    wide = auto(shape, batch)
    return wide.model_copy(
        update={
            "latent": 128,
            "label_layers": 2,
            "channel_base": 2048,
            "channel_max": 128,
            "colour_start": 0.2,
            "r1_gamma": 2 * wide.r1_gamma,
            "ema_images": 4_000,
            "ada_images": 50_000,
        }
    )


def fine_tune(shape: Shape, batch: int) -> Config:
    """For trainings that start from a generator of `laptop`'s widths: half its rate, the discriminator's first blocks frozen.

    Freeze-D (Mo et al. 2020, "Freeze the discriminator"), for which low layers of the discriminator carry over.
    """
    narrow = laptop(shape, batch)
    frozen = min(FROZEN_BLOCKS, len(shape.levels) - 1)
    return narrow.model_copy(
        update={"learning_rate": narrow.learning_rate / 2, "path_weight": 0.0, "freeze_discriminator": frozen}
    )


class StyleGAN2ADA(StyleModel):
    """Generator, its moving average, discriminator and adaptive augmentation."""

    publication = "Karras et al. 2020a, b (ROSEN)"
    good_for = "the best images from few; transfer; latent editing"
    config_type = Config
    kin = ("projected",)
    period = R1_INTERVAL
    presets = MappingProxyType(
        {"auto": Preset(auto, batch=32), "laptop": Preset(laptop, batch=8), "fine-tune": Preset(fine_tune, batch=16)}
    )
    penalties = ("path_length", "r1")
    plots = MappingProxyType(
        {"Augmentation: p, and the overfitting heuristic r_t": ("augmentation_p", "overfitting_r_t")}
    )
    training_state = ("augmentation",)
    class_columns = (
        "generator.mapping.embed.weight",
        "average.mapping.embed.weight",
        "discriminator.label_mapping.embed.weight",
    )

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(GeneratorSize.of(config), shape, classes)
        self.config = config
        self.discriminator = Discriminator(
            shape, config.channel_base, config.channel_max, classes, config.label_layers, config.low_precision_levels
        )
        self.augmentation = Augmentation(config.strengths(), config.ada_initial)
        self.register_buffer("mean_path_length", torch.zeros(()))
        self.mean_path_length: Tensor
        self._freeze(config.freeze_discriminator)

    @classmethod
    def fine_tuning(cls, config: BaseModel) -> dict[str, object]:
        """The average that was loaded stays from the first step on, and p follows the new images fast.

        As the authors do where they start from other weights.
        """
        assert isinstance(config, Config)
        return {"ema_rampup": None, "ada_images": min(config.ada_images, FINE_TUNING_ADA_IMAGES)}

    def notes(self) -> list[str]:
        """Which schedules are those of fine-tuning."""
        if self.config.ema_rampup is not None:
            return []
        average, rise = self.config.ema_images, self.config.ada_images
        return [
            f"fine-tuning: moving average of {average:,.0f} images from the start; p can rise to 1 within {rise:,.0f}"
        ]

    def _freeze(self, blocks: int) -> None:
        """Freeze-D (Mo et al. 2020): the discriminator's first layers stay as they were loaded."""
        if blocks > len(self.discriminator.blocks):
            raise UserError(
                f"freeze_discriminator {blocks}: the discriminator has {len(self.discriminator.blocks)} blocks"
            )
        frozen = list(self.discriminator.blocks.values())[:blocks]
        for module in [self.discriminator.from_image, *frozen] if blocks else []:
            module.requires_grad_(False)

    def players(self) -> dict[str, Player]:
        """Generator and discriminator with Adam corrected for lazy regularisation (Karras et al. 2020a, appendix B)."""
        path = PATH_INTERVAL if self.config.path_weight > 0 else None
        return {
            "generator": self._player(self.generator, path),
            "discriminator": self._player(self.discriminator, R1_INTERVAL),
        }

    def _player(self, network: torch.nn.Module, interval: int | None) -> Player:
        """With k steps between regularisations, c = k / (k + 1): rate c lambda, betas (0, 0.99 ^ c)."""
        ratio = interval / (interval + 1) if interval else 1.0
        trained = [p for p in network.parameters() if p.requires_grad]
        return Player(trained, self.config.learning_rate * ratio, (0.0, 0.99**ratio), zero_gradients=True)

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """Generator, path length every 4th step, discriminator, R1 every 16th; then the averages and p."""
        draws, label = batch.draws, batch.label
        images = self.generator.synthesis(self._mixed(batch), self.layer_noise(draws), self.dtype)
        yield "generator", {"adversarial": logistic_real(self._logits(images, batch))}

        if self.config.path_weight > 0 and progress.step % PATH_INTERVAL == 0:
            penalty = self._path_penalty(self._path_lengths(batch), progress)
            yield "generator", {"path_length": penalty * (self.config.path_weight * PATH_INTERVAL)}

        images = self._detached_images(batch)
        real = self._logits(batch.image, batch)
        self.augmentation.observe(real.detach(), progress.sum)
        yield "discriminator", {"real": logistic_real(real), "fake": logistic_fake(self._logits(images, batch))}

        if self.config.r1_gamma > 0 and progress.step % R1_INTERVAL == 0:
            image = batch.image.detach().requires_grad_(True)
            penalty = r1_penalty(self._logits(image, batch), image)
            yield "discriminator", {"r1": penalty * (self.config.r1_gamma / 2 * R1_INTERVAL)}

        config = self.config
        self.update_average(len(label) * progress.processes, progress.images, config.ema_images, config.ema_rampup)
        if (progress.step + 1) % ADJUSTMENT_INTERVAL == 0:
            self.augmentation.adjust(target=config.ada_target, speed=1 / config.ada_images, maximum=config.ada_maximum)

    def _mixed(self, batch: Batch) -> Tensor:
        return self.mixed_latents(batch, self.config.mixing)

    def _logits(self, images: Tensor, batch: Batch) -> Tensor:
        return self.discriminator(self.augmentation(images, batch.draws), batch.label, self.dtype)

    @torch.no_grad()
    def _detached_images(self, batch: Batch) -> Tensor:
        return self.generator.synthesis(self._mixed(batch), self.layer_noise(batch.draws), self.dtype)

    def _path_lengths(self, batch: Batch) -> Tensor:
        """Path lengths of every second image of the batch: half is enough (Karras et al. 2020a, appendix B)."""
        ws = self._mixed(batch)[::2]
        images = self.generator.synthesis(ws, [noise[::2] for noise in self.layer_noise(batch.draws)], self.dtype)
        return path_lengths(images, ws, batch.draws.normal(*images.shape[1:])[::2])

    def _path_penalty(self, lengths: Tensor, progress: Progress) -> Tensor:
        """E[(|J_w^T y| - a)^2], a the moving average with these lengths in it (Karras et al. 2020a, equation 4).

        The gradient passes through a, too: by the last term, whose value is nought, for the lengths of all processes as for
        those of one.
        """
        detached = lengths.detach()
        total = progress.sum(torch.stack([detached.sum(), torch.full_like(detached[0], len(detached))]))
        mean, decay = total[0] / total[1], self.config.path_decay
        self.mean_path_length.lerp_(mean, decay)
        average = self.mean_path_length.clone()
        through = 2 * (mean - average) * decay * (lengths.mean() - detached.mean())
        return (lengths - average).square().mean() - through

    @torch.no_grad()
    def logits(self, image: Tensor, label: Tensor) -> Tensor:
        """The discriminator's logits, without augmentation."""
        return self.discriminator(image, label, self.dtype)

    def augmentation_strength(self) -> float | None:
        """p."""
        return float(self.augmentation.p)

    def augmentation_limit(self) -> float:
        """The upper bound of p."""
        return self.config.ada_maximum

    def statistics(self) -> dict[str, float]:
        """p, r_t and the mean path length."""
        return {
            "augmentation_p": float(self.augmentation.p),
            "overfitting_r_t": float(self.augmentation.overfitting),
            "mean_path_length": float(self.mean_path_length),
        }
