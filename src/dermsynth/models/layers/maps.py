"""Semantic maps as planes that a network sees beside an image."""

import torch
from torch import Tensor


def map_planes(maps: Tensor, values: int, *, superpixels: bool) -> Tensor:
    """One-hot planes of a map's values, and the boundaries of superpixels as one more where they are wanted.

    uint8 [n, 2, h, w] (numbers of the values, boundaries) -> float [n, `values` + `superpixels`, h, w], channels-last.
    """
    numbers = torch.arange(values, device=maps.device).reshape(1, -1, 1, 1)
    planes = (maps[:, :1] == numbers).float()
    if superpixels:
        planes = torch.cat([planes, maps[:, 1:].float()], dim=1)
    return planes.contiguous(memory_format=torch.channels_last)
