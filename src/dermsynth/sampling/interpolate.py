"""Interpolations: images between two latents (BAUR), which show whether images were learned by heart."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermsynth.errors import UserError
from dermsynth.models.base import Condition, Model
from dermsynth.models.sampler import one_hot, seed_noise, to_bytes


def spherical(start: Tensor, end: Tensor, share: float) -> Tensor:
    """Spherical interpolation (White 2016) between vectors of one shape: their length stays that of normal numbers."""
    cosine = torch.nn.functional.cosine_similarity(start.flatten(), end.flatten(), dim=0).clamp(-1, 1)
    angle = float(torch.acos(cosine))
    if math.sin(angle) < 1e-6:
        return torch.lerp(start, end, share)
    return (math.sin((1 - share) * angle) * start + math.sin(share * angle) * end) / math.sin(angle)


def walk(model: Model, seeds: Sequence[int], steps: int, label: int = 0) -> NDArray[np.uint8]:
    """Images uint8 [steps, 3, h, w] from the latent of the first seed to that of the last; other noise is that of the first.

    Raises UserError for families without a latent.
    """
    shapes = model.noise_shapes()
    if not shapes:
        raise UserError("walk: this family has no latent to walk through")
    device = next(model.parameters()).device
    first, last = seed_noise(seeds[0], shapes), seed_noise(seeds[-1], shapes)
    training = model.training
    model.eval()
    images = []
    for step in range(steps):
        latent = spherical(first[0], last[0], step / max(steps - 1, 1))
        noise = [array[None].to(device) for array in (latent, *first[1:])]
        with torch.no_grad():
            image = model.sample(noise, Condition(one_hot([label], model.classes, device)), None)
        images.append(to_bytes(image))
    model.train(training)
    return np.concatenate(images)
