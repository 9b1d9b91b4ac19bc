"""Random geometric transformations as 3x3 matrices, and the resampling that applies them."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dermsynth.models.layers.augmentation.grid_sample import grid_sample
from dermsynth.models.layers.augmentation.strengths import Strengths
from dermsynth.models.layers.augmentation.wavelets import DELAY, REACH, downsampling_matrix, margin, upsampling_matrix
from dermsynth.on_device import constant

Draw = Callable[..., Tensor]
"""Uniform or normal numbers, one row an image: draw(columns...) -> [n, columns...]."""


def _identity(n: int, device: torch.device) -> Tensor:
    return torch.eye(3, device=device).repeat(n, 1, 1)


def _scale(x: Tensor, y: Tensor) -> Tensor:
    matrix = _identity(len(x), x.device)
    matrix[:, 0, 0], matrix[:, 1, 1] = x, y
    return matrix


def _rotate(angle: Tensor) -> Tensor:
    matrix = _identity(len(angle), angle.device)
    cosine, sine = angle.cos(), angle.sin()
    matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 1, 1] = cosine, -sine, sine, cosine
    return matrix


def _translate(x: Tensor, y: Tensor) -> Tensor:
    matrix = _identity(len(x), x.device)
    matrix[:, 0, 2], matrix[:, 1, 2] = x, y
    return matrix


def random_transform(uniform: Draw, normal: Draw, p: Tensor, strengths: Strengths, size: tuple[int, int]) -> Tensor:
    """The inverse transformation of every image, output pixel -> input pixel, about the image's centre: [n, 3, 3].

    Pixel blitting, then isotropic scale 2^N(0, 0.2), rotation, stretch, rotation and translation N(0, 0.125)
    (Karras et al. 2020b, appendix B, algorithm 1, lines 4 to 28). A transformation that is not drawn is exactly the
    identity.
    """
    height, width = size

    def chance(multiplier: float) -> Tensor:
        return uniform()[:, None] < multiplier * p

    def drawn(multiplier: float, value: Tensor, neutral: float = 0.0) -> Tensor:
        return torch.where(chance(multiplier), value, neutral)

    flip = drawn(strengths.flip, 1 - 2 * (uniform(1) < 0.5).float(), 1.0)
    quarter = drawn(strengths.rotate90, (uniform(1) * 4).floor())
    pixels = drawn(strengths.translate_pixels, uniform(2) * 0.25 - 0.125)
    scale = drawn(strengths.scale, (normal(1) * 0.2).exp2(), 1.0)
    # Two rotations of probability 1 - sqrt(1 - p) each: one of them happens with probability p.
    once = 1 - (1 - (strengths.rotate * p).clamp(max=1.0)).sqrt()
    before = torch.where(uniform()[:, None] < once, (uniform(1) * 2 - 1) * math.pi, 0.0)
    after = torch.where(uniform()[:, None] < once, (uniform(1) * 2 - 1) * math.pi, 0.0)
    stretch = drawn(strengths.stretch, (normal(1) * 0.2).exp2(), 1.0)
    shift = drawn(strengths.translate, normal(2) * 0.125)

    inverse = _scale(flip[:, 0], torch.ones_like(flip[:, 0]))
    inverse = inverse @ _rotate(quarter[:, 0] * (-math.pi / 2))
    inverse = inverse @ _translate((pixels[:, 0] * width).round().neg(), (pixels[:, 1] * height).round().neg())
    inverse = inverse @ _scale(1 / scale[:, 0], 1 / scale[:, 0]) @ _rotate(-before[:, 0])
    inverse = inverse @ _scale(1 / stretch[:, 0], stretch[:, 0]) @ _rotate(-after[:, 0])
    return inverse @ _translate(-shift[:, 0] * width, -shift[:, 1] * height)


def warp(image: Tensor, inverse: Tensor) -> Tensor:
    """Apply transformations with little aliasing: double by sym6, sample bilinearly, halve by sym6 (appendix B).

    The image [n, c, h, w] is continued without end by its mirror image, which does not repeat the outermost pixels; `inverse`
    is [n, 3, 3]. The two filters are matrix products along the axes.
    """
    n, _, height, width = image.shape
    device, dtype = image.device, image.dtype
    image = image.contiguous()
    double = upsampling_matrix(height, device, dtype) @ image @ upsampling_matrix(width, device, dtype).T
    grid = _sampling_grid(inverse.to(dtype), height, width)
    sampled = grid_sample(double, grid)
    halved = downsampling_matrix(height, device, dtype) @ sampled @ downsampling_matrix(width, device, dtype).T
    return halved.reshape(n, -1, height, width)


def _sampling_grid(inverse: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel of the doubled result with REACH more on each side lies in the doubled input, in [-1, 1]."""

    def axis(size: int) -> Tensor:
        samples = torch.arange(2 * size + 2 * REACH, device=inverse.device, dtype=inverse.dtype)
        return (samples - REACH + 0.5 + DELAY) / 2 - size / 2

    # one product: place[n, y, x] = A[n] (x, y) + t[n], from the outer border of the first pixel on
    offset = inverse[:, :2, 2] + constant((width / 2, height / 2), inverse.device, inverse.dtype) - DELAY / 2
    along_x = axis(width)[None, :, None] * inverse[:, None, :2, 0]
    along_y = axis(height)[None, :, None] * inverse[:, None, :2, 1] + offset[:, None]
    place = along_x[:, None] + along_y[:, :, None]
    return torch.stack([_within(place[..., 0], width), _within(place[..., 1], height)], dim=-1)


def _within(place: Tensor, size: int) -> Tensor:
    """Places on an axis, in pixels, brought into the doubled input that has a margin, whose content repeats: in [-1, 1]."""
    first = margin(size) - 0.25  # the centre of the doubled input's first sample
    repeated = (place + first).remainder(max(2 * (size - 1), 1))
    return (2 * repeated + 0.5) / (size + 2 * margin(size)) - 1
