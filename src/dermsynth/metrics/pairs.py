"""Diversity: how alike two random images of one set are, beside two random real ones (Odena et al. 2017)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.images import require_pixels
from dermsynth.metrics.comparison import Comparison, Space, image_sides
from dermsynth.metrics.estimate import Estimate, Groups, Sides, require
from dermsynth.metrics.structural import multi_scale_ssim
from dermsynth.statistics.intervals import bootstrap

Array = NDArray[np.float64]
Images = NDArray[np.uint8]
Measure = Callable[[Images, Images], Array]
AT_ONCE, ATTEMPTS = 32, 50
"""Images compared at once; draws of a pair of different people, after which it is left out."""


def pairs_between(sides: Sides, id: str, measure: Measure, pairs: int, resamples: int, part: str = "") -> Estimate:
    """Mean of a measure over random pairs within the synthetic set.

    The floor is that within the real one, of different people where they are known.
    """
    for side, images in (("synthetic", sides.synthetic), ("real", sides.real)):
        require_pixels(images)
        require(len(images), side, sides.group)
    values = _of_pairs(sides.synthetic, measure, pairs, sides.seed)
    real_values = _of_pairs(sides.real, measure, pairs, sides.seed, sides.groups)
    value, floor = float(values.mean()), float(real_values.mean()) if len(real_values) else float("nan")
    interval = bootstrap(
        lambda i, _: float(values[i].mean()), (len(values), len(values)), value, resamples=resamples, seed=sides.seed
    )
    return sides.estimate_with(id, value, interval, (floor, value, min(sides.sizes)), part=part)


def _of_pairs(images: Images, measure: Measure, pairs: int, seed: int, groups: Groups | None = None) -> Array:
    """The measure of random pairs of different images; none of one person, where `groups` [n] are known."""
    random = np.random.default_rng(seed)
    first = random.integers(0, len(images), pairs)
    second = (first + random.integers(1, len(images), pairs)) % len(images)
    if groups is not None:
        for _ in range(ATTEMPTS):
            same = np.flatnonzero(groups[first] == groups[second])
            second[same] = (first[same] + random.integers(1, len(images), len(same))) % len(images)
        apart = groups[first] != groups[second]
        first, second = first[apart], second[apart]
    return measure(np.asarray(images[first]), np.asarray(images[second])) if len(first) else np.empty(0)


def perceptual_measure(space: Space) -> Measure:
    """The perceptual distance of pairs of images."""

    def distances(x: Images, y: Images) -> Array:
        starts = range(0, len(x), AT_ONCE)
        parts = ((x[i : i + AT_ONCE], y[i : i + AT_ONCE]) for i in starts)
        return np.concatenate([np.square(space(a) - space(b), dtype=np.float64).sum(axis=1) for a, b in parts])

    return distances


def ms_ssim_estimates(comparison: Comparison) -> list[Estimate]:
    """MS-SSIM of pairs in an evaluation."""
    effort = comparison.effort
    return [pairs_between(comparison.images, "ms_ssim", multi_scale_ssim, effort.pairs, effort.mean_resamples)]


def perceptual_estimates(comparison: Comparison) -> list[Estimate]:
    """The perceptual distance of pairs in an evaluation, where one was named."""
    space, effort = comparison.perceptual, comparison.effort
    if space is None:
        return []
    measure = perceptual_measure(space)
    return [pairs_between(comparison.images, "lpips", measure, effort.pairs, effort.mean_resamples, space.name)]


def ms_ssim(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    pairs: int = 500,
    resamples: int = 500,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> Estimate:
    """Mean multi-scale structural similarity of random pairs within the synthetic set: does it repeat itself?

    Parameters
    ----------
    real, synthetic : ndarray
        Images of one size, uint8 [n, h, w, 3], both sides at least 11 pixels. At least 50 of each; the real ones give the floor.
    pairs : int
        Pairs drawn within either set.
    resamples : int
        Resamples of the bootstrap over pairs that gives the interval.
    seed : int
        Seed of pairs and bootstrap.
    white : float, optional
        The value of white (1 or 255), for images that are not uint8.
    groups : ndarray, optional
        Patient or lesion of every real image, [m]: the pairs of the floor are then of different ones.

    Returns
    -------
    Estimate
        0 to 1. Good is near that of real images: above it the synthetic images are more alike than real ones are.

    Raises
    ------
    UserError
        For fewer than 50 images a side, images that are not uint8, or sizes that differ.

    References
    ----------
    Wang et al. 2003, "Multi-scale structural similarity for image quality assessment", equation 7; Odena et al. 2017,
    "Conditional image synthesis with auxiliary classifier GANs", section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> real = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
    >>> round(metrics.ms_ssim(real, np.repeat(real[:1], 50, axis=0), pairs=20).value, 3)
    1.0
    """
    return pairs_between(
        image_sides(real, synthetic, seed, white, groups), "ms_ssim", multi_scale_ssim, pairs, resamples
    )


def lpips(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    space: Space,
    pairs: int = 500,
    resamples: int = 500,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> Estimate:
    """Mean perceptual distance of random pairs within the synthetic set: does it repeat itself?

    Parameters
    ----------
    real, synthetic, pairs, resamples, seed, white, groups
        As for `ms_ssim`.
    space : PerceptualSpace
        The distance: LPIPS, or that of another network; `dermsynth.backbones.lpips.load_perceptual`.

    Returns
    -------
    Estimate
        0 or more. Good is near that of real images: below it the synthetic images are more alike than real ones are.

    Raises
    ------
    UserError
        As `ms_ssim`.

    References
    ----------
    Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric", equation 1.

    Examples
    --------
    Any object with a name that turns images uint8 [n, 3, h, w] into vectors is a space.

    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> class Brightness:
    ...     name = "brightness"
    ...     def __call__(self, images):
    ...         return images.mean(axis=(1, 2, 3), dtype=np.float32)[:, None]
    >>> real = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
    >>> metrics.lpips(real, np.repeat(real[:1], 50, axis=0), space=Brightness(), pairs=20).value
    0.0
    """
    sides = image_sides(real, synthetic, seed, white, groups)
    return pairs_between(sides, "lpips", perceptual_measure(space), pairs, resamples, space.name)
