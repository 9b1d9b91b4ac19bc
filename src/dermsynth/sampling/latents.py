"""Latent points of seeds, and images of points: the two halves of generating an image."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from dermsynth.models.base import Condition, Model
from dermsynth.models.sampler import one_hot, padded_chunks, stacked_noise


def latent_points(model: Model, seeds: Sequence[int], numbers: Sequence[int], truncation: float | None) -> Tensor:
    """The points [n, d] of seeds and class numbers: w of a family with styles, else z."""
    chunks = []
    for index, count in padded_chunks(len(seeds)):
        z = stacked_noise(model, [seeds[i] for i in index])[0]
        with torch.no_grad():
            w = model.style(z, one_hot([numbers[i] for i in index], model.classes, z.device), truncation)
            chunks.append((model.truncate(z, truncation) if w is None else w)[:count])
    return torch.cat(chunks)


def images_of_points(model: Model, points: Tensor, seeds: Sequence[int], numbers: Sequence[int]) -> Iterator[Tensor]:
    """Images [k, 3, h, w] of points, some at a time, with the other noise of the seeds; gradients flow to the points.

    In W points are [n, d] or [n, layers, d]; in Z the class numbers are the images' classes.
    """
    for index, count in padded_chunks(len(seeds)):
        chunk, noise = points[index[0] : index[0] + count], stacked_noise(model, [seeds[i] for i in index])
        filling = chunk[-1:].expand(len(index) - count, *chunk.shape[1:])
        padded = torch.cat([chunk, filling])
        if model.has_style():
            images = model.synthesise(padded, noise[1:])
        else:
            label = one_hot([numbers[i] for i in index], model.classes, padded.device)
            images = model.sample([padded, *noise[1:]], Condition(label), None)
        yield images[:count]
