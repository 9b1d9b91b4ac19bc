"""Random numbers that do not depend on how a batch is divided."""

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed from any values: the same on every machine, unrelated for neighbouring values."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass
class Draws:
    """Numbers for images `start` ... `start + count - 1` of a batch of `total`, whoever computes the others.

    Every process draws for the whole batch from the same seed and keeps its rows, so that several processes, or
    several smaller batches, see what one would.
    """

    generator: torch.Generator
    total: int
    start: int
    count: int

    @classmethod
    def for_step(cls, device: torch.device, seed: int, *, total: int, start: int, count: int) -> "Draws":
        """Numbers that are a function of `seed` and the image's place in the batch alone."""
        return cls(torch.Generator(device).manual_seed(seed), total, start, count)

    def normal(self, *columns: int) -> Tensor:
        """[count, columns...] from N(0, 1)."""
        drawn = torch.randn(self.total, *columns, generator=self.generator, device=self.generator.device)
        return drawn[self.start : self.start + self.count]

    def uniform(self, *columns: int) -> Tensor:
        """[count, columns...] from [0, 1)."""
        drawn = torch.rand(self.total, *columns, generator=self.generator, device=self.generator.device)
        return drawn[self.start : self.start + self.count]

    def bytes(self, *columns: int) -> Tensor:
        """[count, columns...] whole numbers from 0 to 255, uint8, for a small part of the cost of as many uniform ones."""
        size, device = math.prod(columns), self.generator.device
        words = torch.randint(-(2**63), 2**63 - 1, (self.total, -(-size // 8)), generator=self.generator, device=device)
        drawn = words[self.start : self.start + self.count].view(torch.uint8)
        return drawn[:, :size].reshape(-1, *columns)
