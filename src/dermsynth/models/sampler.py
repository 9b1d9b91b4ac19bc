"""Generate images as a function of weights, seed, label and truncation, independent of the batch."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dermsynth.data.maps import colour_map
from dermsynth.data.training_set import Minibatch
from dermsynth.models.base import Batch, Condition, DomainImages, Model
from dermsynth.rng import Draws, seed_of

CHUNK = 16
"""Images are always computed this many at a time, the last chunk padded, so that rounding never depends on the request."""


def to_bytes(images: Tensor) -> NDArray[np.uint8]:
    """[-1, 1] -> 0 ... 255, rounded to nearest: float [n, 3, h, w] -> uint8 of the same shape."""
    return ((images.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().contiguous().numpy()


def from_bytes(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """0 ... 255 -> [-1, 1], channels-last on the device."""
    writable = images if images.flags.writeable else images.copy(order="K")  # torch warns of arrays it may not write
    return to_floats(torch.from_numpy(writable).to(device, non_blocking=True))


def to_floats(images: Tensor) -> Tensor:
    """0 ... 255 -> [-1, 1], channels-last."""
    return (images.to(torch.float32) / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def seed_noise(seed: int, shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """The standard normal numbers that belong to a seed, computed on the CPU on every machine."""
    generator = torch.Generator().manual_seed(seed_of("image", seed))
    return [torch.randn(shape, generator=generator) for shape in shapes]


def stacked_noise(model: Model, seeds: Sequence[int]) -> list[Tensor]:
    """All noise of the images of these seeds on the model's device: an [n, ...] array a noise shape."""
    device, shapes = next(model.parameters()).device, model.noise_shapes()
    drawn = [seed_noise(seed, shapes) for seed in seeds]
    return [torch.stack(arrays).to(device) for arrays in zip(*drawn, strict=True)]


def padded_chunks(count: int) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Indices in whole chunks, the last one filled up with its last index, and how many of them are no filling."""
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        yield np.minimum(np.arange(start, start + CHUNK), stop - 1), stop - start


def one_hot(labels: Sequence[int] | NDArray[np.int64], classes: int, device: torch.device) -> Tensor:
    """[n] -> float [n, classes], zeros for -1, an image whose class is not known; without classes [n, 0]."""
    numbers = torch.as_tensor(np.asarray(labels, dtype=np.int64)).to(device, non_blocking=True)
    return label_rows(classes, device)[numbers]


def label_rows(classes: int, device: torch.device) -> Tensor:
    """Float [classes + 1, classes]: a row a class, and as the last, number -1, zeros; without classes [1, 0]."""
    return torch.cat([torch.eye(classes, device=device), torch.zeros(1, classes, device=device)])


def discriminator_confidence(
    model: Model, images: NDArray[np.uint8], labels: Sequence[int]
) -> NDArray[np.float64] | None:
    """sigmoid(D(x)) of uint8 images [n, 3, h, w], or None where the family has no such discriminator."""
    device, training, parts = next(model.parameters()).device, model.training, []
    model.eval()
    with torch.no_grad():
        for start in range(0, len(images), CHUNK):
            part = from_bytes(np.array(images[start : start + CHUNK]), device)
            logits = model.logits(part, one_hot(labels[start : start + CHUNK], model.classes, device))
            parts.append(logits)
    model.train(training)
    confidences = [logits.double().sigmoid().cpu().numpy() for logits in parts if logits is not None]
    return np.concatenate(confidences) if confidences else None


def sample_images(
    model: Model,
    seeds: Sequence[int],
    labels: Sequence[int],
    truncation: float | None = None,
    inputs: Minibatch | None = None,
) -> NDArray[np.uint8]:
    """Generate uint8 [n, 3, h, w]: image i from seed i, class number i, truncation, and input i where the family takes any.

    For families that translate, the input is the image of the other domain.
    """
    device, training, results = next(model.parameters()).device, model.training, []
    model.eval()
    for index, count in padded_chunks(len(seeds)):
        noise = stacked_noise(model, [seeds[i] for i in index])
        condition = _condition(model, [labels[i] for i in index], None if inputs is None else inputs.at(index), device)
        with torch.no_grad():
            images = model.sample(noise, condition, truncation)
        results.append(to_bytes(images)[:count])
    model.train(training)
    return np.concatenate(results)


def _condition(model: Model, labels: Sequence[int], inputs: Minibatch | None, device: torch.device) -> Condition:
    label = one_hot(labels, model.classes, device)
    if inputs is None:
        return Condition(label)
    if inputs.domains is None:
        assert inputs.maps is not None
        return Condition(label, map=torch.from_numpy(inputs.maps).to(device))
    to_target = (np.asarray(labels) == 1)[:, None, None, None]
    image = np.where(to_target, inputs.domains.source, inputs.domains.target)
    mask = torch.from_numpy(inputs.domains.mask).to(device).float()
    return Condition(label, image=from_bytes(image, device), mask=mask)


def make_batch(minibatch: Minibatch, classes: int, draws: Draws, device: torch.device) -> Batch:
    """The images of one training step as tensors on the device."""
    label, domains = one_hot(minibatch.labels, classes, device), None
    if minibatch.domains is not None:
        sides = minibatch.domains
        domains = DomainImages(
            from_bytes(sides.source, device),
            from_bytes(sides.target, device),
            from_bytes(sides.real_source, device),
            from_bytes(sides.real_target, device),
            torch.from_numpy(sides.mask).to(device).float(),
        )
    maps = None if minibatch.maps is None else torch.from_numpy(minibatch.maps).to(device)
    return Batch(from_bytes(minibatch.images, device), label, draws, maps, domains)


def pair_with_inputs(
    samples: NDArray[np.uint8], labels: Sequence[int], inputs: Minibatch, columns: int
) -> NDArray[np.uint8]:
    """Rows of a grid in pairs: a row of inputs, and the row of images [n, 3, h, w] generated from them."""
    if inputs.domains is None:
        assert inputs.maps is not None
        above = colour_map(inputs.maps)
    else:
        to_target = (np.asarray(labels) == 1)[:, None, None, None]
        above = np.where(to_target, inputs.domains.source, inputs.domains.target)
    rows = [part[i : i + columns] for i in range(0, len(samples), columns) for part in (above, samples)]
    return np.concatenate(rows)
