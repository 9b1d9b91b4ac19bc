"""SWD of two sets of images: the mean over the levels of a pyramid, and every level, with intervals and floors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.images import require_pixels
from dermsynth.metrics.comparison import Comparison, image_sides
from dermsynth.metrics.estimate import Estimate, Groups, Sides, name_of, require
from dermsynth.metrics.sliced_wasserstein import LevelDistance, PatchWalk, Places, level_distances
from dermsynth.statistics.intervals import GROUPS, jackknife_reach, parts_of_groups


def swd_between(sides: Sides, largest: int) -> list[Estimate]:
    """SWD x 1000 of equally many images uint8 [n, 3, h, w], at most `largest` a side: mean over levels, then every level."""
    synthetic, real, seed = sides.synthetic, sides.real, sides.seed
    for side, images in (("synthetic", synthetic), ("real", real)):
        require_pixels(images)
        require(len(images), side, sides.group)
    count = min(len(synthetic), len(real), largest)
    generator = np.random.default_rng(seed)
    places = [generator.permutation(len(side))[:count] for side in (synthetic, real)]
    walks = [PatchWalk(side, places[i], seed + i) for i, side in enumerate((synthetic, real))]
    people = None if sides.groups is None else sides.groups[places[1]]
    levels = level_distances(walks[0], walks[1], seed, _parts(count, people, seed))
    limits = _limits(sides, largest)
    side = min(synthetic.shape[2:])
    parts = {"mean": slice(None), **{f"{side // 2**k} px": slice(k, k + 1) for k in range(len(levels))}}
    rows = count, None if people is None else len(np.unique(people))
    return [_level_estimate(sides, name, levels[part], limits, part, rows) for name, part in parts.items()]


def _parts(count: int, people: Groups | None, seed: int) -> tuple[Places, Places]:
    """Which part of the jackknife each of `count` images a side belongs to; whole people where those of real ones are known."""
    if people is None:
        single = np.arange(count) % GROUPS
        return single, single
    parts = min(GROUPS, len(np.unique(people)))
    return np.arange(count) % parts, parts_of_groups(people, parts, np.random.default_rng(seed))


Limits = tuple[NDArray[np.float64], NDArray[np.float64], int]


def _level_estimate(
    sides: Sides, name: str, levels: Sequence[LevelDistance], limits: Limits, part: slice, rows: tuple[int, int | None]
) -> Estimate:
    """The estimate of one level, or of the mean over several; its interval is a jackknife over parts of the images."""
    value = float(np.array([level.value for level in levels]).mean())
    count, known = rows
    reach = float(jackknife_reach(np.stack([level.left_out for level in levels]).mean(axis=0)))
    return Estimate(
        id="swd", name=name_of("swd", part=name), part=name, group=sides.group,
        value=value, low=max(value - reach, 0.0), high=value + reach, n_synthetic=count, n_real=count,
        floor=float(limits[0][part].mean()), matched=float(limits[1][part].mean()), n_floor=limits[2], seed=sides.seed,
        people=known,
    )  # fmt: skip


def _limits(sides: Sides, largest: int) -> Limits:
    """Distances of every level from one half of the real images: of the other half, and of as many synthetic ones."""
    synthetic, real, seed = sides.synthetic, sides.real, sides.seed
    first, second = sides.real_halves()
    half = min(len(first), len(second), largest, len(synthetic))
    some = np.random.default_rng(seed + 1).permutation(len(synthetic))[:half]
    one_half = PatchWalk(real, first[:half], seed + 1)
    floor, matched = (
        np.array([level.value for level in level_distances(PatchWalk(side, places, seed), one_half, seed)])
        for side, places in ((real, second[:half]), (synthetic, some))
    )
    return floor, matched, half


def swd_estimates(comparison: Comparison) -> list[Estimate]:
    """SWD in an evaluation."""
    return swd_between(comparison.images, comparison.effort.swd_images)


def swd(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    largest: int = 10_000,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> Estimate:
    """Sliced Wasserstein distance x 1000 between small patches of two sets of images, the mean over levels of a pyramid.

    Parameters
    ----------
    real, synthetic : ndarray
        Images of one size, uint8 [n, h, w, 3], the shorter side at least 16 pixels. At least 50 of each.
    largest : int
        At most this many images of each side, drawn by `seed`; 10,000 in the published protocol.
    seed : int
        Seed of the patches, of the directions that they are projected on, and of the halves of the floor.
    white : float, optional
        The value of white (1 or 255), for images that are not uint8.
    groups : ndarray, optional
        Patient or lesion of every real image, [m]: the interval then counts these, not images, and none lies in both halves of
        the floor.

    Returns
    -------
    Estimate
        0 or more; lower is better. `swd_levels` has the single levels.

    Raises
    ------
    UserError
        For fewer than 50 images a side, images that are not uint8, or sizes that differ.

    References
    ----------
    Karras et al. 2018, "Progressive growing of GANs for improved quality, stability, and variation", section 5; Baur et al. 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> noise = random.integers(0, 256, (100, 16, 16, 3), dtype=np.uint8)
    >>> stripes = np.repeat(random.integers(0, 256, (50, 16, 4, 3), dtype=np.uint8), 4, axis=2)
    >>> estimate = metrics.swd(noise, stripes)
    >>> estimate.matched > 1.5 * estimate.floor
    True
    """
    return swd_levels(real, synthetic, largest=largest, seed=seed, white=white, groups=groups)[0]


def swd_levels(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    largest: int = 10_000,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> list[Estimate]:
    """Sliced Wasserstein distance x 1000: the mean over levels, then every level, finest first.

    Parameters
    ----------
    real, synthetic, largest, seed, white, groups
        As for `swd`.

    Returns
    -------
    list of Estimate
        Their `part` is `mean`, or the shorter side of the level in pixels, such as `64 px`.

    Raises
    ------
    UserError
        As `swd`.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> images = np.random.default_rng(0).integers(0, 256, (100, 16, 16, 3), dtype=np.uint8)
    >>> [estimate.part for estimate in metrics.swd_levels(images[:50], images[50:])]
    ['mean', '16 px']
    """
    return swd_between(image_sides(real, synthetic, seed, white, groups), largest)
