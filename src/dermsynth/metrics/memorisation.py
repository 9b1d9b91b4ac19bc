"""Whether a generator copies its training images: every figure against real images that it has never seen."""

from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score

from dermsynth.metrics.knn import nearest
from dermsynth.statistics.intervals import Indices, bootstrap

Features = NDArray[np.floating]
Array = NDArray[np.float64]
CELLS, FEWEST_IN_CELL, RESAMPLES = 5, 20, 200


def authenticity(synthetic: Features, training: Features) -> float:
    """Share of synthetic images that are farther from their training image than that is from the next (Alaa et al. 2022).

    1 - P(d(g, r*) < d(r*, nearest other r)), r* the training image nearest to g. About one half where images are as close
    to training images as these are to each other, 0 where every image is a copy.
    """
    distance, index = nearest(synthetic, training)
    own = nearest(training, training, same=True)[0][:, 0]
    return float((distance[:, 0] >= own[index[:, 0]]).mean())


def distance_ratio(synthetic: Features, training: Features, held_out: Features, *, seed: int) -> float:
    """Median distance of synthetic images to the nearest training image, over that to the nearest held-out one.

    Both real sets are brought to one size by drawing, for the nearest of more images is nearer. 1 where the generator
    knows nothing about single training images; below 1 it has come closer to them than to others of the same kind.
    """
    count = min(len(training), len(held_out))
    random = np.random.default_rng(seed)
    seen, unseen = (nearest(synthetic, side[random.permutation(len(side))[:count]])[0] for side in (training, held_out))
    return float(np.median(seen) / np.median(unseen))


@dataclass(frozen=True)
class CopyTest:
    """C_T and its interval: below zero synthetic images lie closer to the training images than held-out ones do.

    `cells` were large enough to count.
    """

    value: float
    low: float
    high: float
    cells: int


def copy_test(
    synthetic: Features, training: Features, held_out: Features, *, cells: int = CELLS, seed: int
) -> CopyTest:
    """C_T of Meehan et al. 2020: Mann-Whitney statistics within cells of the training images, averaged.

    C_T = sum over cells of P_n(cell) Z_U(L(Q_m), L(P_n)) / sum of P_n(cell), L the distance to the nearest training image
    (equation 4); cells with fewer than 20 images of either kind are left out. Under the null about N(0, 1) for one cell;
    below -3 the paper speaks of copying, above 5 of underfitting. The interval is a basic bootstrap over both sides' images.

    Raises ValueError when no cell has enough of both.
    """
    regions = KMeans(cells, n_init=4, random_state=seed).fit(np.asarray(training, np.float64))
    made, kept = (nearest(side, training)[0][:, 0] for side in (synthetic, held_out))
    places, others = (regions.predict(np.asarray(side, np.float64)) for side in (synthetic, held_out))
    used = [c for c in range(cells) if min((places == c).sum(), (others == c).sum()) >= FEWEST_IN_CELL]
    if not used:
        raise ValueError(f"no cell of {cells} has {FEWEST_IN_CELL} synthetic and {FEWEST_IN_CELL} held-out images")

    def averaged(i: Indices, j: Indices) -> float:
        scores = [z_statistic(made[i][places[i] == c], kept[j][others[j] == c]) for c in used]
        return float(np.average(scores, weights=[np.sum(others[j] == c) for c in used]))

    sizes = len(made), len(kept)
    value = averaged(*map(np.arange, sizes))
    return CopyTest(value, *bootstrap(averaged, sizes, value, resamples=RESAMPLES, seed=seed), len(used))


def z_statistic(made: Array, kept: Array) -> float:
    """Mann-Whitney U of made > kept, minus its mean, over its deviation under the null with ties."""
    n, m = len(made), len(kept)
    u = float(scipy.stats.mannwhitneyu(made, kept, alternative="two-sided", method="asymptotic").statistic)
    _, ties = np.unique(np.concatenate([made, kept]), return_counts=True)
    total = n + m
    variance = n * m / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
    return (u - n * m / 2) / float(np.sqrt(variance)) if variance > 0 else 0.0


def membership_auc(training_scores: Array, held_out_scores: Array) -> float:
    """How well a score tells training images (higher) from held-out ones: AUC, one half where it cannot."""
    truth = np.concatenate([np.ones(len(training_scores)), np.zeros(len(held_out_scores))])
    return float(roc_auc_score(truth, np.concatenate([training_scores, held_out_scores])))


def closeness(real: Features, synthetic: Features) -> Array:
    """Minus the distance of real images to the nearest synthetic one: the score of membership inference by distance, [n]."""
    return -nearest(real, synthetic)[0][:, 0]


def gate_threshold(held_out_distances: Array, false_alarms: float) -> float:
    """The distance to the nearest training image that a share `false_alarms` of held-out real images falls below."""
    return float(np.quantile(held_out_distances, false_alarms, method="lower"))
