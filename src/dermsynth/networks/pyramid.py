"""The network that makes what a level of an image pyramid lacks (Denton et al. 2015)."""

import torch
from torch import Tensor, nn

from dermsynth.networks.convolutional import LEAK, BatchNorm, draw_weights, with_label


class ResidualGenerator(nn.Module):
    """Blurred image, a plane of noise and the class -> the residual that sharpens it."""

    def __init__(self, classes: int, features: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (4 + classes, features, features):
            layers += [
                nn.Conv2d(inputs, features, 3, padding=1, bias=False),
                BatchNorm(features),
                nn.LeakyReLU(LEAK, inplace=True),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(features, 3, 3, padding=1))
        draw_weights(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, low: Tensor, noise: Tensor, label: Tensor) -> Tensor:
        """[n, 3, h, w], [n, 1, h, w], one-hot [n, classes] -> [n, 3, h, w]."""
        residual: Tensor = self.layers(with_label(torch.cat([low, noise], dim=1), label))
        return residual
