"""The modernised residual networks of R3GAN (Huang et al. 2024, section 4): no normalisation, grouped convolutions."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.networks.blocks import ACTIVATION_GAIN, LEAK
from dermsynth.networks.convolutional import with_label
from dermsynth.networks.resample import downsample, upsample
from dermsynth.networks.shapes import Shape, channels_at

EXPANSION, GROUP, BLOCKS = 2, 16, 2


def draw(layer: nn.Conv2d | nn.Linear, gain: float) -> None:
    """N(0, gain^2 / inputs): the variance of the activations is kept where `gain` is the activation's."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(fan_in)) if gain else nn.init.zeros_(layer.weight)


def convolution(inputs: int, outputs: int, kernel: int, *, groups: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """Convolution without bias, drawn by `draw`."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    draw(layer, gain)
    return layer


class BiasedActivation(nn.Module):
    """A bias, then a leaky ReLU of slope 0.2."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        """[n, features, h, w] -> the same shape."""
        return F.leaky_relu_(x + self.bias[:, None, None], LEAK)


class ResidualBlock(nn.Module):
    """x + 1x1(3x3 grouped(1x1(x))), widened by 2 in between (the paper's inverted bottleneck, configuration E).

    The last convolution starts at zero and the first is scaled by L^(-1/4), L the number of blocks, so that a network
    without normalisation starts as the identity (Zhang et al. 2019, fix-up initialisation).
    """

    def __init__(self, features: int, blocks_in_network: int) -> None:
        super().__init__()
        inner = features * EXPANSION
        gain = ACTIVATION_GAIN / math.sqrt(1 + LEAK**2)
        self.first = convolution(features, inner, 1, gain=gain * blocks_in_network**-0.25)
        self.first_activation = BiasedActivation(inner)
        self.second = convolution(inner, inner, 3, groups=max(inner // GROUP, 1), gain=gain * blocks_in_network**-0.25)
        self.second_activation = BiasedActivation(inner)
        self.last = convolution(inner, features, 1, gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """[n, features, h, w] -> the same shape."""
        y = self.second_activation(self.second(self.first_activation(self.first(x))))
        return x + self.last(y)


class Stage(nn.Module):
    """Residual blocks at one resolution; `change` is what brings the other resolution's features to this width."""

    def __init__(self, inputs: int, outputs: int, blocks: int) -> None:
        super().__init__()
        self.change = convolution(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.blocks = nn.Sequential(*(ResidualBlock(outputs, blocks) for _ in range(BLOCKS)))

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> [n, outputs, h, w]."""
        y: Tensor = self.blocks(self.change(x))
        return y


class Generator(nn.Module):
    """z and class modulate a learned basis of the constant's size; then blocks and doublings by the filter [1, 3, 3, 1].

    The filter is nearly bilinear enlarging, but sees zeros outside the image.
    """

    def __init__(self, shape: Shape, latent: int, classes: int, base: int, maximum: int) -> None:
        super().__init__()
        widths = [rounded(channels_at(level, base, maximum)) for level in shape.levels]
        self.basis = nn.Parameter(torch.randn(widths[0], *shape.constant))
        self.linear = nn.Linear(latent + classes, widths[0], bias=False)
        draw(self.linear, 1.0)
        count = BLOCKS * len(widths)
        self.stages = nn.ModuleList(Stage(a, b, count) for a, b in pairwise([widths[0], *widths]))
        self.to_image = convolution(widths[-1], 3, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """[n, latent], one-hot [n, classes] -> [n, 3, h, w], nominally in [-1, 1]."""
        x = self.basis * self.linear(with_label(z, label))[:, :, None, None]
        x = x.contiguous(memory_format=torch.channels_last)
        for index, stage in enumerate(self.stages):
            if index:
                x = upsample(x)
            x = stage(x)
        image: Tensor = self.to_image(x)
        return image


class Discriminator(nn.Module):
    """The generator's mirror, halving by the same filter.

    The last feature maps pass one depthwise convolution of their whole size and a linear layer.
    """

    def __init__(self, shape: Shape, classes: int, base: int, maximum: int) -> None:
        super().__init__()
        widths = [rounded(channels_at(level, base, maximum)) for level in shape.levels][::-1]
        self.from_image = convolution(3, widths[0], 1)
        count = BLOCKS * len(widths)
        self.stages = nn.ModuleList(Stage(a, b, count) for a, b in pairwise([widths[0], *widths]))
        self.whole = nn.Conv2d(widths[-1], widths[-1], shape.constant, groups=widths[-1], bias=False)
        draw(self.whole, 1.0)
        self.output = nn.Linear(widths[-1], max(classes, 1), bias=False)
        draw(self.output, 1.0)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """[n, 3, h, w], one-hot [n, classes] -> logits [n]: that of the image's class."""
        x = self.from_image(image)
        for index, stage in enumerate(self.stages):
            if index:
                x = downsample(x)
            x = stage(x)
        scores: Tensor = self.output(self.whole(x).flatten(1))
        return scores.squeeze(1) if label.shape[1] == 0 else (scores * label).sum(dim=1)


def rounded(width: int) -> int:
    """The next multiple of half a group, so that grouped convolutions come out even."""
    step = GROUP // EXPANSION
    return max(step, width // step * step)
