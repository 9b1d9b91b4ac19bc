import tracemalloc

import cv2
import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import wasserstein_distance

from dermsynth.errors import UserError
from dermsynth.metrics import sliced_wasserstein as sliced_wasserstein_module
from dermsynth.metrics.appearance import appearance_between
from dermsynth.metrics.colour import colours_between
from dermsynth.metrics.estimate import MINIMUM, Effort, Estimate, Sides, halves
from dermsynth.metrics.frechet import fid_between, fid_infinity_between, frechet_distance, frechet_infinity
from dermsynth.metrics.kernels import (
    cubic_kernel,
    gaussian_kernel,
    kernel_distance,
    kid_between,
    median_distance,
    mmd_between,
    weighted_distances,
)
from dermsynth.metrics.prdc import manifold_between
from dermsynth.metrics.pyramids import swd_between
from dermsynth.metrics.scores import score_between
from dermsynth.metrics.sliced_wasserstein import (
    SCALE,
    PatchWalk,
    descriptors,
    laplacian_pyramid,
    level_distances,
    line_distance,
    sliced_wasserstein,
    unit_vectors,
)
from dermsynth.statistics.intervals import bootstrap


def projected_distance(x: np.ndarray, y: np.ndarray, seed: int) -> float:  # type: ignore[type-arg]
    """Sliced Wasserstein distance of equally many normalised patches [n, 147], held in memory."""
    directions = unit_vectors(x.shape[1], seed)
    pairs = zip(directions.T @ x.T, directions.T @ y.T, strict=True)
    return float(np.mean([line_distance(a, b) for a, b in pairs]) * SCALE)


def _features(n: int, d: int, seed: int, shift: float = 0.0) -> np.ndarray:  # type: ignore[type-arg]
    generator = np.random.default_rng(seed)
    return (generator.standard_normal((n, d)) @ np.random.default_rng(99).standard_normal((d, d)) + shift).astype(
        np.float32
    )


