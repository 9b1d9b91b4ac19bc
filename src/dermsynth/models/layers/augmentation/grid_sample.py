"""Bilinear image sampling that can be differentiated twice with respect to the image."""

from typing import Any

import torch
from torch import Tensor

_BILINEAR, _REFLECTION = 0, 2


class _Sample(torch.autograd.Function):
    """image -> samples. Linear in the image: the derivative is the adjoint, whose derivative is this again."""

    @staticmethod
    def forward(context: Any, image: Tensor, grid: Tensor) -> Tensor:
        context.save_for_backward(grid)
        context.size = image.shape
        return torch.ops.aten.grid_sampler_2d(image.to(grid.dtype), grid, _BILINEAR, _REFLECTION, False)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = context.saved_tensors
        return _Adjoint.apply(gradients[0], grid, context.size), None


class _Adjoint(torch.autograd.Function):
    """samples -> image: every sample is spread over the four pixels it was read from."""

    @staticmethod
    def forward(context: Any, samples: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        context.save_for_backward(grid)
        samples = samples.to(grid.dtype)  # a penalty's gradients come in lower precision under autocast
        blank = samples.new_empty(1).expand(size)  # only the size and the dtype are read: sampling is linear
        image, _ = torch.ops.aten.grid_sampler_2d_backward(
            samples, blank, grid, _BILINEAR, _REFLECTION, False, [True, False]
        )
        return image

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = context.saved_tensors
        return _Sample.apply(gradients[0], grid), None, None


def grid_sample(image: Tensor, grid: Tensor) -> Tensor:
    """Read `image` [n, c, h, w] bilinearly at `grid` [n, h', w', 2], in [-1, 1] from edge to edge, mirrored outside.

    The grid gets no gradient: it holds random augmentation parameters.
    """
    return _Sample.apply(image, grid.detach())
