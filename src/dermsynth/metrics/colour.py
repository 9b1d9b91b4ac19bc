"""Distributions of colour (MelanoGANs): histograms of all pixels of a set, a channel at a time."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from dermsynth.images import require_pixels

Images = NDArray[np.uint8]
Histogram = NDArray[np.float64]
BINS = 64
SPACES: dict[str, tuple[int | None, Sequence[tuple[str, float, float]]]] = {
    "RGB": (None, (("R", 0, 1), ("G", 0, 1), ("B", 0, 1))),
    "HSV": (cv2.COLOR_RGB2HSV, (("H", 0, 360), ("S", 0, 1), ("V", 0, 1))),
    "CIELAB": (cv2.COLOR_RGB2LAB, (("L*", 0, 100), ("a*", -128, 128), ("b*", -128, 128))),
}
"""Name -> conversion, and every channel with its range."""


def colour_histograms(images: Images) -> dict[str, Histogram]:
    """Counts of every channel of RGB, HSV and CIELAB per image: channel -> [n, 64], from uint8 [n, 3, h, w]."""
    require_pixels(images)
    found: dict[str, list[Histogram]] = {}
    for image in images:
        pixels = np.ascontiguousarray(image.transpose(1, 2, 0)).astype(np.float32) / 255
        for space, (conversion, channels) in SPACES.items():
            values = pixels if conversion is None else cv2.cvtColor(pixels, conversion)
            for i, (name, low, high) in enumerate(channels):
                counts = np.histogram(values[..., i], BINS, (low, high))[0].astype(np.float64)
                found.setdefault(f"{space} {name}", []).append(counts)
    return {name: np.stack(counts) for name, counts in found.items()}


def jensen_shannon(x: Histogram, y: Histogram) -> float:
    """Jensen-Shannon divergence in bits between two sets' mean histograms [n, b] and [m, b]: 0 equal, 1 disjoint."""
    return float(jensenshannon(x.sum(axis=0), y.sum(axis=0), base=2) ** 2)


def histogram_wasserstein(x: Histogram, y: Histogram) -> float:
    """Wasserstein-1 distance between two sets' mean histograms, in shares of the channel's range: 0 to 1."""
    centres = (np.arange(x.shape[1]) + 0.5) / x.shape[1]
    return float(wasserstein_distance(centres, centres, x.sum(axis=0), y.sum(axis=0)))
