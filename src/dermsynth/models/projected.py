"""Projected GAN (Sauer et al. 2021, "Projected GANs converge faster"): judges that see images through a pretrained network."""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import BaseModel, Field, field_validator
from torch import Tensor

from dermsynth.backbones.pyramid import FORMS, STRIDES, FeaturePyramid, load_pyramid, map_widths, parse_pyramid
from dermsynth.errors import UserError
from dermsynth.models.base import Batch, FamilyConfig, Player, Preset, Progress, Update, one_of
from dermsynth.models.layers.augmentation import PRESETS, Augmentation
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.layers.spectral import iterate
from dermsynth.models.losses.adversarial import critic_real, hinge_fake, hinge_real, logistic_fake, logistic_real
from dermsynth.models.losses.penalties import r1_penalty
from dermsynth.models.projected_networks import Judges, RandomMixing
from dermsynth.models.style_model import GeneratorSize, StyleModel
from dermsynth.models.stylegan2_networks import Discriminator

R1_INTERVAL = 16
"""Steps between two R1 penalties."""


class Config(FamilyConfig):
    """Every choice of the family; lengths of time are in images shown."""

    features: str = Field("lite0", description="the pretrained network: lite0, lite0=FILE or mobilenet=FILE")
    view: int = Field(256, ge=32, description="shorter side to which smaller images are enlarged for that network")
    mixing_scales: bool = Field(
        True, description="whether features are mixed at random across scales, not only channels"
    )
    latent: int = Field(512, ge=2, description="dimensions of z and of w")
    mapping_layers: int = Field(2, ge=1, description="dense layers from z to w")
    channel_base: int = Field(16384, ge=64, description="feature maps times resolution, below the maximum")
    channel_max: int = Field(512, ge=8, description="feature maps of the lowest resolutions")
    discriminator_features: int = Field(64, ge=4, description="feature maps of the discriminators' first layers")
    colour_start: float = Field(1.0, gt=0, description="factor on the first weights of the generator's image layers")
    learning_rate: float = Field(0.002, gt=0, description="of the generator")
    discriminator_rate: float = Field(0.002, gt=0)
    mixing: float = Field(0.0, ge=0, le=1, description="probability of style mixing")
    image_size: int = Field(
        16,
        ge=4,
        description="shorter side in pixels, or the next possible one, at which a discriminator sees the image itself",
    )
    image_weight: float = Field(1.0, ge=0, description="weight of its game; 0 leaves it out")
    image_features: int = Field(128, ge=8, description="its feature maps")
    label_layers: int = Field(2, ge=1, description="dense layers from the class to its projection")
    r1_gamma: float = Field(0.01, ge=0, description="weight of its R1 penalty")
    ema_images: float = Field(10_000, gt=0, description="half-life of the generator's moving average")
    ema_rampup: float | None = Field(
        0.05, gt=0, description="half-life at most this share of the images shown so far; null: as it is from the start"
    )
    augmentation: Annotated[str, one_of(PRESETS)] = Field("skin", description=f"one of {', '.join(PRESETS)}")
    augmentation_p: float = Field(0.5, ge=0, le=1, description="probability of augmentation")
    low_precision_levels: int = Field(4, ge=0, description="highest resolutions that run in bf16 or fp16 if asked for")

    @field_validator("features")
    @classmethod
    def _network(cls, value: str) -> str:
        try:
            parse_pyramid(value, "features")
        except UserError as error:
            raise ValueError(f"there are: {', '.join(FORMS)}") from error
        return value


def auto(shape: Shape, batch: int) -> Config:
    """The paper's settings with StyleGAN2's generator."""
    return Config(ema_images=batch * 10_000 / 32)


def laptop(shape: Shape, batch: int) -> Config:
    """For a computer without a GPU: narrow layers, a small latent, features of images of 128 pixels.

    The image layers begin with a fifth of their weights, as in StyleGAN2-ADA's preset of this name. Only the geometry of images
    is augmented: under changed contrast and saturation the discriminators hardly see that colours are too much alike.
    """
    return Config(
        view=128,
        latent=128,
        channel_base=2048,
        channel_max=128,
        colour_start=0.2,
        image_weight=4.0,
        augmentation="bg",
        ema_images=4_000,
    )


