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
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.images import Pixels, encode_png, fit, grid, read_image
from dermsynth.io import replace_file, write_bytes
from dermsynth.latents.directions import Direction
from dermsynth.latents.edits import move_points
from dermsynth.latents.space import Space, class_number, require_w, space_of
from dermsynth.metrics.similar_images import local_similarity, psnr
from dermsynth.models.sampler import from_bytes, seed_noise, to_bytes
from dermsynth.progress import progress_bar
from dermsynth.sampling.generator import Trained, open_generator

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


def resize_photograph(space: Space, photograph: Pixels) -> Pixels:
    """A photograph brought to the generator's size as its training images were."""
    shape, data = space.generator.model.shape, space.generator.config.data
    return fit(photograph, shape.height, shape.width, data.crop, data.filter)


def invert(
    generator: Trained,
    photograph: Pixels,
    *,
    label: str = "",
    distance: Distance | None = None,
    steps: int = 500,
    plus: bool = False,
    seed: int = 0,
) -> Projection:
    """Find the latent of a photograph: the point of W, and the noise, whose image comes nearest to it.

    Parameters
    ----------
    generator : Generator, Checkpoint, Path or str
        Of a family with styles (stylegan2-ada), or its run.
    photograph : ndarray of uint8 [h, w, 3]
        RGB, of any size; it is brought to the generator's size as its training images were.
    label : str
        Its class; empty for an unconditional generator.
    distance : callable or None
        What is minimised: a function of two batches [n, 3, h, w] that returns [n], such as `load_perceptual(...).distance`;
        pixels at several scales by default.
    steps : int
        Steps of Adam, at least 1.
    plus : bool
        Whether every layer has a w of its own: nearer, but edits may mean less.
    seed : int
        Of the noise put on w, at least 0.

    Returns
    -------
    Projection
        `.point` [d] or [layers, d], `.noise`, `.image` uint8 [h, w, 3], `.psnr` in dB, `.ssim` (-1 to 1), `.distance`.

    Raises
    ------
    UserError
        For a generator without W, an unknown class, or fewer than one step.

    References
    ----------
    Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN, appendix D.
    Abdal, Qin & Wonka 2019, Image2StyleGAN: `plus`.

    Examples
    --------
    >>> import dermsynth as ds
    >>> generator = ds.load_generator("run", device="cpu")
    >>> photograph = ds.open_dataset("data").images((32, 32))[0]
    >>> projection = ds.invert(generator, photograph, label="melanoma", steps=2)
    >>> projection.point.shape, projection.image.shape
    ((64,), (32, 32, 3))
    """
    space = space_of(open_generator(generator))
    require_w(space, "project")
    number = class_number(space.generator, label)
    if steps < 1:
        raise UserError(f"`steps` {steps}: must be at least 1")
    return project(space, photograph, number, distance or pixel_distance, steps=steps, plus=plus, seed=seed)


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
    device = next(model.parameters()).device
    resized_photograph = resize_photograph(space, photograph)
    target = from_bytes(resized_photograph.transpose(2, 0, 1)[None], device)
    start, deviation = _start(space, label, device)
    point = (start.repeat(space.layers, 1) if plus else start).clone().requires_grad_()
    noise = [array[None].to(device).requires_grad_() for array in seed_noise(seed, model.noise_shapes())[1:]]
    optimiser = torch.optim.Adam([point, *noise], lr=RATE)
    generator = torch.Generator().manual_seed(seed)
    for step in progress_bar(range(steps), total=steps, label="projecting", unit="step"):
        done = step / steps
        optimiser.param_groups[0]["lr"] = _rate(done)
        wander = deviation * WANDER * max(0.0, 1 - done / WANDERING) ** 2
        wandering = point + wander * torch.randn(point.shape, generator=generator).to(device)
        image = model.synthesise(wandering[None], noise)
        loss = distance(image, target).sum() + NOISE_WEIGHT * correlation(noise)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        _normalise(noise)
    return _projection(space, point.detach(), [array.detach() for array in noise], resized_photograph, target, distance)


def _start(space: Space, label: int, device: torch.device) -> tuple[Tensor, float]:
    """The mean w of a class, and the deviation of w around it."""
    centre, points = space.points([0], [label], 0.0), space.points(range(MEANS), [label] * MEANS, None)
    deviation = float(np.sqrt(((points - centre) ** 2).sum(axis=1).mean()))
    return torch.from_numpy(centre[0]).to(device), deviation


