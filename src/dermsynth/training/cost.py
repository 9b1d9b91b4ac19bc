"""What a training costs: seconds an image over the whole of a run, families side by side."""

import time
from collections.abc import Callable, Mapping, Sequence

import torch

from dermsynth.models.base import Batch, Model, Progress
from dermsynth.rng import Draws, seed_of
from dermsynth.training.config import RunConfig
from dermsynth.training.loop import build
from dermsynth.training.optimisation import Updater

MOMENTS, MIDDLE = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95), (0.5,)
"""Shares of a training at which its step is timed: of families that grow, which cost more as they go on, and of the others."""
IMAGES, ROUNDS = 32, 2
"""Images, at least, of each timed piece (two rounds of R1 at 16 a step), and how often it is timed after a first time."""

Configure = Callable[[int], RunConfig]
"""From the length of a training in images to its configuration."""


def lengths_within(plans: Mapping[str, Configure], seconds: float, device: torch.device, guess: int) -> dict[str, int]:
    """Images that each training shows in the same time, in hundreds.

    The phases of families that grow depend on the length, which is therefore measured again with the first one found.
    """
    growing = {name for name, configure in plans.items() if configure(guess).model != configure(2 * guess).model}
    steady = {name: configure(guess) for name, configure in plans.items() if name not in growing}
    lengths = _lengths(seconds_per_image(steady, device), seconds)
    found = dict.fromkeys(growing, guess)
    for _ in range(2 if growing else 0):
        configs = {name: plans[name](found[name]) for name in growing}
        found = _lengths(seconds_per_image(configs, device, moments=MOMENTS), seconds)
    return {name: (lengths | found)[name] for name in plans}


def _lengths(costs: Mapping[str, float], seconds: float) -> dict[str, int]:
    return {name: max(round(seconds / cost / 100) * 100, 100) for name, cost in costs.items()}


def seconds_per_image(
    configs: Mapping[str, RunConfig], device: torch.device, *, moments: Sequence[float] = MIDDLE, images: int = IMAGES
) -> dict[str, float]:
    """Wall seconds an image, averaged over the moments of a run.

    Families take turns, and of several rounds the fastest counts, so that other work on the machine weighs little.
    """
    trainings = {name: _Training(config, device) for name, config in configs.items()}
    best = {name: dict.fromkeys(moments, float("inf")) for name in trainings}
    for number in range(ROUNDS + 1):  # the first is not counted
        for name, training in trainings.items():
            for moment in moments:
                seconds = training.time(moment, images)
                if number:
                    best[name][moment] = min(best[name][moment], seconds)
    return {name: sum(times.values()) / len(times) for name, times in best.items()}


class _Training:
    """A family with its optimisers, timed on noise."""

    def __init__(self, config: RunConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.model: Model = build(config, device)
        self.updater = Updater(self.model)

    def time(self, moment: float, least: int) -> float:
        """Seconds an image of steps around a moment of the training, which show `least` images or a few more."""
        images = round(self.config.training.images * moment)
        batch = self.model.batch_at(images, self.config.training.batch)
        steps = -(-least // batch)
        image = torch.rand(batch, 3, self.model.shape.height, self.model.shape.width, device=self.device)
        image = image.mul_(2).sub_(1).contiguous(memory_format=torch.channels_last)
        label = torch.eye(max(self.model.classes, 1), device=self.device)[
            torch.arange(batch) % max(self.model.classes, 1)
        ]
        started = time.perf_counter()
        for step in range(steps):
            draws = Draws.for_step(self.device, seed_of(step), total=batch, start=0, count=batch)
            minibatch = Batch(image, label[:, : self.model.classes], draws)
            self.updater.step([minibatch], Progress(step, images, 1, lambda value: value))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return (time.perf_counter() - started) / (batch * steps)
