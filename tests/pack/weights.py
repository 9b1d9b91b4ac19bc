"""Drawn weights of published networks: the same numbers on every machine."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

Shapes = Mapping[str, Sequence[int]]
SEED = 20260101
ALEXNET = {
    "slice1.0": (64, 3, 11, 11),
    "slice2.3": (192, 64, 5, 5),
    "slice3.6": (384, 192, 3, 3),
    "slice4.8": (256, 384, 3, 3),
    "slice5.10": (256, 256, 3, 3),
}
ALEXNET_WIDTHS = (64, 192, 384, 256, 256)


def drawn(shapes: Shapes) -> dict[str, Tensor]:
    """A state in which signals neither grow nor vanish from layer to layer.

    Every tensor depends on its own name alone. Kernels are normal with variance 2 / inputs, variances lie in [0.5, 1.5].
    """
    return {name: torch.from_numpy(_tensor(name, tuple(shape))) for name, shape in shapes.items()}


def _tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:  # type: ignore[type-arg]
    random = np.random.default_rng([SEED, *name.encode()])
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if len(shape) > 1:
        spread = (2 / np.prod(shape[1:])) ** 0.5
        return (random.standard_normal(shape, np.float32) * np.float32(spread)).astype(np.float32)
    if name.endswith(("running_var", "bn.weight", ".weight")):
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    return (random.standard_normal(shape, np.float32) * np.float32(0.1)).astype(np.float32)


def inception(convolutions: Shapes) -> dict[str, Tensor]:
    """The state of the FID Inception-v3 with its classes, from the shapes of its convolutions."""
    shapes: dict[str, Sequence[int]] = {"fc.weight": (1008, 2048)}
    for name, shape in convolutions.items():
        shapes[f"{name}.conv.weight"] = shape
        for part in ("bias", "running_mean", "running_var"):
            shapes[f"{name}.bn.{part}"] = shape[:1]
    return drawn(shapes)


def lpips_alexnet() -> dict[str, Tensor]:
    """The state of LPIPS on AlexNet; the weights of the channels are not negative."""
    shapes: dict[str, Sequence[int]] = {}
    for name, shape in ALEXNET.items():
        shapes[f"net.{name}.weight"], shapes[f"net.{name}.bias"] = shape, shape[:1]
    state = drawn(shapes)
    channels = drawn({f"lin{n}.model.1.weight": (1, width, 1, 1) for n, width in enumerate(ALEXNET_WIDTHS)})
    return state | {name: value.abs() for name, value in channels.items()}


def mobilenet(shapes: Shapes) -> dict[str, Tensor]:
    """The state of this project's MobileNetV2 from the shapes of torchvision's, which has no widening layer in block 1.

    Here that layer changes nothing: an identity, and a batch norm of variance 1 - epsilon.
    """
    state = {}
    for name, value in drawn(shapes).items():
        block, _, rest = name.partition(".")
        if block == "1":
            number, _, tail = rest.removeprefix("conv.").partition(".")
            rest = f"conv.{int(number) + 1}.{tail}"
        state[f"features.{block}.{rest}"] = value
    channels = shapes["0.1.weight"][0]
    identity = torch.nn.Sequential(torch.nn.Conv2d(channels, channels, 1, bias=False), torch.nn.BatchNorm2d(channels))
    torch.nn.init.dirac_(identity[0].weight)
    identity[1].running_var.fill_(1 - identity[1].eps)
    return state | {f"features.1.conv.0.{name}": value for name, value in identity.state_dict().items()}
