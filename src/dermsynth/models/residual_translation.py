"""FURGER's targeted modification: a residual inside a mask adds a finding to a photograph, or removes it."""

from collections.abc import Iterator
from types import MappingProxyType

import torch
from pydantic import BaseModel, Field
from torch import Tensor

from dermsynth.models.base import Batch, Condition, FamilyConfig, Model, Player, Preset, Progress, Update
from dermsynth.models.inputs import MASKED_DOMAINS
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.layers.translation import (
    DiscriminatorName,
    ResidualUNet,
    build_discriminator,
    check_discriminator_shape,
    mean_logits,
    over_scales,
)
from dermsynth.models.losses.adversarial import logistic_fake, logistic_real
from dermsynth.models.losses.pairing import relevancy
from dermsynth.models.losses.penalties import r1_penalty


class Config(FamilyConfig):
    """Every choice of the family."""

    features: int = Field(64, ge=4, description="feature maps of the U-Net at full size; doubled twice on the way down")
    blocks: int = Field(4, ge=1, description="residual blocks at a quarter of the size")
    discriminator: DiscriminatorName = Field(
        "patch", description="patch: a map of logits on every scale; dense: FURGER's pair with batch norm and one logit"
    )
    discriminator_features: int = Field(64, ge=4, description="feature maps of the first strided convolution")
    discriminator_layers: int = Field(4, ge=2, description="convolutions of each discriminator")
    scales: int = Field(2, ge=1, description="discriminators, each of the image halved once more")
    relevancy_weight: float = Field(10.0, ge=0, description="weight of what changes outside the mask")
    r1_gamma: float = Field(0.0, ge=0, description="weight of R1 on the mean logit, which keeps the discriminator weak")
    paste: bool = Field(False, description="whether a result takes its pixels outside the mask from the input")
    learning_rate: float = Field(0.0001, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)


def targeted(shape: Shape, batch: int) -> Config:
    """FURGER: 128 pixels, 4 residual blocks of 1024 feature maps, relevancy weight 10, Adam 5e-5, betas 0.9 and 0.999.

    The discriminator is the one all of the document's experiments share: two of four strided convolutions and a dense layer.
    """
    return Config(features=256, learning_rate=0.00005, beta1=0.9, discriminator="dense", discriminator_features=256)


def laptop(shape: Shape, batch: int) -> Config:
    """Narrow layers, and a rate for trainings of some ten thousand images.

    The larger relevancy weight holds the change outside the mask below two grey levels, and R1 keeps the discriminator
    from distinguishing domains by the skin that the generator may then no longer touch.
    """
    return Config(features=16, discriminator_features=16, learning_rate=0.0004, relevancy_weight=60.0, r1_gamma=50.0)


class ResidualTranslation(Model):
    """A generator of one direction and a multi-scale discriminator of the target's images.

    The generators see equally many images of both domains; the discriminator sees all of the target (FURGER's extra
    images). Where the source has no masks, those of target images are used again and again.
    """

    publication = "Furger et al. 2020, targeted"
    good_for = "adding a finding where a mask says, or removing it; nothing else changes"
    config_type = Config
    edition = 2
    inputs = MASKED_DOMAINS
    truncation = "none: the image it makes depends on its input alone"
    presets = MappingProxyType({"targeted": Preset(targeted, batch=16), "laptop": Preset(laptop, batch=8)})
    penalties = ("r1",)

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        self.generator = ResidualUNet(config.features, config.blocks, mask=True)
        self.discriminator = build_discriminator(
            config.discriminator, shape, config.discriminator_features, config.discriminator_layers, config.scales
        )

    @classmethod
    def check_shape(cls, shape: Shape, config: BaseModel) -> None:
        """Both sides must be halved twice and leave something to the discriminators."""
        assert isinstance(config, Config)
        check_discriminator_shape(config.discriminator, shape, config.discriminator_layers, config.scales)

    @classmethod
    def needs_whole_batches(cls, config: BaseModel) -> bool:
        """The dense discriminators normalise over a batch."""
        assert isinstance(config, Config)
        return config.discriminator == "dense"

    @classmethod
    def accepts_truncation(cls, value: float) -> bool:
        """Never: there is no latent."""
        return False

    def targets(self) -> list[int]:
        """The second domain only."""
        return [1]

    def players(self) -> dict[str, Player]:
        """Generator and discriminators."""
        rate, betas = self.config.learning_rate, (self.config.beta1, 0.999)
        return {
            "generator": Player(list(self.generator.parameters()), rate, betas),
            "discriminator": Player(list(self.discriminator.parameters()), rate, betas),
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """The non-saturating logistic game on every scale, the relevancy loss, and R1 if wanted."""
        domains = batch.domains
        assert domains is not None
        fake = self.generator(domains.source, domains.mask)
        real = domains.real_target.detach().requires_grad_(self.config.r1_gamma > 0)
        logits = self.discriminator.logits(real)
        terms = {
            "real": over_scales(logistic_real, logits),
            "fake": over_scales(logistic_fake, self.discriminator.logits(fake.detach())),
        }
        if self.config.r1_gamma > 0:
            terms["r1"] = self.config.r1_gamma / 2 * r1_penalty(mean_logits(logits), real)
        yield "discriminator", terms
        yield (
            "generator",
            {
                "adversarial": over_scales(logistic_real, self.discriminator.logits(fake)),
                "relevancy": self.config.relevancy_weight * relevancy(domains.source, fake, domains.mask),
            },
        )

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """None: the result is a function of photograph and mask."""
        return []

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """The photograph, changed where the mask is."""
        assert condition.image is not None
        assert condition.mask is not None
        fake = self.generator(condition.image, condition.mask)
        return torch.lerp(condition.image, fake, condition.mask) if self.config.paste else fake.clamp(-1, 1)

    @torch.no_grad()
    def logits(self, image: Tensor, label: Tensor) -> Tensor:
        """Mean over the patches of every scale, or of the two dense discriminators."""
        return mean_logits(self.discriminator.logits(image))
