"""Distance of images in the layers of a backbone (Johnson et al. 2016), whose weights the user names."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dermsynth.errors import UserError
from dermsynth.networks.features import timm_network
from dermsynth.networks.mobilenet import imagenet_normalised


class PerceptualDistance(nn.Module):
    """Mean absolute difference of a timm backbone's feature maps, deeper ones counting more (Wang et al. 2018, section 3.3).

    The backbone is no part of a checkpoint. Raises UserError when the weights or timm are missing.
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
        self._network: list[Any] = [network]  # in a list: not a sub-module, so never saved

    def forward(self, real: Tensor, made: Tensor) -> Tensor:
        """Two batches [n, 3, h, w] in [-1, 1] -> a number."""
        network = self._network[0].to(real.device)
        with torch.no_grad():
            wanted = network.forward_intermediates(imagenet_normalised((real + 1) / 2), intermediates_only=True)
        found = network.forward_intermediates(imagenet_normalised((made + 1) / 2), intermediates_only=True)
        terms = [
            (a - b).abs().mean() / 2 ** (len(wanted) - 1 - i)
            for i, (a, b) in enumerate(zip(wanted, found, strict=True))
        ]
        return torch.stack(terms).sum()
