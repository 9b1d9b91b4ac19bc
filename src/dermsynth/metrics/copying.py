"""Measures of copying: does a generator repeat its training images, compared with real images that it has never seen?"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from dermsynth.errors import UserError, require_seed
from dermsynth.metrics.comparison import Extractor, embedded, numeric_features, pixels, require_extractor, require_rows
from dermsynth.metrics.estimate import CopyEstimate, name_of
from dermsynth.metrics.knn import nearest
from dermsynth.seeds import sklearn_seed
from dermsynth.statistics.intervals import Indices, bootstrap, jackknife, percentile_bootstrap
from dermsynth.statistics.rates import rate
from dermsynth.statistics.roc import auc, sensitivity_at

Features = NDArray[np.floating]
Array = NDArray[np.float64]
CELLS, FEWEST_IN_CELL = 5, 20
GAP_RATIO = 1 / 3
"""Distance to the nearest over that to the second nearest training image, below which an image counts as memorised."""
FALSE_POSITIVES = (0.01, 0.001)
"""Rates at which membership is told; held-out images must be at least as many as the reciprocal."""


def authentic_share(synthetic: Features, training: Features) -> float:
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
    near_training, near_held_out = (
        nearest(synthetic, side[random.permutation(len(side))[:count]])[0] for side in (training, held_out)
    )
    return float(np.median(near_training) / np.median(near_held_out))


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
    synthetic: Features, training: Features, held_out: Features, *, cells: int = CELLS, resamples: int = 200, seed: int
) -> CopyTest:
    """C_T of Meehan et al. 2020: Mann-Whitney statistics within cells of the training images, averaged.

    C_T = sum over cells of P_n(cell) Z_U(L(Q_m), L(P_n)) / sum of P_n(cell), L the distance to the nearest training image
    (equation 4); cells with fewer than 20 images of either kind are left out. Under the null about N(0, 1) for one cell;
    below -3 the paper speaks of copying, above 5 of underfitting. The interval is a basic bootstrap over both sides' images.

    Raises ValueError when no cell has enough of both.
    """
    regions = KMeans(cells, n_init=4, random_state=sklearn_seed(seed)).fit(np.asarray(training, np.float64))
    near, far = (nearest(side, training)[0][:, 0] for side in (synthetic, held_out))
    places, held_out_places = (regions.predict(np.asarray(side, np.float64)) for side in (synthetic, held_out))
    used = [c for c in range(cells) if min((places == c).sum(), (held_out_places == c).sum()) >= FEWEST_IN_CELL]
    if not used:
        raise ValueError(f"no cell of {cells} has {FEWEST_IN_CELL} synthetic and {FEWEST_IN_CELL} held-out images")

    def averaged(i: Indices, j: Indices) -> float:
        scores = [z_statistic(near[i][places[i] == c], far[j][held_out_places[j] == c]) for c in used]
        return float(np.average(scores, weights=[np.sum(held_out_places[j] == c) for c in used]))

    sizes = len(near), len(far)
    value = averaged(*map(np.arange, sizes))
    return CopyTest(value, *bootstrap(averaged, sizes, value, resamples=resamples, seed=seed), len(used))


def z_statistic(synthetic: Array, held_out: Array) -> float:
    """Mann-Whitney U of synthetic > held-out distances, minus its mean, over its deviation under the null with ties."""
    n, m = len(synthetic), len(held_out)
    u = float(scipy.stats.mannwhitneyu(synthetic, held_out, alternative="two-sided", method="asymptotic").statistic)
    _, ties = np.unique(np.concatenate([synthetic, held_out]), return_counts=True)
    total = n + m
    variance = n * m / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
    return (u - n * m / 2) / float(np.sqrt(variance)) if variance > 0 else 0.0


def membership_auc(training_scores: Array, held_out_scores: Array) -> float:
    """How well a score tells training images (higher) from held-out ones: AUC, one half where it cannot."""
    return auc(*_told_apart(training_scores, held_out_scores))


def _told_apart(training_scores: Array, held_out_scores: Array) -> tuple[NDArray[np.bool_], Array]:
    """Which images were trained on, and the scores of all."""
    truth = np.arange(len(training_scores) + len(held_out_scores)) < len(training_scores)
    return truth, np.concatenate([training_scores, held_out_scores])


def gap_ratios(synthetic: Features, training: Features) -> Array:
    """Distance to the nearest training image over that to the second nearest, [n], 0 to 1 (Yoon et al. 2023, section 4).

    1 where both are as far, and where both are the image itself.
    """
    distance = nearest(synthetic, training, k=2)[0].astype(np.float64)
    ratio = distance[:, 0] / np.maximum(distance[:, 1], 1e-12)
    return np.asarray(np.where(distance[:, 1] > 0, ratio, 1.0))


def memorised_share(synthetic: Features, training: Features) -> float:
    """Share of synthetic images whose nearest training image is less than a third as far as the second nearest one.

    The crude figure of papers on diffusion (Yoon et al. 2023; Bonnaire et al. 2025). Two photographs of one lesion hide a copy.
    """
    return float((gap_ratios(synthetic, training) < GAP_RATIO).mean())


def true_positive_rate(training_scores: Array, held_out_scores: Array, false_positives: float) -> float:
    """Share of training images above the score that at most a share `false_positives` of held-out images exceed.

    What an attacker is sure of (Carlini et al. 2022, "Membership inference attacks from first principles", section III), where
    the AUC says what he knows on average.
    """
    return sensitivity_at(*_told_apart(training_scores, held_out_scores), 1 - false_positives)


def negative_distances(real: Features, synthetic: Features) -> Array:
    """Minus the distance of real images to the nearest synthetic one: the score of membership inference by distance, [n]."""
    return -nearest(real, synthetic)[0][:, 0]


def gate_threshold(held_out_distances: Array, false_alarms: float) -> float:
    """The distance to the nearest training image that a share `false_alarms` of held-out real images falls below."""
    return float(np.quantile(held_out_distances, false_alarms, method="lower"))


@dataclass(frozen=True)
class ThreeSets:
    """Features of synthetic images, of those that their generator was trained on, and of real ones that it has not seen."""

    synthetic: Features
    training: Features
    held_out: Features
    features: str = ""
    seed: int = 0

    @cached_property
    def membership_scores(self) -> tuple[Array, Array]:
        """Of training and of held-out images the score of membership inference by distance."""
        return negative_distances(self.training, self.synthetic), negative_distances(self.held_out, self.synthetic)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Images of the three sets."""
        return len(self.synthetic), len(self.training), len(self.held_out)

    def estimate(
        self, id: str, value: float, interval: tuple[float, float], without: float, part: str = ""
    ) -> CopyEstimate:
        """The estimate from a value, its interval, and the value without copying."""
        return copy_estimate(id, value, interval, without, self.sizes, self.seed, part, self.features)


