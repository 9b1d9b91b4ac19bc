"""Halving and doubling images: plainly, and with the 4x4 binomial filter of StyleGAN2.

Around the filter every tensor is channels-last and every filter a depthwise convolution: on a CPU that is the fastest
exact form, and it is differentiable as often as wanted.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from dermsynth.precision import widened

BINOMIAL = (1.0, 3.0, 3.0, 1.0)


@functools.cache
@torch.inference_mode(mode=False)  # a kernel first needed for a sample must serve a training afterwards
def _depthwise_kernel(channels: int, gain: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    taps = torch.tensor(BINOMIAL, device=device, dtype=torch.float64)
    kernel = torch.outer(taps, taps) * (gain / taps.sum() ** 2)
    return kernel.to(dtype).expand(channels, 1, 4, 4).contiguous()


def blur(x: Tensor, padding: int, *, gain: float = 1.0, stride: int = 1) -> Tensor:
    """Filter every channel with the outer product of [1, 3, 3, 1] (Karras et al. 2020a, section 2 and Zhang 2019).

    `x` is [n, c, h, w]; the result has (h + 2 padding - 4) // stride + 1 rows and the mean of x times `gain`.
    """
    wide = widened(x) if stride > 1 else x
    kernel = _depthwise_kernel(x.shape[1], gain, x.device, wide.dtype)
    return F.conv2d(wide, kernel, padding=padding, stride=stride, groups=x.shape[1]).to(x.dtype)


def upsample(x: Tensor) -> Tensor:
    """Double height and width: zeros between the pixels, then the binomial filter with gain 4."""
    wide = widened(x)
    kernel = _depthwise_kernel(x.shape[1], 4.0, x.device, wide.dtype)
    return F.conv_transpose2d(wide, kernel, stride=2, padding=1, groups=x.shape[1]).to(x.dtype)


def downsample(x: Tensor) -> Tensor:
    """Halve height and width: the binomial filter at every second pixel."""
    return blur(x, 1, stride=2)


def convolve_up(x: Tensor, weight: Tensor) -> Tensor:
    """Transposed 3x3 convolution of stride 2 followed by the filter: [n, i, h, w] -> [n, o, 2h, 2w].

    `weight` is [i, o, 3, 3], as `conv_transpose2d` wants it.
    """
    return blur(F.conv_transpose2d(x, weight, stride=2), 1, gain=4.0)


def convolve_down(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The filter followed by a 3x3 convolution of stride 2: [n, i, h, w] -> [n, o, h/2, w/2]."""
    return F.conv2d(blur(x, 2), weight, bias, stride=2)


def halve(x: Tensor) -> Tensor:
    """Mean of every 2 x 2 pixels: [n, c, h, w] -> [n, c, h/2, w/2]."""
    return F.avg_pool2d(x, 2)


def halve_by_nine(x: Tensor) -> Tensor:
    """Mean of the 3 x 3 pixels about every second one, of those that lie in the image: [n, c, h, w] -> half, rounded up.

    The pyramid of pix2pixHD (Wang et al. 2018, section 3.2), as its authors make it.
    """
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


def double(x: Tensor) -> Tensor:
    """Nearest neighbour: [n, c, h, w] -> [n, c, 2h, 2w]."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def enlarge(x: Tensor) -> Tensor:
    """Bilinear: [n, c, h, w] -> [n, c, 2h, 2w]."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
