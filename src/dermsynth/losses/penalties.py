"""Gradient penalties that need a second derivative."""

import math

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
