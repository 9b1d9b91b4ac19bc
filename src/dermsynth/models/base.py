"""What a family is: networks, players with disjoint parameters (one or several), and a step that yields losses."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, NamedTuple, Self

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict
from torch import Tensor, nn

from dermsynth.errors import UserError
from dermsynth.models.inputs import IMAGES, Conditions, Inputs
from dermsynth.models.layers.shapes import Shape, require_doublings
from dermsynth.rng import Draws


def truncate_latent(z: Tensor, threshold: float | None) -> Tensor:
    """Normal numbers whose magnitudes stay below a threshold: FURGER's truncation by resampling.

    Drawing again until |z| <= t gives the truncated normal distribution; here it comes from the same z by the inverse
    distribution function, z' = Phi^-1(Phi(-t) + Phi(z) (Phi(t) - Phi(-t))), so that an image stays a function of its
    seed and neighbouring thresholds give neighbouring images. `z` is any shape from N(0, 1).
    """
    if threshold is None:
        return z
    normal = torch.distributions.Normal(0.0, 1.0)
    low, high = (normal.cdf(torch.tensor(value, dtype=torch.float64)) for value in (-threshold, threshold))
    share = normal.cdf(z.cpu().double())
    return normal.icdf(low + share * (high - low)).clamp(-threshold, threshold).to(z)


Terms = dict[str, Tensor]
Update = tuple[str, Terms]
"""The player whose parameters move, and the named terms whose sum is its loss."""
Schedule = Callable[[int], tuple[float, tuple[float, float]]]
"""From the images shown to an optimiser's learning rate and betas."""


@dataclass(frozen=True)
class DomainImages:
    """Images [n, 3, h, w] of two domains: for the generators, for the discriminators, and masks [n, 1, h, w] of 0 and 1."""

    source: Tensor
    target: Tensor
    real_source: Tensor
    real_target: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Batch:
    """Real images [n, 3, h, w] in [-1, 1], one-hot labels [n, classes] and the random numbers of this step.

    `map` [n, 2, h, w] holds class numbers and superpixel boundaries, for families that take maps; `domains` is for those
    that translate.
    """

    image: Tensor
    label: Tensor
    draws: Draws
    map: Tensor | None = None
    domains: DomainImages | None = None


@dataclass(frozen=True)
class Condition:
    """What an image is generated from beside noise: a one-hot class [n, classes], a map [n, 2, h, w], an image and a mask."""

    label: Tensor
    map: Tensor | None = None
    image: Tensor | None = None
    mask: Tensor | None = None


@dataclass(frozen=True)
class Progress:
    """The progress of a training, the number of processes that share it, and a sum over them."""

    step: int
    images: int
    processes: int
    sum: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Player:
    """Parameters that one optimiser (Adam) owns, and its settings.

    `schedule` gives rate and betas anew from the images shown; `restarts` says of a step at that many images whether
    the optimiser forgets its moments before it. With `zero_gradients`, parameters that the terms of an update do not reach
    count as having a gradient of zero, so that Adam's mean square of their gradients fades; without, the update leaves them out.
    `part` is the resolution, phase or domain it belongs to, if any: losses of different parts are plotted separately.
    """

    parameters: list[nn.Parameter]
    learning_rate: float
    betas: tuple[float, float]
    schedule: Schedule | None = None
    restarts: Callable[[int], bool] | None = None
    zero_gradients: bool = False
    part: str = ""


def one_of(names: Iterable[str]) -> AfterValidator:
    """The validator of a choice by name; the message lists the names. What is no text passes."""
    known = tuple(names)

    def check(value: object) -> object:
        if isinstance(value, str) and value not in known:
            raise ValueError(f"there are: {', '.join(known)}")
        return value

    return AfterValidator(check)


