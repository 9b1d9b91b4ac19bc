"""Fidelity and diversity apart: precision and recall, density and coverage, also clipped, from balls around features."""

from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom

from dermsynth.metrics.comparison import Comparison, Extractor, feature_sides
from dermsynth.metrics.estimate import Estimate, Groups, Sides
from dermsynth.metrics.knn import nearest, squared_distances
from dermsynth.statistics.intervals import jackknife_reach, leave_out_indices

Features = NDArray[np.floating]
PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS = 3, 5


@dataclass(frozen=True)
class Manifold:
    """Six figures, each 1 for equal sets; density may lie above 1, the others are shares."""

    precision: float
    recall: float
    density: float
    coverage: float
    clipped_density: float
    clipped_coverage: float


def radii(features: Features, k: int) -> NDArray[np.float64]:
    """Distance of every image of a set to its k-th nearest other one: the radius of its ball, [n]."""
    distances: NDArray[np.float64] = nearest(features, features, k, same=True)[0][:, -1]
    return distances


def manifold(
    synthetic: Features, real: Features, *, near: int = PRECISION_NEIGHBOURS, dense: int = DENSITY_NEIGHBOURS
) -> Manifold:
    """How the two sets' manifolds lie in one another, from features [n, d] and [m, d].

    Precision: share of synthetic images inside a ball of a real one; recall: the reverse (Kynkaanniemi et al. 2019,
    equations 1 to 3, k = 3). Density: mean number of real balls around a synthetic image, over k; coverage: share of real
    balls that hold a synthetic image (Naeem et al. 2020, equations 3 and 4, k = 5). Clipped density and coverage: see
    `clipped_density` and `clipped_coverage`.
    """
    balls, synthetic_balls = radii(real, near) ** 2, radii(synthetic, near) ** 2
    distances_real, neighbours = nearest(real, real, dense, same=True)
    wide = distances_real[:, -1] ** 2
    clipped = np.minimum(wide, np.median(wide))
    recalled = np.zeros(len(real), dtype=bool)
    inside, counts = np.zeros(len(synthetic), dtype=bool), np.zeros(len(synthetic))
    few, held = np.zeros(len(synthetic)), np.zeros(len(real))
    for rows, block in squared_distances(synthetic, real):
        distances = block.numpy()
        inside[rows] = (distances <= balls).any(axis=1)
        within = distances <= wide
        counts[rows], few[rows] = within.sum(axis=1), (distances <= clipped).sum(axis=1)
        held += within.sum(axis=0)
        recalled |= (distances <= synthetic_balls[rows, None]).any(axis=0)
    own = np.bincount(neighbours[distances_real**2 <= clipped[:, None]], minlength=len(real))
    return Manifold(
        float(inside.mean()), float(recalled.mean()), float(counts.mean() / dense), float((held > 0).mean()),
        clipped_density(few, own, dense), clipped_coverage(held, len(synthetic), dense),
    )  # fmt: skip


def clipped_density(around: NDArray[Any], around_real: NDArray[Any], k: int) -> float:
    """How densely real images lie around synthetic ones, 0 to 1: the share of good images that would give as much.

    `around` [n] counts the real balls around each synthetic image, `around_real` [m] those of other images around each real
    one; balls reach to the k-th neighbour, and no farther than half of all balls do. No image counts more than k balls, and real
    images among themselves are 1 (Salvy, Talbot & Thirion 2026, "Enhanced generative model evaluation with clipped density and
    coverage", clipped density).
    """
    synthetic, real = (np.minimum(counts / k, 1).mean() for counts in (around, around_real))
    return float(min(synthetic / real, 1)) if real else 0.0


def clipped_coverage(held: NDArray[Any], synthetic: int, k: int) -> float:
    """How many kinds of real images occur, 0 to 1: the share of good synthetic images that would cover as much.

    `held` [m] counts the synthetic images in each real ball, of which k are enough. Of n good images a ball, whose share of
    the distribution is Beta(k, m - k), holds a beta-binomial number; the n that gives as much as was found is divided by all
    `synthetic` images (the same paper, clipped coverage and its calibration).
    """
    found, numbers = np.minimum(held / k, 1).mean(), np.arange(synthetic + 1)
    expected = 1 - sum((1 - few / k) * betabinom.pmf(few, numbers, k, len(held) - k) for few in range(k))
    return float(np.interp(found, expected, numbers / synthetic))


