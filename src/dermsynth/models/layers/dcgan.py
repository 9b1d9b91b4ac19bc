"""Generator and discriminator of DCGAN (Radford et al. 2015) at any size that doubles from a small constant."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from dermsynth.models.layers.convolutional import BatchNorm, down, draw_weights, up, with_label
from dermsynth.models.layers.shapes import Shape


def widths(shape: Shape, features: int, maximum: int) -> list[int]:
    """Feature maps at the constant's size and after each doubling but the last: halving down to `features`."""
    return [min(features << (shape.doublings - 1 - i), maximum) for i in range(shape.doublings)]


class Generator(nn.Module):
    """z and class -> image by transposed convolutions (LUNAGARIYA's table at 64 px, latent 100, 64 features)."""

    def __init__(self, shape: Shape, latent: int, classes: int, features: int, maximum: int) -> None:
        super().__init__()
        sizes = widths(shape, features, maximum)
        self.start = nn.Sequential(
            nn.ConvTranspose2d(latent + classes, sizes[0], shape.constant, bias=False),
            BatchNorm(sizes[0]),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.ModuleList(up(a, b) for a, b in pairwise(sizes))
        self.to_image = nn.ConvTranspose2d(sizes[-1], 3, 4, 2, 1, bias=False)
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """[n, latent], one-hot [n, classes] -> [n, 3, h, w] in [-1, 1]."""
        return self.to_image(self.features(z, label)[-1]).tanh()

    def features(self, z: Tensor, label: Tensor, blocks: int | None = None) -> list[Tensor]:
        """Feature maps at the constant's size and after each of the first `blocks` doublings (all by default)."""
        features = [self.start(with_label(z, label)[:, :, None, None])]
        for block in self.blocks[:blocks]:
            features.append(block(features[-1]))
        return features


class Discriminator(nn.Module):
    """Image and class -> logit by strided convolutions; batch norm on all but the first and the last."""

    def __init__(self, shape: Shape, classes: int, features: int, maximum: int, *, normalise: bool = True) -> None:
        super().__init__()
        sizes = widths(shape, features, maximum)[::-1]
        self.blocks = nn.ModuleList([down(3 + classes, sizes[0], normalise=False)])
        self.blocks.extend(down(a, b, normalise=normalise) for a, b in pairwise(sizes))
        self.output = nn.Conv2d(sizes[-1], 1, shape.constant, bias=False)
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """[n, 3, h, w], one-hot [n, classes] -> logits [n]."""
        return self.logits_from(self.blocks[0](with_label(image, label)), len(self.blocks) - 1)

    def logits_from(self, x: Tensor, blocks: int) -> Tensor:
        """Feature maps that still have to pass the last `blocks` blocks -> logits [n]."""
        for block in self.blocks[len(self.blocks) - blocks :]:
            x = block(x)
        return self.output(x).flatten()
