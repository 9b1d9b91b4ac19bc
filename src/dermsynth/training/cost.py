"""What a training costs: seconds an image and memory, on noise, over the phases of a run and families side by side."""

import logging
import resource
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import torch

from dermsynth.io import byte_text, count_text, time_text
from dermsynth.models.base import Batch, DomainImages, Model, Progress
from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import Shape
from dermsynth.records import Record
from dermsynth.rng import Draws, seed_of
from dermsynth.training.config import RunConfig, TrainingSettings
from dermsynth.training.data import Plan, resolve
from dermsynth.training.loop import build, create
from dermsynth.training.optimisation import Updater

MOMENTS, MIDDLE = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95), (0.5,)
"""Shares of a training at which its step is timed: of families that grow, which cost more as they go on, and of the others."""
IMAGES, ROUNDS = 32, 2
"""Images, at least, of each timed piece, and how often it is timed after a first time."""
GROWTH = 1.5
"""How many times as long a step takes at one moment as at another where a family is taken to grow."""

logger = logging.getLogger(__name__)

Name = TypeVar("Name", bound=Hashable)

PlanOfLength = Callable[[int], Plan]
"""From the length of a training in images to its plan."""


def lengths_within(
    plans: Mapping[Name, PlanOfLength],
    shape: Shape,
    conditions: Conditions,
    seconds: float,
    device: torch.device,
    guess: int,
) -> dict[Name, int]:
    """Images that each training shows in the same time, in hundreds.

    The phases of families that grow depend on the length, which is therefore measured again with the first one found.
    """
    growing = {
        name for name, plan in plans.items() if resolve(plan(guess), shape)[0] != resolve(plan(2 * guess), shape)[0]
    }
    steady = {name: plan(guess) for name, plan in plans.items() if name not in growing}
    lengths = _lengths(seconds_per_image(steady, shape, conditions, device), seconds)
    found = dict.fromkeys(growing, guess)
    for _ in range(2 if growing else 0):
        longer = {name: plans[name](found[name]) for name in growing}
        found = _lengths(seconds_per_image(longer, shape, conditions, device, moments=MOMENTS), seconds)
    return {name: (lengths | found)[name] for name in plans}


def _lengths(costs: Mapping[Name, float], seconds: float) -> dict[Name, int]:
    return {name: max(round(seconds / cost / 100) * 100, 100) for name, cost in costs.items()}


def seconds_per_image(
    plans: Mapping[Name, Plan],
    shape: Shape,
    conditions: Conditions,
    device: torch.device,
    *,
    moments: Sequence[float] = MIDDLE,
    rounds: int = ROUNDS,
) -> dict[Name, float]:
    """Wall seconds an image, averaged over the moments of a run; no data set is read.

    Families take turns, and of several rounds the fastest counts, so that other work on the machine weighs little.
    """
    return _timed({name: _planned(plan, shape, conditions, device) for name, plan in plans.items()}, moments, rounds)


def _timed(trainings: Mapping[Name, "_Training"], moments: Sequence[float], rounds: int) -> dict[Name, float]:
    best = {name: dict.fromkeys(moments, float("inf")) for name in trainings}
    for number in range(rounds + 1):  # the first is not counted
        for name, timed in trainings.items():
            for moment in moments:
                seconds = timed.seconds(moment, warming=number == 0)
                if number:
                    best[name][moment] = min(best[name][moment], seconds)
    return {name: sum(times.values()) / len(times) for name, times in best.items()}


class TrainingCost(Record):
    """What a training will cost on this machine, without its snapshots and what is measured of them.

    Attributes
    ----------
    images
        Its length in images shown.
    seconds_per_image
        Wall seconds of a step, divided by its images: the mean over the phases of the training.
    seconds
        The whole.
    peak_bytes
        The most memory that its steps held at once: of the GPU, or of this process with its libraries and images.
    checkpoint_bytes
        Size of one checkpoint.
    on_gpu
        Whether the memory is that of a GPU.
    """

    images: int
    seconds_per_image: float
    peak_bytes: int
    checkpoint_bytes: int
    on_gpu: bool

    @property
    def seconds(self) -> float:
        """Wall seconds of the whole training."""
        return self.images * self.seconds_per_image

    def text(self) -> str:
        """Two lines for a person."""
        where = "memory of the GPU" if self.on_gpu else "memory, with libraries and images"
        return (
            f"{count_text(self.images)} images at {1 / self.seconds_per_image:.3g} a second: {time_text(self.seconds)}, "
            f"and snapshots\n{byte_text(self.peak_bytes)} of {where}; a checkpoint has {byte_text(self.checkpoint_bytes)}"
        )


def training_cost(config: RunConfig, device: torch.device) -> TrainingCost:
    """Train a configuration for some steps on noise; nothing is written.

    A family that grows is timed at several moments of the training; all of them count for the memory.
    """
    training = _Training(build(config, device), config.training)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    logger.info("measuring steps on noise")
    training.seconds(MIDDLE[0], warming=True)
    steps = [training.seconds(moment, warming=True) for moment in MOMENTS]
    grows = max(steps) > GROWTH * min(steps)
    seconds = _timed({"": training}, MOMENTS if grows else MIDDLE, rounds=1)[""]
    return TrainingCost(
        images=config.training.images, seconds_per_image=seconds, peak_bytes=_peak_bytes(device),
        checkpoint_bytes=_checkpoint_bytes(training.model), on_gpu=device.type == "cuda",
    )  # fmt: skip


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _checkpoint_bytes(model: Model) -> int:
    """The networks with their averages, and Adam's two moments of every parameter that is trained."""
    networks = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    return networks + sum(8 * p.numel() for player in model.players().values() for p in player.parameters)


def _planned(plan: Plan, shape: Shape, conditions: Conditions, device: torch.device) -> "_Training":
    config, settings = resolve(plan, shape)
    return _Training(create(plan.family, config, shape, conditions, settings).to(device), settings)


class _Training:
    """A training on noise."""

    def __init__(self, model: Model, settings: TrainingSettings) -> None:
        self.model, self.settings, self.updater = model, settings, Updater(model)

    def seconds(self, moment: float, *, warming: bool = False) -> float:
        """Seconds an image at a moment of the training: of one step, or of whole rounds of the lazy terms."""
        images = round(self.settings.images * moment)
        batch = self.model.batch_at(images, self.settings.batch)
        rounds = -(-IMAGES // (batch * self.model.period))
        steps = range(1 if warming else rounds * self.model.period)
        return time_steps(self.updater, self.model, batch, steps, images, self.settings.accumulate)


def time_steps(updater: Updater, model: Model, batch: int, steps: range, images: int, pieces: int = 1) -> float:
    """Wall seconds an image of training steps of these numbers on noise, as they are after `images` images were shown."""
    device, part = next(model.parameters()).device, batch // pieces
    size = (part, 3, model.shape.height, model.shape.width)
    image = torch.rand(size, device=device).mul_(2).sub_(1).contiguous(memory_format=torch.channels_last)
    label = torch.zeros(part, model.classes, device=device)
    maps = torch.zeros(part, 2, *size[2:], dtype=torch.uint8, device=device)
    domains = DomainImages(image, image, image, image, torch.ones(part, 1, *size[2:], device=device))
    started = time.perf_counter()
    for step in steps:
        draws = [Draws.for_step(device, seed_of(step), total=batch, start=i * part, count=part) for i in range(pieces)]
        batches = [Batch(image, label, own, maps, domains) for own in draws]
        updater.step(batches, Progress(step, images, 1, lambda value: value))
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - started) / (batch * len(steps))