def reduction(shape: Shape, side: int) -> int:
    """The power of two by which an image can be made smaller, its shorter side no shorter than `side` where it can be."""
    halvings = [k for k in range(shape.doublings) if min(shape.height, shape.width) >> k >= side]
    return 2 ** max(halvings, default=0)


class Views(NamedTuple):
    """Images as the judges see them: the mixed maps of the fixed network, and the images, usually made smaller."""

    maps: list[Tensor]
    image: Tensor

    def detached(self) -> "Views":
        """The same without the way back to the generator."""
        return Views([x.detach() for x in self.maps], self.image.detach())


class Terms(NamedTuple):
    """What one side of the games minimises: of the discriminators of the maps, and of that of the image."""

    map: Callable[[Tensor], Tensor]
    image: Callable[[Tensor], Tensor]


REAL, FAKE, DECEIVE = (
    Terms(hinge_real, logistic_real),
    Terms(hinge_fake, logistic_fake),
    Terms(critic_real, logistic_real),
)


class ProjectedGAN(StyleModel):
    """StyleGAN2's generator against small discriminators of a fixed network's features."""

    publication = "Sauer et al. 2021"
    good_for = "texture and colours within minutes; its FID is flattered"
    config_type = Config
    period = R1_INTERVAL
    penalties = ("r1",)
    presets = MappingProxyType({"auto": Preset(auto, batch=64), "laptop": Preset(laptop, batch=16)})
    training_state = ("augmentation", "backbone_hash")
    class_columns = (
        "generator.mapping.embed.weight",
        "average.mapping.embed.weight",
        *(f"judges.maps.{level}.embed.weight" for level in range(len(STRIDES))),
        "discriminator.label_mapping.embed.weight",
    )
    kin = ("stylegan2-ada",)
    caveats = (
        "trained against features of a network that was trained on ImageNet: figures that such a network measures "
        "(FID, KID, precision, recall, density, coverage with inception, mobilenet, lite0 or timm) flatter these images; "
        "trust SWD, colours, the embedded extractor and eyes more",
    )

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(GeneratorSize.of(config), shape, classes)
        self.config = config
        self.backbone_spec = parse_pyramid(config.features, "features")
        widths = map_widths(self.backbone_spec)
        self.random_mixing = RandomMixing(widths, scales=config.mixing_scales)
        self.judges = Judges(widths, config.discriminator_features, classes)
        self.reduction = reduction(shape, config.image_size)
        self.discriminator = self._discriminator(config) if config.image_weight > 0 else None
        self.augmentation = Augmentation(PRESETS[config.augmentation], config.augmentation_p)
        self.register_buffer("backbone_hash", torch.zeros(32, dtype=torch.uint8))
        self.backbone_hash: Tensor
        self._backbone: list[FeaturePyramid] = []  # in a list: no sub-module, so never saved

    @classmethod
    def fine_tuning(cls, config: BaseModel) -> dict[str, object]:
        """The average that was loaded stays from the first step on."""
        return {"ema_rampup": None}

    def _discriminator(self, config: Config) -> Discriminator:
        small = Shape(self.shape.height // self.reduction, self.shape.width // self.reduction)
        base = config.channel_base if self.reduction == 1 else config.image_features * max(small.levels)
        maximum = config.channel_max if self.reduction == 1 else config.image_features
        return Discriminator(small, base, maximum, self.classes, config.label_layers, config.low_precision_levels)

    def backbone(self) -> FeaturePyramid:
        """The pretrained network, loaded when training first needs it, on the model's device; in bfloat16 for low precision.

        Raises UserError when its weights are missing, or others than those this training began with.
        """
        if not self._backbone:
            network = load_pyramid(self.backbone_spec, "features")
            self._require_same(network.checksum)
            dtype = torch.float32 if self.dtype == torch.float32 else torch.bfloat16
            self._backbone.append(network.to(self.backbone_hash.device, dtype))
        return self._backbone[0]

    def _require_same(self, checksum: str) -> None:
        known = bytes(self.backbone_hash.tolist()).hex()
        if self.backbone_hash.any() and known != checksum:
            raise UserError(
                f"`features` {self.config.features}: weights with checksum {checksum[:16]}..., this training began with "
                f"{known[:16]}...; name the file it began with"
            )
        self.backbone_hash.copy_(torch.tensor(list(bytes.fromhex(checksum)), dtype=torch.uint8))

    def notes(self) -> list[str]:
        """Which network judges; training needs its weights from the start."""
        return [
            f"features of {self.backbone_spec.without_place}, SHA-256 {self.backbone().checksum[:16]}..., never trained"
        ]

    def players(self) -> dict[str, Player]:
        """Generator, and all discriminators as one."""
        config = self.config
        return {
            "generator": Player(list(self.generator.parameters()), config.learning_rate, (0.0, 0.99)),
            "discriminator": Player(self._judging(), config.discriminator_rate, (0.0, 0.99), zero_gradients=True),
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """Discriminators, then the generator, on the same generated images: what the fixed network sees of them serves both."""
        ws = self.mixed_latents(batch, self.config.mixing)
        fake = self._views(self.generator.synthesis(ws, self.layer_noise(batch.draws), self.dtype), batch)
        with torch.no_grad():
            real = self._views(batch.image, batch)
        losses = [self._losses(REAL, real, batch.label), self._losses(FAKE, fake.detached(), batch.label)]
        yield (
            "discriminator",
            {
                f"{name}_{side}": v
                for side, terms in zip(("real", "fake"), losses, strict=True)
                for name, v in terms.items()
            },
        )
        if self.discriminator is not None and self.config.r1_gamma > 0 and progress.step % R1_INTERVAL == 0:
            yield "discriminator", {"r1": self._r1(self.discriminator, batch)}
        yield "generator", self._losses(DECEIVE, fake, batch.label)
        iterate(self.judges)
        shown = len(batch.label) * progress.processes
        self.update_average(shown, progress.images, self.config.ema_images, self.config.ema_rampup)

    def _views(self, image: Tensor, batch: Batch) -> Views:
        """Augmented images through the fixed network and the random mixing; and made smaller."""
        image = self.augmentation(image, batch.draws)
        factor = max(self.config.view / min(self.shape.height, self.shape.width), 1.0)
        sides = [round(side * factor) for side in (self.shape.height, self.shape.width)]
        large = F.interpolate(image, sides, mode="bilinear", align_corners=False) if factor > 1 else image
        return Views(self.random_mixing(self.backbone()(large)), F.avg_pool2d(image, self.reduction))

    def _r1(self, discriminator: Discriminator, batch: Batch) -> Tensor:
        image = F.avg_pool2d(self.augmentation(batch.image, batch.draws), self.reduction).detach().requires_grad_(True)
        penalty = r1_penalty(discriminator(image, batch.label, self.dtype), image)
        return penalty * (self.config.image_weight * self.config.r1_gamma / 2 * R1_INTERVAL)

    def _losses(self, terms: Terms, views: Views, label: Tensor) -> dict[str, Tensor]:
        """The games' terms: summed over the maps' discriminators, and of the image's."""
        losses = {"features": torch.stack([terms.map(logits) for logits in self.judges(views.maps, label)]).sum()}
        if self.discriminator is not None:
            logits = self.discriminator(views.image, label, self.dtype)
            losses["image"] = self.config.image_weight * terms.image(logits)
        return losses

    def _judging(self) -> list[torch.nn.Parameter]:
        of_image = [] if self.discriminator is None else list(self.discriminator.parameters())
        return [*self.judges.parameters(), *of_image]

    def augmentation_strength(self) -> float:
        """p, which is constant."""
        return float(self.augmentation.p)
