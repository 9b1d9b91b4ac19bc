"""Fidelity and diversity apart: precision and recall, density and coverage, from balls around features."""

from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dermsynth.metrics.comparison import Comparison, Extractor, feature_sides
from dermsynth.metrics.estimate import Estimate, Sides
from dermsynth.metrics.knn import nearest, squared_distances
from dermsynth.statistics.intervals import jackknife_reach, leave_out_indices

Features = NDArray[np.floating]
PRECISION_NEIGHBOURS, DENSITY_NEIGHBOURS = 3, 5


@dataclass(frozen=True)
class Manifold:
    """Four figures, each 1 for equal sets; density may lie above 1, the others are shares."""

    precision: float
    recall: float
    density: float
    coverage: float


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
    balls that hold a synthetic image (Naeem et al. 2020, equations 3 and 4, k = 5).
    """
    balls, synthetic_balls = radii(real, near) ** 2, radii(synthetic, near) ** 2
    wide = radii(real, dense) ** 2
    recalled = np.zeros(len(real), dtype=bool)
    inside, counts = np.zeros(len(synthetic), dtype=bool), np.zeros(len(synthetic))
    closest = np.full(len(real), np.inf)
    for rows, block in squared_distances(synthetic, real):
        distances = block.numpy()
        inside[rows] = (distances <= balls).any(axis=1)
        counts[rows] = (distances <= wide).sum(axis=1)
        recalled |= (distances <= synthetic_balls[rows, None]).any(axis=0)
        closest = np.minimum(closest, distances.min(axis=0))
    return Manifold(
        float(inside.mean()), float(recalled.mean()), float(counts.mean() / dense), float((closest <= wide).mean())
    )


def manifold_between(sides: Sides) -> list[Estimate]:
    """Precision, recall, density and coverage of two sets of features, which are computed together."""
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
                for i, j in leave_out_indices(sides.sizes, seed=sides.seed)
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
    """Precision, recall, density and coverage in an evaluation."""
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
) -> PrecisionRecall:
    """Precision and recall: are the synthetic images like real ones, and are all kinds of real images among them?

    Parameters
    ----------
    real, synthetic, extractor, seed, white
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
    return PrecisionRecall(*manifold_between(feature_sides(real, synthetic, extractor, seed, white))[:2])


def density_coverage(
    real: NDArray[Any],
    synthetic: NDArray[Any],
    *,
    extractor: Extractor | None = None,
    seed: int = 0,
    white: float | None = None,
) -> DensityCoverage:
    """Density and coverage: precision and recall that single odd images do not mislead.

    Parameters
    ----------
    real, synthetic, extractor, seed, white
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
    return DensityCoverage(*manifold_between(feature_sides(real, synthetic, extractor, seed, white))[2:])
