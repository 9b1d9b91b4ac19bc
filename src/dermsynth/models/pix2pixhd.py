"""pix2pixHD (Wang et al. 2018) as in BISSOTO: from a semantic map, with or without superpixel boundaries, to an image."""

import itertools
from collections.abc import Iterator
from types import MappingProxyType
from typing import Self

import torch
import torch.nn.functional as F
from pydantic import BaseModel, Field
from torch import Tensor, nn

from dermsynth.backbones.lpips import PerceptualDistance
from dermsynth.errors import UserError
from dermsynth.models.base import Batch, Condition, FamilyConfig, Model, Player, Preset, Progress, Update
from dermsynth.models.inputs import MAPS, Conditions
from dermsynth.models.layers.convolutional import draw_weights
from dermsynth.models.layers.maps import map_planes
from dermsynth.models.layers.resample import halve, halve_by_nine
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.layers.translation import (
    MultiScaleDiscriminator,
    ResidualBlock,
    convolution,
    enlarging,
    sum_over_scales,
)
from dermsynth.models.losses.adversarial import squares_fake, squares_generator, squares_real
from dermsynth.models.losses.pairing import feature_matching


def to_image(features: int) -> nn.Sequential:
    """7x7 convolution on reflected borders, then tanh."""
    return nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(features, 3, 7), nn.Tanh())


class GlobalGenerator(nn.Module):
    """G1: convolutions down, residual blocks, transposed convolutions up; `image` makes an image of what it returns."""

    def __init__(self, inputs: int, features: int, downs: int, blocks: int) -> None:
        super().__init__()
        widths = [features << i for i in range(downs + 1)]
        layers: list[nn.Module] = [convolution(inputs, features, 7)]
        layers += [convolution(a, b, 3, 2) for a, b in itertools.pairwise(widths)]
        layers += [ResidualBlock(widths[-1]) for _ in range(blocks)]
        layers += [enlarging(b, a) for a, b in reversed(list(itertools.pairwise(widths)))]
        self.layers = nn.Sequential(*layers)
        self.image = to_image(features)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> feature maps [n, features, h, w]; sides must be multiples of 2 ^ downs."""
        features: Tensor = self.layers(x)
        return features


class ImageTranslator(nn.Module):
    """The same from image to image: with 64 features and 2 downs Zhu et al.'s c7s1-64, d128, d256, R256 ..., u128, u64, c7s1-3.

    (Zhu et al. 2017, appendix 7.2.)
    """

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        self.body = GlobalGenerator(3, features, 2, blocks)
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, 3, h, w] in [-1, 1]."""
        translation: Tensor = self.body.image(self.body(image))
        return translation


class LocalEnhancer(nn.Module):
    """G2: works at full size, and adds the features of G1, which sees the map halved, before its residual blocks."""

    def __init__(self, inputs: int, features: int, blocks: int) -> None:
        super().__init__()
        self.front = nn.Sequential(convolution(inputs, features, 7), convolution(features, 2 * features, 3, 2))
        self.back = nn.Sequential(
            *(ResidualBlock(2 * features) for _ in range(blocks)), enlarging(2 * features, features), to_image(features)
        )

    def forward(self, x: Tensor, coarse: Tensor) -> Tensor:
        """[n, inputs, h, w], G1's [n, 2 features, h/2, w/2] -> image [n, 3, h, w]."""
        image: Tensor = self.back(self.front(x) + coarse)
        return image


