"""Whole families of figures between a synthetic and a real set: of features, pyramids, colours, and named features."""

from collections.abc import Callable
from dataclasses import astuple, fields

import numpy as np
from numpy.typing import NDArray

from dermsynth.backbones.lpips import PerceptualSpace
from dermsynth.evaluation.estimate import MINIMUM, Measurement, Sides, halves, require, require_both
from dermsynth.images import require_pixels
from dermsynth.metrics.clinical_features import COMPARED, NAMES
from dermsynth.metrics.colour import histogram_wasserstein, jensen_shannon
from dermsynth.metrics.frechet import IMAGES_A_DIMENSION, frechet_distance, frechet_infinity, inception_score
from dermsynth.metrics.kernels import cubic_kernel, gaussian_kernel, kernel_distance, median_distance, weighted_distances
from dermsynth.metrics.prdc import Manifold, manifold
from dermsynth.metrics.similar_images import Images
from dermsynth.metrics.structural import multi_scale_ssim
from dermsynth.metrics.sliced_wasserstein import PatchWalk, level_distances
from dermsynth.statistics.intervals import (
    GROUPS,
    bootstrap,
    jackknife,
    jackknife_reach,
    left_out,
    multiplicities,
    spread_about,
)

FID_RESAMPLES, KID_RESAMPLES = 100, 1000
HISTOGRAM_RESAMPLES, FEATURE_RESAMPLES = 200, 500
SWD_MAXIMUM, PAIRS, PAIRS_AT_ONCE = 10_000, 500, 32

Array = NDArray[np.float64]
Features = NDArray[np.floating]


def feature_measurements(synthetic: Features, real: Features, group: str, suffix: str, seed: int) -> list[Measurement]:
    """FID and KID of features [n, d] against [m, d]; `suffix` tells which features they are."""
    require_both(synthetic, real, group)
    sides = Sides(synthetic, real, group, seed)
    fid = frechet_distance(synthetic, real)
    fid_interval = bootstrap(sides.resampled(frechet_distance), sides.sizes, fid, resamples=FID_RESAMPLES, seed=seed)
    fid_interval = (max(fid_interval[0], 0.0), max(fid_interval[1], 0.0))
    kid = kernel_distance(synthetic, real)
    kid_interval = _kernel_interval(synthetic, real, kid, cubic_kernel, seed)
    return [
        sides.measurement(f"FID{suffix}", fid, fid_interval, frechet_distance),
        sides.measurement(f"KID{suffix} x 1000", kid, kid_interval, kernel_distance, scale=1000),
    ]


Kernel = Callable[[Features, Features], Array]


def _kernel_interval(
    synthetic: Features, real: Features, value: float, kernel: Kernel, seed: int
) -> tuple[float, float]:
    weights = multiplicities((len(synthetic), len(real)), KID_RESAMPLES, seed)
    return spread_about(value, weighted_distances(synthetic, real, *weights, kernel))


def further_measurements(synthetic: Features, real: Features, group: str, suffix: str, seed: int) -> list[Measurement]:
    """MMD with a Gaussian kernel, precision, recall, density, coverage of features [n, d] and [m, d]; FID at infinity.

    The last only where both halves of the real set have images enough for its line.
    """
    require_both(synthetic, real, group)
    random = np.random.default_rng(seed)
    sides = Sides(synthetic[random.permutation(len(synthetic))], real[random.permutation(len(real))], group, seed)
    bandwidth = median_distance(real)

    def gauss(x: Features, y: Features) -> Array:
        return gaussian_kernel(x, y, bandwidth)

    def mmd(x: Features, y: Features) -> float:
        return kernel_distance(x, y, gauss)

    value = mmd(sides.synthetic, sides.real)
    interval = _kernel_interval(sides.synthetic, sides.real, value, gauss, seed)
    found = [sides.measurement(f"MMD{suffix} x 1000", value, interval, mmd, scale=1000)]
    return _infinity(sides, suffix) + found + _manifold_measurements(sides, suffix)


def _infinity(sides: Sides, suffix: str) -> list[Measurement]:
    smallest = min(len(part) for part in sides.parts) * (GROUPS - 1) // GROUPS
    if smallest < IMAGES_A_DIMENSION * sides.real.shape[1]:
        return []
    value = frechet_infinity(sides.synthetic, sides.real)
    interval = jackknife(sides.resampled(frechet_infinity), sides.sizes, value, seed=sides.seed)
    return [sides.measurement(f"FID{suffix} at infinity", value, interval, frechet_infinity)]


