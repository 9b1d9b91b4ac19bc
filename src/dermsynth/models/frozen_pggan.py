"""Growing in frozen phases (LUNAGARIYA): DCGAN's layers from the latent outwards; a phase's layers freeze when it ends."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Literal

import torch
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
    truncate_latent,
)
from dermsynth.models.layers.convolutional import down, draw_weights, with_label
from dermsynth.models.layers.dcgan import Discriminator, Generator, widths
from dermsynth.models.layers.resample import double, halve
from dermsynth.models.layers.shapes import Shape, require_levels
from dermsynth.models.losses.adversarial import GAMES, LOGISTIC


class Config(FamilyConfig):
    """Every choice of the family."""

    latent: int = Field(100, ge=2, description="dimensions of z")
    phases: int = Field(3, ge=1, description="resolutions trained one after the other; the last is the full one")
    phase_images: int = Field(100_000, ge=1, description="images shown in each phase but the last")
    features: int = Field(64, ge=4, description="feature maps next to the image")
    features_max: int = Field(1024, ge=4, description="upper bound of the feature maps")
    game: Literal["bce", "non-saturating", "minimax", "least-squares", "hinge"] = "bce"
    learning_rate: float = Field(0.0002, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)


def lunagariya(shape: Shape, batch: int) -> Config:
    """LUNAGARIYA: three phases (16, 32, 64 pixels), latent 100, the layers of the 64-pixel DCGAN."""
    return Config()


def laptop(shape: Shape, batch: int) -> Config:
    """Half the feature maps and short phases."""
    return Config(phases=min(3, shape.doublings), phase_images=8_000, features=32, features_max=256)


class FrozenPGGAN(Model):
    """The two networks of DCGAN; a player a phase owns the layers which that phase adds.

    Freezing is that a player is no longer named: `step` yields the current phase's players alone.
    """

    publication = "Lunagariya & Patel 2020"
    good_for = "seeing what each resolution adds; cheap phases"
    config_type = Config
    whole_batches = True
    presets = MappingProxyType({"lunagariya": Preset(lunagariya, batch=64), "laptop": Preset(laptop, batch=16)})
    plots = MappingProxyType({"phase": ("phase",)})
    training_state = ("shown",)

    def __init__(self, config: Config, shape: Shape, classes: int) -> None:
        super().__init__(shape, classes)
        self.config = config
        self.shapes = [Shape(shape.height >> i, shape.width >> i) for i in reversed(range(config.phases))]
        sizes = widths(shape, config.features, config.features_max)
        self.generator = Generator(shape, config.latent, classes, config.features, config.features_max)
        self.discriminator = Discriminator(shape, classes, config.features, config.features_max)
        early = [shape.doublings - config.phases + i for i in range(config.phases - 1)]
        self.to_image = nn.ModuleList(nn.ConvTranspose2d(sizes[i], 3, 4, 2, 1, bias=False) for i in early)
        self.from_image = nn.ModuleList(down(3 + classes, sizes[i], normalise=False) for i in early)
        for module in (*self.to_image, *self.from_image):
            draw_weights(module)
        self.register_buffer("shown", torch.zeros((), dtype=torch.int64))
        self.shown: Tensor

    @classmethod
    def check_shape(cls, shape: Shape, config: BaseModel) -> None:
        """The first phase must still be a constant doubled some times."""
        super().check_shape(shape, config)
        assert isinstance(config, Config)
        require_levels("phases", config.phases, shape)

    def phase(self, images: int) -> int:
        """Number of the phase when `images` were shown."""
        return min(images // self.config.phase_images, self.config.phases - 1)

    def _depth(self, phase: int) -> int:
        """How many of the generator's blocks the images of a phase pass."""
        return self.shape.doublings - self.config.phases + phase

    def players(self) -> dict[str, Player]:
        """For every phase, named after its size: the layers it adds."""
        rate, betas = self.config.learning_rate, (self.config.beta1, 0.999)
        players = {}
        for phase, size in enumerate(self.shapes):
            players[f"generator {size}"] = Player(self._added_to_generator(phase), rate, betas, part=str(size))
            players[f"discriminator {size}"] = Player(self._added_to_discriminator(phase), rate, betas, part=str(size))
        return players

    def _added_to_generator(self, phase: int) -> list[nn.Parameter]:
        first, last = (self._depth(phase - 1), self._depth(phase)) if phase else (0, self._depth(0))
        modules: list[nn.Module] = [] if phase else [self.generator.start]
        modules += [*self.generator.blocks[first:last], self._output(phase)]
        return [p for module in modules for p in module.parameters()]

    def _added_to_discriminator(self, phase: int) -> list[nn.Parameter]:
        blocks = self.discriminator.blocks[1:][::-1]
        first, last = (self._depth(phase - 1), self._depth(phase)) if phase else (0, self._depth(0))
        modules: list[nn.Module] = [] if phase else [self.discriminator.output]
        modules += [*blocks[first:last], self._input(phase)]
        return [p for module in modules for p in module.parameters()]

    def _output(self, phase: int) -> nn.Module:
        """The layer that makes a phase's images."""
        return self.generator.to_image if phase == self.config.phases - 1 else self.to_image[phase]

    def _input(self, phase: int) -> nn.Module:
        """The layer that sees a phase's images."""
        return self.discriminator.blocks[0] if phase == self.config.phases - 1 else self.from_image[phase]

    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """One step of the current phase."""
        phase, label, game = self.phase(progress.images), batch.label, GAMES[self.config.game]
        size = self.shapes[phase]
        fake = self._generate(phase, batch.draws.normal(self.config.latent), label)
        real = game.real(self._logits(phase, self._downscale(batch.image, phase), label))
        yield f"discriminator {size}", {"real": real, "fake": game.fake(self._logits(phase, fake.detach(), label))}
        yield f"generator {size}", {"adversarial": game.generator(self._logits(phase, fake, label))}
        self.shown.fill_(progress.images + batch.draws.total)

    def _generate(self, phase: int, z: Tensor, label: Tensor) -> Tensor:
        image: Tensor = self._output(phase)(self.generator.features(z, label, self._depth(phase))[-1])
        return image.tanh()

    def _logits(self, phase: int, image: Tensor, label: Tensor) -> Tensor:
        return self.discriminator.logits_from(self._input(phase)(with_label(image, label)), self._depth(phase))

    def _downscale(self, image: Tensor, phase: int) -> Tensor:
        for _ in range(self.config.phases - 1 - phase):
            image = halve(image)
        return image

    def noise_shapes(self) -> list[tuple[int, ...]]:
        """The latent."""
        return [(self.config.latent,)]

    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Images of the phase reached, enlarged to the full size."""
        phase = self.phase(max(int(self.shown) - 1, 0))
        image = self._generate(phase, truncate_latent(noise[0], truncation), condition.label)
        for _ in range(self.config.phases - 1 - phase):
            image = double(image)
        return image

    @torch.no_grad()
    def logits(self, image: Tensor, label: Tensor) -> Tensor | None:
        """Those of the phase reached."""
        if self.config.game not in LOGISTIC:
            return None
        phase = self.phase(max(int(self.shown) - 1, 0))
        return self._logits(phase, self._downscale(image, phase), label)

    def statistics(self) -> dict[str, float]:
        """The phase, counted from 1."""
        return {"phase": float(self.phase(max(int(self.shown) - 1, 0)) + 1)}