def _frechet_literal(x: np.ndarray, y: np.ndarray) -> float:  # type: ignore[type-arg]
    """Heusel et al. 2017, equation 6, as it stands, with SciPy's matrix root."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    root = scipy.linalg.sqrtm(np.cov(x.T) @ np.cov(y.T))
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root.real))


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 20), (60, 90, 50), (40, 35, 64)])
def test_frechet_equals_the_equation(n: int, m: int, d: int) -> None:
    x, y = _features(n, d, 0), _features(m, d, 1, 0.3)
    expected = _frechet_literal(x, y)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-4)


def test_frechet_equals_torchmetrics() -> None:
    fid = pytest.importorskip("torchmetrics.image.fid", reason="needs torchmetrics")

    class Identity(torch.nn.Module):
        num_features = 24

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1).double()

    x, y = _features(200, 24, 2), _features(150, 24, 3, 1.0)
    metric = fid.FrechetInceptionDistance(feature=Identity(), normalize=True, input_img_size=(3, 2, 4))
    metric.set_dtype(torch.float64)
    metric.update(torch.tensor(x).reshape(-1, 3, 2, 4), real=True)
    metric.update(torch.tensor(y).reshape(-1, 3, 2, 4), real=False)
    assert frechet_distance(x, y) == pytest.approx(float(metric.compute()), rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 60))
def test_frechet_is_symmetric_zero_on_itself_and_moves_with_the_mean(seed: int, n: int) -> None:
    x, y = _features(n, 12, seed), _features(n + 5, 12, seed + 1)
    scale = float(np.square(x).mean()) * 12
    assert abs(frechet_distance(x, x)) < 1e-6 * scale
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-6)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * 12, rel=1e-3)


def test_kernel_distance_equals_the_double_sum() -> None:
    x, y = _features(7, 5, 0), _features(9, 5, 1, 0.5)

    def k(a, b):  # type: ignore[no-untyped-def]
        return (float(a.astype(np.float64) @ b.astype(np.float64)) / 5 + 1) ** 3

    within_x = sum(k(x[i], x[j]) for i in range(7) for j in range(7) if i != j) / 42
    within_y = sum(k(y[i], y[j]) for i in range(9) for j in range(9) if i != j) / 72
    across = sum(k(a, b) for a in x for b in y) / 63
    assert kernel_distance(x, y) == pytest.approx(within_x + within_y - 2 * across, rel=1e-6)


def test_kernel_distance_equals_torchmetrics_on_one_whole_subset() -> None:
    kid = pytest.importorskip("torchmetrics.image.kid", reason="needs torchmetrics")
    x, y = _features(80, 16, 0) / 4, _features(80, 16, 1, 0.5) / 4
    value = kid.poly_mmd(torch.tensor(x).double(), torch.tensor(y).double(), degree=3, gamma=None, coef=1.0)
    assert kernel_distance(x, y) == pytest.approx(float(value), rel=1e-6)


def test_kernel_distance_is_unbiased() -> None:
    values = [kernel_distance(_features(12, 6, s) / 3, _features(15, 6, 10_000 + s) / 3) for s in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20


def test_multiplicities_equal_repeated_rows_without_pairs_of_a_row_with_itself() -> None:
    x, y = _features(6, 4, 0), _features(5, 4, 1)
    wx, wy = np.array([2.0, 0, 1, 1, 1, 1]), np.ones(5)
    found, plain = weighted_distances(x, y, np.stack([wx, np.ones(6)]), np.stack([wy, wy]))
    index = [0, 0, 2, 3, 4, 5]
    kxx, kyy, kxy = cubic_kernel(x, x), cubic_kernel(y, y), cubic_kernel(x, y)
    pairs = [(i, j) for a, i in enumerate(index) for b, j in enumerate(index) if a != b and i != j]
    within = sum(kxx[i, j] for i, j in pairs) / len(pairs)
    other = (kyy.sum() - np.trace(kyy)) / 20
    assert found == pytest.approx(within + other - 2 * kxy[index].mean(), rel=1e-9)
    assert plain == pytest.approx(kernel_distance(x, y))


def _pictures(n: int, side: int, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 255, (n, side // 4, side // 4, 3), dtype=np.uint8)
    return np.stack([cv2.resize(c, (side, side), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1) for c in coarse])


def test_the_pyramid_is_burt_and_adelsons_and_sums_up_to_the_image() -> None:
    image = _pictures(1, 64, 0)[0].transpose(1, 2, 0).astype(np.float32)
    levels = laplacian_pyramid(image)
    assert [level.shape[0] for level in levels] == [64, 32, 16]
    taps = np.array([1, 4, 6, 4, 1]) / 16
    low = ndimage.convolve1d(ndimage.convolve1d(image, taps, axis=0, mode="mirror"), taps, axis=1, mode="mirror")[
        ::2, ::2
    ]
    stuffed = np.zeros_like(image)
    stuffed[::2, ::2] = low
    up = ndimage.convolve1d(
        ndimage.convolve1d(stuffed, taps * 2, axis=0, mode="mirror"), taps * 2, axis=1, mode="mirror"
    )
    assert np.abs(levels[0] - (image - up))[4:-4, 4:-4].max() < 1e-2
    rebuilt = levels[-1]
    for level in levels[-2::-1]:
        rebuilt = cv2.pyrUp(rebuilt, dstsize=level.shape[1::-1]) + level
    assert np.allclose(rebuilt, image, atol=1e-2)


def test_the_distance_equals_a_literal_transcription() -> None:
    """BAUR's protocol in plain loops, on the same patches and directions."""
    x, y = _pictures(6, 32, 0), _pictures(6, 32, 1)
    found = sliced_wasserstein(x, y, seed=3)
    for level, (a, b) in enumerate(zip(descriptors(x, 3), descriptors(y, 4), strict=True)):
        assert a.shape == (6 * 128, 147)
        for patches in (a, b):
            channels = patches.reshape(-1, 3, 49)
            assert np.abs(channels.mean((0, 2))).max() < 1e-4
            assert np.abs(channels.std((0, 2)) - 1).max() < 1e-4
        generator, total = np.random.default_rng(3), 0.0
        for _ in range(4):
            directions = generator.standard_normal((147, 128)).astype(np.float32)
            for d in directions.T:
                unit = d / np.sqrt((d**2).sum())
                total += np.abs(np.sort(a @ unit) - np.sort(b @ unit)).mean()
        assert found[str(32 // 2**level)] == pytest.approx(total / 512 * 1000, rel=1e-4)
    assert found["mean"] == pytest.approx(np.mean([found["32"], found["16"]]))


@pytest.mark.parametrize("sizes", [(60, 40), (12, 90), (90, 12), (9, 7)])
def test_rows_may_be_counted_instead_of_repeated(sizes: tuple[int, int]) -> None:
    """Both sides with more images than the 12 dimensions, one with fewer, and both."""
    x, y = _features(sizes[0], 12, 0), _features(sizes[1], 12, 1, 0.3)
    random = np.random.default_rng(2)
    i, j = (random.integers(0, size, size) for size in sizes)
    counts = [np.bincount(rows, minlength=size) for rows, size in zip((i, j), sizes, strict=True)]
    assert frechet_distance(x, y, *counts) == pytest.approx(frechet_distance(x[i], y[j]), rel=1e-6)


def test_the_distance_is_zero_on_itself_and_larger_for_others() -> None:
    x = descriptors(_pictures(20, 32, 0), 0)[0]
    assert projected_distance(x, x, 0) == 0
    near = sliced_wasserstein(_pictures(40, 32, 0), _pictures(40, 32, 1))["mean"]
    noise = np.random.default_rng(0).integers(0, 255, (40, 3, 32, 32), dtype=np.uint8)
    assert sliced_wasserstein(_pictures(40, 32, 0), noise)["mean"] > 2 * near
    with pytest.raises(ValueError, match="equal shapes"):
        sliced_wasserstein(x[:4], x[:3])


@pytest.mark.parametrize("shift", [0.0, 0.01, 3.0])
def test_the_area_between_distribution_functions_is_the_mean_difference_of_sorted_values(shift: float) -> None:
    random = np.random.default_rng(0)
    a, b = (random.standard_t(4, 20_000).astype(np.float32) + np.float32(s) for s in (0.0, shift))
    assert line_distance(a, b) == pytest.approx(np.abs(np.sort(a) - np.sort(b)).mean(dtype=np.float64), rel=1e-3)
    assert line_distance(a, a[::-1]) == 0
    assert line_distance(np.ones(5, np.float32), np.ones(5, np.float32)) == 0


def test_walking_through_the_patches_equals_holding_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of images at once, and where the range of projections is known from a part of them only."""
    x, y = _pictures(50, 32, 0), _pictures(50, 32, 1)
    literal = [projected_distance(a, b, 3) for a, b in zip(descriptors(x, 3), descriptors(y, 4), strict=True)]
    walks = PatchWalk(x, np.arange(50), 3), PatchWalk(y, np.arange(50), 4)
    for at_once, range_images in ((256, 1024), (7, 1024), (8, 16)):
        monkeypatch.setattr(sliced_wasserstein_module, "AT_ONCE", at_once)
        monkeypatch.setattr(sliced_wasserstein_module, "RANGE_IMAGES", range_images)
        found = [level.value for level in level_distances(*walks, 3)]
        assert found == pytest.approx(literal, rel=2e-4)


@pytest.mark.parametrize("people", [np.arange(20) % 5, np.repeat(np.arange(5), [1, 2, 3, 6, 8])])
def test_a_distance_without_a_part_of_the_images_is_that_of_the_others(people: NDArray[np.int64]) -> None:
    """Also where the parts of both sides hold unequally many images: scipy's distance takes samples of any sizes."""
    x, y, even = _pictures(20, 16, 0), _pictures(20, 16, 1), np.arange(20) % 5
    walks = PatchWalk(x, np.arange(20), 3), PatchWalk(y, np.arange(20), 4)
    (level,) = level_distances(*walks, 3, (even, people))
    unit = unit_vectors(147, 3)[:, :32]
    a, b = ((p @ unit).reshape(20, 128, 32) for p in (descriptors(x, 3)[0], descriptors(y, 4)[0]))
    assert len(level.left_out) == 5
    for part, found in enumerate(level.left_out):
        rest = a[even != part].reshape(-1, 32), b[people != part].reshape(-1, 32)
        literal = np.mean([wasserstein_distance(rest[0][:, d], rest[1][:, d]) for d in range(32)])
        assert found == pytest.approx(literal * 1000, rel=1e-3)


def test_swd_is_of_all_images_up_to_the_protocols_ten_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Effort().swd_images == 10_000
    x, y = _pictures(2100, 16, 0), _pictures(2050, 16, 1)
    monkeypatch.setattr(sliced_wasserstein_module, "PATCHES", 2)
    monkeypatch.setattr(sliced_wasserstein_module, "REPEATS", 1)
    row = swd_between(Sides(x, y), 10_000)[0]
    assert (row.n_synthetic, row.n_real, row.n_floor) == (2050, 2050, 1025)
    row = swd_between(Sides(x[:120], y[:110]), 100)[0]
    assert (row.n_synthetic, row.n_real, row.n_floor) == (100, 100, 55)


def test_memory_of_swd_does_not_grow_with_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is allocated beside the images themselves, at sixteen times as many images."""
    monkeypatch.setattr(sliced_wasserstein_module, "AT_ONCE", 8)
    monkeypatch.setattr(sliced_wasserstein_module, "RANGE_IMAGES", 16)
    monkeypatch.setattr(sliced_wasserstein_module, "CELLS", 1024)
    peaks = []
    for n in (16, 256):
        x, y = _pictures(n, 16, 0), _pictures(n, 16, 1)
        tracemalloc.start()
        level_distances(PatchWalk(x, np.arange(n), 0), PatchWalk(y, np.arange(n), 1), 0, (np.arange(n) % 10,) * 2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def _every_estimate() -> list[Estimate]:
    real, fake = _features(200, 8, 0), _features(160, 8, 1, 0.2)
    pictures = _pictures(60, 16, 0), _pictures(60, 16, 1)
    histograms = [np.random.default_rng(s).dirichlet(np.ones(16), 60) for s in (0, 1)]
    named = [np.random.default_rng(s).standard_normal((60, 13)) for s in (0, 1)]
    scores = [np.random.default_rng(s).dirichlet(np.ones(5), 60) for s in (0, 1)]
    return [
        *_of_features(Sides(fake, real)),
        mmd_between(Sides(fake, real), 100),
        *manifold_between(Sides(fake, real)),
        *colours_between({"L*": Sides(*histograms)}, 200),
        *appearance_between(Sides(*named), 500),
        score_between(Sides(*scores), 100),
        *swd_between(Sides(*pictures), 10_000),
    ]


def _of_features(sides: Sides) -> list[Estimate]:
    return [fid_between(sides, 100), kid_between(sides, 1000)]


def test_every_figure_lies_in_its_interval() -> None:
    rows = _every_estimate()
    assert len(rows) > 20
    for row in rows:
        assert row.low <= row.value <= row.high, row


def test_figures_of_a_set_against_itself_lie_in_their_intervals() -> None:
    features, pictures = _features(100, 8, 0), _pictures(60, 16, 0)
    for row in [
        *_of_features(Sides(features, features)),
        *swd_between(Sides(pictures, pictures), 10_000),
    ]:
        assert row.low <= row.value <= row.high, row


@pytest.mark.parametrize(("pairs", "least"), [(30, 25), pytest.param(100, 87, marks=pytest.mark.slow)])
def test_the_interval_of_fid_covers_the_expected_figure_of_as_many_images(pairs: int, least: int) -> None:
    """What other images of the same sources, as many of them, give on average: the target that the interval names."""

    def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        return _features(80, 6, 2 * seed, 0.5), _features(100, 6, 2 * seed + 1)

    expected = np.mean([frechet_distance(*draw(1000 + seed)) for seed in range(400)])
    covered = 0
    for seed in range(pairs):
        x, y = draw(seed)
        low, high = bootstrap(
            lambda i, j, x=x, y=y: frechet_distance(x[i], y[j]),
            (80, 100),
            frechet_distance(x, y),
            resamples=100,
            seed=seed,
        )
        covered += low <= expected <= high
    assert covered >= least


def test_bootstrap_of_a_difference_of_means_covers_the_truth() -> None:
    covered = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        x, y = generator.standard_normal(60) + 0.5, generator.standard_normal(80)
        low, high = bootstrap(
            lambda i, j, x=x, y=y: x[i].mean() - y[j].mean(), (60, 80), x.mean() - y.mean(), resamples=200, seed=seed
        )
        covered += low <= 0.5 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_too_few_images_are_refused_with_the_number_needed() -> None:
    few, enough = _features(MINIMUM - 1, 4, 0), _features(MINIMUM, 4, 1)
    for pair in ((few, enough), (enough, few)):
        with pytest.raises(UserError, match=r"melanoma: 49 .* images, at least 50 a side"):
            fid_between(Sides(*pair, group="melanoma"), 10)


def test_floor_and_matched_use_the_same_half() -> None:
    real, fake = _features(120, 6, 0), _features(90, 6, 1, 3.0)
    fid = fid_between(Sides(fake, real, seed=5), 10)
    first, second = halves(120, 5)
    assert not set(first) & set(second)
    assert (fid.n_floor, fid.n_synthetic, fid.n_real) == (60, 90, 120)
    assert fid.floor == pytest.approx(frechet_distance(real[second], real[first]))
    few = fid_between(Sides(fake[:50], real, seed=5), 10)
    assert few.n_floor == 50
    assert few.floor == pytest.approx(frechet_distance(real[second[:50]], real[first[:50]]))
    assert fid.low < fid.value < fid.high


def test_a_second_real_half_scores_like_the_floor() -> None:
    """Property: images from the real distribution itself are not told apart."""
    everything = [_features(400, 6, seed) for seed in range(10)]
    kids = [kid_between(Sides(rows[:200], rows[200:]), 300) for rows in everything]
    assert sum(kid.low <= 0 <= kid.high for kid in kids) >= 8
    swd = swd_between(Sides(_pictures(60, 16, 0), _pictures(60, 16, 1)), 10_000)
    assert [estimate.name for estimate in swd] == ["SWD mean", "SWD 16 px"]
    assert swd[0].matched == pytest.approx(swd[0].floor, rel=0.6)


def test_frechet_infinity_takes_the_bias_of_few_images_out() -> None:
    y = _features(20_000, 16, 11)
    biased, found = [], []
    for seed in range(8):
        x = _features(100, 16, 100 + seed)
        biased.append(frechet_distance(x, y))
        found.append(frechet_infinity(x, y))
    assert np.mean(biased) > 0.02 * np.trace(np.cov(y.T))
    assert abs(np.mean(found)) < 0.35 * np.mean(biased)
    shifted = _features(4000, 16, 12, 2.0)
    assert frechet_infinity(shifted, y) == pytest.approx(4 * 16, rel=0.1)
    with pytest.raises(ValueError, match="63 images for 16 dimensions"):
        frechet_infinity(y[:63], y)


def test_fid_at_infinity_is_left_out_where_images_are_few() -> None:
    many, few = (fid_infinity_between(Sides(_features(n, 8, 1), _features(n, 8, 2))) for n in (160, 60))
    assert many is not None
    assert many.name == "FID at infinity"
    assert few is None


def test_a_gaussian_kernel_is_that_of_its_equation_and_of_scikit_learn() -> None:
    from sklearn.metrics.pairwise import rbf_kernel

    x, y = _features(20, 6, 13), _features(30, 6, 14)
    bandwidth = median_distance(x)
    pairs = [np.linalg.norm(a.astype(float) - b) for i, a in enumerate(x) for b in x[:i]]
    assert bandwidth == pytest.approx(np.median(pairs))
    np.testing.assert_allclose(gaussian_kernel(x, y, bandwidth), rbf_kernel(x.astype(float), y, 1 / (2 * bandwidth**2)))