def _manifold_measurements(sides: Sides, suffix: str) -> list[Measurement]:
    """Precision, recall, density and coverage, which are computed together."""

    def four(x: Features, y: Features) -> Array:
        return np.array(astuple(manifold(x, y)))

    first, second, some = sides.parts
    values = four(sides.synthetic, sides.real)
    floor, matched = (four(rows, sides.real[first]) for rows in (sides.real[second], sides.synthetic[some]))
    reach = jackknife_reach(
        np.stack([four(sides.synthetic[i], sides.real[j]) for i, j in left_out(sides.sizes, seed=sides.seed)])
    )
    tops = np.array([np.inf if field.name == "density" else 1.0 for field in fields(Manifold)])
    low, high = (np.clip(values + sign * reach, 0, tops) for sign in (-1, 1))
    found = []
    for k, field in enumerate(fields(Manifold)):
        value, lowest, highest, real, equal = (float(side[k]) for side in (values, low, high, floor, matched))
        name, sizes = f"{field.name}{suffix}", sides.sizes
        found.append(
            Measurement(name, sides.group, value, lowest, highest, *sizes, real, equal, len(first), sides.seed)
        )
    return found


def colour_measurements(
    synthetic: dict[str, Array], real: dict[str, Array], group: str, seed: int
) -> list[Measurement]:
    """Jensen-Shannon divergence and Wasserstein distance x 1000 of every channel's histograms [n, b] and [m, b]."""
    found = []
    for channel in synthetic:
        require_both(synthetic[channel], real[channel], group)
        sides = Sides(synthetic[channel], real[channel], group, seed)
        for name, distance in (("JSD", jensen_shannon), ("Wasserstein", histogram_wasserstein)):
            value = distance(sides.synthetic, sides.real)
            low, high = bootstrap(
                sides.resampled(distance), sides.sizes, value, resamples=HISTOGRAM_RESAMPLES, seed=seed
            )
            found.append(
                sides.measurement(f"{name} x 1000 {channel}", value, (max(low, 0), max(high, 0)), distance, 1000)
            )
    return found


def appearance_measurements(synthetic: Array, real: Array, group: str, seed: int) -> list[Measurement]:
    """Frechet distance of named features [n, 13] in units of the real set's deviations, then every feature alone.

    Alone a feature's figure is the standardised difference of means, synthetic minus real (Cohen 1988, with the real
    deviation): its sign tells which way the synthetic set is off. The skin tone is not part of the distance, for many images
    have none; alone it is that of the images whose tone could be measured.
    """
    made, kept = synthetic[:, COMPARED], real[:, COMPARED]
    require_both(made, kept, group)
    sides = _standardised(made, kept, group, seed)
    value = frechet_distance(sides.synthetic, sides.real)
    low, high = bootstrap(sides.resampled(frechet_distance), sides.sizes, value, resamples=FEATURE_RESAMPLES, seed=seed)
    found = [sides.measurement("Frechet distance, dermatology", value, (max(low, 0), max(high, 0)), frechet_distance)]
    for column, name in enumerate(NAMES):
        made, kept = (side[np.isfinite(side[:, column]), column : column + 1] for side in (synthetic, real))
        if min(len(made), len(kept)) >= MINIMUM:
            found.append(_shift(_standardised(made, kept, group, seed), name))
    return found


def _standardised(synthetic: Array, real: Array, group: str, seed: int) -> Sides:
    """Both sides in the real set's deviations."""
    centre, scale = real.mean(axis=0), real.std(axis=0)
    scale = np.where(scale > 1e-6, scale, np.inf)  # a feature that does not vary tells nothing
    return Sides((synthetic - centre) / scale, (real - centre) / scale, group, seed)


def _shift(sides: Sides, name: str) -> Measurement:
    """Difference of means of one feature."""

    def shift(x: Array, y: Array) -> float:
        return float(x.mean() - y.mean())

    value = shift(sides.synthetic, sides.real)
    interval = bootstrap(sides.resampled(shift), sides.sizes, value, resamples=FEATURE_RESAMPLES, seed=sides.seed)
    return sides.measurement(f"difference of {name.replace('_', ' ')}", value, interval, shift)


