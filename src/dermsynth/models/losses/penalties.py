"""Gradient penalties that need a second derivative."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """R1 = E[|grad_x D(x)|^2] on real images (Mescheder et al. 2018, equation 9, without gamma / 2).

    `logits` [n] must have been computed from `images` [n, 3, h, w], which require a gradient.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """|J_w^T y| for random images y with N(0, 1) pixels (Karras et al. 2020a, equation 4), per image.

    `images` [n, 3, h, w] were made from `ws` [n, layers, latent]; `noise` has the images' shape and is scaled by
    1 / sqrt(h w), so that lengths do not depend on the resolution. The square is averaged over layers. Returns [n].
    """
    scaled = noise / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * scaled).sum(), ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """(|grad D(x')| - 1)^2 between real and generated images (Gulrajani et al. 2017, equation 3, without lambda).

    x' = mix real + (1 - mix) fake with `mix` [n] uniform in [0, 1); `discriminator` maps images to logits [n].
    """
    mix = mix.reshape(-1, 1, 1, 1)
    between = (mix * real + (1 - mix) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    return (gradient.square().sum(dim=(1, 2, 3)).add(1e-12).sqrt() - 1).square().mean()


def drift_penalty(logits: Tensor) -> Tensor:
    """D(x)^2 over real images, which keeps a critic's output near zero (Karras et al. 2018, appendix A.1)."""
    return logits.square().mean()
