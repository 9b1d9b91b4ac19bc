"""In which arithmetic a training computes: what was asked for, what its run began with, or what is faster here."""

import logging
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from dermsynth.training.config import Precision, read_config
from dermsynth.training.run_folder import CONFIG

AUTO = "auto"
ROUNDS = 3
_log = logging.getLogger(__name__)


def chosen_precision(asked: str, run: Path, device: torch.device) -> Precision:
    """The arithmetic of a run's large layers.

    `auto` is what the run began with, or bfloat16 where a probe of some milliseconds finds it faster on `device`, else float32.
    Whoever asks for bfloat16 where it is slower is told by how much.
    """
    if asked == AUTO and (run / CONFIG).exists():
        return read_config(run).training.precision
    if asked not in (AUTO, "bfloat16"):
        return asked  # type: ignore[return-value]
    speed = bfloat16_speed(device)
    if asked == AUTO:
        _log.info(f"bfloat16 is {speed:.2g} times as fast as float32 here, by a convolution and its gradients")
        return "bfloat16" if speed > 1 else "float32"
    if speed < 1:
        _log.warning(
            f"`precision` bfloat16: takes {1 / speed:.2g} times as long as float32 on this machine; processors with AMX or "
            "AVX512-BF16 and recent GPUs have arithmetic for it; elsewhere begin a run with `precision` float32 or auto"
        )
    return "bfloat16"


def bfloat16_speed(device: torch.device) -> float:
    """How many times as fast a convolution with its gradients is in bfloat16 as in float32: the best of alternating rounds."""
    best = dict.fromkeys((torch.float32, torch.bfloat16), float("inf"))
    for number in range(ROUNDS + 1):  # the first is not counted
        for dtype in best:
            seconds = _seconds(device, dtype)
            best[dtype] = min(best[dtype], seconds) if number else float("inf")
    return best[torch.float32] / best[torch.bfloat16]


def _seconds(device: torch.device, dtype: torch.dtype) -> float:
    image = torch.ones(8, 64, 16, 16, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(64, 64, 3, 3, device=device, dtype=dtype)
    image.requires_grad_()
    weight.requires_grad_()
    started = time.perf_counter()
    total = F.conv2d(image, weight, padding=1).sum()
    torch.autograd.grad(total, [image, weight])
    float(total.detach())  # waits for the device
    return time.perf_counter() - started
