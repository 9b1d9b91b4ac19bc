"""A photograph as a point of W: the w, or one w a layer, whose image comes nearest."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.numpy import save_file
from skimage.metrics import structural_similarity
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.images import Pixels, encode_png, fit, grid, read_image
from dermsynth.io import replacing, write_bytes
from dermsynth.latents.directions import Direction
from dermsynth.latents.edits import moved
from dermsynth.latents.space import Space, require_w
from dermsynth.models.sampler import from_bytes, noise_of, to_bytes
from dermsynth.progress import progress_bar

Distance = Callable[[Tensor, Tensor], Tensor]
RATE, RISE, FALL = 0.1, 0.05, 0.25
"""Learning rate, and shares of the steps in which it rises from and falls to zero (Karras et al. 2020a, appendix D)."""
WANDER, WANDERING = 0.05, 0.75
"""Noise put on w at first, in deviations of w, and the share of the steps in which it dies away."""
NOISE_WEIGHT, SMALLEST, MEANS = 1e5, 8, 1000


@dataclass(frozen=True)
class Projection:
    """A point [d] or [layers, d], the noise that belongs to it, its image [h, w, 3], and how far that is from the photograph.

    PSNR in dB, SSIM -1 to 1, and the distance that was minimised.
    """

    point: NDArray[np.float32]
    noise: list[NDArray[np.float32]]
    image: Pixels
    psnr: float
    ssim: float
    distance: float


def as_shown(space: Space, photograph: Pixels) -> Pixels:
    """A photograph as the generator's training images were brought to its size."""
    shape, data = space.generator.model.shape, space.generator.config.data
    return fit(photograph, shape.height, shape.width, data.crop, data.filter)


def project(
    space: Space, photograph: Pixels, label: int, distance: Distance, *, steps: int, plus: bool, seed: int = 0
) -> Projection:
    """Find the point and noise of a photograph, brought to the generator's size, by Adam from the mean w of its class.

    Loss: the distance, plus the squared correlation of neighbours in every noise map and its halvings, so that the noise carries
    no picture (Karras et al. 2020a, appendix D). `plus` frees one w a layer (Abdal et al. 2019).

    Raises UserError for a generator without W.
    """
    require_w(space, "project")
    model = space.generator.model
    target = as_shown(space, photograph)
    device = next(model.parameters()).device
    wanted = from_bytes(target.transpose(2, 0, 1)[None], device)
    centre, many = space.points([0], [label], 0.0), space.points(range(MEANS), [label] * MEANS, None)
    deviation = float(np.sqrt(((many - centre) ** 2).sum(axis=1).mean()))
    start = torch.from_numpy(centre[0]).to(device)
    point = (start.repeat(space.layers, 1) if plus else start).clone().requires_grad_()
    noise = [one[None].to(device).requires_grad_() for one in noise_of(seed, model.noise_shapes())[1:]]
    optimiser = torch.optim.Adam([point, *noise], lr=RATE)
    generator = torch.Generator().manual_seed(seed)
    for step in progress_bar(range(steps), total=steps, label="projecting", unit="step"):
        done = step / steps
        optimiser.param_groups[0]["lr"] = RATE * min(
            1.0, done / RISE, 0.5 - 0.5 * math.cos(min(1, (1 - done) / FALL) * math.pi)
        )
        wander = deviation * WANDER * max(0.0, 1 - done / WANDERING) ** 2
        moved = point + wander * torch.randn(point.shape, generator=generator).to(device)
        made = model.of_style(moved[None], noise)
        loss = distance(made, wanted).sum() + NOISE_WEIGHT * correlation(noise)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for one in noise:
                one.sub_(one.mean()).mul_(one.square().mean().rsqrt())
    return _judged(space, point.detach(), [one.detach() for one in noise], target, wanted, distance)


def correlation(noise: list[Tensor]) -> Tensor:
    """Sum over maps [1, 1, h, w] and their halvings of the squared mean product of horizontal and of vertical neighbours."""
    total = noise[0].new_zeros(())
    for one in noise:
        while True:
            for axis in (2, 3):
                total = total + (one * one.roll(1, axis)).mean().square()
            if min(one.shape[2:]) <= SMALLEST:
                break
            one = F.avg_pool2d(one, 2) * 2  # keeps the deviation of independent numbers
    return total


def pixel_distance(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared difference of images [n, 3, h, w] and of their halvings down to 8 px: [n]. Needs no trained network."""
    total = (first - second).square().mean(dim=(1, 2, 3))
    while min(first.shape[2:]) >= 16:
        first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
        total = total + (first - second).square().mean(dim=(1, 2, 3))
    return total


def _judged(
    space: Space, point: Tensor, noise: list[Tensor], target: Pixels, wanted: Tensor, distance: Distance
) -> Projection:
    with torch.no_grad():
        made = space.generator.model.of_style(point[None], noise)
        left = float(distance(made, wanted)[0])
    image = to_bytes(made)[0].transpose(1, 2, 0)
    error = float(((image.astype(float) - target) ** 2).mean())
    alike = float(structural_similarity(target, image, channel_axis=2))
    arrays = [one[0].cpu().numpy() for one in noise]
    return Projection(point.cpu().numpy(), arrays, image, float(10 * np.log10(255**2 / max(error, 1e-3))), alike, left)


def refuse_written(out: Path, photographs: Sequence[Path]) -> None:
    """Raise UserError where two photographs have one name, or a file would be written over."""
    stems = [photograph.stem for photograph in photographs]
    twice = [stem for stem in stems if stems.count(stem) > 1]
    if twice:
        raise UserError(f"{twice[0]}: two photographs have this name; project them into folders of their own")
    for stem in stems:
        for path in (out / f"{stem}.png", out / f"{stem}.safetensors"):
            if path.exists():
                raise UserError(f"{path}: is there already and would be written over; choose another `out`")


def write_projection(
    out: Path, photograph: Path, space: Space, found: Projection, direction: Direction | None, steps: Sequence[float]
) -> None:
    """NAME.safetensors and NAME.png in `out`; that neither is there is for `refuse_written` to see."""
    before = as_shown(space, read_image(photograph))
    edits = [] if direction is None else [edited(space, found, direction, step) for step in steps]
    strip = grid(np.stack([before, found.image, *edits]), 2 + len(edits))
    text = {"Software": "dermsynth", "checkpoint": space.generator.checkpoint.hash}
    write_bytes(out / f"{photograph.stem}.png", encode_png(strip, text=text, synthetic=True))
    arrays = {"point": found.point} | {f"noise{i:02d}": one for i, one in enumerate(found.noise)}
    with replacing(out / f"{photograph.stem}.safetensors") as temporary:
        save_file(arrays, temporary, {"checkpoint": space.generator.checkpoint.hash, "photograph": photograph.name})


def edited(space: Space, found: Projection, direction: Direction, step: float) -> Pixels:
    """The projection moved by so many deviations along a direction, with its own noise."""
    model = space.generator.model
    device = next(model.parameters()).device
    point = moved(space, found.point[None], direction, step)
    with torch.inference_mode():
        noise = [torch.from_numpy(one)[None].to(device) for one in found.noise]
        made = model.of_style(torch.from_numpy(point).to(device), noise)
    return np.asarray(to_bytes(made)[0].transpose(1, 2, 0))
