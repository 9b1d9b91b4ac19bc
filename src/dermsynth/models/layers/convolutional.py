"""Deep convolutional blocks (Radford et al. 2015): strided 4x4 convolutions with batch normalisation."""

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

LEAK = 0.2
MOMENTUM = 0.1


def draw_weights(network: nn.Module) -> None:
    """Convolutions and dense layers from N(0, 0.02), scales from N(1, 0.02) (Radford et al. 2015, section 4)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, BatchNorm):
            nn.init.normal_(module.weight, 1.0, 0.02)


class _TotalOverProcesses(torch.autograd.Function):
    """Sum over processes; so is its gradient, as often as it is differentiated."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        summed = x.contiguous().clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Any:
        return _TotalOverProcesses.apply(gradient)


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) over the images of all processes, on CPU and GPU alike.

    In training the moments are those of the batch, in evaluation their running means, so that an image does not depend
    on its neighbours.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))
        self.running_mean: Tensor
        self.running_var: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """[n, features, h, w] -> the same shape."""
        if not (self.training and dist.is_initialized()):
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training, MOMENTUM)
        kind, x = x.dtype, x.float()
        mean, variance, count = self._moments(x)
        with torch.no_grad():
            self.running_mean.lerp_(mean, MOMENTUM)
            self.running_var.lerp_(variance * (count / (count - 1)), MOMENTUM)
        scale = self.weight * (variance + 1e-5).rsqrt()
        return (x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]).to(kind)

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor, float]:
        """Mean and variance over all processes, and of how many values."""
        count = float(x.numel() // x.shape[1] * dist.get_world_size())
        mean = _TotalOverProcesses.apply(x.sum(dim=(0, 2, 3))) / count
        deviations = (x - mean[:, None, None]).square().sum(dim=(0, 2, 3))
        return mean, _TotalOverProcesses.apply(deviations) / count, count


def up(inputs: int, outputs: int, *, leaky: bool = False) -> nn.Sequential:
    """Transposed 4x4 convolution of stride 2 without bias, batch norm, activation: twice the height and width."""
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(convolution, BatchNorm(outputs), activation(leaky=leaky))


def down(inputs: int, outputs: int, *, normalise: bool = True) -> nn.Sequential:
    """4x4 convolution of stride 2 without bias, batch norm (if `normalise`), leaky ReLU: half the height and width."""
    norm = [BatchNorm(outputs)] if normalise else []
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), *norm, activation(leaky=True))


def activation(*, leaky: bool) -> nn.Module:
    """Leaky ReLU of slope 0.2, or ReLU."""
    return nn.LeakyReLU(LEAK, inplace=True) if leaky else nn.ReLU(inplace=True)


def with_label(x: Tensor, label: Tensor) -> Tensor:
    """Append the one-hot class (Mirza & Osindero 2014): to a vector [n, c] as it is, to feature maps as constant planes."""
    if label.shape[1] == 0:
        return x
    if x.ndim == 2:
        return torch.cat([x, label], dim=1)
    planes = label[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes.to(x.dtype)], dim=1).contiguous(memory_format=torch.channels_last)
