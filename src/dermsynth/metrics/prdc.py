"""Fidelity and diversity apart: precision and recall, density and coverage, from balls around features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermsynth.metrics.knn import nearest, squares

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
    found: NDArray[np.float64] = nearest(features, features, k, same=True)[0][:, -1]
    return found


def manifold(
    synthetic: Features, real: Features, *, near: int = PRECISION_NEIGHBOURS, dense: int = DENSITY_NEIGHBOURS
) -> Manifold:
    """How the two sets' manifolds lie in one another, from features [n, d] and [m, d].

    Precision: share of synthetic images inside a ball of a real one; recall: the reverse (Kynkaanniemi et al. 2019,
    equations 1 to 3, k = 3). Density: mean number of real balls around a synthetic image, over k; coverage: share of real
    balls that hold a synthetic image (Naeem et al. 2020, equations 3 and 4, k = 5).
    """
    balls, others = radii(real, near) ** 2, radii(synthetic, near) ** 2
    wide = radii(real, dense) ** 2
    recalled = np.zeros(len(real), dtype=bool)
    inside, counts = np.zeros(len(synthetic), dtype=bool), np.zeros(len(synthetic))
    closest = np.full(len(real), np.inf)
    for rows, block in squares(synthetic, real):
        distances = block.numpy()
        inside[rows] = (distances <= balls).any(axis=1)
        counts[rows] = (distances <= wide).sum(axis=1)
        recalled |= (distances <= others[rows, None]).any(axis=0)
        closest = np.minimum(closest, distances.min(axis=0))
    return Manifold(
        float(inside.mean()), float(recalled.mean()), float(counts.mean() / dense), float((closest <= wide).mean())
    )
