"""Perceptual distance of images: in the layers of a trained network (Zhang et al. 2018) whose weights the user names."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dermsynth.backbones.extractors import timm_network
from dermsynth.backbones.mobilenet import load_mobilenet, normalise_imagenet
from dermsynth.backbones.spec import parse_spec
from dermsynth.errors import UserError
from dermsynth.images import require_pixels
from dermsynth.io import file_hash

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
        spec = parse_spec(place, ["timm:NAME=FILE"], "perceptual")
        network = timm_network(spec.name, spec.path, "`perceptual`").requires_grad_(False)
        if not hasattr(network, "forward_intermediates"):
            raise UserError(
                f"`perceptual` {place!r}: this backbone does not show its layers; use another, for example vgg19"
            )
        self._name = spec.name
        self._network: list[Any] = [network]  # in a list: not a sub-module, so never saved

    def forward(self, real: Tensor, generated: Tensor) -> Tensor:
        """Two batches [n, 3, h, w] in [-1, 1] -> a number."""
        network = self._network[0].to(real.device)
        with torch.no_grad():
            target = self._layers(network, real)
        layers = self._layers(network, generated)
        weights = layer_weights(len(target))
        terms = [w * (a - b).abs().mean() for w, a, b in zip(weights, target, layers, strict=True)]
        return torch.stack(terms).sum()

    def _layers(self, network: Any, image: Tensor) -> list[Tensor]:
        x = normalise_imagenet((image + 1) / 2)
        if self._name != "vgg19":
            layers: list[Tensor] = network.forward_intermediates(x, intermediates_only=True)
            return layers
        layers = []
        for index, layer in enumerate(network.features[: VGG19_LAYERS[-1] + 1]):
            x = layer(x)
            if index in VGG19_LAYERS:
                layers.append(x)
        return layers


Layers = Callable[[Tensor], Iterator[Tensor]]
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Normalisation of images in [-1, 1] that the published weights of LPIPS were fitted with."""
BATCH, SLICES = 32, 5
TAPS = (1, 3, 6, 13, 18)
"""Blocks of MobileNetV2 after which the image is half, a quarter, ... as large, and the last one."""


