"""Signs of trouble: samples that are all alike, which end a training; augmentation at its limit, which gives a warning."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COLLAPSE_SHARE = 0.05
"""Samples count as alike when their spread is below this share of the real images' spread."""
STRIKES = 3
"""Snapshots in a row that must show a sign."""
GRACE = 1_000
"""Images shown before the first check: samples of a generator that has just begun are always alike."""


def spread(images: NDArray[np.uint8]) -> float:
    """How much images [n, c, h, w] differ: mean standard deviation of a pixel over the images, in grey levels, on 8 x 8 means."""
    n, c, h, w = images.shape
    rows, columns = h // 8 or 1, w // 8 or 1
    blocks = images[:, :, : h // rows * rows, : w // columns * columns].reshape(
        n, c, h // rows, rows, w // columns, columns
    )
    return float(blocks.mean(axis=(3, 5), dtype=np.float64).std(axis=0).mean())


@dataclass
class Alarms:
    """In how many snapshots in a row each sign was seen."""

    collapse: int = 0
    saturation: int = 0

    def observe(self, samples: NDArray[np.uint8], real_spread: float, p: float | None, maximum: float) -> str | None:
        """Count the signs in one snapshot; returns the reason to stop, if there is one."""
        share = spread(samples) / max(real_spread, 1e-9)
        self.collapse = self.collapse + 1 if share < COLLAPSE_SHARE else 0
        saturated = p is not None and maximum > 0 and p >= maximum - 1e-6
        self.saturation = self.saturation + 1 if saturated else 0
        if self.collapse >= STRIKES:
            return (
                f"collapse: generated images are alike (spread {share:.1%} of the real images'); start again with a lower "
                "learning rate or another seed"
            )
        return None

    def warning(self, maximum: float) -> str | None:
        """A warning, given once, when the probability p of augmentation has stayed at its limit.

        No reason to stop: a set so small that the discriminator can learn it by heart is what augmentation is for.
        """
        if self.saturation != STRIKES:
            return None
        return (
            f"augmentation saturated: p has stayed at its bound {maximum:g} for {STRIKES} snapshots; the discriminator knows the "
            "training images by heart. Training goes on: compare checkpoints, for a later one need not be better; more images, "
            "or a start from a run on a larger set (`initial`), help"
        )