class CoarseToFineGenerator(nn.Module):
    """G1 alone at half the size, or G1 and G2 together at the full one; any size, by repeating the border."""

    def __init__(self, inputs: int, features: int, downs: int, blocks: int, enhancer_blocks: int) -> None:
        super().__init__()
        self.multiple = 2 ** (downs + 1)
        self.coarse = GlobalGenerator(inputs, features, downs, blocks)
        self.fine = LocalEnhancer(inputs, features // 2, enhancer_blocks)
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def at_half_size(self, x: Tensor) -> Tensor:
        """Maps [n, inputs, h, w] -> images [n, 3, h // 2, w // 2]."""
        height, width = x.shape[2] // 2, x.shape[3] // 2
        image: Tensor = self.coarse.image(self.coarse(halve_by_nine(self._pad(x))))
        return image[:, :, :height, :width]

    def forward(self, x: Tensor, *, freeze_coarse: bool = False) -> Tensor:
        """Maps [n, inputs, h, w] -> images [n, 3, h, w]; with `freeze_coarse` G1 gets no gradient."""
        padded = self._pad(x)
        coarse = self.coarse(halve_by_nine(padded))
        image: Tensor = self.fine(padded, coarse.detach() if freeze_coarse else coarse)
        return image[:, :, : x.shape[2], : x.shape[3]]

    def _pad(self, x: Tensor) -> Tensor:
        right, bottom = -x.shape[3] % self.multiple, -x.shape[2] % self.multiple
        return F.pad(x, (0, right, 0, bottom), mode="replicate") if right or bottom else x


SMALLEST, MATCHED = 32, 4


class Config(FamilyConfig):
    """Every choice of the family; lengths of time are in images shown."""

    features: int = Field(64, ge=8, multiple_of=2, description="feature maps of the global generator at its full size")
    downs: int = Field(4, ge=1, le=6, description="strided convolutions of the global generator")
    blocks: int = Field(9, ge=1, description="its residual blocks")
    enhancer_blocks: int = Field(3, ge=1, description="residual blocks of the local enhancer")
    discriminator_features: int = Field(64, ge=4)
    discriminator_layers: int = Field(
        4, ge=2, description="convolutions of each discriminator before its map of logits"
    )
    scales: int = Field(3, ge=1, description="discriminators, each of the image halved once more")
    coarse_images: int = Field(60_000, ge=0, description="images shown at half size to the global generator alone")
    enhancer_images: int = Field(10_000, ge=0, description="then, shown while the global generator is frozen")
    feature_weight: float = Field(10.0, ge=0, description="weight of feature matching")
    perceptual: str = Field("", description="timm:NAME=FILE, a backbone whose features must agree; empty: none")
    perceptual_weight: float = Field(10.0, ge=0)
    learning_rate: float = Field(0.0002, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    decay: float = Field(
        0.0, ge=0, le=1, description="share of the training, at its end, in which the rate falls to zero"
    )


def bissoto(shape: Shape, batch: int) -> Config:
    """The published networks: 64 features, 4 strided convolutions, 9 + 3 blocks, 3 discriminators.

    The rate is constant for half of the training and falls linearly to zero in the other, as the authors train.
    """
    return Config(decay=0.5)


def laptop(shape: Shape, batch: int) -> Config:
    """Narrow layers and short stages."""
    return Config(
        features=32,
        downs=3,
        blocks=4,
        enhancer_blocks=2,
        discriminator_features=16,
        discriminator_layers=3,
        scales=2,
        coarse_images=6_000,
        enhancer_images=1_000,
        learning_rate=0.0004,
    )


class Pix2PixHD(Model):
    """Coarse-to-fine generator, and patch discriminators that see the map beside the image."""

    publication = "Wang et al. 2018 (BISSOTO)"
    good_for = "images whose lesion and markers are known pixel by pixel; any size"
    config_type = Config
    edition = 2
    inputs = MAPS
    truncation = "none: the image it makes depends on its map alone"
    presets = MappingProxyType({"bissoto": Preset(bissoto, batch=1), "laptop": Preset(laptop, batch=4)})
    training_state = ("shown",)

    @classmethod
    def create(cls, config: BaseModel, shape: Shape, conditions: Conditions) -> Self:
        """With a channel a map value, and one for superpixel boundaries."""
        assert isinstance(config, Config)
        return cls(config, shape, conditions.classes, conditions.map_values, conditions.superpixels)

    def __init__(self, config: Config, shape: Shape, classes: int, layers: int, superpixels: bool) -> None:
        """`layers` counts the values of a semantic map; superpixel boundaries are one more channel."""
        super().__init__(shape, classes)
        self.config, self.layers, self.superpixels = config, layers, superpixels
        channels = layers + superpixels
        self.generator = CoarseToFineGenerator(
            channels, config.features, config.downs, config.blocks, config.enhancer_blocks
        )
        self.discriminator = MultiScaleDiscriminator(
            channels + 3, config.discriminator_features, config.discriminator_layers, config.scales
        )
        self._perceptual: list[PerceptualDistance] = []
        self.register_buffer("shown", torch.zeros((), dtype=torch.int64))
        self.shown: Tensor

    @classmethod
    def check_shape(cls, shape: Shape, config: BaseModel) -> None:
        """Any size that leaves something to the discriminators."""
        assert isinstance(config, Config)
        smallest = max(SMALLEST, 2 ** (config.downs + 2))
        if min(shape.height, shape.width) < smallest:
            raise UserError(
                f"`resolution` {shape}: with {config.downs} downs a side must have at least {smallest} pixels"
            )

    @classmethod
    def accepts_truncation(cls, value: float) -> bool:
        """Never: there is no latent."""
        return False

    def notes(self) -> list[str]:
        """Whether there is a perceptual term; training with one needs its weights from the start."""
        if self.config.perceptual:
            self.perceptual()
        perceptual = f"perceptual term: {self.config.perceptual or 'none (no weights were named)'}"
        return [perceptual, *self.decay_notes(self.config.decay)]

    def stage(self, images: int) -> int:
        """1: the global generator at half size; 2: the enhancer; 3: both (section 3.1)."""
        if images < self.config.coarse_images:
            return 1
        return 2 if images < self.config.coarse_images + self.config.enhancer_images else 3

    def players(self) -> dict[str, Player]:
        """Both generators as one, and the discriminators."""
        rate, betas = self.config.learning_rate, (self.config.beta1, 0.999)
        schedule = self.linear_decay(rate, betas, self.config.decay)
        return {
            name: Player(list(network.parameters()), rate, betas, schedule)
            for name, network in (("generator", self.generator), ("discriminator", self.discriminator))
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """Least squares summed over scales, feature matching, and the perceptual term where there are weights.

        As in the authors' code: feature matching is a mean over scales, 4 / L of the sum over the L layers that are matched.
        """
        assert batch.map is not None
        stage, maps, image = self.stage(progress.images), self.planes(batch.map), batch.image
        if stage == 1:
            generated, maps, image = self.generator.at_half_size(maps), self.half_maps(maps), halve(image)
        else:
            generated = self.generator(maps, freeze_coarse=stage == 2)
        real, fake = self._outputs(maps, image), self._outputs(maps, generated.detach())
        yield (
            "discriminator",
            {
                "real": sum_over_scales(squares_real, [scale[-1] for scale in real]),
                "fake": sum_over_scales(squares_fake, [scale[-1] for scale in fake]),
            },
        )
        real, fake = self._outputs(maps, image), self._outputs(maps, generated)
        feature_weight = self.config.feature_weight * MATCHED / self.config.discriminator_layers
        terms = {
            "adversarial": sum_over_scales(squares_generator, [scale[-1] for scale in fake]),
            "feature_matching": feature_weight * feature_matching(real, fake),
        }
        if self.config.perceptual:
            terms["perceptual"] = self.config.perceptual_weight * self.perceptual()(image, generated)
        yield "generator", terms
        self.shown.fill_(progress.images + batch.draws.total)

    @staticmethod
    def half_maps(maps: Tensor) -> Tensor:
        """What the global generator sees of the maps, cut to the size of a photograph halved: [n, c, h // 2, w // 2]."""
        return halve_by_nine(maps)[:, :, : maps.shape[2] // 2, : maps.shape[3] // 2]

    def perceptual(self) -> PerceptualDistance:
        """Loaded when it is first needed: a finished run makes images without the weights."""
        if not self._perceptual:
            self._perceptual.append(PerceptualDistance(self.config.perceptual))
        return self._perceptual[0]

    def planes(self, maps: Tensor) -> Tensor:
        """uint8 [n, 2, h, w] -> one-hot planes of the classes, and the boundary plane if there is one: [n, channels, h, w]."""
        return map_planes(maps, self.layers, superpixels=self.superpixels)

    def _outputs(self, maps: Tensor, image: Tensor) -> list[list[Tensor]]:
        outputs: list[list[Tensor]] = self.discriminator(torch.cat([maps, image], dim=1))
        return outputs

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """None: the image is a function of the map."""
        return []

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images of the maps; enlarged while only the global generator is trained."""
        assert condition.map is not None
        maps = self.planes(condition.map)
        if self.stage(max(int(self.shown) - 1, 0)) > 1:
            return self.generator(maps)
        size = (self.shape.height, self.shape.width)
        return torch.nn.functional.interpolate(self.generator.at_half_size(maps), size, mode="bilinear")

    def statistics(self) -> dict[str, float]:
        """The stage."""
        return {"stage": float(self.stage(max(int(self.shown) - 1, 0)))}
