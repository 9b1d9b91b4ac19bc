"""CycleGAN (Zhu et al. 2017) with residual generators: FURGER's untargeted modification, both directions at once."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from dermsynth.models.base import Batch, Condition, FamilyConfig, Model, Player, Preset, Progress, Update
from dermsynth.models.inputs import DOMAINS
from dermsynth.models.layers import multiscale
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.layers.translation import (
    DiscriminatorName,
    MultiScaleDiscriminator,
    ResidualUNet,
    build_discriminator,
    check_discriminator_shape,
    mean_logits,
    over_scales,
)
from dermsynth.models.losses.adversarial import GAMES, LOGISTIC, Game, squares_fake, squares_generator, squares_real
from dermsynth.models.losses.pairing import cycle
from dermsynth.models.losses.penalties import r1_penalty
from dermsynth.models.pix2pixhd import ImageTranslator
from dermsynth.rng import Draws


class Config(FamilyConfig):
    """Every choice of the family."""

    generator: Literal["residual", "zhu"] = Field(
        "residual",
        description="residual: FURGER's U-Net whose output is added to the image; zhu: the image itself, no skips",
    )
    features: int = Field(64, ge=4, description="feature maps of the generators at full size")
    blocks: int = Field(4, ge=1, description="residual blocks at a quarter of the size")
    discriminator: DiscriminatorName = Field(
        "patch", description="patch: a map of logits on every scale; dense: FURGER's pair with batch norm and one logit"
    )
    discriminator_features: int = Field(64, ge=4, description="feature maps of the first strided convolution")
    discriminator_layers: int = Field(4, ge=2, description="convolutions of each discriminator")
    scales: int = Field(2, ge=1, description="discriminators a domain, each of the image halved once more")
    padding: Literal[1, 2] = Field(
        2, description="zeros about the maps of patch discriminators: 1 Zhu et al., 2 Wang et al."
    )
    game: Literal["non-saturating", "least-squares"] = "least-squares"
    cycle_weight: float = Field(10.0, ge=0)
    cycle_norm: Literal["mse", "l1"] = Field("mse", description="mse as FURGER, l1 as Zhu et al.")
    identity_weight: float = Field(0.0, ge=0, description="weight of leaving an image of the target domain alone")
    r1_gamma: float = Field(0.0, ge=0, description="weight of R1 on the mean logit, which keeps discriminators weak")
    pool: int = Field(50, ge=0, description="earlier translations that the discriminators go on seeing; 0: none")
    learning_rate: float = Field(0.0002, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    decay: float = Field(
        0.0, ge=0, le=1, description="share of the training, at its end, in which the rate falls to zero"
    )


def untargeted(shape: Shape, batch: int) -> Config:
    """FURGER: MSE cycle of weight 10, the networks of the targeted model, Adam 5e-5 with betas 0.9 and 0.999."""
    return Config(
        features=256,
        game="non-saturating",
        learning_rate=0.00005,
        beta1=0.9,
        discriminator="dense",
        discriminator_features=256,
    )


def zhu(shape: Shape, batch: int) -> Config:
    """Zhu et al. 2017: their generator and one 70 x 70 patch discriminator, least squares, L1 cycle of weight 10, pool of 50.

    The identity term has half the cycle's weight, as in the authors' code (0: none, as in most of the paper); the rate is
    constant for half of the training and falls linearly to zero in the other.
    """
    return Config(
        generator="zhu",
        blocks=6 if max(shape.height, shape.width) <= 128 else 9,
        scales=1,
        padding=1,
        cycle_norm="l1",
        identity_weight=5.0,
        decay=0.5,
    )


def laptop(shape: Shape, batch: int) -> Config:
    """Narrow layers, a rate for trainings of some ten thousand images, and R1 against discriminators that win at once."""
    return Config(
        features=16,
        discriminator_features=16,
        learning_rate=0.0004,
        game="non-saturating",
        cycle_norm="l1",
        cycle_weight=5.0,
        r1_gamma=50.0,
    )


TRANSLATION = {
    "non-saturating": GAMES["non-saturating"],
    "least-squares": Game(squares_real, squares_fake, squares_generator),
}


class Pool(torch.nn.Module):
    """Earlier translations (Shrivastava et al. 2017): with probability 1/2 an image is exchanged for one of them.

    A buffer, so that it is saved; every process holds the whole pool and sees the whole batch.
    """

    def __init__(self, size: int, shape: Shape) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, 3, shape.height, shape.width))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self.images: Tensor
        self.filled: Tensor

    @torch.no_grad()
    def exchange(self, translations: Tensor, draws: Draws, sum_processes: Callable[[Tensor], Tensor]) -> Tensor:
        """Images [n, 3, h, w] for the discriminator instead of `translations`; those exchanged take the older ones' places."""
        size, own = len(self.images), slice(draws.start, draws.start + draws.count)
        if size == 0:
            return translations
        batch = translations.new_zeros(draws.total, *translations.shape[1:])
        batch[own] = translations
        batch = sum_processes(batch)
        whole = replace(draws, start=0, count=draws.total)
        coin, place = whole.uniform(), (whole.uniform() * size).long()
        answers = [self._exchange(image[None], coin[i], place[i]) for i, image in enumerate(batch)]
        return torch.cat(answers)[own]

    def _exchange(self, image: Tensor, coin: Tensor, place: Tensor) -> Tensor:
        """The pool's answer to one image [1, 3, h, w]: itself while the pool fills, and then by a coin; no value is read."""
        filling = self.filled < len(self.images)
        slot = torch.where(filling, self.filled, place)[None]
        older, given = self.images.index_select(0, slot), ~filling & (coin < 0.5)
        self.images.index_copy_(0, slot, torch.where(filling | given, image, older))
        self.filled += filling
        return torch.where(given, older, image)


