"""Numbers that steps need on their device, without a step that waits for it: a read or an upload makes a GPU idle."""

import functools

import torch
from torch import Tensor

Numbers = tuple["float | Numbers", ...]


@functools.cache
def constant(values: Numbers, device: torch.device, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor of numbers that are known beforehand, uploaded once; whoever gets it must not change it."""
    return torch.tensor(values, device=device, dtype=dtype)


def reads_are_free(device: torch.device) -> bool:
    """Whether the host may look at values on the device without waiting, so that work may depend on them."""
    return device.type == "cpu"