def copy_estimate(
    id: str, value: float, interval: tuple[float, float], without: float, sizes: tuple[int, int, int], seed: int,
    part: str = "", features: str = "",
) -> CopyEstimate:  # fmt: skip
    """An estimate of copying; `sizes` are of synthetic, training and held-out images."""
    return CopyEstimate(
        id=id, name=name_of(id, features, part), part=part, value=value, low=interval[0], high=interval[1], without=without,
        n_synthetic=sizes[0], n_training=sizes[1], n_held_out=sizes[2], seed=seed,
    )  # fmt: skip


def authenticity_of(sets: ThreeSets) -> CopyEstimate:
    """Authenticity, beside that of held-out images."""
    value = authentic_share(sets.synthetic, sets.training)
    interval = _jackknife_interval(authentic_share, sets, value, highest=1.0)
    return sets.estimate("authenticity", value, interval, authentic_share(sets.held_out, sets.training))


def distance_ratio_of(sets: ThreeSets) -> CopyEstimate:
    """Distance to training images over that to held-out ones."""

    def ratio(x: Features, y: Features) -> float:
        return distance_ratio(x, y, sets.held_out, seed=sets.seed)

    value = ratio(sets.synthetic, sets.training)
    return sets.estimate("distance_ratio", value, _jackknife_interval(ratio, sets, value), 1.0)


