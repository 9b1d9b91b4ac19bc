"""What a training costs: seconds an image, on noise, over the phases of a run and families side by side."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import torch

from dermsynth.models.base import Batch, DomainImages, Model, Progress
from dermsynth.models.inputs import Conditions
from dermsynth.models.layers.shapes import Shape
from dermsynth.rng import Draws, seed_of
from dermsynth.training.data import Plan, resolve
from dermsynth.training.loop import create
from dermsynth.training.optimisation import Updater

MOMENTS, MIDDLE = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95), (0.5,)
"""Shares of a training at which its step is timed: of families that grow, which cost more as they go on, and of the others."""
IMAGES, ROUNDS = 32, 2
"""Images, at least, of each timed piece, and how often it is timed after a first time."""

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
    trainings = {name: _Timed(plan, shape, conditions, device) for name, plan in plans.items()}
    best = {name: dict.fromkeys(moments, float("inf")) for name in trainings}
    for number in range(rounds + 1):  # the first is not counted
        for name, timed in trainings.items():
            for moment in moments:
                seconds = timed.seconds(moment, warming=number == 0)
                if number:
                    best[name][moment] = min(best[name][moment], seconds)
    return {name: sum(times.values()) / len(times) for name, times in best.items()}


class _Timed:
    """A planned training on noise."""

    def __init__(self, plan: Plan, shape: Shape, conditions: Conditions, device: torch.device) -> None:
        config, self.settings = resolve(plan, shape)
        self.model = create(plan.family, config, shape, conditions, self.settings).to(device)
        self.updater = Updater(self.model)

    def seconds(self, moment: float, *, warming: bool = False) -> float:
        """Seconds an image at a moment of the training: of one step, or of whole rounds of the lazy terms."""
        images = round(self.settings.images * moment)
        batch = self.model.batch_at(images, self.settings.batch)
        rounds = -(-IMAGES // (batch * self.model.period))
        return time_steps(self.updater, self.model, batch, range(1 if warming else rounds * self.model.period), images)


def time_steps(updater: Updater, model: Model, batch: int, steps: range, images: int) -> float:
    """Wall seconds an image of training steps of these numbers on noise, as they are after `images` images were shown."""
    device = next(model.parameters()).device
    size = (batch, 3, model.shape.height, model.shape.width)
    image = torch.rand(size, device=device).mul_(2).sub_(1).contiguous(memory_format=torch.channels_last)
    label = torch.zeros(batch, model.classes, device=device)
    maps = torch.zeros(batch, 2, *size[2:], dtype=torch.uint8, device=device)
    domains = DomainImages(image, image, image, image, torch.ones(batch, 1, *size[2:], device=device))
    started = time.perf_counter()
    for step in steps:
        draws = Draws.for_step(device, seed_of(step), total=batch, start=0, count=batch)
        updater.step([Batch(image, label, draws, maps, domains)], Progress(step, images, 1, lambda value: value))
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - started) / (batch * len(steps))
