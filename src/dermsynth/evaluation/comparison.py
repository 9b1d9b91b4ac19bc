"""A synthetic set against a real one: FID, KID and SWD, each with its interval and its real-against-real floor."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermsynth.errors import UserError
from dermsynth.evaluation.frechet import frechet_distance
from dermsynth.evaluation.intervals import LEVEL, bootstrap, multiplicities
from dermsynth.evaluation.kernel import cubic_kernel, kernel_distance, weighted_distance
from dermsynth.evaluation.sliced_wasserstein import descriptors, projected_distance, resampled_distances

MINIMUM = 50
"""Images a side below which no figure is given."""
FID_RESAMPLES, KID_RESAMPLES, SWD_RESAMPLES, SWD_DIRECTIONS = 100, 1000, 50, 32
SWD_MAXIMUM = 2000

Features = NDArray[np.float32]
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Measurement:
    """One figure and what it takes to believe it.

    The interval is that of the distance between the two distributions. FID and SWD of few images lie above that
    distance even for equal distributions, so their interval may end below the value: the gap is the inflation.
    `floor` is the same metric between two disjoint halves of the real set; `matched` is the metric between as many
    synthetic images and one of the halves, so that floor and matched differ in nothing but where images come from.
    """

    metric: str
    group: str
    value: float
    low: float
    high: float
    synthetic: int
    real: int
    floor: float
    matched: float
    half: int
    seed: int


def require(count: int, side: str, group: str) -> None:
    """Raise UserError below the number of images at which a figure means anything."""
    if count < MINIMUM:
        raise UserError(f"{group}: {count} {side} images, at least {MINIMUM} a side are needed for a figure")


def halves(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two disjoint random halves of `count` images."""
    order = np.random.default_rng(seed).permutation(count)
    return order[: count // 2], order[count // 2 : count // 2 * 2]


def feature_measurements(synthetic: Features, real: Features, group: str, suffix: str, seed: int) -> list[Measurement]:
    """FID and KID of features [n, d] against [m, d]; `suffix` tells which features they are."""
    require(len(synthetic), "synthetic", group)
    require(len(real), "real", group)
    fid = frechet_distance(synthetic, real)
    fid_interval = bootstrap(
        lambda i, j: frechet_distance(synthetic[i], real[j]),
        (len(synthetic), len(real)), fid, resamples=FID_RESAMPLES, seed=seed,
    )  # fmt: skip
    fid_interval = (max(fid_interval[0], 0.0), max(fid_interval[1], 0.0))
    kid = kernel_distance(synthetic, real)
    make = _measurement(synthetic, real, group, seed)
    return [
        make(f"FID{suffix}", fid, fid_interval, frechet_distance),
        make(f"KID{suffix} x 1000", kid, _kid_interval(synthetic, real, kid, seed), kernel_distance, scale=1000),
    ]


def _kid_interval(synthetic: Features, real: Features, kid: float, seed: int) -> tuple[float, float]:
    xx, yy, xy = cubic_kernel(synthetic, synthetic), cubic_kernel(real, real), cubic_kernel(synthetic, real)

    def resampled(i: NDArray[np.int64], j: NDArray[np.int64]) -> float:
        return weighted_distance(xx, yy, xy, multiplicities(i, len(xx)), multiplicities(j, len(yy)))

    return bootstrap(resampled, (len(synthetic), len(real)), kid, resamples=KID_RESAMPLES, seed=seed)


def _measurement(synthetic: Features, real: Features, group: str, seed: int) -> Callable[..., Measurement]:
    half = min(len(real) // 2, len(synthetic))
    first, second = (side[:half] for side in halves(len(real), seed))
    some = np.random.default_rng(seed + 1).permutation(len(synthetic))[:half]

    def make(
        metric: str,
        value: float,
        interval: tuple[float, float],
        distance: Callable[[Features, Features], float],
        scale: float = 1,
    ) -> Measurement:
        floor, matched = distance(real[second], real[first]), distance(synthetic[some], real[first])
        low, high = interval
        return Measurement(
            metric, group, value * scale, low * scale, high * scale, len(synthetic), len(real),
            floor * scale, matched * scale, len(first), seed,
        )  # fmt: skip

    return make


def swd_measurements(synthetic: Images, real: Images, group: str, seed: int) -> list[Measurement]:
    """SWD by BAUR's protocol on equally many images, at most 2,000 a side: mean over levels, then every level."""
    require(len(synthetic), "synthetic", group)
    require(len(real), "real", group)
    count = min(len(synthetic), len(real), SWD_MAXIMUM)
    generator = np.random.default_rng(seed)
    chosen = [side[generator.permutation(len(side))[:count]] for side in (synthetic, real)]
    first, second = halves(len(real), seed)
    half = min(len(first), SWD_MAXIMUM, len(synthetic))
    floor = _levels(real[second[:half]], real[first[:half]], seed)
    matched = _levels(synthetic[generator.permutation(len(synthetic))[:half]], real[first[:half]], seed)
    side = min(synthetic.shape[2:])

    def measured(name: str, value: float, estimate: float, draws: NDArray[np.float32], levels: slice) -> Measurement:
        low, high = _pivotal(value, estimate, draws)
        limits = float(np.mean(floor[levels])), float(np.mean(matched[levels]))
        return Measurement(f"SWD {name}", group, value, low, high, count, count, *limits, half, seed)

    found, intervals = [], []
    for level, (x, y) in enumerate(zip(descriptors(chosen[0], seed), descriptors(chosen[1], seed + 1), strict=True)):
        value = projected_distance(x, y, seed)
        estimate, draws = resampled_distances(x, y, directions=SWD_DIRECTIONS, resamples=SWD_RESAMPLES, seed=seed)
        intervals.append((value, estimate, draws))
        found.append(measured(f"{side // 2**level} px", value, estimate, draws, slice(level, level + 1)))
    value, estimate = (float(np.mean([i[k] for i in intervals])) for k in (0, 1))
    draws = np.mean([i[2] for i in intervals], axis=0)
    return [measured("mean", value, estimate, draws, slice(None)), *found]


def _levels(x: Images, y: Images, seed: int) -> list[float]:
    pairs = zip(descriptors(x, seed), descriptors(y, seed + 1), strict=True)
    return [projected_distance(a, b, seed) for a, b in pairs]


def _pivotal(value: float, estimate: float, draws: NDArray[np.float32]) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return max(float(value + estimate - high), 0.0), max(float(value + estimate - low), 0.0)


def as_rows(measurements: list[Measurement]) -> list[dict[str, Any]]:
    """Plain dictionaries for JSON."""
    return [asdict(m) for m in measurements]
