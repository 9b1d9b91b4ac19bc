"""Generator and discriminator that grow (Karras et al. 2018, section 2 and table 2)."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.networks.blocks import LEAK, Convolution, Dense, minibatch_deviation, normalise_second_moment
from dermsynth.networks.convolutional import with_label
from dermsynth.networks.resample import doubled, halved
from dermsynth.networks.shapes import Shape, channels_at


class FirstLayer(nn.Module):
    """Latent -> feature maps of the constant's size: a dense layer, one bias a map, leaky ReLU, then pixel norm (table 2).

    Its gain is a quarter of the other layers', as the authors' code has it.
    """

    def __init__(self, inputs: int, features: int, height: int, width: int) -> None:
        super().__init__()
        self.size = features, height, width
        self.weight = nn.Parameter(torch.randn(features * height * width, inputs))
        self.bias = nn.Parameter(torch.zeros(features))
        self.gain = math.sqrt(2) / 4 / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] -> [n, features, height, width]."""
        x = F.linear(x, self.weight * self.gain).reshape(len(x), *self.size) + self.bias[:, None, None]
        x = F.leaky_relu(x, LEAK)
        return normalise_second_moment(x.contiguous(memory_format=torch.channels_last))


class GrowingGenerator(nn.Module):
    """z and class -> image at any level so far; level 0 has the size of the constant."""

    def __init__(self, shape: Shape, latent: int, classes: int, base: int, maximum: int) -> None:
        super().__init__()
        widths = [channels_at(level, base, maximum) for level in shape.levels]
        self.start = FirstLayer(latent + classes, widths[0], *shape.constant)
        self.first = Convolution(widths[0], widths[0], 3)
        self.blocks = nn.ModuleList(
            nn.ModuleList([Convolution(a, b, 3), Convolution(b, b, 3)]) for a, b in pairwise(widths)
        )
        self.to_image = nn.ModuleList(Convolution(c, 3, 1, activate=False) for c in widths)

    def forward(self, z: Tensor, label: Tensor, level: int, alpha: float) -> Tensor:
        """[n, latent], one-hot [n, classes] -> [n, 3, h, w] at `level`, of which `alpha` comes from the newest block."""
        x = self.start(with_label(normalise_second_moment(z), label))
        x, before = normalise_second_moment(self.first(x)), None
        for block in list(self.blocks)[:level]:
            before, x = x, doubled(x)
            for convolution in block:  # type: ignore[attr-defined]
                x = normalise_second_moment(convolution(x))
        image: Tensor = self.to_image[level](x)
        if alpha < 1 and before is not None:
            image = torch.lerp(doubled(self.to_image[level - 1](before)), image, alpha)
        return image


class GrowingDiscriminator(nn.Module):
    """Image at a level and class -> logit: the generator's mirror, with minibatch standard deviation at the end."""

    def __init__(self, shape: Shape, classes: int, base: int, maximum: int) -> None:
        super().__init__()
        widths = [channels_at(level, base, maximum) for level in shape.levels]
        self.from_image = nn.ModuleList(Convolution(3, c, 1) for c in widths)
        self.blocks = nn.ModuleList(
            nn.Sequential(Convolution(b, b, 3), Convolution(b, a, 3)) for a, b in pairwise(widths)
        )
        height, width = shape.constant
        self.last = Convolution(widths[0] + 1, widths[0], 3)
        self.dense = Dense(widths[0] * height * width, widths[0], activate=True)
        self.output = Dense(widths[0], max(classes, 1))

    def forward(self, image: Tensor, label: Tensor, level: int, alpha: float) -> Tensor:
        """[n, 3, h, w] at `level`, one-hot [n, classes] -> logits [n]: that of the image's class."""
        x = self.from_image[level](image)
        for index in reversed(range(level)):
            x = halved(self.blocks[index](x))
            if index == level - 1 and alpha < 1:
                x = torch.lerp(self.from_image[index](halved(image)), x, alpha)
        x = self.last(minibatch_deviation(x, 4))
        scores: Tensor = self.output(self.dense(x.flatten(1)))
        return scores.squeeze(1) if label.shape[1] == 0 else (scores * label).sum(dim=1)
