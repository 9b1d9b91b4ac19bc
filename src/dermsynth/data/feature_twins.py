"""Near-duplicates by what a network sees: pairs nearer than images of different groups ever are, by a calibrated threshold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from dermsynth.data.dataset import DataSet

Rows = NDArray[np.float32]
FALSE_PAIRS = 0.05
"""Images expected to lie below the threshold by chance, in the whole set."""
FEWEST = 50
"""Images below which the distances to nearest neighbours are too few to calibrate a threshold by."""
NORMAL = 1.4826
"""Standard deviation of a normal distribution in median absolute deviations."""
BLOCK = 1024


@dataclass(frozen=True)
class Network:
    """A network by whose features images are compared: its name, and from a set to features [n, d]."""

    name: str
    features: Callable[[DataSet], Rows]


class Threshold(NamedTuple):
    """Cosine distance below which two images are near-duplicates, and of how many images it was calibrated; NaN: not."""

    value: float
    images: int
    median: float = float("nan")

    @property
    def calibrated(self) -> bool:
        """Whether there were enough images."""
        return bool(np.isfinite(self.value))

    def text(self) -> str:
        """How the threshold came about."""
        if not self.calibrated:
            return f"no threshold: {self.images} images, at least {FEWEST} are needed to calibrate one"
        return (
            f"threshold {self.value:.4f} (cosine distance), calibrated by the distances of {self.images:,} images to the "
            f"nearest image of another group (median {self.median:.3f}): were their logarithms normal, {FALSE_PAIRS:g} of them "
            "would lie below it"
        )


@dataclass(frozen=True)
class FeatureTwins:
    """Near-duplicates by features.

    Attributes
    ----------
    network
        Name of the network.
    threshold
        What distance makes a pair.
    rows
        Features of the set's images about their mean, of unit length, [n, d]; NaN where one could not be read.
    others
        The same of each further set.
    pairs
        Pairs [k, 2] within the set.
    across
        Of each further set the pairs [k, 2] of an image of the set and one of its own.
    """

    network: str
    threshold: Threshold
    rows: Rows
    others: tuple[Rows, ...] = ()
    pairs: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))
    across: tuple[NDArray[np.int64], ...] = ()

    def text(self) -> str:
        """By which network and threshold."""
        return f"near-duplicates by features of {self.network}: {self.threshold.text()}"


def unit_rows(rows: NDArray[np.floating]) -> Rows:
    """Rows [n, d] divided by their lengths."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-12), np.float32)


def calibrated_threshold(rows: Rows, groups: NDArray[np.int64]) -> Threshold:
    """The distance that an image's nearest neighbour of another group stays above, but for one image in twenty sets.

    The logarithms of these distances are taken as normal, with median and median absolute deviation for mean and deviation,
    so that duplicates which nobody knows of do not move the threshold.

    Parameters
    ----------
    rows
        Features of unit length [n, d].
    groups
        Patient, lesion or photograph of each image, [n].
    """
    nearest = np.concatenate([
        np.where(groups[start : start + BLOCK, None] == groups[None], np.inf, distances).min(axis=1)
        for start, distances in _blocks(rows, rows)
    ]) if len(rows) else np.empty(0)  # fmt: skip
    nearest = nearest[np.isfinite(nearest)]
    positive = np.log(nearest[nearest > 1e-6])
    if len(positive) < FEWEST:
        return Threshold(float("nan"), len(positive))
    middle = float(np.median(positive))
    deviation = NORMAL * float(np.median(np.abs(positive - middle)))
    quantile = float(scipy.stats.norm.ppf(FALSE_PAIRS / len(positive)))
    return Threshold(float(np.exp(middle + quantile * deviation)), len(positive), float(np.exp(middle)))


def close_pairs(rows: Rows, others: Rows | None, threshold: float) -> NDArray[np.int64]:
    """Pairs [k, 2] of a row and another one, or one of `others`, that are nearer than the threshold."""
    pairs = []
    for start, distances in _blocks(rows, rows if others is None else others):
        first, second = np.nonzero(distances < threshold)
        first = first + start
        keep = second > first if others is None else np.ones(len(first), bool)
        pairs.append(np.stack([first[keep], second[keep]], axis=1))
    return np.concatenate(pairs).astype(np.int64) if pairs else np.empty((0, 2), np.int64)


def _blocks(rows: Rows, others: Rows) -> list[tuple[int, Rows]]:
    """First row and cosine distances [b, m] of blocks of rows; infinite where an image could not be read."""
    blocks = []
    for start in range(0, len(rows), BLOCK):
        distances = 1 - rows[start : start + BLOCK] @ others.T
        blocks.append((start, np.where(np.isnan(distances), np.inf, distances).astype(np.float32)))
    return blocks


def feature_twins(rows: Rows, groups: NDArray[np.int64], others: tuple[Rows, ...], network: str) -> FeatureTwins:
    """Near-duplicates within a set and with further ones, by one threshold, calibrated on the set.

    Distances are cosines about the set's mean: what all its images share says nothing of two of them.

    Parameters
    ----------
    rows
        Features [n, d]; NaN where an image could not be read.
    groups
        Patient, lesion or photograph of each image, [n].
    others
        Features [m, d] of each further set.
    network
        Name of the network.
    """
    readable = ~np.isnan(rows).any(axis=1)
    middle = rows[readable].mean(axis=0) if readable.any() else np.zeros(rows.shape[1], np.float32)
    rows, others = unit_rows(rows - middle), tuple(unit_rows(other - middle) for other in others)
    threshold = calibrated_threshold(rows[readable], groups[readable])
    limit = threshold.value if threshold.calibrated else -np.inf
    return FeatureTwins(
        network, threshold, rows, others, close_pairs(rows, None, limit),
        tuple(close_pairs(rows, other, limit) for other in others),
    )  # fmt: skip
