"""What the gradient of a depthwise convolution of stride 2 costs in bfloat16, and computed in float32, alternating."""

import time

import torch
import torch.nn.functional as F
from torch import Tensor

BATCH, REPEATS = 16, 9
SHAPES = ((32, 68, 4), (64, 36, 4), (128, 20, 4), (96, 65, 3), (144, 35, 5), (672, 11, 5))
"""Features, pixels a side and kernel: the filter of three levels at 64 px, and layers of EfficientNet-Lite0 at 128 px."""


def strided(rows: list[str]) -> None:
    """Milliseconds of CPU of forward and backward."""
    rows += ["## Depthwise convolutions of stride 2", "", f"Forward and gradient of the input, batch {BATCH}, milliseconds of CPU, least of {REPEATS}.", "",
             "| features | pixels | kernel | bfloat16 | computed in float32 | ratio |", "|--|--|--|--|--|--|"]  # fmt: skip
    for features, side, kernel in SHAPES:
        x = torch.randn(BATCH, features, side, side).to(torch.bfloat16, memory_format=torch.channels_last)
        weight = torch.randn(features, 1, kernel, kernel).bfloat16()
        times = [(_milliseconds(x, weight, wide=False), _milliseconds(x, weight, wide=True)) for _ in range(REPEATS)]
        plain, wide = (min(side) for side in zip(*times, strict=True))
        rows.append(f"| {features} | {side} | {kernel} | {plain:.1f} | {wide:.1f} | {wide / plain:.2f} |")
        print(rows[-1], flush=True)
    rows.append("")


def _milliseconds(x: Tensor, weight: Tensor, *, wide: bool) -> float:
    x = x.detach().requires_grad_(True)
    clock = time.process_time()
    images, kernel = (x.float(), weight.float()) if wide else (x, weight)
    F.conv2d(images, kernel, stride=2, groups=x.shape[1]).to(x.dtype).sum().backward()
    return (time.process_time() - clock) * 1000
