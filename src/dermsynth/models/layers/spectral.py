"""Spectrally normalised layers (Miyato et al. 2018): weights divided by their largest singular value."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIRST_ITERATIONS = 20
"""Power iterations with which a layer begins, so that its first step is normalised, too."""


class SpectralConvolution(nn.Module):
    """A convolution with W / sigma(W), W as the matrix [outputs, inputs x kernel x kernel].

    With u the first left singular vector, sigma is |W^T u|, whose gradient is u v^T (Miyato et al. 2018, equation 11). `iterate`
    moves u, once a step, as section 2.1 has it; passes forward leave it, so that pieces of a batch and several processes see
    the same weights.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        nn.init.orthogonal_(self.weight)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.stride, self.padding = stride, (kernel - 1) // 2
        self.register_buffer("u", F.normalize(torch.randn(outputs), dim=0))
        self.u: Tensor
        for _ in range(FIRST_ITERATIONS):
            self.iterate()

    @torch.no_grad()
    def iterate(self) -> None:
        """One power iteration."""
        matrix = self.weight.flatten(1)
        v = F.normalize(matrix.T @ self.u, dim=0)
        self.u.copy_(F.normalize(matrix @ v, dim=0))

    def sigma(self) -> Tensor:
        """The largest singular value, as far as u has come."""
        return (self.weight.flatten(1).T @ self.u).norm()

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] -> [n, outputs, h / stride, w / stride] in the dtype of x."""
        weight = (self.weight / self.sigma()).to(x.dtype, memory_format=torch.channels_last)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.conv2d(x, weight, bias, self.stride, self.padding)


def iterate(network: nn.Module) -> None:
    """One power iteration of every spectrally normalised layer."""
    for module in network.modules():
        if isinstance(module, SpectralConvolution):
            module.iterate()
