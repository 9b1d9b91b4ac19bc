"""The networks of FURGER's multi-scale GAN: any aspect ratio, two discriminators at two scales."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from dermsynth.models.layers.convolutional import BatchNorm, activation, down, draw_weights, up, with_label
from dermsynth.models.layers.resample import halve
from dermsynth.models.layers.shapes import Shape

DENSE_FEATURES = 64


class Generator(nn.Module):
    """z and class -> image: dense layer to h0 x w0 x 64, then transposed convolutions whose feature maps halve.

    With `refine`, an unstrided convolution follows each transposed one.
    """

    def __init__(self, shape: Shape, latent: int, classes: int, stages: int, features: int, *, refine: bool) -> None:
        super().__init__()
        self.size = shape.height >> stages, shape.width >> stages
        sizes = [max(features >> i, 4) for i in range(stages)]
        self.dense = nn.Linear(latent + classes, DENSE_FEATURES * self.size[0] * self.size[1])
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([DENSE_FEATURES, *sizes]):
            layers.append(up(inputs, outputs, leaky=True))
            if refine:
                convolution = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
                layers += [convolution, BatchNorm(outputs), activation(leaky=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(sizes[-1], 3, 3, padding=1))
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """[n, latent], one-hot [n, classes] -> [n, 3, h, w] in [-1, 1]."""
        x = self.dense(with_label(z, label)).reshape(len(z), DENSE_FEATURES, *self.size)
        image: Tensor = self.layers(x.contiguous(memory_format=torch.channels_last))
        return image.tanh()


class ScaleDiscriminator(nn.Module):
    """Strided convolutions whose feature maps double, then a dense layer to one logit."""

    def __init__(self, height: int, width: int, classes: int, stages: int, features: int) -> None:
        super().__init__()
        sizes = [3 + classes, *(features << i for i in range(stages))]
        self.blocks = nn.Sequential(*(down(a, b) for a, b in pairwise(sizes)))
        self.dense = nn.Linear(sizes[-1] * (height >> stages) * (width >> stages), 1)
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """[n, 3, h, w], one-hot [n, classes] -> logits [n]."""
        return self.dense(self.blocks(with_label(image, label)).flatten(1)).squeeze(1)


class MultiScaleDiscriminator(nn.Module):
    """Two discriminators of one architecture, of the image and of the image halved; their outputs are averaged."""

    def __init__(self, shape: Shape, classes: int, stages: int, features: int) -> None:
        super().__init__()
        self.fine = ScaleDiscriminator(shape.height, shape.width, classes, stages, features)
        self.coarse = ScaleDiscriminator(shape.height // 2, shape.width // 2, classes, stages, features)

    def forward(self, image: Tensor, label: Tensor) -> Tensor:
        """[n, 3, h, w], one-hot [n, classes] -> logits [n]."""
        return (self.fine(image, label) + self.coarse(halve(image), label)) / 2

    def logits(self, image: Tensor) -> list[Tensor]:
        """[n, 3, h, w] without a class -> the averaged logits [n, 1], as the one map that there is."""
        return [self(image, image.new_zeros(len(image), 0))[:, None]]
