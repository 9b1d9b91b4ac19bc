"""MobileNetV2 (Sandler et al. 2018): a classifier's backbone that trains on a CPU."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dermsynth.errors import UserError
from dermsynth.on_device import constant

FEATURES, STEM = 1280, 32
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, features, repetitions, stride of every row of table 2."""


def unit(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Widen, convolve each map alone, narrow; added to the input where the shapes agree (figure 3b)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.conv = nn.Sequential(
            unit(inputs, inner),
            unit(inner, inner, 3, stride, inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> [n, outputs, h / stride, w / stride]."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Images normalised like ImageNet's -> features [n, 1280], the mean over places.

    The first block has a widening layer of factor 1 like all others: so is the published network whose weights are read.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [unit(3, STEM, 3, 2)]
        inputs = STEM
        for expansion, outputs, repetitions, stride in BLOCKS:
            for index in range(repetitions):
                layers.append(InvertedResidual(inputs, outputs, expansion, stride if index == 0 else 1))
                inputs = outputs
        self.features = nn.Sequential(*layers, unit(inputs, FEATURES))
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, 1280]."""
        features: Tensor = self.features(image).mean(dim=(2, 3))
        return features


def normalise_imagenet(image: Tensor) -> Tensor:
    """Float [n, 3, h, w] of 0 to 1, by the mean and deviation of ImageNet's photographs."""
    mean, deviation = _moments(image)
    return (image - mean) / deviation


def denormalise_imagenet(image: Tensor) -> Tensor:
    """The inverse of `normalise_imagenet`."""
    mean, deviation = _moments(image)
    return image * deviation + mean


def _moments(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of ImageNet's photographs, as an image of the same kind takes them."""
    mean, deviation = (
        constant(v, image.device, image.dtype).reshape(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    return mean, deviation


def load_mobilenet(path: Path) -> MobileNetV2:
    """A network with the weights of a safetensors file (names as torchvision's).

    Raises UserError when the file is missing, no safetensors file, or of another network.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file of weights")
    network = MobileNetV2()
    try:
        network.load_state_dict(load_file(path))
    except SafetensorError as error:
        raise UserError(f"{path}: not a safetensors file ({error})") from error
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()[:200]
        raise UserError(f"{path}: not the weights of this MobileNetV2 ({reason})") from error
    return network
