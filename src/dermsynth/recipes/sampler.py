"""Images that are a function of weights, seed, label and truncation, whatever the batch they are made in."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermsynth.draws import seed_of
from dermsynth.recipes.contract import Recipe

CHUNK = 16
"""Images are always computed this many at a time, the last ones padded: rounding then never depends on the request."""


def to_bytes(images: Tensor) -> NDArray[np.uint8]:
    """[-1, 1] -> 0 ... 255, rounded to nearest: float [n, 3, h, w] -> uint8 of the same shape."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().contiguous().numpy()


def from_bytes(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """0 ... 255 -> [-1, 1], channels-last on the device."""
    tensor = torch.from_numpy(images).to(device, non_blocking=True)
    return (tensor.to(torch.float32) / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def noise_of(seed: int, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """The standard normal numbers that belong to a seed, computed on the CPU on every machine."""
    generator = torch.Generator().manual_seed(seed_of("image", seed))
    return [torch.randn(shape, generator=generator) for shape in shapes]


def one_hot(labels: Sequence[int] | NDArray[np.int64], classes: int, device: torch.device) -> Tensor:
    """[n] -> float [n, classes]; without classes [n, 0]."""
    index = torch.as_tensor(np.asarray(labels, dtype=np.int64), device=device)
    return torch.eye(classes, device=device)[index] if classes else torch.zeros(len(index), 0, device=device)


def confidence_of(recipe: Recipe, images: NDArray[np.uint8], labels: Sequence[int]) -> NDArray[np.float64] | None:
    """sigmoid(D(x)) of uint8 images [n, 3, h, w], or None where the family has no such discriminator."""
    device, training, found = next(recipe.parameters()).device, recipe.training, []
    recipe.eval()
    with torch.no_grad():
        for start in range(0, len(images), CHUNK):
            part = from_bytes(np.asarray(images[start : start + CHUNK]), device)
            logits = recipe.logits(part, one_hot(labels[start : start + CHUNK], recipe.classes, device))
            found.append(logits)
    recipe.train(training)
    known = [logits.double().sigmoid().cpu().numpy() for logits in found if logits is not None]
    return np.concatenate(known) if known else None


def images_of(
    recipe: Recipe, seeds: Sequence[int], labels: Sequence[int], truncation: float | None = None
) -> NDArray[np.uint8]:
    """Generate uint8 [n, 3, h, w]: image i from seed i, class number i and truncation."""
    device = next(recipe.parameters()).device
    shapes, results = recipe.noise_shapes(), []
    training = recipe.training
    recipe.eval()
    for start in range(0, len(seeds), CHUNK):
        chunk = list(seeds[start : start + CHUNK])
        padded = chunk + chunk[-1:] * (CHUNK - len(chunk))
        label = list(labels[start : start + CHUNK])
        label += label[-1:] * (CHUNK - len(label))
        drawn = [noise_of(seed, shapes) for seed in padded]
        noise = [torch.stack(arrays).to(device) for arrays in zip(*drawn, strict=True)]
        images = recipe.sample(noise, one_hot(label, recipe.classes, device), truncation)
        results.append(to_bytes(images)[: len(chunk)])
    recipe.train(training)
    return np.concatenate(results)