def _rate(done: float) -> float:
    """Learning rate after a share of the steps: a linear rise and half a cosine down to zero."""
    return RATE * min(1.0, done / RISE, 0.5 - 0.5 * math.cos(min(1, (1 - done) / FALL) * math.pi))


def _normalise(noise: list[Tensor]) -> None:
    """Bring every noise map back to mean 0 and deviation 1."""
    with torch.no_grad():
        for array in noise:
            array.sub_(array.mean()).mul_(array.square().mean().rsqrt())


def correlation(noise: list[Tensor]) -> Tensor:
    """Sum over maps [1, 1, h, w] and their halvings of the squared mean product of horizontal and of vertical neighbours."""
    total = noise[0].new_zeros(())
    for array in noise:
        while True:
            for axis in (2, 3):
                total = total + (array * array.roll(1, axis)).mean().square()
            if min(array.shape[2:]) <= SMALLEST:
                break
            array = F.avg_pool2d(array, 2) * 2  # keeps the deviation of independent numbers
    return total


def pixel_distance(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared difference of images [n, 3, h, w] and of their halvings down to 8 px: [n]. Needs no trained network."""
    total = (first - second).square().mean(dim=(1, 2, 3))
    while min(first.shape[2:]) >= 16:
        first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
        total = total + (first - second).square().mean(dim=(1, 2, 3))
    return total


def _projection(
    space: Space, point: Tensor, noise: list[Tensor], photograph: Pixels, target: Tensor, distance: Distance
) -> Projection:
    with torch.no_grad():
        output = space.generator.model.synthesise(point[None], noise)
        remaining = float(distance(output, target)[0])
    image = to_bytes(output)[0].transpose(1, 2, 0)
    error = float(((image.astype(float) - photograph) ** 2).mean())
    return Projection(
        point=point.cpu().numpy(),
        noise=[array[0].cpu().numpy() for array in noise],
        image=image,
        psnr=psnr(error),
        ssim=local_similarity(photograph, image).mean,
        distance=remaining,
    )


def refuse_written(out: Path, photographs: Sequence[Path]) -> None:
    """Raise UserError where two photographs have one name, or a file would be written over."""
    stems = [photograph.stem for photograph in photographs]
    twice = [stem for stem in stems if stems.count(stem) > 1]
    if twice:
        raise UserError(f"{twice[0]}: two photographs have this name; choose an `out` of its own for each")
    for stem in stems:
        for path in (out / f"{stem}.png", out / f"{stem}.safetensors"):
            if path.exists():
                raise UserError(f"{path}: exists already and would be overwritten; choose another `out`")


def write_projection(
    out: Path,
    photograph: Path,
    space: Space,
    projection: Projection,
    direction: Direction | None,
    steps: Sequence[float],
) -> None:
    """Write NAME.safetensors and NAME.png into `out`; `refuse_written` checks that neither is there."""
    before = resize_photograph(space, read_image(photograph))
    edits = [] if direction is None else [edit_projection(space, projection, direction, step) for step in steps]
    strip = grid(np.stack([before, projection.image, *edits]), 2 + len(edits))
    text = {"Software": "dermsynth", "checkpoint": space.generator.checkpoint.hash}
    write_bytes(out / f"{photograph.stem}.png", encode_png(strip, text=text, synthetic=True))
    arrays = {"point": projection.point} | {f"noise{i:02d}": array for i, array in enumerate(projection.noise)}
    with replace_file(out / f"{photograph.stem}.safetensors") as temporary:
        save_file(arrays, temporary, {"checkpoint": space.generator.checkpoint.hash, "photograph": photograph.name})


def edit_projection(space: Space, projection: Projection, direction: Direction, step: float) -> Pixels:
    """The projection moved along a direction, with its own noise; `step` is in deviations of the latents."""
    model = space.generator.model
    device = next(model.parameters()).device
    point = move_points(space, projection.point[None], direction, step)
    with torch.inference_mode():
        noise = [torch.from_numpy(array)[None].to(device) for array in projection.noise]
        image = model.synthesise(torch.from_numpy(point).to(device), noise)
    return np.asarray(to_bytes(image)[0].transpose(1, 2, 0))