def membership_of(sets: ThreeSets, resamples: int) -> CopyEstimate:
    """How well the distance to the nearest synthetic image separates training images from held-out ones."""
    near, far = sets.membership_scores
    interval = percentile_bootstrap(membership_auc, near, far, resamples=resamples, seed=sets.seed)
    return sets.estimate("membership_distance", membership_auc(near, far), interval, 0.5)


def memorised_share_of(sets: ThreeSets) -> CopyEstimate:
    """The share of the gap ratio's rule, beside that of held-out images."""
    value = memorised_share(sets.synthetic, sets.training)
    exact = rate(round(value * len(sets.synthetic)), len(sets.synthetic))
    without = memorised_share(sets.held_out, sets.training)
    return sets.estimate("memorised_share", value, (exact.low, exact.high), without)


def sure_members_of(sets: ThreeSets, resamples: int) -> list[CopyEstimate]:
    """How many training images the distance to the nearest synthetic one gives away at few false positives.

    A rate a false positive rate that the held-out images can tell: 1 % from 100 of them on, 0.1 % from 1,000.
    """
    near, far = sets.membership_scores
    estimates = []
    for errors in FALSE_POSITIVES:
        if len(far) * errors < 1:
            continue
        share = partial(true_positive_rate, false_positives=errors)

        interval = percentile_bootstrap(share, near, far, resamples=resamples, seed=sets.seed)
        value = share(near, far)
        ends = min(interval[0], value), max(interval[1], value)
        estimates.append(sets.estimate("membership_sure", value, ends, errors, f"{100 * errors:g} %"))
    return estimates


def memorisation_of(sets: ThreeSets, cells: int = CELLS, resamples: int = 200) -> CopyEstimate | None:
    """C_T; None where no cell has enough images of both kinds."""
    try:
        test = copy_test(*_rows(sets), cells=cells, resamples=resamples, seed=sets.seed)
    except ValueError:
        return None
    return sets.estimate("memorisation", test.value, (test.low, test.high), 0.0, str(test.cells))


def _rows(sets: ThreeSets) -> tuple[Features, Features, Features]:
    return sets.synthetic, sets.training, sets.held_out


def _jackknife_interval(
    statistic: Callable[[Features, Features], float], sets: ThreeSets, value: float, highest: float = np.inf
) -> tuple[float, float]:
    x, y = sets.synthetic, sets.training
    low, high = jackknife(lambda i, j: statistic(x[i], y[j]), (len(x), len(y)), value, seed=sets.seed)
    return max(low, 0.0), min(high, highest)


def copy_estimates(sets: ThreeSets, resamples: int = 500) -> list[CopyEstimate]:
    """Authenticity, memorised share, distance ratio, membership by distance, and C_T where there are images enough for it."""
    memorised = memorisation_of(sets)
    membership = [membership_of(sets, resamples), *sure_members_of(sets, resamples)]
    estimates = [authenticity_of(sets), memorised_share_of(sets), distance_ratio_of(sets), *membership]
    return estimates if memorised is None else [*estimates, memorised]


def _three_sets(
    synthetic: NDArray[Any], training: NDArray[Any], held_out: NDArray[Any], extractor: Extractor | None, seed: int
) -> ThreeSets:
    """Features of three sets, of images by an extractor or as they are given."""
    require_seed(seed)
    require_extractor(extractor)
    named = {"synthetic": synthetic, "training": training, "held_out": held_out}
    for name, rows in named.items():
        require_rows(rows, name)
        if len(rows) < FEWEST_IN_CELL:
            raise UserError(f"`{name}`: {len(rows)} images, at least {FEWEST_IN_CELL} of each kind are needed")
    if all(np.ndim(rows) == 2 for rows in named.values()) and extractor is None:
        given = [numeric_features(rows, name) for name, rows in named.items()]
        if len({rows.shape[1] for rows in given}) > 1:
            widths = ", ".join(str(rows.shape[1]) for rows in given)
            raise UserError(f"`synthetic`, `training`, `held_out`: {widths} features a row; must be the same")
        return ThreeSets(given[0], given[1], given[2], " of given features", seed)
    network = extractor or embedded()
    features = [network(pixels(rows, name)) for name, rows in named.items()]
    return ThreeSets(features[0], features[1], features[2], network.suffix, seed)