def manifold_between(sides: Sides) -> list[Estimate]:
    """All figures of the manifolds of two sets of features, which are computed together."""
    sides = sides.require_enough().in_random_order()

    def manifold_values(x: Features, y: Features) -> NDArray[np.float64]:
        return np.array(astuple(manifold(x, y)))

    first, second, some = sides.parts
    values = manifold_values(sides.synthetic, sides.real)
    floor, matched = (manifold_values(rows, sides.real[first]) for rows in (sides.real[second], sides.synthetic[some]))
    reach = jackknife_reach(
        np.stack(
            [
                manifold_values(sides.synthetic[i], sides.real[j])
                for i, j in leave_out_indices(sides.sizes, seed=sides.seed, groups=sides.groups)
            ]
        )
    )
    tops = np.array([np.inf if field.name == "density" else 1.0 for field in fields(Manifold)])
    low, high = (np.clip(values + sign * reach, 0, tops) for sign in (-1, 1))
    return [
        sides.estimate_with(
            field.name, float(values[k]), (float(low[k]), float(high[k])),
            (float(floor[k]), float(matched[k]), len(first)),
        )
        for k, field in enumerate(fields(Manifold))
    ]  # fmt: skip


def manifold_estimates(comparison: Comparison) -> list[Estimate]:
    """All figures of the manifolds in an evaluation."""
    return manifold_between(comparison.features)


class PrecisionRecall(NamedTuple):
    """Share of synthetic images among the real ones, and of real images among the synthetic ones."""

    precision: Estimate
    recall: Estimate


class DensityCoverage(NamedTuple):
    """How densely real images lie around synthetic ones, and the share of real images with a synthetic one near."""

    density: Estimate
    coverage: Estimate


def precision_recall(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> PrecisionRecall:
    """Precision and recall: are the synthetic images like real ones, and are all kinds of real images among them?

    Parameters
    ----------
    real, synthetic, extractor, seed, white, groups
        As for `dermsynth.metrics.fid`.

    Returns
    -------
    PrecisionRecall
        Two shares, 0 to 1; higher is better, and real images against real ones reach the floor, not 1.

    Raises
    ------
    UserError
        As `dermsynth.metrics.fid`.

    References
    ----------
    Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing generative models", equations 1 to 3, k = 3.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> precision, recall = metrics.precision_recall(random.normal(size=(100, 4)), 0.1 * random.normal(size=(100, 4)))
    >>> precision.value > 0.9 > 0.5 > recall.value
    True
    """
    return PrecisionRecall(*manifold_between(feature_sides(real, synthetic, extractor, seed, white, groups))[:2])


def density_coverage(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> DensityCoverage:
    """Density and coverage: precision and recall that single odd images do not mislead.

    Parameters
    ----------
    real, synthetic, extractor, seed, white, groups
        As for `dermsynth.metrics.fid`.

    Returns
    -------
    DensityCoverage
        Density, 0 or more and about 1 for equal distributions; coverage, a share of 0 to 1. Higher is better.

    Raises
    ------
    UserError
        As `dermsynth.metrics.fid`.

    References
    ----------
    Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", equations 3 and 4, k = 5.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> density, coverage = metrics.density_coverage(random.normal(size=(100, 4)), random.normal(size=(100, 4)))
    >>> 0.7 < density.value < 1.3 and coverage.value > 0.8
    True
    """
    return DensityCoverage(*manifold_between(feature_sides(real, synthetic, extractor, seed, white, groups))[2:4])


class ClippedDensityCoverage(NamedTuple):
    """Density and coverage as shares of good images: of the synthetic ones, and of those that would cover as much."""

    density: Estimate
    coverage: Estimate


def clipped_density_coverage(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    seed: int = 0,
    white: float | None = None,
    groups: Groups | None = None,
) -> ClippedDensityCoverage:
    """Density and coverage that fall in proportion to bad images, and that no odd image can raise.

    Parameters
    ----------
    real, synthetic, extractor, seed, white, groups
        As for `dermsynth.metrics.fid`.

    Returns
    -------
    ClippedDensityCoverage
        Two shares, 0 to 1; higher is better. 0.7 is what 70 % of good images and 30 % of others, far away, would have.

    Raises
    ------
    UserError
        As `dermsynth.metrics.fid`.

    References
    ----------
    Salvy, Talbot & Thirion 2026, "Enhanced generative model evaluation with clipped density and coverage", k = 5.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> real, good = (random.normal(size=(500, 4)) for _ in range(2))
    >>> half = np.concatenate([good[:250], good[250:] + 100])
    >>> density, coverage = metrics.clipped_density_coverage(real, half)
    >>> 0.4 < density.value < 0.6 and 0.4 < coverage.value < 0.6
    True
    """
    sides = feature_sides(real, synthetic, extractor, seed, white, groups)
    return ClippedDensityCoverage(*manifold_between(sides)[4:])
