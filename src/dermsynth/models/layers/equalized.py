"""Layers with an equalised learning rate (Karras et al. 2018, section 4.1) and the statistics built on them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.2
ACTIVATION_GAIN = math.sqrt(2.0)
CLAMP = 256.0
"""Bound of what every convolution gives, where numbers have few bits (Karras et al. 2020b, appendix D)."""


def normalise_second_moment(x: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Scale every row to unit mean square: x / sqrt(mean x^2) (Karras et al. 2018, equation in section 4.2)."""
    return x * (x.square().mean(dim=1, keepdim=True) + epsilon).rsqrt()


def clamp_magnitude(x: Tensor, limit: float) -> Tensor:
    """Cut off what would run over in a further layer of float16; other numbers, whose range is wider, stay as they are."""
    return x.clamp(-limit, limit) if x.dtype == torch.float16 else x


class Dense(nn.Module):
    """Fully connected layer whose weights are N(0, 1) and scaled at run time by 1 / sqrt(inputs).

    With `activate`, a leaky ReLU of slope 0.2 and gain sqrt(2) follows; the gain is folded into weight and bias,
    which is exact because the leaky ReLU is positively homogeneous.
    """

    def __init__(
        self, inputs: int, outputs: int, *, activate: bool = False, bias: float = 0.0, rate_multiplier: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate_multiplier))
        self.activate = activate
        gain = ACTIVATION_GAIN if activate else 1.0
        self.weight_gain = gain * rate_multiplier / math.sqrt(inputs)
        self.bias_gain = gain * rate_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs] -> [n, outputs]."""
        x = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return F.leaky_relu_(x, LEAK) if self.activate else x


class Convolution(nn.Module):
    """Convolution with equalised learning rate; weight gain and activation gain folded into the weights.

    `low precision` inputs are honoured: the weights are cast to the dtype of the input. `gain` multiplies the result.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, activate: bool = True, bias: bool = True, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.activate = activate
        self.gain = gain * (ACTIVATION_GAIN if activate else 1.0)
        self.limit = gain * CLAMP
        self.weight_gain = self.gain / math.sqrt(inputs * kernel**2)
        self.padding = kernel // 2

    def scaled(self, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
        """Weight and bias as the convolution uses them, in `dtype` and channels-last."""
        weight = (self.weight * self.weight_gain).to(dtype, memory_format=torch.channels_last)
        return weight, None if self.bias is None else (self.bias * self.gain).to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> [n, outputs, h, w]."""
        weight, bias = self.scaled(x.dtype)
        x = F.conv2d(x, weight, bias, padding=self.padding)
        return F.leaky_relu_(x, LEAK) if self.activate else x


def minibatch_deviation(x: Tensor, group: int) -> Tensor:
    """One more feature map: the standard deviation over a group of images (Karras et al. 2018, section 3).

    `x` is [n, c, h, w]. Groups are *consecutive* images, so that a batch split over processes in multiples of the group
    gives the same value; where `group` does not divide n, they are of the next size that does. Returns [n, c + 1, h, w].
    """
    n, c, h, w = x.shape
    size = next((size for size in range(group, n) if n % size == 0), n)
    y = x.float().reshape(n // size, size, c, h, w)
    deviation = (y.var(dim=1, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    plane = deviation.repeat_interleave(size).to(x.dtype).reshape(n, 1, 1, 1).expand(n, 1, h, w)
    return torch.cat([x, plane], dim=1).contiguous(memory_format=torch.channels_last)