def authenticity(
    synthetic: NDArray[Any], training: NDArray[Any], held_out: NDArray[Any], *, extractor: Extractor | None = None,
    seed: int = 0,
) -> CopyEstimate:  # fmt: skip
    """Share of synthetic images that are farther from their training image than that is from the next one.

    Parameters
    ----------
    synthetic, training, held_out
        As for `memorisation`.
    extractor, seed
        As for `memorisation`.

    Returns
    -------
    CopyEstimate
        A share, 0 to 1; `without` is that of the held-out images. Far below it the generator copies.

    Raises
    ------
    UserError
        As `memorisation`.

    References
    ----------
    Alaa et al. 2022, "How faithful is your synthetic data?", section 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> training, held_out = random.normal(size=(2, 100, 4))
    >>> metrics.authenticity(training[:50] + 0.001, training, held_out).value
    0.0
    """
    return authenticity_of(_three_sets(synthetic, training, held_out, extractor, seed))


def membership(
    synthetic: NDArray[Any], training: NDArray[Any], held_out: NDArray[Any], *, extractor: Extractor | None = None,
    resamples: int = 500, seed: int = 0,
) -> CopyEstimate:  # fmt: skip
    """How well the distance to the nearest synthetic image separates training images from held-out ones.

    Parameters
    ----------
    synthetic, training, held_out
        As for `memorisation`.
    extractor, resamples, seed
        As for `memorisation`.

    Returns
    -------
    CopyEstimate
        Area under the ROC curve, 0 to 1: about 0.5 without copying, 1 gives the training images away.

    Raises
    ------
    UserError
        As `memorisation`.

    References
    ----------
    Chen et al. 2020, "GAN-Leaks: a taxonomy of membership inference attacks against generative models", equation 5.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> training, held_out = random.normal(size=(2, 100, 4))
    >>> metrics.membership(training + 0.001, training, held_out, resamples=50).value > 0.99
    True
    """
    return membership_of(_three_sets(synthetic, training, held_out, extractor, seed), resamples)


def memorisation(
    synthetic: NDArray[Any], training: NDArray[Any], held_out: NDArray[Any], *, extractor: Extractor | None = None,
    cells: int = CELLS, resamples: int = 200, seed: int = 0,
) -> CopyEstimate:  # fmt: skip
    """C_T: do synthetic images lie closer to the training images than real images do that were never trained on?

    Parameters
    ----------
    synthetic, training, held_out : ndarray
        Images, uint8 [n, h, w, 3], or features, float [n, d]: of the generator, those that it was trained on, and real ones
        of the same kind that it has not seen. At least 20 of each.
    extractor : callable, optional
        The network that makes features of images, as for `fid`.
    cells : int
        Cells of the training images, by k-means, within which distances are compared.
    resamples : int
        Resamples of the bootstrap that gives the interval.
    seed : int
        Seed of cells and bootstrap.

    Returns
    -------
    CopyEstimate
        C_T: about 0 without copying, below -2 too close, below -3 copying, above 5 far from all real images.

    Raises
    ------
    UserError
        For fewer images than are needed, and where no cell holds 20 synthetic and 20 held-out images.

    References
    ----------
    Meehan et al. 2020, "A non-parametric test to detect data-copying in generative models", equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> from dermsynth import metrics
    >>> random = np.random.default_rng(0)
    >>> training, held_out = random.normal(size=(2, 200, 4))
    >>> metrics.memorisation(training + 0.001, training, held_out, cells=2, resamples=20).value < -3
    True
    """
    memorised = memorisation_of(_three_sets(synthetic, training, held_out, extractor, seed), cells, resamples)
    if memorised is None:
        raise UserError(
            f"`cells` {cells}: none holds {FEWEST_IN_CELL} synthetic and {FEWEST_IN_CELL} held-out images; take fewer cells "
            "or more images"
        )
    return memorised
