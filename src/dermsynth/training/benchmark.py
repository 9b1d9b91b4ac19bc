"""How large a family's networks are and how long they take here."""

import time
from dataclasses import dataclass

import torch

from dermsynth.errors import UserError
from dermsynth.models.base import Batch, DomainImages, Model, Progress
from dermsynth.models.layers.shapes import Shape
from dermsynth.models.registry import family
from dermsynth.rng import Draws, seed_of
from dermsynth.training.optimisation import Updater

LATE = 10_000_000
"""Images shown: every phase is over, every network has its full size."""


@dataclass(frozen=True)
class Facts:
    """Presets, trained parameters of the laptop preset, batch, and wall seconds per 1,000 images, if measured."""

    presets: list[str]
    parameters: dict[str, int]
    batch: int
    seconds: float | None = None
    refusal: str | None = None

    def text(self) -> str:
        """One line for a person."""
        if self.refusal:
            return self.refusal
        total = sum(self.parameters.values())
        time_needed = "" if self.seconds is None else f", {self.seconds:.3g} s per 1,000 images (batch {self.batch})"
        return f"{total:,} parameters{time_needed}"


def measure(name: str, shape: Shape, *, steps: int = 0, device: str = "cpu") -> Facts:
    """Build a family's laptop preset and train it for `steps` steps on noise; without steps only count parameters."""
    kind = family(name)
    preset = kind.presets["laptop"]
    config = preset(shape)
    parameters: dict[str, int] = {}
    try:
        kind.check_shape(shape, config)
        model = kind.create(config, shape, kind.inputs.smallest).to(device)
        parameters = {n: sum(p.numel() for p in player.parameters) for n, player in model.players().items()}
        seconds = _time(model, preset.batch, steps) if steps else None
    except UserError as error:
        return Facts(list(kind.presets), parameters, preset.batch, refusal=str(error))
    return Facts(list(kind.presets), parameters, preset.batch, seconds)


def _time(model: Model, batch: int, steps: int) -> float:
    """Wall seconds per 1,000 images of training steps at full size, after one that is not counted."""
    updater = Updater(model)
    device = next(model.parameters()).device
    size = (batch, 3, model.shape.height, model.shape.width)
    image = torch.rand(size, device=device).mul_(2).sub_(1).contiguous(memory_format=torch.channels_last)
    maps = torch.zeros(batch, 2, *size[2:], dtype=torch.uint8, device=device)
    domains = DomainImages(image, image, image, image, torch.ones(batch, 1, *size[2:], device=device))
    start = 0.0
    for step in range(steps + 1):
        if step == 1:
            start = time.perf_counter()
        draws = Draws.for_step(device, seed_of(step), total=batch, start=0, count=batch)
        images = Batch(image, torch.zeros(batch, model.classes, device=device), draws, maps, domains)
        updater.step([images], Progress(step, LATE, 1, lambda t: t))
    return (time.perf_counter() - start) * 1000 / (batch * steps)
