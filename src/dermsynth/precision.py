"""In which arithmetic a layer computes where its input's own would be slow."""

from torch import Tensor


def widened(x: Tensor) -> Tensor:
    """Numbers of 16 bits in float32 on a CPU; others as they are. For depthwise convolutions of stride 2.

    Their gradient takes 3 to 11 times as long in bfloat16 (torch 2.14, AMX; `bench/results/strided.md`).
    """
    return x.float() if x.element_size() < 4 and x.device.type == "cpu" else x