@dataclass(frozen=True)
class PerceptualSpace:
    """Images as vectors whose squared Euclidean distance is the perceptual distance.

    d(x, x0) = sum over layers l of 1 / (H_l W_l) sum over places of |w_l * (y_l - y0_l)|^2, y the channels of a place brought
    to unit length (Zhang et al. 2018, equation 1). `name` says whether w are the fitted weights (LPIPS) or ones. The network
    follows the images to their device.
    """

    name: str
    identity: str
    layers: Layers
    weights: tuple[Tensor, ...] | None = None

    def vectors(self, images: Tensor) -> Tensor:
        """Float [n, 3, h, w] in [-1, 1] -> [n, d]."""
        parts = []
        for number, layer in enumerate(self.layers(images)):
            unit = layer / (layer.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
            if self.weights is not None:
                unit = unit * self.weights[number].sqrt().to(unit.device)
            parts.append(unit.flatten(1) / (layer.shape[2] * layer.shape[3]) ** 0.5)
        return torch.cat(parts, dim=1)

    def distance(self, first: Tensor, second: Tensor) -> Tensor:
        """Of pairs, float [n, 3, h, w] in [-1, 1]: [n]."""
        return (self.vectors(first) - self.vectors(second)).square().sum(dim=1)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors [n, d] of uint8 [n, 3, h, w], batch by batch."""
        require_pixels(images)
        with torch.inference_mode():
            parts = (torch.from_numpy(np.array(images[i : i + BATCH])) for i in range(0, len(images), BATCH))
            return np.concatenate([self.vectors(part.float() / 127.5 - 1).numpy() for part in parts])


def load_perceptual(specification: str) -> PerceptualSpace:
    """`lpips=FILE` (the state of the published LPIPS, AlexNet or VGG-16, as safetensors) or `mobilenet=FILE` (unfitted).

    Raises UserError when the name or the file is not understood.
    """
    spec = parse_spec(specification, ["lpips=FILE", "mobilenet=FILE"], "perceptual")
    return _lpips(spec.path) if spec.kind == "lpips" else _mobilenet(spec.path)


def _mobilenet(path: Path) -> PerceptualSpace:
    network = load_mobilenet(path).eval().requires_grad_(False)

    def layers(images: Tensor) -> Iterator[Tensor]:
        x = normalise_imagenet((images + 1) / 2)
        for number, block in enumerate(network.to(images.device).features):
            x = block(x)
            if number in TAPS:
                yield x

    return PerceptualSpace("perceptual distance, mobilenet_v2", f"mobilenet:{file_hash(path)}", layers)


def _lpips(path: Path) -> PerceptualSpace:
    if not path.is_file():
        raise UserError(f"{path}: no such file of weights")
    try:
        state = load_file(path)
        slices = [_convolutions(state, number + 1) for number in range(SLICES)]
        weights = tuple(state[f"lin{number}.model.1.weight"].float().clamp(min=0) for number in range(SLICES))
    except SafetensorError as error:
        raise UserError(f"{path}: not a safetensors file ({error})") from error
    except KeyError as error:
        raise UserError(f"{path}: not the state of LPIPS ({error.args[0]} is missing)") from error
    widths = [convolutions[-1][0].shape[0] for convolutions in slices]
    alex, vgg = [64, 192, 384, 256, 256], [64, 128, 256, 512, 512]
    if widths not in (alex, vgg):
        raise UserError(f"{path}: LPIPS of another network than AlexNet or VGG-16 (widths {widths})")
    name = "AlexNet" if widths == alex else "VGG-16"
    layers = _alexnet(slices) if widths == alex else _vgg(slices)
    return PerceptualSpace(f"LPIPS, {name}", f"lpips:{file_hash(path)}", layers, weights)


Convolution = tuple[Tensor, Tensor]
Slices = list[list[Convolution]]


def _convolutions(state: Mapping[str, Tensor], number: int) -> list[Convolution]:
    """Weights and biases of a slice in the order of the network."""
    prefix = f"net.slice{number}."
    places = sorted(int(key.split(".")[2]) for key in state if key.startswith(prefix) and key.endswith(".weight"))
    if not places:
        raise KeyError(f"{prefix}*.weight")
    return [(state[f"{prefix}{p}.weight"].float(), state[f"{prefix}{p}.bias"].float()) for p in places]


def _scale(images: Tensor) -> Tensor:
    shift, scale = (torch.tensor(v, device=images.device).reshape(1, 3, 1, 1) for v in (SHIFT, SCALE))
    return (images - shift) / scale


def _copies_by_device(slices: Slices) -> Callable[[torch.device], Slices]:
    """The convolutions on any device; each copy is made once."""
    copies: dict[torch.device, Slices] = {}

    def on(device: torch.device) -> Slices:
        if device not in copies:
            copies[device] = [[(weight.to(device), bias.to(device)) for weight, bias in part] for part in slices]
        return copies[device]

    return on


def _alexnet(slices: Slices) -> Layers:
    """Five convolutions, the first with stride 4; maxima of 3 before the second and the third (Krizhevsky 2014)."""
    slices_on = _copies_by_device(slices)

    def layers(images: Tensor) -> Iterator[Tensor]:
        x = _scale(images)
        for number, ((weight, bias),) in enumerate(slices_on(images.device)):
            x = F.max_pool2d(x, 3, 2) if number in (1, 2) else x
            stride, padding = (4, 2) if number == 0 else (1, weight.shape[2] // 2)
            x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            yield x

    return layers


def _vgg(slices: Slices) -> Layers:
    """Convolutions of 3, maxima of 2 between slices (Simonyan & Zisserman 2015, configuration D)."""
    slices_on = _copies_by_device(slices)

    def layers(images: Tensor) -> Iterator[Tensor]:
        x = _scale(images)
        for number, convolutions in enumerate(slices_on(images.device)):
            x = F.max_pool2d(x, 2) if number else x
            for weight, bias in convolutions:
                x = F.relu(F.conv2d(x, weight, bias, padding=1))
            yield x

    return layers