class FamilyConfig(BaseModel):
    """Base of a family's choices: frozen; a name that the family does not have is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Preset(NamedTuple):
    """A named configuration: a function of image shape and batch size, and the images a step that it is meant for."""

    configure: Callable[[Shape, int], BaseModel]
    batch: int

    def __call__(self, shape: Shape, batch: int | None = None) -> BaseModel:
        """The configuration for images of a shape."""
        return self.configure(shape, self.batch if batch is None else batch)


class Model(nn.Module, ABC):
    """A family: every network it trains, as one module, so that a checkpoint is its state.

    Whatever must survive a stop is a parameter or a buffer. `step` yields once per parameter update; the trainer does
    backward, the average over processes and the optimiser step between two yields, so code after the last yield sees
    every update done. Never yield inside a `with`.

    A family is one file and one line in `registry.FAMILIES`, or an entry point `dermsynth.models` of another package. Trainer,
    transfer, display and report ask for what is declared here; they know no family.
    """

    publication: ClassVar[str]
    """Who published it."""
    good_for: ClassVar[str]
    """When to choose it, in a few words."""
    config_type: ClassVar[type[BaseModel]]
    presets: ClassVar[Mapping[str, Preset]]
    """By name; `laptop` is one that trains without a GPU."""
    edition: ClassVar[int] = 1
    """Counts changes of what the networks compute: weights of another edition would silently make other images."""

    inputs: ClassVar[Inputs] = IMAGES
    """What it is trained on, and makes images from beside noise."""
    truncation: ClassVar[str] = "a threshold above 0: latent components whose magnitude exceeds it are drawn again"
    """What the number means with which a generated image is truncated, for the message that refuses a wrong one."""
    whole_batches: ClassVar[bool] = False
    """Whether images of one batch depend on each other (by statistics or a pool), so that it cannot be computed in pieces."""
    casts_itself: ClassVar[bool] = False
    """Whether the family follows `self.dtype` in its networks; elsewhere bfloat16 is automatic and float16 refused."""
    period: ClassVar[int] = 1
    """Steps after which terms that are not in every step have all come once."""
    passes: ClassVar[int | None] = None
    """How often each training image is shown where no length is asked for; None: a length must be asked for."""
    samples_slowly: ClassVar[bool] = False
    """Whether an image takes a good part of a second without a GPU: snapshots are rarer then, and measured on fewer images."""
    stops_at_copies: ClassVar[bool] = False
    """Whether a training ends when the copy gate finds training images among its samples: for those that learn by heart."""

    penalties: ClassVar[tuple[str, ...]] = ()
    """Terms of its losses that are penalties, to be plotted separately."""
    plots: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """Of `statistics`, those that a report draws: title of a plot -> names."""
    caveats: ClassVar[tuple[str, ...]] = ()
    """What a reader of figures about its images must know because of how it is trained."""
    training_state: ClassVar[tuple[str, ...]] = ()
    """Buffers, or modules of buffers, that describe a training and its data: a transfer to another one leaves them out."""
    class_columns: ClassVar[tuple[str, ...]] = ()
    """Parameters with a column a class. With them weights transfer between different lists of classes, by name."""
    kin: ClassVar[tuple[str, ...]] = ()
    """Other families with networks of the same names and meaning: a training may start from their weights, too."""

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        self.shape = shape
        self.classes = classes
        self.dtype = torch.float32
        self.length = 0
        """Images the whole training shows, for schedules that end with it; 0: not known."""

    @classmethod
    def create(cls, config: BaseModel, shape: Shape, conditions: Conditions) -> Self:
        """Networks with freshly drawn weights; families that take maps override it."""
        return cls(config, shape, conditions.classes)  # type: ignore[arg-type, call-arg]

    def arithmetic(self) -> AbstractContextManager[object]:
        """The context in which the trainer computes a step: automatic bfloat16 where it was asked for."""
        automatic = self.dtype != torch.float32 and not self.casts_itself
        device = next(self.parameters()).device.type
        return torch.autocast(device, torch.bfloat16) if automatic else nullcontext()

    @abstractmethod
    def players(self) -> dict[str, Player]:
        """The players by name, in a fixed order."""

    @abstractmethod
    def step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """One training step on one batch."""

    @abstractmethod
    def noise_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the standard normal arrays that one generated image is a function of; the latent is the first."""

    @abstractmethod
    def sample(self, noise: list[Tensor], condition: Condition, truncation: float | None) -> Tensor:
        """Generate images [n, 3, h, w] from one [n, ...] array a noise shape, a condition and a truncation, if any.

        Gradients flow from the images to the noise; whoever needs none asks for none.
        """

    @classmethod
    def check_shape(cls, shape: Shape, config: BaseModel) -> None:
        """Raise UserError for an image size that this configuration cannot make."""
        require_doublings(shape)

    @classmethod
    def accepts_truncation(cls, value: float) -> bool:
        """Whether the family takes this truncation: by default any threshold above 0 for the components of the latent."""
        return value > 0

    @classmethod
    def needs_whole_batches(cls, config: BaseModel) -> bool:
        """Whether this configuration is one whose batch cannot be computed in pieces."""
        return cls.whole_batches

    def linear_decay(self, rate: float, betas: tuple[float, float], share: float) -> Schedule | None:
        """A constant rate that falls linearly to zero over the last `share` of the training; None without such a share."""
        if share == 0:
            return None

        def schedule(images: int) -> tuple[float, tuple[float, float]]:
            left = (self.length - images) / (share * self.length) if self.length else 1.0
            return rate * min(max(left, 0.0), 1.0), betas

        return schedule

    def decay_notes(self, share: float) -> list[str]:
        """What `linear_decay` does, for `notes`: a longer training of the same run moves the fall."""
        if share == 0 or self.length == 0:
            return []
        return [
            f"learning rate: falls linearly to zero from {round(self.length * (1 - share))} to {self.length} images shown"
        ]

    @classmethod
    def fine_tuning(cls, config: BaseModel) -> dict[str, object]:
        """Choices that differ from a preset's where training starts from loaded weights."""
        return {}

    def adapt_classes(
        self, state: dict[str, Tensor], before: Sequence[str], now: Sequence[str], only: str
    ) -> tuple[dict[str, Tensor], str]:
        """Weights of a checkpoint with the classes `before` for this model, with those of `now`; and what is kept, in words.

        `only` is the label of all images of a training without classes, if they have one. By default the weights are as they are.
        """
        return state, ""

    def begin_fresh(self, names: Collection[str]) -> None:
        """Prepare the tensors of these names, which a start from other weights left as they were drawn."""

    @classmethod
    def phases_within(cls, images: int, shape: Shape) -> dict[str, object]:
        """Choices with which a family that grows is past all its phases well before the end of a training of `images` images."""
        return {}

    def notes(self) -> list[str]:
        """Lines for a person, before training starts."""
        return []

    def truncate(self, z: Tensor, truncation: float | None) -> Tensor:
        """The latent [n, d] that a truncated image starts from; families with styles truncate w instead.

        Raises UserError where truncation does not act on the latent.
        """
        return truncate_latent(z, truncation)

    def targets(self) -> list[int]:
        """Numbers of the classes that can be generated; [0] where there are no classes."""
        return list(range(max(self.classes, 1)))

    def batch_at(self, images: int, batch: int) -> int:
        """Images in the step after `images` images were shown; `batch` is the number asked for."""
        return batch

    def logits(self, image: Tensor, label: Tensor) -> Tensor | None:
        """The discriminator's log-odds [n] that images [n, 3, h, w] are real; None where its outputs are no log-odds."""
        return None

    @classmethod
    def has_style(cls) -> bool:
        """Whether the family has an intermediate latent space W."""
        return cls.style is not Model.style

    def style(self, z: Tensor, label: Tensor, truncation: float | None) -> Tensor | None:
        """The intermediate latent w of a latent [n, d], or None where the family has none."""
        return None

    def synthesise(self, w: Tensor, noise: list[Tensor]) -> Tensor:
        """Images of intermediate latents, [n, d] or one a layer [n, layers, d], and the noise shapes after the first."""
        raise NotImplementedError

    def style_weights(self) -> list[Tensor]:
        """The weights [features, d] from w to the styles of every layer that takes a w; empty for families without styles."""
        return []

    def augmentation_strength(self) -> float | None:
        """Probability of augmentation now, or None where the family has none."""
        return None

    def augmentation_limit(self) -> float | None:
        """The largest probability that adaptive augmentation may reach, or None where nothing adapts it."""
        return None

    def statistics(self) -> dict[str, float]:
        """Numbers for the log that are not losses."""
        return {}


def require_edition(kind: type[Model], family: str, edition: int, place: object) -> None:
    """Raise UserError for a checkpoint whose family computed something else when it was trained.

    `edition` is the checkpoint's; `family` and `place` name it in the message.
    """
    if edition != kind.edition:
        raise UserError(
            f"{place}: made by edition {edition} of {family}, this program has edition {kind.edition}, whose networks "
            "compute something else; train anew in another `out`, or use the version of dermsynth that made it"
        )
