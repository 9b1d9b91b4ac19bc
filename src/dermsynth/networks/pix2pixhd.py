"""The coarse-to-fine generator of pix2pixHD (Wang et al. 2018, section 3.1 and appendix)."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.networks.convolutional import draw_weights
from dermsynth.networks.resample import halved_by_nine
from dermsynth.networks.translation import ResidualBlock, convolution, enlarging


def to_image(features: int) -> nn.Sequential:
    """7x7 convolution on reflected borders, then tanh."""
    return nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(features, 3, 7), nn.Tanh())


class GlobalGenerator(nn.Module):
    """G1: convolutions down, residual blocks, transposed convolutions up; `image` makes an image of what it returns."""

    def __init__(self, inputs: int, features: int, downs: int, blocks: int) -> None:
        super().__init__()
        widths = [features << i for i in range(downs + 1)]
        layers: list[nn.Module] = [convolution(inputs, features, 7)]
        layers += [convolution(a, b, 3, 2) for a, b in itertools.pairwise(widths)]
        layers += [ResidualBlock(widths[-1]) for _ in range(blocks)]
        layers += [enlarging(b, a) for a, b in reversed(list(itertools.pairwise(widths)))]
        self.layers = nn.Sequential(*layers)
        self.image = to_image(features)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> feature maps [n, features, h, w]; sides must be multiples of 2 ^ downs."""
        found: Tensor = self.layers(x)
        return found


class ImageTranslator(nn.Module):
    """The same from image to image: with 64 features and 2 downs Zhu et al.'s c7s1-64, d128, d256, R256 ..., u128, u64, c7s1-3.

    (Zhu et al. 2017, appendix 7.2.)
    """

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        self.body = GlobalGenerator(3, features, 2, blocks)
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, 3, h, w] in [-1, 1]."""
        made: Tensor = self.body.image(self.body(image))
        return made


class LocalEnhancer(nn.Module):
    """G2: works at full size, and adds the features of G1, which sees the map halved, before its residual blocks."""

    def __init__(self, inputs: int, features: int, blocks: int) -> None:
        super().__init__()
        self.front = nn.Sequential(convolution(inputs, features, 7), convolution(features, 2 * features, 3, 2))
        self.back = nn.Sequential(
            *(ResidualBlock(2 * features) for _ in range(blocks)), enlarging(2 * features, features), to_image(features)
        )

    def forward(self, x: Tensor, coarse: Tensor) -> Tensor:
        """[n, inputs, h, w], G1's [n, 2 features, h/2, w/2] -> image [n, 3, h, w]."""
        image: Tensor = self.back(self.front(x) + coarse)
        return image


class CoarseToFineGenerator(nn.Module):
    """G1 alone at half the size, or G1 and G2 together at the full one; any size, by repeating the border."""

    def __init__(self, inputs: int, features: int, downs: int, blocks: int, enhancer_blocks: int) -> None:
        super().__init__()
        self.multiple = 2 ** (downs + 1)
        self.coarse = GlobalGenerator(inputs, features, downs, blocks)
        self.fine = LocalEnhancer(inputs, features // 2, enhancer_blocks)
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def at_half_size(self, x: Tensor) -> Tensor:
        """Maps [n, inputs, h, w] -> images [n, 3, h // 2, w // 2]."""
        height, width = x.shape[2] // 2, x.shape[3] // 2
        image: Tensor = self.coarse.image(self.coarse(halved_by_nine(self._padded(x))))
        return image[:, :, :height, :width]

    def forward(self, x: Tensor, *, freeze_coarse: bool = False) -> Tensor:
        """Maps [n, inputs, h, w] -> images [n, 3, h, w]; with `freeze_coarse` G1 gets no gradient."""
        padded = self._padded(x)
        coarse = self.coarse(halved_by_nine(padded))
        image: Tensor = self.fine(padded, coarse.detach() if freeze_coarse else coarse)
        return image[:, :, : x.shape[2], : x.shape[3]]

    def _padded(self, x: Tensor) -> Tensor:
        right, bottom = -x.shape[3] % self.multiple, -x.shape[2] % self.multiple
        return F.pad(x, (0, right, 0, bottom), mode="replicate") if right or bottom else x
