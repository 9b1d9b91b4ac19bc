"""The number of threads: the number asked for, that of the run so far, or the fastest one on this machine at the moment.

While another job runs, two threads can be far slower than one: each operation waits for the slower of them.
"""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from dermsynth.errors import UserError
from dermsynth.io import read_json

logger = logging.getLogger(__name__)

ENVIRONMENT = "environment.json"
VARIABLE = "OMP_NUM_THREADS"
SECONDS = 0.4
"""Time for which each number of threads is tried."""
WORTHWHILE = 1.1
"""More threads are taken where they are faster by this factor."""
SHAPE = (16, 32, 32, 32)


@dataclass(frozen=True)
class Threads:
    """A number of threads, and why it was chosen."""

    number: int
    reason: str

    def text(self) -> str:
        """One line for a person."""
        return f"{self.number} thread{'s' if self.number > 1 else ''} ({self.reason})"


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def recorded_threads(run: Path) -> int | None:
    """The number of threads of a run's last training, or None where its folder does not say."""
    path = run / ENVIRONMENT
    count = read_json(path).get("threads") if path.exists() else None
    return count if isinstance(count, int) and count >= 1 else None


def use_threads(asked: int | None = None, *, run: Path | None = None, device: str = "auto") -> Threads:
    """Choose the number of threads, and compute with it from now on.

    What is asked for; else what the run in a folder was trained with, so that it goes on bit for bit; else OMP_NUM_THREADS;
    else what a probe of about a second finds fastest. On a GPU, and where several processes train as one, nothing is tried.

    Raises UserError for a number of threads that this machine does not have.
    """
    if asked is not None and not 1 <= asked <= cores():
        raise UserError(f"`threads` {asked}: must be 1 to {cores()}, the processors that may be used here")
    chosen = _chosen(asked, run, device)
    torch.set_num_threads(chosen.number)
    return chosen


def _chosen(asked: int | None, run: Path | None, device: str) -> Threads:
    if asked is not None:
        return Threads(asked, "`threads`")
    earlier = None if run is None else recorded_threads(run)
    if earlier is not None and earlier <= cores():
        return Threads(earlier, "as this run was trained so far")
    if earlier is not None:
        logger.warning(
            f"trained with {earlier} threads so far, here are {cores()} processors: the run does not go on bit for bit"
        )
    if os.environ.get(VARIABLE):
        return Threads(torch.get_num_threads(), VARIABLE)
    if os.environ.get("WORLD_SIZE", "1") != "1" or (device != "cpu" and torch.cuda.is_available()):
        return Threads(torch.get_num_threads(), "not tried")
    return fastest(min(torch.get_num_threads(), cores()))


def fastest(most: int) -> Threads:
    """The number of threads, up to `most`, that does most convolutions a second at this moment."""
    numbers = sorted({most, *(2**k for k in range(most.bit_length()) if 2**k <= most)})
    if len(numbers) == 1:
        return Threads(most, "the only number there is")
    rates = {number: _rate(number) for number in numbers}
    best = numbers[0]
    for number in numbers[1:]:
        if rates[number] > WORTHWHILE * rates[best]:
            best = number
    speeds = ", ".join(f"{number}: {rate / rates[numbers[0]]:.2f}" for number, rate in rates.items())
    return Threads(best, f"tried, speed by threads {speeds}; `threads` sets it")


def _rate(number: int) -> float:
    """Forward and backward passes of one convolution a second."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    layer, images = nn.Conv2d(SHAPE[1], SHAPE[1], 3, padding=1), torch.randn(SHAPE)
    layer(images).square().mean().backward()  # not timed: kernels are chosen, threads are started
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        layer(images).square().mean().backward()
        count += 1
    rate = count / (time.perf_counter() - start)
    torch.set_num_threads(before)
    return rate
