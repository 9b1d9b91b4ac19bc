"""Distributions of colour (MelanoGANs): histograms of all pixels of a set, a channel at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from dermsynth.images import require_pixels
from dermsynth.metrics.comparison import Comparison, image_sides
from dermsynth.metrics.estimate import Estimate, Groups, Sides

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
    histograms: dict[str, list[Histogram]] = {}
    for image in images:
        pixels = np.ascontiguousarray(image.transpose(1, 2, 0)).astype(np.float32) / 255
        for space, (conversion, channels) in SPACES.items():
            values = pixels if conversion is None else cv2.cvtColor(pixels, conversion)
            for i, (name, low, high) in enumerate(channels):
                counts = np.histogram(values[..., i], BINS, (low, high))[0].astype(np.float64)
                histograms.setdefault(f"{space} {name}", []).append(counts)
    return {name: np.stack(counts) for name, counts in histograms.items()}


def jensen_shannon(x: Histogram, y: Histogram) -> float:
    """Jensen-Shannon divergence in bits between two sets' mean histograms [n, b] and [m, b]: 0 equal, 1 disjoint."""
    return float(jensenshannon(x.sum(axis=0), y.sum(axis=0), base=2) ** 2)


def histogram_wasserstein(x: Histogram, y: Histogram) -> float:
    """Wasserstein-1 distance between two sets' mean histograms, in shares of the channel's range: 0 to 1."""
    centres = (np.arange(x.shape[1]) + 0.5) / x.shape[1]
    return float(wasserstein_distance(centres, centres, x.sum(axis=0), y.sum(axis=0)))


def colours_between(histograms: Mapping[str, Sides], resamples: int) -> list[Estimate]:
    """Both distances x 1000 of every channel's histograms."""
    measures = (("colour_jsd", jensen_shannon), ("colour_wasserstein", histogram_wasserstein))
    return [
        sides.require_enough().bootstrap_estimate(id, distance, resamples=resamples, scale=1000, part=channel, least=0)
        for channel, sides in histograms.items()
        for id, distance in measures
    ]


def colour_estimates(comparison: Comparison) -> list[Estimate]:
    """Distances of colours in an evaluation."""
    return colours_between(comparison.histograms, comparison.effort.histogram_resamples)


def colour_distances(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    resamples: int = 200,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> list[Estimate]:
    """How far apart the colours of two sets are: two distances of each channel of RGB, HSV and CIELAB.

    Parameters
    ----------
    real, synthetic : ndarray
        Images of one size, uint8 [n, h, w, 3]. At least 50 of each.
    resamples : int
        Resamples of the bootstrap that gives the intervals.
    seed : int
        Seed of the bootstrap and of the halves of the floor.
    white : float, optional
        The value of white (1 or 255), for images that are not uint8.
    groups : ndarray, optional
        Patient or lesion of every real image, [m]: the interval then counts these, not images, and none lies in both halves of
        the floor.

    Returns
    -------
    list of Estimate
        Of each channel (`part`, such as `CIELAB L*`): `colour_jsd`, the Jensen-Shannon divergence in thousandths of a bit
        (0 equal, 1000 disjoint), and `colour_wasserstein`, the Wasserstein-1 distance in thousandths of the channel's range.
        Lower is better.

    Raises
    ------
    UserError
        For fewer than 50 images a side, images that are not uint8, or sizes that differ.

    References
    ----------
    Baur et al. 2018, "MelanoGANs: high resolution skin lesion synthesis with GANs", section 4 (histograms of colour channels);
    Lin 1991, "Divergence measures based on the Shannon entropy", equation 4.1; Vallender 1974.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> real = random.integers(0, 128, (50, 8, 8, 3), dtype=np.uint8)
    >>> estimates = metrics.colour_distances(real, real + 128, resamples=20)
    >>> [(e.id, round(e.value)) for e in estimates if e.part == "RGB R"]
    [('colour_jsd', 1000), ('colour_wasserstein', 500)]
    """
    sides = image_sides(real, synthetic, seed, white, groups)
    rows = colour_histograms(sides.synthetic), colour_histograms(sides.real)
    return colours_between({name: sides.with_rows(rows[0][name], rows[1][name]) for name in rows[0]}, resamples)