def pair_measurements(
    synthetic: Images, real: Images, group: str, perceptual: PerceptualSpace | None, seed: int
) -> list[Measurement]:
    """Mean MS-SSIM, and perceptual distance, of random pairs within the synthetic set; the floor is that within the real one.

    MS-SSIM higher, or a perceptual distance lower, than the floor means that the synthetic images are more alike than real ones
    are (Odena et al. 2017, Zhang et al. 2018).
    """
    for side, images in (("synthetic", synthetic), ("real", real)):
        require_pixels(images)
        require(len(images), side, group)
    measures: dict[str, Callable[[Images, Images], Array]] = {"MS-SSIM of pairs": multi_scale_ssim}
    if perceptual is not None:
        measures[f"{perceptual.name}, of pairs"] = _perceptual_distances(perceptual)
    found = []
    for name, measure in measures.items():
        made, kept = (_of_pairs(images, measure, seed) for images in (synthetic, real))
        value = float(made.mean())
        interval = bootstrap(
            lambda i, _, made=made: float(made[i].mean()),  # type: ignore[misc]
            (len(made), len(made)), value, resamples=FEATURE_RESAMPLES, seed=seed,
        )  # fmt: skip
        sizes = len(synthetic), len(real)
        found.append(Measurement(name, group, value, *interval, *sizes, float(kept.mean()), value, min(sizes), seed))
    return found


def _perceptual_distances(space: PerceptualSpace) -> Callable[[Images, Images], Array]:
    def distances(x: Images, y: Images) -> Array:
        starts = range(0, len(x), PAIRS_AT_ONCE)
        parts = ((x[i : i + PAIRS_AT_ONCE], y[i : i + PAIRS_AT_ONCE]) for i in starts)
        return np.concatenate([np.square(space(a) - space(b), dtype=np.float64).sum(axis=1) for a, b in parts])

    return distances


def _of_pairs(images: Images, measure: Callable[[Images, Images], Array], seed: int) -> Array:
    random = np.random.default_rng(seed)
    first = random.integers(0, len(images), PAIRS)
    second = (first + random.integers(1, len(images), PAIRS)) % len(images)
    return measure(np.asarray(images[first]), np.asarray(images[second]))


def score_measurement(synthetic: Array, real: Array, group: str, suffix: str, seed: int) -> Measurement:
    """Inception score from class probabilities [n, classes] of both sets; the floor is that of half the real images."""
    require_both(synthetic, real, group)
    sides = Sides(synthetic, real, group, seed)

    def score(x: Array, _: Array) -> float:
        return inception_score(x)

    value = inception_score(synthetic)
    interval = bootstrap(sides.resampled(score), sides.sizes, value, resamples=FID_RESAMPLES, seed=seed)
    return sides.measurement(f"Inception score{suffix}", value, interval, score)


def swd_measurements(synthetic: Images, real: Images, group: str, seed: int) -> list[Measurement]:
    """SWD by BAUR's protocol on equally many images, at most the protocol's 10,000 a side: mean over levels, then every level."""
    for side, images in (("synthetic", synthetic), ("real", real)):
        require_pixels(images)
        require(len(images), side, group)
    count = min(len(synthetic), len(real), SWD_MAXIMUM)
    generator = np.random.default_rng(seed)
    made, kept = (
        PatchWalk(side, generator.permutation(len(side))[:count], seed + i) for i, side in enumerate((synthetic, real))
    )
    levels = level_distances(made, kept, seed, groups=GROUPS)
    values, left_out = np.array([level.value for level in levels]), np.stack([level.left_out for level in levels])
    floor, matched, half = _swd_limits(synthetic, real, seed)
    side = min(synthetic.shape[2:])
    rows = {"mean": slice(None), **{f"{side // 2**k} px": slice(k, k + 1) for k in range(len(levels))}}
    found = []
    for name, part in rows.items():
        value, reach = float(values[part].mean()), float(jackknife_reach(left_out[part].mean(axis=0)))
        limits = float(floor[part].mean()), float(matched[part].mean())
        ends = max(value - reach, 0.0), value + reach
        found.append(Measurement(f"SWD {name}", group, value, *ends, count, count, *limits, half, seed))
    return found


def _swd_limits(synthetic: Images, real: Images, seed: int) -> tuple[Array, Array, int]:
    """Distances of every level from one half of the real images: of the other half, and of as many synthetic ones."""
    first, second = halves(len(real), seed)
    half = min(len(first), SWD_MAXIMUM, len(synthetic))
    some = np.random.default_rng(seed + 1).permutation(len(synthetic))[:half]
    one_half = PatchWalk(real, first[:half], seed + 1)
    floor, matched = (
        np.array([level.value for level in level_distances(PatchWalk(side, places, seed), one_half, seed)])
        for side, places in ((real, second[:half]), (synthetic, some))
    )
    return floor, matched, half
