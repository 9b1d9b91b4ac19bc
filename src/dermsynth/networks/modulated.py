"""Weight-modulated convolution (Karras et al. 2020a, section 2.2) without per-sample weights."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dermsynth.networks.blocks import ACTIVATION_GAIN, CLAMP, LEAK, Dense, clamped
from dermsynth.networks.resample import convolve_up


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """1 / sqrt(sum over inputs and taps of (s_i w_ijk)^2 + eps): equation 3. [o, i, k, k], [n, i] -> [n, o]."""
    return (styles.square() @ weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt()


def modulated_convolution(x: Tensor, weight: Tensor, styles: Tensor, *, up: bool = False) -> Tensor:
    """Convolve with weights scaled per sample by `styles` (equation 1), as activations scaled before a shared kernel.

    Scaling the input feature maps equals scaling the weights (section 2.2), so one ordinary convolution serves the
    whole batch. `x` [n, i, h, w], `weight` [o, i, k, k], `styles` [n, i]; with `up` the result is twice as large.
    Demodulation is left to the caller, who scales the result.
    """
    x = x * styles[:, :, None, None].to(x.dtype)
    if up:
        kernel = weight.transpose(0, 1).to(x.dtype, memory_format=torch.channels_last)
        return convolve_up(x, kernel)
    kernel = weight.to(x.dtype, memory_format=torch.channels_last)
    return F.conv2d(x, kernel, padding=weight.shape[2] // 2)


class StyledConvolution(nn.Module):
    """One layer of the synthesis network: modulate, convolve, demodulate, add noise and bias, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, latent: int, *, up: bool = False) -> None:
        super().__init__()
        self.affine = Dense(latent, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.up = up
        self.weight_gain = 1.0 / math.sqrt(inputs * 9)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """[n, inputs, h, w], [n, latent], [n, 1, h', w'] -> [n, outputs, h', w'] in the dtype of x."""
        styles = self.affine(w)
        weight = self.weight * self.weight_gain
        if x.dtype == torch.float16:
            # A common factor of weights or styles cancels in the demodulation; without it they overflow.
            weight = weight / weight.abs().amax(dim=(1, 2, 3), keepdim=True)
            styles = styles / styles.abs().amax(dim=1, keepdim=True)
        scale = demodulation(weight, styles) * ACTIVATION_GAIN
        y = modulated_convolution(x, weight, styles, up=self.up)
        shift = (noise * (self.noise_strength * ACTIVATION_GAIN)).to(y.dtype)
        y = torch.addcmul(shift, y, scale[:, :, None, None].to(y.dtype))
        y = y.add_((self.bias * ACTIVATION_GAIN).to(y.dtype)[:, None, None])
        return clamped(F.leaky_relu_(y, LEAK), CLAMP)


class ToImage(nn.Module):
    """Modulated 1x1 convolution to colour channels, without demodulation, activation or noise."""

    def __init__(self, inputs: int, latent: int, colours: int = 3) -> None:
        super().__init__()
        self.affine = Dense(latent, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(colours, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))
        self.weight_gain = 1.0 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[n, inputs, h, w], [n, latent] -> [n, colours, h, w] in float32."""
        y = modulated_convolution(x, self.weight * self.weight_gain, self.affine(w))
        return clamped(y, CLAMP).float() + self.bias[:, None, None]
