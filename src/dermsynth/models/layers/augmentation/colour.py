"""Random colour transformations as 3x4 matrices, and image-space filtering, noise and cut-out."""

import math

import torch
from torch import Tensor

from dermsynth.models.layers.augmentation.geometry import Draw
from dermsynth.models.layers.augmentation.strengths import Strengths
from dermsynth.models.layers.augmentation.wavelets import bank_of_filters, shift_matrices
from dermsynth.on_device import constant

POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
"""Expected power of natural images in the four bands, lowest first (appendix B, image-space filtering)."""
CROSS = ((0.0, -1.0, 1.0), (1.0, 0.0, -1.0), (-1.0, 1.0, 0.0))
"""The cross product with (1, 1, 1)."""


def random_colour(uniform: Draw, normal: Draw, p: Tensor, strengths: Strengths) -> tuple[Tensor, Tensor]:
    """Linear part [n, 3, 3] and offset [n, 3] of the colour transformation of every image.

    Brightness N(0, 0.2), contrast 2^N(0, 0.5), luma inversion, hue rotation about the grey axis, saturation
    2^N(0, 1) (Karras et al. 2020b, appendix B, algorithm 1, lines 29 to 46).
    """

    def drawn(multiplier: float, value: Tensor, neutral: float = 0.0) -> Tensor:
        return torch.where(uniform() < multiplier * p, value, neutral)[:, None, None]

    brightness = drawn(strengths.brightness, normal() * 0.2)
    contrast = drawn(strengths.contrast, (normal() * 0.5).exp2(), 1.0)
    inversion = drawn(strengths.luma_inversion, (uniform() < 0.5).float())
    angle = drawn(strengths.hue, (uniform() * 2 - 1) * math.pi)
    saturation = drawn(strengths.saturation, normal().exp2(), 1.0)

    eye = torch.eye(3, device=brightness.device)
    grey = torch.full((3, 3), 1 / 3, device=brightness.device)
    linear = contrast * eye
    offset = brightness.expand(-1, 3, 1) * contrast
    for matrix in (eye - 2 * inversion * grey, _hue_rotation(angle), grey + (eye - grey) * saturation):
        linear, offset = matrix @ linear, matrix @ offset
    return linear, offset[:, :, 0]


def _hue_rotation(angle: Tensor) -> Tensor:
    """Rotation about the grey axis (Rodrigues' formula): [n, 1, 1] -> [n, 3, 3]."""
    eye = torch.eye(3, device=angle.device)
    grey = torch.full((3, 3), 1 / 3, device=angle.device)
    cross = constant(CROSS, angle.device) / math.sqrt(3)
    return angle.cos() * eye + angle.sin() * cross + (1 - angle.cos()) * grey


def recolour(image: Tensor, linear: Tensor, offset: Tensor) -> Tensor:
    """Apply the colour transformation to every pixel: [n, 3, h, w] -> the same."""
    flat = torch.baddbmm(offset[:, :, None].to(image.dtype), linear.to(image.dtype), image.flatten(2))
    return flat.reshape(image.shape)


def random_gains(uniform: Draw, normal: Draw, p: Tensor, strengths: Strengths) -> Tensor:
    """Gain of each of the four frequency bands, normalised to keep the expected power: [n, 4]."""
    gains = torch.ones_like(uniform(4))
    power = constant(POWER, gains.device)
    for band in range(4):
        drawn = torch.where(uniform() < strengths.filtering * p, normal().exp2(), 1.0)
        factor = torch.ones_like(gains)
        factor[:, band] = drawn
        gains = gains * factor / (factor.square() @ power).sqrt()[:, None]
    return gains


def equalise(image: Tensor, gains: Tensor) -> Tensor:
    """Amplify or damp the four frequency bands of every image, separably along both axes (appendix B)."""
    n, _, height, width = image.shape
    taps = gains.to(image.dtype) @ bank_of_filters(image.device, image.dtype)
    rows = (taps @ shift_matrices(height, image.device, image.dtype)).reshape(n, 1, height, height)
    columns = (taps @ shift_matrices(width, image.device, image.dtype)).reshape(n, 1, width, width)
    return rows @ image @ columns.transpose(2, 3)


def cut_out(image: Tensor, centre: Tensor) -> Tensor:
    """Set a rectangle of half the image's height and width about `centre` [n, 2] in [0, 1] to zero."""
    _, _, height, width = image.shape
    x = (torch.arange(width, device=image.device) + 0.5) / width
    y = (torch.arange(height, device=image.device) + 0.5) / height
    outside_x = (x[None] - centre[:, :1]).abs() >= 0.25
    outside_y = (y[None] - centre[:, 1:]).abs() >= 0.25
    return image * (outside_y[:, None, :, None] | outside_x[:, None, None, :])
