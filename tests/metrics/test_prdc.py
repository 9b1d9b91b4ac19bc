"""Precision, recall, density, coverage, also clipped, against literal transcriptions, and what must hold for any sets."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import beta

from dermsynth.metrics.knn import nearest
from dermsynth.metrics.prdc import manifold, radii

Array = NDArray[np.float64]


def literal(synthetic: Array, real: Array, near: int, dense: int) -> tuple[float, float, float, float]:
    def ball(points: Array, i: int, k: int) -> float:
        return float(sorted(np.linalg.norm(points[i] - p) for j, p in enumerate(points) if j != i)[k - 1])

    across = cdist(synthetic, real)
    real_near, fake_near = ([ball(p, i, near) for i in range(len(p))] for p in (real, synthetic))
    real_dense = [ball(real, i, dense) for i in range(len(real))]
    precision = np.mean([any(across[i, j] <= real_near[j] for j in range(len(real))) for i in range(len(synthetic))])
    recall = np.mean([any(across[i, j] <= fake_near[i] for i in range(len(synthetic))) for j in range(len(real))])
    density = sum(across[i, j] <= real_dense[j] for i in range(len(synthetic)) for j in range(len(real)))
    coverage = np.mean([across[:, j].min() <= real_dense[j] for j in range(len(real))])
    return float(precision), float(recall), density / (dense * len(synthetic)), float(coverage)


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (0.7, 1.0), (0.0, 0.4), (0.3, 2.0)])
def test_the_four_figures_are_those_of_their_definitions(shift: float, spread: float) -> None:
    random = np.random.default_rng(0)
    real, synthetic = random.normal(size=(61, 8)), random.normal(shift, spread, size=(47, 8))
    found = manifold(synthetic, real)
    expected = literal(synthetic, real, 3, 5)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(expected, rel=1e-6)


def test_equal_sets_score_full_and_distant_ones_nothing() -> None:
    real = np.random.default_rng(1).normal(size=(80, 6))
    same = manifold(real, real)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    far = manifold(real + 1000, real)
    assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)
    assert (same.clipped_density, same.clipped_coverage) == (1, 1)
    assert (far.clipped_density, far.clipped_coverage) == (0, 0)


def test_one_repeated_mode_keeps_precision_and_loses_diversity() -> None:
    real = np.random.default_rng(2).normal(size=(200, 6))
    collapsed = real[:4].repeat(50, axis=0) + np.random.default_rng(3).normal(0, 1e-3, (200, 6))
    found = manifold(collapsed, real)
    assert found.precision == 1
    assert found.recall < 0.1
    assert found.coverage < 0.5


def literal_clipped(synthetic: Array, real: Array, k: int) -> tuple[float, float]:
    """The paper's definitions, image by image; the expected coverage of n good images by sums over binomial coefficients."""
    between, across = cdist(real, real), cdist(real, synthetic)
    wide = np.sort(between, axis=1)[:, k]
    clipped = np.minimum(wide, np.median(wide))
    fake = np.mean([min(sum(across[i, j] <= clipped[i] for i in range(len(real))), k) for j in range(len(synthetic))])
    own = [sum(between[i, j] <= clipped[i] for i in range(len(real)) if i != j) for j in range(len(real))]
    density = min(fake / np.mean(np.minimum(own, k)), 1)
    found = np.mean([min((across[i] <= wide[i]).sum(), k) for i in range(len(real))]) / k

    def expected(good: int) -> float:
        a, b = k, len(real) - k
        ways = [comb(good, j) * beta(a + j, b + good - j) / beta(a, b) * min(j, k) for j in range(good + 1)]
        return sum(ways) / k

    enough = next((good for good in range(len(synthetic) + 1) if expected(good) >= found), len(synthetic))
    return float(density), enough / len(synthetic)


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (0.7, 1.0), (0.0, 0.4), (0.3, 2.0)])
def test_the_clipped_figures_are_those_of_their_definitions(shift: float, spread: float) -> None:
    random = np.random.default_rng(0)
    real, synthetic = random.normal(size=(61, 8)), random.normal(shift, spread, size=(47, 8))
    found = manifold(synthetic, real)
    density, coverage = literal_clipped(synthetic, real, 5)
    assert found.clipped_density == pytest.approx(density, rel=1e-6)
    assert (
        coverage - 1 / 47 <= found.clipped_coverage <= coverage + 1e-9
    )  # ours lies between two whole numbers of images


@pytest.mark.parametrize("good", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_clipped_figures_are_the_share_of_good_images(good: float) -> None:
    """Up to what chance leaves of 1,000 images: that is their calibration."""
    random = np.random.default_rng(3)
    real, synthetic = random.normal(size=(1000, 6)), random.normal(size=(1000, 6))
    synthetic[round(1000 * good) :] += 50
    found = manifold(synthetic, real)
    assert found.clipped_density == pytest.approx(good, abs=0.05)
    assert found.clipped_coverage == pytest.approx(good, abs=0.05)


def test_one_odd_real_image_raises_density_and_no_clipped_one() -> None:
    """Its ball is so wide that far synthetic images lie in it (the paper's example of what density gets wrong)."""
    random = np.random.default_rng(4)
    real, synthetic = random.normal(size=(300, 6)), random.normal(size=(300, 6))
    synthetic[150:] += 12
    before = manifold(synthetic, real)
    real[:3] += 10
    after = manifold(synthetic, real)
    assert after.density > before.density + 0.05
    assert after.clipped_density == pytest.approx(before.clipped_density, abs=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 3))
def test_neighbours_are_those_of_scipy(seed: int, rows: int, k: int) -> None:
    random = np.random.default_rng(seed)
    x, y = random.normal(5, 2, size=(rows, 7)).astype(np.float32), random.normal(5, 2, size=(rows + 5, 7))
    y = y.astype(np.float32)
    distance, index = nearest(x, y, k)
    expected = np.sort(cdist(x.astype(float), y.astype(float)), axis=1)[:, :k]
    np.testing.assert_allclose(distance, expected, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(x[:, None].astype(float) - y[index], axis=2), expected, rtol=1e-6)


def test_a_row_is_no_neighbour_of_itself_and_twins_are_at_distance_zero() -> None:
    x = np.random.default_rng(4).normal(100, 1, size=(30, 50)).astype(np.float32)
    x[7] = x[3]
    distance, index = nearest(x, x, same=True)
    assert (index[:, 0] != np.arange(30)).all()
    assert distance[3, 0] == distance[7, 0] == 0
    assert radii(x, 2).min() > 0
    with pytest.raises(ValueError, match="3 rows have no 3 neighbours"):
        nearest(x[:3], x[:3], 3, same=True)
