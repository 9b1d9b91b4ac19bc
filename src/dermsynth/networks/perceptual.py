"""Distance of images in the layers of a backbone (Johnson et al. 2016), whose weights the user names."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dermsynth.errors import UserError
from dermsynth.networks.features import timm_network
from dermsynth.networks.mobilenet import imagenet_normalised

VGG19_LAYERS = (1, 6, 11, 20, 29)
"""The first ReLU of each of VGG-19's five stages."""


def layer_weights(count: int) -> list[float]:
    """Weights of `count` layers, the deepest last: ..., 1/32, 1/16, 1/8, 1/4, 1 (the authors' code; none is 1/2)."""
    return [1.0 if depth == 0 else 0.5 ** (depth + 1) for depth in reversed(range(count))]


class PerceptualDistance(nn.Module):
    """Mean absolute difference of a backbone's feature maps, deeper ones counting more (Wang et al. 2018, section 3.3).

    Of VGG-19 the layers are the authors'; of another timm backbone those it shows. Images are normalised as the backbone
    was trained, which the authors leave out. The backbone is no part of a checkpoint.

    Raises UserError when the weights or timm are missing.
    """

    def __init__(self, place: str) -> None:
        super().__init__()
        name, equals, path = place.removeprefix("timm:").partition("=")
        if not place.startswith("timm:") or not equals:
            raise UserError(f"perceptual {place!r}: write timm:NAME=FILE, for example timm:vgg19=vgg19.safetensors")
        network = timm_network(name, Path(path), "perceptual").requires_grad_(False)
        if not hasattr(network, "forward_intermediates"):
            raise UserError(
                f"perceptual {place!r}: this backbone does not show its layers; use another, for example vgg19"
            )
        self._name = name
        self._network: list[Any] = [network]  # in a list: not a sub-module, so never saved

    def forward(self, real: Tensor, made: Tensor) -> Tensor:
        """Two batches [n, 3, h, w] in [-1, 1] -> a number."""
        network = self._network[0].to(real.device)
        with torch.no_grad():
            wanted = self._layers(network, real)
        found = self._layers(network, made)
        weights = layer_weights(len(wanted))
        terms = [w * (a - b).abs().mean() for w, a, b in zip(weights, wanted, found, strict=True)]
        return torch.stack(terms).sum()

    def _layers(self, network: Any, image: Tensor) -> list[Tensor]:
        x = imagenet_normalised((image + 1) / 2)
        if self._name != "vgg19":
            shown: list[Tensor] = network.forward_intermediates(x, intermediates_only=True)
            return shown
        found = []
        for index, layer in enumerate(network.features[: VGG19_LAYERS[-1] + 1]):
            x = layer(x)
            if index in VGG19_LAYERS:
                found.append(x)
        return found
