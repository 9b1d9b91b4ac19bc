"""What turns a network into a denoiser and a denoiser into a sampler (Karras et al. 2022, "EDM"), written from the paper.

"Elucidating the design space of diffusion-based generative models", with guidance within an interval of noise levels
(Kynkäänniemi et al. 2024). An image x at noise level sigma is an image with values about -1 to 1 plus N(0, sigma^2).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]
"""From noisy images [n, ...] and their noise levels [n] to clean ones."""


class Scales(NamedTuple):
    """What a network's input and output are multiplied with, [n] each."""

    skip: Tensor
    out: Tensor
    input: Tensor
    noise: Tensor


def scales(sigma: Tensor, data: float) -> Scales:
    """Preconditioning at noise levels [n] for images of deviation `data` (table 1, last column; derived in appendix B.6).

    Input and training target of the network then have unit variance at every noise level, and its errors are amplified least.
    """
    total = sigma.square() + data**2
    return Scales(data**2 / total, sigma * data / total.sqrt(), total.rsqrt(), sigma.log() / 4)


def precondition(network: Denoise, x: Tensor, sigma: Tensor, data: float) -> Tensor:
    """D(x; sigma) = c_skip x + c_out F(c_in x; c_noise) (equation 7), in float32 whatever the network computes in."""
    scale = scales(sigma, data)
    skip, out, inward = (part[:, None, None, None] for part in scale[:3])
    return skip * x + out * network(inward * x, scale.noise).float()


def loss_weight(sigma: Tensor, data: float) -> Tensor:
    """lambda(sigma) = (sigma^2 + data^2) / (sigma data)^2: 1 / c_out^2, so that every level begins with the same loss."""
    return (sigma.square() + data**2) / (sigma * data).square()


def noise_levels(steps: int, lowest: float, highest: float, rho: float) -> list[float]:
    """`steps` noise levels from the highest to the lowest, evenly spaced in sigma^(1 / rho), then 0 (equation 5)."""
    first, last = highest ** (1 / rho), lowest ** (1 / rho)
    levels = [(first + i / max(steps - 1, 1) * (last - first)) ** rho for i in range(steps)]
    return [*levels, 0.0]


def heun(denoise: Denoise, x: Tensor, levels: Sequence[float]) -> Tensor:
    """Follow the probability flow dx/dsigma = (x - D(x; sigma)) / sigma from the first level to the last (algorithm 1).

    Every step is Euler's, then corrected by the slope at its end; the step to 0 has none there and stays Euler's. `x` [n, ...]
    are numbers of N(0, levels[0]^2). Deterministic, second order; it evaluates the denoiser 2 len(levels) - 3 times.
    """

    def slope(image: Tensor, level: float) -> Tensor:
        return (image - denoise(image, image.new_full((len(image),), level))) / level

    for level, lower in pairwise(levels):
        first = slope(x, level)
        moved = x + (lower - level) * first
        x = moved if lower == 0 else x + (lower - level) * (first + slope(moved, lower)) / 2
    return x


def guide(conditional: Denoise, unconditional: Denoise, weight: float, interval: tuple[float, float]) -> Denoise:
    """D_0 + w (D_c - D_0) at noise levels above the lower and up to the upper bound of the interval, D_c elsewhere.

    Classifier-free guidance (Ho & Salimans 2022) within an interval (Kynkäänniemi et al. 2024, equation 5): at high noise it
    costs variety, at low noise it does nothing. All images of a call have one noise level.
    """

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        result = conditional(x, sigma)
        if weight == 1 or not interval[0] < float(sigma[0]) <= interval[1]:
            return result
        return torch.lerp(unconditional(x, sigma), result, weight)

    return denoise
