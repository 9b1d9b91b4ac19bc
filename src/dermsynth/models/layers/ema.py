"""The moving average of a generator's weights, which is what is sampled."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)


def average_of(network: N) -> N:
    """A copy that no optimiser owns."""
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def move_average(average: nn.Module, network: nn.Module, beta: float) -> None:
    """theta' <- beta theta' + (1 - beta) theta for every parameter; buffers are copied."""
    averaged: list[Tensor] = list(average.parameters())
    trained: list[Tensor] = list(network.parameters())
    torch._foreach_lerp_(averaged, trained, 1 - beta)
    for own, source in zip(average.buffers(), network.buffers(), strict=True):
        own.copy_(source)


def half_life_beta(batch: int, images: float) -> float:
    """The beta with which an update after `batch` images halves what is `images` old: 0.5 ^ (batch / images)."""
    return float(0.5 ** (batch / max(images, 1e-8)))


def ramped_half_life(images: int, half_life: float, rampup: float | None) -> float:
    """A half-life of at most the share `rampup` of the images shown so far, so that the average leaves its start behind soon."""
    return half_life if rampup is None else min(half_life, max(images, 1) * rampup)
