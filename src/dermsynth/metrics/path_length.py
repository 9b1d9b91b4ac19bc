"""Perceptual path length of any map from latents to images (Karras et al. 2019)."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EPSILON = 1e-4
TRIMMED = (1.0, 99.0)
"""Percentiles between which path lengths are averaged."""


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Along the straight line, as in W: [n, d], [n, d], [n] -> [n, d]."""
    return torch.lerp(a, b, t[:, None])


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Along the great circle between the directions of normal latents (Shoemake 1985), as in Z; the result has unit length."""
    a, b = (side / side.norm(dim=1, keepdim=True) for side in (a, b))
    cosine = (a * b).sum(dim=1, keepdim=True)
    angle = t[:, None] * torch.acos(cosine.clamp(-1, 1))
    across = b - cosine * a
    across = across / across.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return a * angle.cos() + across * angle.sin()


def path_classes(labels: Sequence[str], classes: Sequence[str], paths: int, seed: int) -> NDArray[np.int64]:
    """The class numbers [paths] of paths, drawn among the labels that the generator knows; in turn where it knows none."""
    numbers = [classes.index(label) for label in labels if label in classes]
    if not numbers:
        return np.arange(paths) % max(len(classes), 1)
    drawn: NDArray[np.int64] = np.random.default_rng(seed).choice(np.array(numbers), paths)
    return drawn


def perceptual_path_lengths(
    image_of: Callable[[Tensor], Tensor],
    starts: Tensor,
    ends: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    *,
    between: Callable[[Tensor, Tensor, Tensor], Tensor],
    path: Literal["full", "end"],
    generator: torch.Generator,
    crop: Callable[[Tensor], Tensor] | None = None,
    epsilon: float = EPSILON,
) -> NDArray[np.float64]:
    """d(G(l(t)), G(l(t + e))) / e^2 for every pair of latents [n, d] (Karras et al. 2019, equations 2 and 3): [n].

    `image_of` makes images [n, 3, h, w] in [-1, 1], `distance` compares them pair by pair to [n], `between` is lerp (W) or
    slerp (Z), t is uniform in [0, 1) for the full path and 0 for its ends. `crop` cuts images first, as the paper does for
    faces.
    """
    t = torch.rand(len(starts), generator=generator) if path == "full" else torch.zeros(len(starts))
    t = t.to(starts)
    with torch.no_grad():
        first, second = (image_of(between(starts, ends, t + step)) for step in (0.0, epsilon))
        if crop is not None:
            first, second = crop(first), crop(second)
        lengths: NDArray[np.float64] = distance(first, second).double().cpu().numpy() / epsilon**2
    return lengths


def trimmed_mean(lengths: NDArray[np.float64]) -> float:
    """Mean of the path lengths within the 1st and 99th percentile, as the paper's figures are made."""
    low, high = (np.percentile(lengths, q, method=m) for q, m in zip(TRIMMED, ("lower", "higher"), strict=True))  # type: ignore[call-overload]
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())