Discriminator = MultiScaleDiscriminator | multiscale.MultiScaleDiscriminator


def build_generator(config: Config) -> nn.Module:
    """One of the two generators."""
    if config.generator == "zhu":
        return ImageTranslator(config.features, config.blocks)
    return ResidualUNet(config.features, config.blocks, mask=False)


class CycleGAN(Model):
    """Two generators, two discriminators, two pools."""

    publication = "Zhu et al. 2017; Furger et al. 2020, untargeted"
    good_for = "translating both ways without masks or pairs"
    config_type = Config
    edition = 2
    inputs = DOMAINS
    whole_batches = True
    truncation = "none: the image it makes depends on its input alone"
    presets = MappingProxyType(
        {
            "untargeted": Preset(untargeted, batch=8),
            "zhu": Preset(zhu, batch=1),
            "laptop": Preset(laptop, batch=4),
        }
    )
    penalties = ("r1",)
    training_state = ("pool_source", "pool_target")

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        self.to_target, self.to_source = (build_generator(config) for _ in range(2))
        chosen = config.discriminator, shape, config.discriminator_features, config.discriminator_layers
        self.judge_source, self.judge_target = (
            build_discriminator(*chosen, config.scales, config.padding) for _ in range(2)
        )
        self.pool_source, self.pool_target = Pool(config.pool, shape), Pool(config.pool, shape)

    @classmethod
    def check_shape(cls, shape: Shape, config: BaseModel) -> None:
        """Both sides must be halved twice and leave something to the discriminators."""
        assert isinstance(config, Config)
        check_discriminator_shape(
            config.discriminator, shape, config.discriminator_layers, config.scales, config.padding
        )

    @classmethod
    def accepts_truncation(cls, value: float) -> bool:
        """Never: there is no latent."""
        return False

    def players(self) -> dict[str, Player]:
        """Both generators as one, and a discriminator a domain."""
        rate, betas = self.config.learning_rate, (self.config.beta1, 0.999)
        schedule = self.linear_decay(rate, betas, self.config.decay)
        generators = [*self.to_target.parameters(), *self.to_source.parameters()]
        of_target, of_source = list(self.judge_target.parameters()), list(self.judge_source.parameters())
        return {
            "generators": Player(generators, rate, betas, schedule),
            "discriminator target": Player(of_target, rate, betas, schedule, part="target"),
            "discriminator source": Player(of_source, rate, betas, schedule, part="source"),
        }

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """Generators with cycles in both directions, then either discriminator on real images and on the pool."""
        config, domains, game = self.config, batch.domains, TRANSLATION[self.config.game]
        assert domains is not None
        target, source = self.to_target(domains.source), self.to_source(domains.target)
        terms = {
            "adversarial target": over_scales(game.generator, self.judge_target.logits(target)),
            "adversarial source": over_scales(game.generator, self.judge_source.logits(source)),
            "cycle source": config.cycle_weight * cycle(domains.source, self.to_source(target), config.cycle_norm),
            "cycle target": config.cycle_weight * cycle(domains.target, self.to_target(source), config.cycle_norm),
        }
        if config.identity_weight > 0:
            identity = l1_loss(self.to_target(domains.target), domains.target)
            identity = identity + l1_loss(self.to_source(domains.source), domains.source)
            terms["identity"] = config.identity_weight * identity
        yield "generators", terms
        pooled = self.pool_target.exchange(target.detach(), batch.draws, progress.sum)
        yield "discriminator target", self._discriminator_terms(self.judge_target, domains.real_target, pooled)
        pooled = self.pool_source.exchange(source.detach(), batch.draws, progress.sum)
        yield "discriminator source", self._discriminator_terms(self.judge_source, domains.real_source, pooled)

    def notes(self) -> list[str]:
        """When the learning rate falls."""
        return self.decay_notes(self.config.decay)

    def _discriminator_terms(self, discriminator: "Discriminator", real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        game, gamma = TRANSLATION[self.config.game], self.config.r1_gamma
        real = real.detach().requires_grad_(gamma > 0)
        logits = discriminator.logits(real)
        terms = {"real": over_scales(game.real, logits), "fake": over_scales(game.fake, discriminator.logits(fake))}
        if gamma > 0:
            terms["r1"] = gamma / 2 * r1_penalty(mean_logits(logits), real)
        return terms

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """None: the result is a function of the photograph."""
        return []

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """The image as one of the domain that the label asks for."""
        assert condition.image is not None
        to_target = condition.label[:, 1].reshape(-1, 1, 1, 1) > 0.5
        translations = torch.where(to_target, self.to_target(condition.image), self.to_source(condition.image))
        return translations.clamp(-1, 1)

    @torch.no_grad()
    def logits(self, image: Tensor, label: Tensor) -> Tensor | None:
        """What the discriminator of the image's own domain says."""
        if self.config.game not in LOGISTIC:
            return None
        of_target, of_source = (mean_logits(d.logits(image)) for d in (self.judge_target, self.judge_source))
        return torch.where(label[:, 1] > 0.5, of_target, of_source)
